//! How rare an error is in a series' own past, in 0.6 KiB.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Bins per doubling: one bin is 9 % wide.
const PER_OCTAVE: f64 = 8.0;
const BINS: usize = 160;
/// Bins of states of before; the highest ones are kept.
const BINS_BEFORE: usize = 192;
/// Of `log2(error / unit)`, at the lower edge of bin 1: bins reach up to 2^6 units.
const LOWEST: f64 = -14.0;
/// Bins that the histogram is moved by at a time.
const OCTAVE: usize = PER_OCTAVE as usize;
/// Share of errors that is the tail, and the least number.
const TAIL_SHARE: f64 = 0.01;
const TAIL_MIN: f64 = 5.0;
/// Errors before anything is said.
const MIN: f64 = 20.0;
/// Errors after which a past one counts half.
const HALF_LIFE: f64 = 5_000.0;
const RESCALE_AT: f32 = 1e6;

/// A fading histogram of past errors on a log scale, around the unit of its first error.
///
/// An error above all bins moves them up by a factor of two, one below them down if most are: what
/// the first error was does not matter for long.
///
/// Inside the bulk the p-value is the share of past errors at least as large; beyond the largest
/// 1 % the excesses are taken as exponential with their own mean (peaks over threshold with shape
/// 0: Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, section 4.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LogTail {
    #[serde(with = "raw::f32s")]
    weights: Vec<f32>,
    total: f32,
    /// Weight of the next error; grows instead of all others shrinking.
    next: f32,
    /// 0 until the first error above 0.
    unit: f64,
}

impl Default for LogTail {
    fn default() -> Self {
        Self { weights: vec![0.0; BINS], total: 0.0, next: 1.0, unit: 0.0 }
    }
}

impl LogTail {
    /// `-log10` of the chance that a calm error is at least `error` (not negative); 0 for the first
    /// 20 errors.
    pub(super) fn rarity(&self, error: f64) -> f64 {
        let n = f64::from(self.total / self.next);
        if n < MIN || error <= 0.0 {
            return 0.0;
        }
        let (at, above) = self.start((TAIL_SHARE * n).floor().max(TAIL_MIN));
        let edge = self.edge(at);
        if error <= edge {
            return 0.0 - ((self.above(error) + 1.0) / (n + 1.0)).min(1.0).log10();
        }
        let excess = self.mean_excess(at, edge);
        let rarity = -((above + 1.0) / (n + 1.0)).min(1.0).log10();
        (rarity + (error - edge) / excess / std::f64::consts::LN_10).min(300.0)
    }

    /// The error that a share `p` of past ones exceeds, at a bin edge; 0 if there are none.
    pub(super) fn quantile(&self, p: f64) -> f64 {
        let n = f64::from(self.total / self.next);
        if n < MIN { 0.0 } else { self.edge(self.start(p * n).0 + 1) }
    }

    pub(super) fn learn(&mut self, error: f64) {
        self.next *= (1.0 / HALF_LIFE).exp2() as f32;
        if self.next > RESCALE_AT {
            let scale = 1.0 / self.next;
            self.weights.iter_mut().for_each(|weight| *weight *= scale);
            self.total *= scale;
            self.next = 1.0;
        }
        self.make_room(error);
        let bin = self.bin(error);
        self.weights[bin] += self.next;
        self.total += self.next;
    }

    /// A stored tail, if it is sound.
    pub(super) fn adopt(mut self) -> Option<Self> {
        if self.weights.len() == BINS_BEFORE {
            let gone = BINS_BEFORE - BINS;
            let below: f32 = self.weights.drain(..gone).sum();
            self.weights[0] += below;
            self.unit *= (gone as f64 / PER_OCTAVE).exp2();
        }
        (self.weights.len() == BINS && self.next > 0.0).then_some(self)
    }

    /// Moves the bins by an octave, if that is where an error is. A single absurd error moves them no
    /// further.
    fn make_room(&mut self, error: f64) {
        if error <= 0.0 || !(self.unit.is_normal() && self.total > 0.0) {
            self.unit = if self.unit == 0.0 { error.max(0.0) } else { self.unit };
            return;
        }
        if self.position(error) >= BINS as f64 {
            let below: f32 = self.weights[..=OCTAVE].iter().sum();
            self.weights.copy_within(OCTAVE.., 0);
            self.weights[0] = below;
            self.weights[BINS - OCTAVE..].fill(0.0);
            self.unit *= 2.0;
        } else if self.position(error) < 1.0 && self.weights[0] > 0.5 * self.total {
            let above: f32 = self.weights[BINS - OCTAVE - 1..].iter().sum();
            self.weights.copy_within(1..BINS - OCTAVE, OCTAVE + 1);
            self.weights[1..=OCTAVE].fill(0.0);
            self.weights[BINS - 1] = above;
            self.unit /= 2.0;
        }
    }

    /// The highest bin with at least `wanted` errors above it, and how many those are.
    fn start(&self, wanted: f64) -> (usize, f64) {
        let mut above = 0.0;
        for i in (1..BINS).rev() {
            above += f64::from(self.weights[i] / self.next);
            if above >= wanted {
                return (i - 1, above);
            }
        }
        (0, above)
    }

    /// Mean of (error - edge) over the errors above bin `at`, at least 2 % of the edge.
    fn mean_excess(&self, at: usize, edge: f64) -> f64 {
        let (mut weight, mut sum) = (0.0, 0.0);
        for i in at + 1..BINS {
            let w = f64::from(self.weights[i]);
            weight += w;
            sum += w * ((self.edge(i - 1) * self.edge(i)).sqrt() - edge);
        }
        let mean = if weight > 0.0 { sum / weight } else { 0.0 };
        mean.max(0.02 * edge).max(f64::MIN_POSITIVE)
    }

    /// Errors at or above `error`, its own bin shared in proportion.
    fn above(&self, error: f64) -> f64 {
        let own = self.bin(error);
        let above: f32 = self.weights[own + 1..].iter().sum();
        let lower = if own == 0 { 0.0 } else { self.edge(own - 1) };
        let inside = ((self.edge(own) - error) / (self.edge(own) - lower)).clamp(0.0, 1.0);
        (f64::from(above) + inside * f64::from(self.weights[own])) / f64::from(self.next)
    }

    fn bin(&self, error: f64) -> usize {
        if self.unit == 0.0 {
            return if error > 0.0 { BINS - 1 } else { 0 };
        }
        // A float-to-integer cast saturates: 0 and below go to bin 0.
        (self.position(error) as usize).min(BINS - 1)
    }

    /// The bin, and how far in it; below 1 and above [`BINS`] beside the histogram.
    fn position(&self, error: f64) -> f64 {
        ((error / self.unit).log2() - LOWEST) * PER_OCTAVE + 1.0
    }

    /// Upper edge of a bin.
    fn edge(&self, bin: usize) -> f64 {
        self.unit * (LOWEST + bin as f64 / PER_OCTAVE).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// On calm errors of any unit a p-value below `p` comes about as often as it says.
    #[test]
    fn rarities_keep_their_promise_in_any_unit() {
        for unit in [1e-9, 1.0, 1e9] {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            let mut tail = LogTail::default();
            let mut over = [0_u32; 3];
            for i in 0..100_000 {
                let normal: f64 = StandardNormal.sample(&mut rng);
                let rarity = tail.rarity(unit * normal.abs());
                for (over, level) in over.iter_mut().zip([1.0, 2.0, 3.0]) {
                    *over += u32::from(i >= 2_000 && rarity >= level);
                }
                tail.learn(unit * normal.abs());
            }
            for (over, promised) in over.into_iter().zip([9_800.0, 980.0, 98.0]) {
                let ratio = f64::from(over) / promised;
                assert!((0.5..1.25).contains(&ratio), "{ratio} of the promise {promised}");
            }
        }
    }

    #[test]
    fn nothing_but_zero_is_not_rare_and_a_first_error_is() {
        let mut tail = LogTail::default();
        (0..500).for_each(|_| tail.learn(0.0));
        assert_eq!(tail.rarity(0.0), 0.0);
        assert!(tail.rarity(1.0) > 2.0);
    }

    #[test]
    fn a_stored_tail_with_more_bins_says_the_same() {
        let mut tail = LogTail::default();
        (1..2_000).for_each(|i| tail.learn(f64::from(i % 50) + 1.0));
        let mut before = tail.clone();
        let gone = BINS_BEFORE - BINS;
        before.weights.splice(0..0, vec![0.0; gone]);
        before.unit /= (gone as f64 / PER_OCTAVE).exp2();
        let adopted = before.adopt().expect("sound");
        assert!((adopted.rarity(51.0) - tail.rarity(51.0)).abs() < 1e-9);
        assert!(LogTail { weights: vec![0.0; 3], ..tail }.adopt().is_none());
    }

    /// Whatever the first errors were, later ones are told apart.
    #[test]
    fn bins_follow_errors_that_grow_or_shrink_for_good() {
        for (first, later) in [(1e-9, 1e6), (1e6, 1e-9)] {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
            let mut tail = LogTail::default();
            (0..50).for_each(|_| tail.learn(first));
            for _ in 0..20_000 {
                let normal: f64 = StandardNormal.sample(&mut rng);
                tail.learn(later * normal.abs());
            }
            let [calm, rare] = [1.0, 5.0].map(|error| tail.rarity(later * error));
            assert!(
                (0.3..0.8).contains(&calm) && rare > calm + 1.0,
                "{first} {later}: {calm} {rare}"
            );
        }
    }
}
