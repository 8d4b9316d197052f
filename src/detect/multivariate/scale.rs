//! The long memory of each sensor: its mean, its spread, and the least spread it is believed to have.

use serde::{Deserialize, Serialize};

use super::Tuning;
use crate::record::raw;

/// A value further from its mean than so many spreads is taken to be so far.
const CLIP: f64 = 8.0;
/// A squared deviation counts at most so many variances: one value cannot blind a sensor.
const GROWTH: f64 = 25.0;
/// Rows in which a sensor must have been seen before it is judged.
const KNOWN: f64 = 64.0;
/// Of the first rows a value counts as at most [`REACH`] times the distance of two quantiles beyond
/// them, the first pair of these that are not equal: a glitch is none of what is usual, a flag or a
/// burst is. Of normal values that is 15 spreads.
const QUANTILES: [f64; 2] = [0.05, 0.01];
const REACH: f64 = 4.0;
/// The range of a sensor extends by so many spreads, and its own width, a row.
const EXTEND: f64 = 100.0;
/// First rows of a sensor that showed up late in which nothing is known of its spread.
const MET: f64 = 8.0;

/// Mean and variance of every sensor over a memory that grows with the rows up to a bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scale {
    #[serde(with = "raw::f64s")]
    mean: Vec<f64>,
    #[serde(with = "raw::f64s")]
    variance: Vec<f64>,
    /// Smallest spread; grows with the range that was seen.
    #[serde(with = "raw::f64s")]
    least: Vec<f64>,
    /// Variance with all that was ever seen in full, faults too.
    #[serde(with = "raw::f64s")]
    whole: Vec<f64>,
    #[serde(with = "raw::f64s")]
    low: Vec<f64>,
    #[serde(with = "raw::f64s")]
    high: Vec<f64>,
    /// Rows in which it was seen.
    #[serde(with = "raw::f64s")]
    rows: Vec<f64>,
}

impl Scale {
    /// Around zero with spread at least `least`, nothing seen.
    pub(super) fn around_zero(channels: usize, least: f64) -> Self {
        Self {
            mean: vec![0.0; channels],
            variance: vec![0.0; channels],
            least: vec![least; channels],
            whole: vec![0.0; channels],
            low: vec![f64::NAN; channels],
            high: vec![f64::NAN; channels],
            rows: vec![0.0; channels],
        }
    }

    /// From rows `(n * channels,)`, NaN where missing, without their glitches ([`tame`]).
    ///
    /// The spread is at least half of the smallest step that was seen (a sensor of few digits) and a
    /// hundredth of the range; of a constant sensor a hundredth of its value.
    pub(super) fn fit(rows: &[f64], channels: usize) -> Self {
        let mut scale = Self::around_zero(channels, 0.0);
        for j in 0..channels {
            let seen = || rows.iter().skip(j).step_by(channels).copied().filter(|x| !x.is_nan());
            scale.rows[j] = seen().count() as f64;
            let n = scale.rows[j].max(1.0);
            let mean = seen().sum::<f64>() / n;
            let variance = seen().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let step = seen()
                .zip(seen().skip(1))
                .map(|(a, b)| (b - a).abs())
                .filter(|step| *step > 0.0)
                .fold(f64::INFINITY, f64::min);
            scale.mean[j] = mean;
            scale.variance[j] = variance;
            scale.whole[j] = variance;
            scale.low[j] = seen().fold(f64::NAN, f64::min);
            scale.high[j] = seen().fold(f64::NAN, f64::max);
            let moves = variance.sqrt() > 1e-12 && step.is_finite();
            scale.least[j] = if moves { 0.5 * step } else { (0.01 * mean.abs()).max(1e-6) };
        }
        scale
    }

    /// From prediction errors `(n * channels,)`, around zero with spread at least `least`.
    pub(super) fn fit_errors(errors: &[f64], channels: usize, least: f64) -> Self {
        let mut scale = Self::fit(errors, channels);
        for j in 0..channels {
            scale.variance[j] += scale.mean[j].powi(2);
        }
        scale.mean.fill(0.0);
        scale.least.fill(least);
        scale.low.fill(f64::NAN);
        scale.high.fill(f64::NAN);
        scale
    }

    pub(super) fn fits(&self, channels: usize) -> bool {
        [&self.mean, &self.variance, &self.least, &self.whole, &self.low, &self.high, &self.rows]
            .iter()
            .all(|list| list.len() == channels)
    }

    /// Rows `(n * channels,)` in standard deviations, clipped.
    pub(super) fn standard(&self, rows: &[f64]) -> Vec<f64> {
        let p = self.mean.len();
        let of = |(i, x): (usize, &f64)| (self.clip(i % p, *x) - self.mean(i % p)) / self.sd(i % p);
        rows.iter().enumerate().map(of).collect()
    }

    /// Whether the sensor was seen often enough to be judged.
    pub(super) fn knows(&self, j: usize) -> bool {
        self.rows[j] >= KNOWN
    }

    /// A plain mean and variance of the first values of a sensor that showed up late, each at most ten
    /// of the spreads so far off.
    fn meet(&mut self, j: usize, x: f64) {
        let far = if self.rows[j] < MET || self.variance[j] <= 0.0 {
            f64::INFINITY
        } else {
            10.0 * self.variance[j].sqrt()
        };
        let x = within(x, self.mean[j] - far, self.mean[j] + far);
        self.rows[j] += 1.0;
        let off = x - self.mean[j];
        self.mean[j] += off / self.rows[j];
        self.variance[j] += (off * (x - self.mean[j]) - self.variance[j]) / self.rows[j];
        self.whole[j] = self.variance[j];
        self.low[j] = self.low[j].min(x);
        self.high[j] = self.high[j].max(x);
        let range = self.high[j] - self.low[j];
        let constant = (0.01 * self.mean[j].abs()).max(1e-6);
        self.least[j] = if range > 0.0 { 1e-3 * range } else { constant };
    }

    /// Whether the sensor has shown one value only.
    pub(super) fn is_constant(&self, j: usize) -> bool {
        self.low[j] >= self.high[j]
    }

    /// Takes the variance of a sensor to be `variance`.
    pub(super) fn assume(&mut self, j: usize, variance: f64) {
        (self.variance[j], self.whole[j]) = (variance, variance);
    }

    pub(super) fn mean(&self, j: usize) -> f64 {
        self.mean[j]
    }

    /// Spread of sensor `j`, above 0.
    pub(super) fn sd(&self, j: usize) -> f64 {
        let range = 0.01 * (self.high[j] - self.low[j]);
        self.variance[j].sqrt().max(self.least[j]).max(range)
    }

    /// Variance with spikes and faults in full.
    pub(super) fn whole(&self, j: usize) -> f64 {
        self.whole[j]
    }

    /// `x`, brought to within 8 spreads of the mean; NaN stays NaN.
    pub(super) fn clip(&self, j: usize, x: f64) -> f64 {
        let reach = CLIP * self.sd(j);
        within(x, self.mean[j] - reach, self.mean[j] + reach)
    }

    /// Takes note of the range of a row as it came: what a unit of a sensor is, is not a question of
    /// what is normal. One row extends it by at most 100 spreads and its own width: a sensor that has
    /// been constant finds its unit within some twenty rows, and one glitch is not it. It fades with
    /// the long memory. `started` is told of each sensor that is known from now on.
    pub(super) fn see(
        &mut self,
        values: &[f64],
        tuning: &Tuning,
        mut started: impl FnMut(usize, &Self),
    ) {
        for (j, x) in values.iter().enumerate().filter(|(_, x)| !x.is_nan()) {
            if !self.knows(j) {
                self.meet(j, *x);
                if self.knows(j) {
                    started(j, self);
                }
                continue;
            }
            let rate = (1.0 / (self.rows[j] + 1.0)).max(1.0 / tuning.slow_rows);
            let width = self.high[j] - self.low[j];
            let reach = EXTEND * self.sd(j) + if width > 0.0 { width } else { 0.0 };
            let x = within(*x, self.mean[j] - reach, self.mean[j] + reach);
            self.whole[j] += rate * ((x - self.mean[j]).powi(2) - self.whole[j]);
            self.low[j] += (self.mean[j] - self.low[j]).max(0.0) / tuning.slow_rows;
            self.high[j] -= (self.high[j] - self.mean[j]).max(0.0) / tuning.slow_rows;
            self.low[j] = self.low[j].min(x);
            self.high[j] = self.high[j].max(x);
        }
    }

    /// Takes a row of clipped values in; `weight` in 0 to 1.
    pub(super) fn learn(&mut self, clipped: &[f64], weight: f64, tuning: &Tuning) {
        for (j, x) in clipped.iter().enumerate().filter(|(_, x)| !x.is_nan()) {
            self.rows[j] += weight;
            let rate = weight * (1.0 / (self.rows[j] + 1.0)).max(1.0 / tuning.slow_rows);
            let off = x - self.mean[j];
            let most = GROWTH * self.variance[j].max(self.sd(j).powi(2));
            self.variance[j] += rate * ((off * off).min(most) - self.variance[j]);
            self.mean[j] += rate * off;
        }
    }
}

/// `x`, brought to between `low` and `high`; NaN stays NaN.
fn within(x: f64, low: f64, high: f64) -> f64 {
    // Not `clamp`: it panics where numbers near the end of f64 have made a bound NaN.
    if x.is_nan() { x } else { x.max(low).min(high) }
}

/// Rows `(n * channels,)`, NaN where missing, without what lies absurdly far out.
pub(super) fn tame(rows: &mut [f64], channels: usize) {
    for j in 0..channels {
        let column = || (j..rows.len()).step_by(channels);
        let mut sorted: Vec<f64> = column().map(|i| rows[i]).filter(|x| !x.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).copied();
        let pairs = QUANTILES.iter().filter_map(|tail| at(*tail).zip(at(1.0 - tail)));
        let Some((low, high)) = pairs.into_iter().find(|(low, high)| low < high) else { continue };
        let far = REACH * (high - low);
        for i in column().collect::<Vec<_>>() {
            rows[i] = within(rows[i], low - far, high + far);
        }
    }
}
