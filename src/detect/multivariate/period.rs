//! The period that sensors share, found by their autocorrelation.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Points of the decimated past, and the longest lag that is looked at.
const POINTS: usize = 2_048;
const LAGS: usize = 512;
/// Shortest period, rows.
const ROWS_MIN: f64 = 96.0;
/// Most sensors that are looked at.
const SENSORS: usize = 24;
/// Least mean autocorrelation of a period, and its least rise above the valley before it.
const LEAST: f64 = 0.3;
const RISE: f64 = 0.2;

/// Means of `2^k` rows each, so that all of the past fits; searched when the rows double.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PeriodFinder {
    sensors: usize,
    /// `(points * sensors,)`.
    #[serde(with = "raw::f32s")]
    points: Vec<f32>,
    #[serde(with = "raw::f32s")]
    sums: Vec<f32>,
    /// Newest values that were seen; empty in an old state.
    #[serde(default, with = "raw::f32s")]
    held: Vec<f32>,
    decimation: u32,
    in_sum: u32,
    rows: u64,
    period: Option<f64>,
}

impl PeriodFinder {
    pub(super) fn new(channels: usize) -> Self {
        let sensors = channels.min(SENSORS);
        Self {
            sensors,
            points: Vec::new(),
            sums: vec![0.0; sensors],
            held: vec![0.0; sensors],
            decimation: 1,
            in_sum: 0,
            rows: 0,
            period: None,
        }
    }

    pub(super) fn fits(&self, channels: usize) -> bool {
        self.sensors == channels.min(SENSORS)
            && self.sums.len() == self.sensors
            && (self.held.is_empty() || self.held.len() == self.sensors)
            && self.points.len().is_multiple_of(self.sensors.max(1))
            && self.points.len() <= POINTS * self.sensors
    }

    /// Rows of a period.
    #[cfg(test)]
    pub(super) fn period(&self) -> Option<f64> {
        self.period
    }

    /// Phase 0 to 1 of row `row`.
    pub(super) fn phase(&self, row: u64) -> Option<f64> {
        self.period.map(|period| (row as f64 / period).fract())
    }

    /// Takes a row in standard deviations, of `channels` sensors; one that is NaN counts as it was last.
    /// Returns whether a period was found that was not known.
    pub(super) fn observe(&mut self, row: impl ExactSizeIterator<Item = f64>) -> bool {
        // Sensors far apart rather than the first ones: neighbours often measure the same.
        let stride = (row.len() / self.sensors.max(1)).max(1);
        self.held.resize(self.sensors, 0.0);
        for ((sum, held), x) in self.sums.iter_mut().zip(&mut self.held).zip(row.step_by(stride)) {
            if !x.is_nan() {
                *held = x.clamp(-3.0, 3.0) as f32;
            }
            *sum += *held;
        }
        self.rows += 1;
        self.in_sum += 1;
        if self.in_sum == self.decimation {
            let of = self.decimation as f32;
            self.points.extend(self.sums.iter().map(|sum| sum / of));
            self.sums.fill(0.0);
            self.in_sum = 0;
            if self.points.len() == POINTS * self.sensors {
                self.halve();
            }
        }
        self.rows >= 400
            && (self.rows / 100).is_power_of_two()
            && self.rows.is_multiple_of(100)
            && self.search()
    }

    fn halve(&mut self) {
        let n = self.sensors;
        for i in 0..POINTS / 2 {
            for j in 0..n {
                let pair = self.points[2 * i * n + j] + self.points[(2 * i + 1) * n + j];
                self.points[i * n + j] = 0.5 * pair;
            }
        }
        self.points.truncate(POINTS / 2 * n);
        self.decimation *= 2;
    }

    fn search(&mut self) -> bool {
        let n = self.points.len() / self.sensors.max(1);
        let lags = (n / 4).min(LAGS);
        let correlations = self.mean_correlations(n, lags);
        let least = (ROWS_MIN / f64::from(self.decimation)).ceil().max(2.0) as usize;
        let (mut valley, mut best) = (f64::INFINITY, None::<(usize, f64)>);
        for lag in 0..lags.saturating_sub(1) {
            let c = correlations[lag];
            valley = valley.min(c);
            let peak = lag >= least && c > correlations[lag - 1] && c >= correlations[lag + 1];
            if peak && c - valley > RISE && best.is_none_or(|(_, b)| c > 1.05 * b) {
                best = Some((lag, c));
            }
        }
        let Some((lag, _)) = best.filter(|(_, c)| *c > LEAST) else { return false };
        let period = self.refine(&correlations, lag) * f64::from(self.decimation);
        let tolerance = 1.5 * f64::from(self.decimation);
        let known = self.period.is_some_and(|known| (known - period).abs() < tolerance);
        if !known {
            self.period = Some(period);
        }
        !known
    }

    /// The lag to a fraction of a point, from the highest of its multiples.
    fn refine(&self, correlations: &[f64], lag: usize) -> f64 {
        let mut fine = vertex(correlations, lag);
        for k in 2..=correlations.len() / lag.max(1) {
            let about = (fine * k as f64).round() as usize;
            let near = about.saturating_sub(3)..(about + 4).min(correlations.len() - 1);
            let peak = near.max_by(|a, b| correlations[*a].total_cmp(&correlations[*b]));
            let Some(peak) = peak.filter(|peak| peak.abs_diff(about) < 3) else { break };
            fine = vertex(correlations, peak) / k as f64;
        }
        fine
    }

    /// Autocorrelation at each lag, mean over the third of the sensors where it is largest.
    fn mean_correlations(&self, n: usize, lags: usize) -> Vec<f64> {
        let each: Vec<Vec<f64>> =
            (0..self.sensors).filter_map(|j| self.correlations(j, n, lags)).collect();
        let best = (each.len() / 3).max(1);
        (0..lags)
            .map(|lag| {
                let mut at: Vec<f64> = each.iter().map(|c| c[lag]).collect();
                at.sort_by(|a, b| b.total_cmp(a));
                at.iter().take(best).sum::<f64>() / best as f64
            })
            .collect()
    }

    /// Of sensor `j`; `None` if it is constant.
    fn correlations(&self, j: usize, n: usize, lags: usize) -> Option<Vec<f64>> {
        let mut x: Vec<f32> = self.points.iter().skip(j).step_by(self.sensors).copied().collect();
        let mean = x.iter().sum::<f32>() / n as f32;
        x.iter_mut().for_each(|x| *x -= mean);
        let square: f32 = x.iter().map(|x| x * x).sum();
        let sd = (square / n as f32).sqrt();
        (sd > 1e-6).then(|| {
            x.iter_mut().for_each(|x| *x = (*x / sd).clamp(-3.0, 3.0));
            let at = |lag: usize| {
                let pairs = x.iter().zip(&x[lag..]);
                pairs.map(|(a, b)| f64::from(a * b)).sum::<f64>() / (n - lag) as f64
            };
            let own = at(0).max(1e-9);
            (0..lags).map(|lag| at(lag) / own).collect()
        })
    }
}

/// Top of the parabola through a peak and its neighbours.
fn vertex(c: &[f64], at: usize) -> f64 {
    if at == 0 || at + 1 >= c.len() {
        return at as f64;
    }
    let (a, b, d) = (c[at - 1], c[at], c[at + 1]);
    let bend = a - 2.0 * b + d;
    let shift = if bend < 0.0 { 0.5 * (a - d) / bend } else { 0.0 };
    at as f64 + shift.clamp(-0.5, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn finder(rows: usize, wave: impl Fn(usize, usize) -> f64) -> PeriodFinder {
        let mut finder = PeriodFinder::new(3);
        (0..rows).for_each(|i| {
            finder.observe((0..3).map(|j| wave(i, j)));
        });
        finder
    }

    #[test]
    fn a_shared_period_is_found_also_when_the_past_is_decimated() {
        let tau = std::f64::consts::TAU;
        for (period, rows) in [(288.0, 3_300), (1_440.0, 13_000)] {
            let wave = |i: usize, j: usize| (tau * i as f64 / period + j as f64).sin();
            let found = finder(rows, wave).period().expect("a pure wave has a period");
            assert!((found / period - 1.0).abs() < 0.01, "{found} for {period}");
        }
    }

    #[test]
    fn noise_and_constants_have_none() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let rows: Vec<[f64; 3]> = (0..3_300).map(|_| rng.r#gen()).collect();
        assert_eq!(finder(3_300, |i, j| 3.0 * rows[i][j]).period(), None);
        assert_eq!(finder(3_300, |_, _| 2.0).period(), None);
    }
}
