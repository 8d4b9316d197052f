//! Fewer points than records: long periods are looked at in means.

use serde::{Deserialize, Serialize};

/// A mean of every `stride` records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Thin {
    stride: usize,
    sum: f64,
    observed: u32,
    records: usize,
}

impl Thin {
    /// `stride`: records a point, 1 and above.
    pub(super) fn new(stride: usize) -> Self {
        Self { stride, sum: 0.0, observed: 0, records: 0 }
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Takes a record (NaN: not observed). Returns the point it completes: the mean of what was
    /// observed, NaN if nothing was.
    pub(super) fn push(&mut self, x: f32) -> Option<f32> {
        if !x.is_nan() {
            self.sum += f64::from(x);
            self.observed += 1;
        }
        self.records += 1;
        if self.records < self.stride {
            return None;
        }
        let mean = self.sum / f64::from(self.observed);
        let point = if self.observed > 0 { mean as f32 } else { f32::NAN };
        *self = Self::new(self.stride);
        Some(point)
    }

    pub(super) fn is_sound(&self) -> bool {
        self.records < self.stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_the_mean_of_what_was_observed() {
        let mut thin = Thin::new(3);
        let told = [1.0, f32::NAN, 3.0, f32::NAN, f32::NAN, f32::NAN, 5.0].map(|x| thin.push(x));
        assert_eq!(told[..3], [None, None, Some(2.0)]);
        assert!(told[5].is_some_and(f32::is_nan) && told[6].is_none() && thin.is_sound());
        assert_eq!(Thin::new(1).push(4.0), Some(4.0));
    }
}
