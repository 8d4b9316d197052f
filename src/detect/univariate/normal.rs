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

/// Records that the past counts for once the level has changed.
const FORGOTTEN: u64 = 30;

/// Running mean and variance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Normal {
    mean: f64,
    variance: f64,
    n: u64,
}

impl Normal {
    /// `asinh` of standard deviations from the mean, within ±3; ±3 for anything but the constant
    /// that was all there is.
    pub(super) fn scale(&self, value: f64) -> f64 {
        let difference = if self.n == 0 { 0.0 } else { value - self.mean };
        let sd = self.deviation();
        let z = if sd > 0.0 {
            difference / sd
        } else if difference.abs() <= ROUNDING * self.mean.abs() {
            0.0
        } else {
            difference.signum() * LIMIT
        };
        z.clamp(-LIMIT, LIMIT).asinh()
    }

    /// Back from what a network tells.
    pub(super) fn unscale(&self, told: f64) -> f64 {
        self.mean + self.deviation() * told.clamp(-TOLD_LIMIT, TOLD_LIMIT).sinh()
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

    pub(super) fn learn(&mut self, value: f64) {
        if self.n == 0 {
            self.mean = value;
        }
        self.n += 1;
        let rate = (1.0 / self.n as f64).max(1.0 / MEMORY);
        let difference = value - self.mean;
        self.mean += rate * difference;
        self.variance = (1.0 - rate) * (self.variance + rate * difference * difference);
    }
}
