//! A value in standard deviations of its past.

use serde::{Deserialize, Serialize};

/// Smallest rate: after so many records the past fades.
const MEMORY: f64 = 20_000.0;
/// Largest standardised value.
const LIMIT: f64 = 10.0;
/// Largest told value, in `asinh` of standard deviations.
const TOLD_LIMIT: f64 = 4.0;
/// A deviation below this share of the mean is rounding.
const ROUNDING: f64 = 1e-12;

/// Records that the past counts for once the level has changed; of the first ones, so many are kept until
/// they can be held against each other.
const FORGOTTEN: u64 = 30;

/// Running mean and variance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Normal {
    mean: f64,
    variance: f64,
    n: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    early: Vec<f64>,
}

impl Normal {
    /// `asinh` of standard deviations from the mean, within ±3; ±3 for anything but the constant
    /// that was all there is.
    pub(super) fn scale(&self, value: f64) -> f64 {
        if self.n == 0 {
            return 0.0;
        }
        let (difference, sd) = (value - self.mean, self.deviation());
        let z = if sd > 0.0 {
            difference / sd
        } else if self.is_mean(value) {
            0.0
        } else {
            difference.signum() * LIMIT
        };
        z.clamp(-LIMIT, LIMIT).asinh()
    }

    /// Whether the value is the one that was all there is, but for rounding.
    pub(super) fn is_constant(&self, value: f64) -> bool {
        self.n > 0 && self.deviation() == 0.0 && self.is_mean(value)
    }

    /// Back from what a network tells.
    pub(super) fn unscale(&self, told: f64) -> f64 {
        self.mean + self.deviation() * told.clamp(-TOLD_LIMIT, TOLD_LIMIT).sinh()
    }

    fn is_mean(&self, value: f64) -> bool {
        (value - self.mean).abs() <= ROUNDING * self.mean.abs()
    }

    /// Standard deviation; 0 where all was one value.
    pub(super) fn deviation(&self) -> f64 {
        let sd = self.variance.sqrt();
        if sd <= ROUNDING * self.mean.abs() { 0.0 } else { sd }
    }

    /// What comes next counts as much as all before: the level has changed for good.
    pub(super) fn forget(&mut self) {
        self.n = self.n.min(FORGOTTEN);
    }

    /// Takes a value into the past. Once there is one, a value counts as at most [`LIMIT`] deviations
    /// off: one absurd reading must not make all others look alike.
    pub(super) fn learn(&mut self, value: f64) {
        if self.n == 0 {
            self.mean = value;
        }
        self.n = self.n.saturating_add(1);
        let rate = (1.0 / self.n as f64).max(1.0 / MEMORY);
        let sd = self.deviation();
        let mut difference = value - self.mean;
        if self.n > FORGOTTEN && sd > 0.0 {
            difference = difference.clamp(-LIMIT * sd, LIMIT * sd);
        }
        let mean = self.mean + rate * difference;
        let variance = (1.0 - rate) * (self.variance + rate * difference * difference);
        // Squares of values near the end of f64's range overflow: such a value is left out.
        if mean.is_finite() && variance.is_finite() {
            (self.mean, self.variance) = (mean, variance);
        }
        if self.n <= FORGOTTEN && self.early.len() as u64 + 1 == self.n {
            self.early.push(value);
        }
        if self.n >= FORGOTTEN && !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.fit(early);
        }
    }

    /// Mean and variance of the first values, each at most [`LIMIT`] deviations off that all but the lowest
    /// and the highest have.
    fn fit(&mut self, mut early: Vec<f64>) {
        early.sort_unstable_by(f64::total_cmp);
        let Some(inner) = early.get(1..early.len() - 1) else { return };
        let (mean, variance) = moments(inner);
        let far = LIMIT * variance.sqrt();
        let (low, high) = (mean - far, mean + far);
        let is_far = |v: &f64| *v < low || *v > high;
        if !far.is_finite() || !early.iter().any(is_far) {
            return;
        }
        early.iter_mut().for_each(|v| *v = v.clamp(low, high));
        (self.mean, self.variance) = moments(&early);
    }
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(i: u32) -> f64 {
        2.0 * (f64::from(i) / 10.0).sin()
    }

    #[test]
    fn one_absurd_value_does_not_make_the_others_look_alike() {
        for absurd in [1e4, -1e6, 1e200, f64::MAX] {
            let (mut normal, mut calm) = (Normal::default(), Normal::default());
            for i in 0..4_000 {
                normal.learn(if i == 2_000 { absurd } else { wave(i) });
                calm.learn(wave(i));
            }
            let ratio = normal.deviation() / calm.deviation();
            assert!((0.9..1.2).contains(&ratio), "{absurd:e}: {ratio}");
            assert!((normal.unscale(normal.scale(1.5)) - 1.5).abs() < 1e-9);
        }
        // Nor at the very start, in the end.
        let mut normal = Normal::default();
        normal.learn(f64::MAX);
        normal.learn(-f64::MAX);
        assert!(normal.scale(1.0).is_finite() && normal.unscale(1.0).is_finite());
    }

    #[test]
    fn an_absurd_value_among_the_first_ones_is_no_exception() {
        for absurd in [-9_999.0, 1e200, f64::MAX] {
            for at in [0, 10, 29] {
                let (mut normal, mut calm) = (Normal::default(), Normal::default());
                for i in 0..200 {
                    normal.learn(if i == at { absurd } else { wave(i) });
                    calm.learn(wave(i));
                }
                let ratio = normal.deviation() / calm.deviation();
                assert!((0.9..2.0).contains(&ratio), "{absurd:e} as number {at}: {ratio}");
            }
        }
    }

    #[test]
    fn a_new_level_is_followed() {
        let mut normal = Normal::default();
        (0..2_000).for_each(|i| normal.learn(wave(i)));
        (0..60_000).for_each(|i| normal.learn(1_000.0 + wave(i)));
        assert!(normal.scale(1_000.0).abs() < 1.0, "{normal:?}");
    }
}
