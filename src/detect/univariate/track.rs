//! The newest numbers of a stream, always in one piece of memory.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// The newest `keep` numbers, as a slice; what is older is moved out once a quarter of `keep` has
/// gathered. `4 · 1.25 · keep` bytes at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    #[serde(with = "raw::f32s")]
    values: Vec<f32>,
    keep: usize,
    /// Numbers ever pushed.
    total: u64,
}

impl Track {
    pub(super) fn new(keep: usize) -> Self {
        Self { values: Vec::new(), keep, total: 0 }
    }

    pub(super) fn push(&mut self, value: f32) {
        if self.values.len() >= self.keep + self.keep / 4 {
            let from = self.values.len() + 1 - self.keep;
            self.values.copy_within(from.., 0);
            self.values.truncate(self.keep - 1);
        }
        self.values.push(value);
        self.total += 1;
    }

    /// Puts another number in the place of the newest.
    pub(super) fn replace_newest(&mut self, value: f32) {
        if let Some(newest) = self.values.last_mut() {
            *newest = value;
        }
    }

    /// What is kept, oldest first.
    pub(super) fn kept(&self) -> &[f32] {
        &self.values[self.values.len().saturating_sub(self.keep)..]
    }

    /// The newest `n`, or all there are.
    pub(super) fn newest(&self, n: usize) -> &[f32] {
        let kept = self.kept();
        &kept[kept.len().saturating_sub(n)..]
    }

    /// Kept numbers.
    pub(super) fn len(&self) -> usize {
        self.values.len().min(self.keep)
    }

    /// Numbers ever pushed.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether a restored track can take the place of `fresh`.
    pub(super) fn fits(&self, fresh: &Self) -> bool {
        self.keep == fresh.keep && self.values.len() <= self.keep + self.keep / 4
    }

    /// Mean of the newest `n`; 0 while there are fewer.
    pub(super) fn mean(&self, n: usize) -> f64 {
        if self.len() < n {
            return 0.0;
        }
        self.newest(n).iter().map(|v| f64::from(*v)).sum::<f64>() / n as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_in_order() {
        for keep in [4, 5, 64] {
            let mut track = Track::new(keep);
            for i in 0..1_000_u32 {
                track.push(i as f32);
                let n = keep.min(i as usize + 1);
                let wanted: Vec<f32> = (i + 1 - n as u32..=i).map(|v| v as f32).collect();
                assert_eq!((track.kept(), track.len()), (wanted.as_slice(), n));
            }
            assert!(track.values.len() <= keep + keep / 4);
        }
    }
}
