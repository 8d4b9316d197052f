//! What came true of forecasts: scaled errors, coverage and skill, beside the seasonal naive forecasts.
//!
//! MASE and RMSSE: Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006, with the
//! seasonal difference of the whole series as the scale; WAPE is the sum of errors over the sum of
//! absolute values.

use crate::record::HorizonGroup;

/// Coverage levels that are counted.
pub const LEVELS: [f64; 2] = [0.8, 0.95];

/// Sums over forecasts of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Errors {
    /// Of absolute errors.
    pub absolute: f64,
    /// Of squared errors.
    pub square: f64,
}

impl Errors {
    fn add(&mut self, error: f64) {
        self.absolute += error.abs();
        self.square += error * error;
    }

    fn join(&mut self, other: &Self) {
        self.absolute += other.absolute;
        self.square += other.square;
    }
}

/// A forecast and what came true.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked<'a> {
    /// Group of the horizon.
    pub group: HorizonGroup,
    /// What came true.
    pub y: f64,
    /// What was published.
    pub yhat: f64,
    /// The naive forecast of each season; NaN without a past.
    pub naive: &'a [f64],
    /// Lower and upper bound by [`LEVELS`]; NaN without.
    pub bounds: [[f64; 2]; 2],
}

/// Everything that is counted of the horizons of one group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Forecasts checked.
    pub count: u64,
    /// Of what was published.
    pub ours: Errors,
    /// Of the naive forecast of each season.
    pub naive: Vec<Errors>,
    /// Sum of absolute values.
    pub size: f64,
    /// Forecasts with an interval, and truths inside it, by level.
    pub bounded: [u64; 2],
    /// Truths inside, by level.
    pub inside: [u64; 2],
}

impl Tally {
    /// Takes a forecast; one without a naive beside it is not compared, so not taken.
    pub fn add(&mut self, checked: &Checked<'_>) {
        let known = checked.naive.iter().all(|naive| naive.is_finite());
        if !known || !checked.y.is_finite() || !checked.yhat.is_finite() {
            return;
        }
        self.count += 1;
        self.ours.add(checked.yhat - checked.y);
        self.naive.resize(checked.naive.len(), Errors::default());
        let naive = self.naive.iter_mut().zip(checked.naive);
        naive.for_each(|(errors, naive)| errors.add(naive - checked.y));
        self.size += checked.y.abs();
        for (i, [low, high]) in checked.bounds.into_iter().enumerate() {
            if low.is_finite() && high.is_finite() {
                self.bounded[i] += 1;
                self.inside[i] += u64::from(low <= checked.y && checked.y <= high);
            }
        }
    }

    /// Adds the forecasts of others.
    pub fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.ours.join(&other.ours);
        self.naive.resize(other.naive.len().max(self.naive.len()), Errors::default());
        self.naive.iter_mut().zip(&other.naive).for_each(|(a, b)| a.join(b));
        self.size += other.size;
        for i in 0..LEVELS.len() {
            self.bounded[i] += other.bounded[i];
            self.inside[i] += other.inside[i];
        }
    }

    /// The figures by the `scale` of the series; `None` without forecasts, or on a constant series.
    pub fn figures(&self, scale: &Scale) -> Option<ForecastFigures> {
        let [absolute, square] = scale.means()?;
        let n = self.count as f64;
        let best = self.naive.iter().min_by(|a, b| a.absolute.total_cmp(&b.absolute))?;
        let scaled = |errors: &Errors| Accuracy {
            mase: errors.absolute / n / absolute,
            rmsse: (errors.square / n / square).sqrt(),
            wape: errors.absolute / self.size,
        };
        let coverage = |i: usize| self.inside[i] as f64 / self.bounded[i] as f64;
        (self.count > 0).then(|| ForecastFigures {
            count: self.count,
            ours: scaled(&self.ours),
            naive: scaled(best),
            skill: 1.0 - self.ours.absolute / best.absolute,
            coverage: [coverage(0), coverage(1)],
        })
    }
}

/// Sums of seasonal differences: the scale of errors.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scale {
    count: u64,
    sums: [f64; 2],
}

impl Scale {
    /// Takes a value and the one a season before.
    pub fn add(&mut self, y: f64, before: f64) {
        let off = y - before;
        if off.is_finite() {
            self.count += 1;
            self.sums = [self.sums[0] + off.abs(), self.sums[1] + off * off];
        }
    }

    /// Mean absolute and mean squared difference; `None` if the series does not change.
    fn means(&self) -> Option<[f64; 2]> {
        let mean = self.sums.map(|sum| sum / self.count.max(1) as f64);
        (mean[0] > 0.0).then_some(mean)
    }
}

/// Errors in three units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Accuracy {
    /// Mean absolute error over the mean absolute seasonal difference.
    pub mase: f64,
    /// Root mean squared error over the root mean squared seasonal difference.
    pub rmsse: f64,
    /// Sum of absolute errors over the sum of absolute values.
    pub wape: f64,
}

/// The figures of a series, or the means of those of many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForecastFigures {
    /// Forecasts checked.
    pub count: u64,
    /// Of what was published.
    pub ours: Accuracy,
    /// Of the best seasonal naive.
    pub naive: Accuracy,
    /// `1 - error / error of the best seasonal naive`.
    pub skill: f64,
    /// Share of truths inside the intervals, by [`LEVELS`]; NaN without.
    pub coverage: [f64; 2],
}

impl ForecastFigures {
    /// Means over series, counts added up; `None` of nothing. A figure that a series does not have (the
    /// WAPE of zeros, say) is left out of its mean.
    pub fn mean(all: &[Self]) -> Option<Self> {
        let mean = |part: &dyn Fn(&Self) -> f64| {
            let parts: Vec<f64> = all.iter().map(part).filter(|x| x.is_finite()).collect();
            parts.iter().sum::<f64>() / parts.len() as f64
        };
        let of = |part: fn(&Self) -> f64| mean(&part);
        let accuracy = |of_kind: fn(&Self) -> Accuracy| Accuracy {
            mase: mean(&|f| of_kind(f).mase),
            rmsse: mean(&|f| of_kind(f).rmsse),
            wape: mean(&|f| of_kind(f).wape),
        };
        (!all.is_empty()).then(|| Self {
            count: all.iter().map(|f| f.count).sum(),
            ours: accuracy(|f| f.ours),
            naive: accuracy(|f| f.naive),
            skill: of(|f| f.skill),
            coverage: [of(|f| f.coverage[0]), of(|f| f.coverage[1])],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_definitions() {
        let mut scale = Scale::default();
        [(3.0, 1.0), (1.0, 3.0), (f64::NAN, 1.0), (5.0, 1.0)]
            .into_iter()
            .for_each(|(y, before)| scale.add(y, before));
        let mut tally = Tally::default();
        let checked = |y, yhat, naive| Checked {
            group: HorizonGroup::Near,
            y,
            yhat,
            naive,
            bounds: [[yhat - 1.0, yhat + 1.0], [yhat - 2.0, yhat + 2.0]],
        };
        tally.add(&checked(4.0, 5.0, &[4.0, 8.0]));
        tally.add(&checked(6.0, 4.5, &[9.0, 6.0]));
        tally.add(&checked(6.0, 4.5, &[f64::NAN, 6.0]));
        let figures = tally.figures(&scale).expect("two forecasts");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert_eq!(figures.count, 2);
        assert!(close(figures.ours.mase, 1.25 / (8.0 / 3.0)), "{figures:?}");
        assert!(close(figures.ours.rmsse, (1.625_f64 / 8.0).sqrt()), "{figures:?}");
        assert!(close(figures.ours.wape, 0.25) && close(figures.naive.wape, 0.3), "{figures:?}");
        assert!(close(figures.skill, 1.0 - 2.5 / 3.0), "{figures:?}");
        assert_eq!(figures.coverage, [0.5, 1.0]);
        let nothing = Checked { y: 0.0, yhat: 1.0, ..checked(4.0, 5.0, &[0.0, 0.0]) };
        let mut zeros = Tally::default();
        zeros.add(&nothing);
        let both = [figures, zeros.figures(&scale).expect("a forecast")];
        let mean = ForecastFigures::mean(&both).expect("two series");
        assert!(close(mean.ours.wape, 0.25) && close(mean.skill, figures.skill), "{mean:?}");
        assert_eq!(Tally::default().figures(&scale), None);
        assert_eq!(tally.figures(&Scale::default()), None, "a constant series has no scale");
    }
}
