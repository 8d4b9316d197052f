//! Means over the phase of a period.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Phases that are told apart.
pub(super) const BINS: usize = 96;

/// The mean of some numbers in each bin of a period, renewed visit by visit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Profile {
    /// `(96 * width,)`.
    #[serde(with = "raw::f32s")]
    means: Vec<f32>,
    #[serde(with = "raw::f32s")]
    visits: Vec<f32>,
    #[serde(with = "raw::f64s")]
    sums: Vec<f64>,
    rows: f64,
    bin: Option<usize>,
    rate: f32,
}

impl Profile {
    /// A new visit counts at least `rate`.
    pub(super) fn new(width: usize, rate: f32) -> Self {
        Self {
            means: vec![0.0; BINS * width],
            visits: vec![0.0; BINS],
            sums: vec![0.0; width],
            rows: 0.0,
            bin: None,
            rate,
        }
    }

    pub(super) fn fits(&self, width: usize) -> bool {
        self.means.len() == BINS * width && self.visits.len() == BINS && self.sums.len() == width
    }

    /// A visit of a bin is taken in when the next bin begins; `take` false drops the visit.
    pub(super) fn observe(&mut self, bin: usize, take: bool, values: impl Iterator<Item = f64>) {
        if self.bin != Some(bin) {
            self.close_visit();
            self.bin = Some(bin);
        }
        if take {
            self.rows += 1.0;
            self.sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
        }
    }

    fn close_visit(&mut self) {
        let width = self.sums.len();
        if let (Some(bin), true) = (self.bin, self.rows > 0.0) {
            let rate = self.rate.max(1.0 / (self.visits[bin] + 1.0));
            for (mean, sum) in self.means[bin * width..][..width].iter_mut().zip(&self.sums) {
                *mean += rate * ((sum / self.rows) as f32 - *mean);
            }
            self.visits[bin] += 1.0;
        }
        self.sums.fill(0.0);
        self.rows = 0.0;
    }

    pub(super) fn is_known(&self, bin: usize) -> bool {
        self.visits[bin] >= 1.0
    }

    /// Mean of number `j`; 0 before the first visit.
    pub(super) fn mean(&self, bin: usize, j: usize) -> f32 {
        self.means[bin * self.sums.len() + j]
    }

    /// Mean of number `j`, smoothed over the neighbours; 0 before the first visit.
    pub(super) fn smooth(&self, bin: usize, j: usize) -> f32 {
        if !self.is_known(bin) {
            return 0.0;
        }
        let at = |bin: usize| self.means[(bin % BINS) * self.sums.len() + j];
        0.25 * (at(bin + BINS - 1) + 2.0 * at(bin) + at(bin + 1))
    }

    /// Largest mean of number `j` in the bin and its neighbours.
    pub(super) fn highest(&self, bin: usize, j: usize) -> f32 {
        let at = |bin: usize| self.means[(bin % BINS) * self.sums.len() + j];
        at(bin + BINS - 1).max(at(bin)).max(at(bin + 1))
    }
}
