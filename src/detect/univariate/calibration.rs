//! What errors are divided by: their own past, in three forms.
//!
//! Each is asked first (`of`) and learns afterwards (`learn`), or not at all while an alert fires.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Records a block.
const BLOCK: u32 = 128;
/// Blocks remembered.
const BLOCKS: usize = 128;
/// Blocks from which something is said.
const BLOCKS_MIN: usize = 4;
/// Of the block maxima, the quantile that is 1.
const QUANTILE: f64 = 0.75;

/// Largest result: where all was one value, any other is infinitely high.
const MOST: f64 = 5.0;
/// A maximum of at least this share of an error was one like it.
const ALIKE: f64 = 0.95;
/// `log10` of how much rarer than it was seen something may be.
const RARER_LOG10: f64 = 2.0;
/// `-log10` of the chance of a record that a height of 1 is taken for when alerts are raised.
pub(super) const HEIGHT_WORTH: f64 = 2.0;

/// An error over what is high for it: the 75 % quantile of the maxima of its past blocks of 128.
///
/// Tails of different channels become comparable, whatever their shape: 1 is as high as the worst
/// record of a bad block (block maxima: Gumbel, "Statistics of Extremes", 1958). 0.5 KiB.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BlockMax {
    #[serde(with = "raw::f32s")]
    maxima: Vec<f32>,
    at: usize,
    highest: f32,
    records: u32,
    scale: f64,
}

impl BlockMax {
    /// `error` (not negative) over the scale, 5 at most; 0 while there are fewer than four blocks.
    pub(super) fn of(&self, error: f64) -> f64 {
        let known = self.maxima.len() >= BLOCKS_MIN;
        if known { (error / (self.scale + 1e-12)).min(MOST) } else { 0.0 }
    }

    /// The height that `error` may raise with: what was in `k` of the blocks is at most a hundred times rarer
    /// than `k` in all their records, however far it is above the quantile; infinite for what was in none.
    /// (As rare as that and no more, faults that come again would find a threshold that they had lifted.)
    pub(super) fn bound(&self, error: f64) -> f64 {
        let alike = |highest: &&f32| f64::from(**highest) >= ALIKE * error;
        let seen = self.maxima.iter().filter(alike).count();
        let records = f64::from(BLOCK) * self.maxima.len() as f64;
        if seen > 0 {
            (RARER_LOG10 + (records / seen as f64).log10()) / HEIGHT_WORTH
        } else {
            f64::INFINITY
        }
    }

    pub(super) fn learn(&mut self, error: f64) {
        self.highest = self.highest.max(error as f32);
        self.records += 1;
        if self.records < BLOCK {
            return;
        }
        if self.maxima.len() < BLOCKS {
            self.maxima.push(self.highest);
        } else {
            self.maxima[self.at % BLOCKS] = self.highest;
        }
        self.at = (self.at + 1) % BLOCKS;
        (self.highest, self.records) = (0.0, 0);
        let mut sorted = self.maxima.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let place = QUANTILE * (sorted.len() - 1) as f64;
        let (low, share) = (place as usize, place.fract());
        let high = sorted[(low + 1).min(sorted.len() - 1)];
        self.scale = f64::from(sorted[low]) + share * f64::from(high - sorted[low]);
    }

    pub(super) fn is_sound(&self) -> bool {
        self.maxima.len() <= BLOCKS && self.at < BLOCKS
    }
}

/// An error over its running mean, in which outliers count as three means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ratio {
    rate: f64,
    mean: f64,
    n: u32,
}

impl Ratio {
    /// A past error counts half after `half_life` further ones.
    pub(super) fn new(half_life: f64) -> Self {
        Self { rate: 1.0 - (-1.0 / half_life).exp2(), mean: 0.0, n: 0 }
    }

    /// 0 for the first 20 errors.
    pub(super) fn of(&self, error: f64) -> f64 {
        if self.n >= 20 { error / (self.mean + 1e-9) } else { 0.0 }
    }

    pub(super) fn learn(&mut self, error: f64) {
        if error <= 0.0 {
            return;
        }
        self.n = self.n.saturating_add(1);
        let error = if self.n > 20 { error.min(3.0 * self.mean) } else { error };
        self.mean += (error - self.mean) * (1.0 / f64::from(self.n)).max(self.rate);
    }
}

const HOURS: usize = 24;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A residual over what is usual for its hour of the day (UTC): quiet hours get a small measure.
///
/// Memory of an hour about five days; residuals count as five times the usual at most.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct HourScale {
    means: [f64; HOURS],
    counts: [u32; HOURS],
    mean: f64,
    count: u32,
}

/// Residuals before the first scaled one.
const HOUR_MIN: u32 = 50;
/// Least that is usual for an hour, as a share of what is usual at any.
const HOUR_LEAST: f64 = 0.01;

impl HourScale {
    /// 0 for the first 50 residuals. Where the clock does not tell, what is usual at any hour counts.
    pub(super) fn of(&self, residual: f64, time_ms: i64, clock: bool) -> f64 {
        let usual = if clock { self.usual(time_ms) } else { None };
        let usual = usual.unwrap_or(self.mean);
        if self.count > HOUR_MIN { residual / (usual + 1e-12) } else { 0.0 }
    }

    fn usual(&self, time_ms: i64) -> Option<f64> {
        let b = hour(time_ms);
        let own = self.counts[b] >= 6;
        let usual = if own { self.means[b].max(HOUR_LEAST * self.mean) } else { self.mean };
        (self.count > HOUR_MIN).then_some(usual)
    }

    /// `step_s`: seconds between records.
    pub(super) fn learn(&mut self, residual: f64, time_ms: i64, step_s: f64) {
        let error = residual.abs();
        // Of nothing, five times the usual is nothing for ever.
        let usual = self.usual(time_ms).filter(|usual| *usual > 0.0);
        let error = usual.map_or(error, |usual| error.min(5.0 * usual));
        let b = hour(time_ms);
        self.count = self.count.saturating_add(1);
        self.counts[b] = self.counts[b].saturating_add(1);
        self.mean += (error - self.mean) * (1.0 / f64::from(self.count)).max(1.0 / 5_000.0);
        let rate = (HOURS as f64 * step_s / 86_400.0 / 5.0).clamp(1e-4, 0.2);
        self.means[b] += (error - self.means[b]) * (1.0 / f64::from(self.counts[b])).max(rate);
    }
}

fn hour(time_ms: i64) -> usize {
    (time_ms.rem_euclid(DAY_MS) / HOUR_MS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_as_high_as_a_bad_block() {
        let mut scale = BlockMax::default();
        for i in 0..128 * 8_u32 {
            assert_eq!(scale.of(1.0) == 0.0, i < 512);
            scale.learn(if i % 128 == 5 { f64::from(i / 128 + 1) } else { 0.1 });
        }
        // Maxima 1 to 8: the 75 % quantile is 6.25.
        assert!((scale.of(6.25) - 1.0).abs() < 1e-6);
        // In three of eight blocks was something like it.
        assert!((scale.bound(6.25) - 1.0 - (1_024_f64 / 3.0).log10() / 2.0).abs() < 1e-9);
        assert_eq!(scale.bound(9.0), f64::INFINITY);
    }

    #[test]
    fn what_was_nothing_at_first_gets_a_measure() {
        let mut scale = HourScale::default();
        (0..200).for_each(|i| scale.learn(0.0, i * 60_000, 60.0));
        (200..2_000).for_each(|i| scale.learn(2.0, i * 60_000, 60.0));
        assert!(scale.of(2.0, 1_999 * 60_000, true) < 10.0);
    }

    #[test]
    fn a_quiet_hour_has_its_own_measure() {
        let mut scale = HourScale::default();
        for i in 0..24 * 12 * 10_i64 {
            let time = i * 300_000;
            scale.learn(if hour(time) == 3 { 0.01 } else { 1.0 }, time, 300.0);
        }
        assert!((scale.of(1.0, 3 * HOUR_MS, true) - 100.0).abs() < 1.0);
        assert!((scale.of(1.0, 4 * HOUR_MS, true) - 1.0).abs() < 0.01);
    }

    #[test]
    fn outliers_hardly_move_a_ratio() {
        let mut ratio = Ratio::new(1_000.0);
        (0..1_000).for_each(|_| ratio.learn(1.0));
        ratio.learn(1e9);
        assert!((ratio.of(1.0) - 1.0).abs() < 0.01);
    }
}
