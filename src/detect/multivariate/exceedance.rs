//! How often something so large was seen before.

use serde::{Deserialize, Serialize};

/// Largest values that are remembered one by one: of the blocks that count, one in twelve.
const KEPT: usize = 64;
/// A value whose weight has faded to this is forgotten.
const FORGOTTEN: f64 = 0.05;

/// The largest of the values that were seen, how many others there were, and of how many.
///
/// Of `n` values, `k` of which were at least as large as this one, a further one is with chance
/// `(k + 1) / (n + 1)`, whatever the distribution, as long as values are exchangeable (conformal
/// prediction: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005). All counts
/// fade. Of a value below the 64 largest, all others are taken to be as large: what happens all the
/// time is never rare.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Exceedances {
    /// All values.
    n: f64,
    /// Largest first, with their weights.
    largest: Vec<(f64, f64)>,
    /// Values above zero that are not among the largest.
    others: f64,
    /// Largest value of the fault that lasts, 0 without any.
    episode: f64,
}

impl Exceedances {
    pub(super) fn fits(&self) -> bool {
        self.largest.len() <= KEPT
    }

    /// Largest value that is remembered, 0 without any.
    pub(super) fn most(&self) -> f64 {
        self.largest.first().map_or(0.0, |(largest, _)| *largest)
    }

    /// How many values were at least `x`.
    pub(super) fn as_large(&self, x: f64) -> f64 {
        let kept = self.largest.iter().filter(|(kept, _)| *kept >= x);
        let below = self.largest.last().is_none_or(|(least, _)| x < *least);
        kept.map(|(_, weight)| weight).sum::<f64>() + if below { self.others } else { 0.0 }
    }

    /// Share of the values that were at least `x`.
    pub(super) fn seen(&self, x: f64) -> f64 {
        (self.as_large(x) / self.n.max(1.0)).min(1.0)
    }

    /// Chance that a further value is at least `x`.
    pub(super) fn share(&self, x: f64) -> f64 {
        ((self.as_large(x) + 1.0) / (self.n + 1.0)).min(1.0)
    }

    /// Takes a value in; one of 0 or less is no exceedance. Half of it is left after `half_life` values.
    /// The fault before it, if there was one, counts as `weight` values.
    pub(super) fn learn(&mut self, x: f64, weight: f64, half_life: f64) {
        self.count(1.0, half_life);
        let episode = std::mem::take(&mut self.episode);
        self.keep(episode, weight);
        self.keep(x, 1.0);
    }

    /// Takes note of a value of a fault that lasts, one of `1 / part`. Its largest value counts, once, and
    /// only after it: a fault does not make itself usual, but one that comes back as often as alerts
    /// are allowed for is.
    pub(super) fn pass(&mut self, x: f64, part: f64, half_life: f64) {
        self.count(part, half_life);
        self.episode = self.episode.max(x);
    }

    fn count(&mut self, part: f64, half_life: f64) {
        let fade = (-part / half_life).exp2();
        self.n = fade * self.n + part;
        self.others *= fade;
        self.largest.iter_mut().for_each(|(_, weight)| *weight *= fade);
    }

    fn keep(&mut self, x: f64, weight: f64) {
        if x > 0.0 {
            let at = self.largest.partition_point(|(kept, _)| *kept > x);
            self.largest.insert(at, (x, weight));
            self.largest.retain(|(_, weight)| *weight > FORGOTTEN);
            let others = self.largest.drain(KEPT.min(self.largest.len())..);
            self.others += others.map(|(_, weight)| weight).sum::<f64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_that_of_all_values() {
        let mut known = Exceedances::default();
        (1..=1_000).for_each(|i| known.learn(f64::from(i % 100), 1.0, f64::INFINITY));
        assert_eq!(known.most(), 99.0);
        assert_eq!(known.share(100.0), 1.0 / 1_001.0);
        assert_eq!(known.share(99.0), 11.0 / 1_001.0);
        // The 64 largest are those of 93 and more; of 50 it is only known that others were smaller.
        assert_eq!(known.share(50.0), 991.0 / 1_001.0);
    }

    #[test]
    fn a_fault_counts_once_and_afterwards() {
        let mut known = Exceedances::default();
        (0..100).for_each(|_| known.learn(0.0, 1.0, f64::INFINITY));
        (0..50).for_each(|i| known.pass(f64::from(i % 7), 1.0, f64::INFINITY));
        assert_eq!(known.as_large(1.0), 0.0);
        known.learn(0.0, 1.0, f64::INFINITY);
        assert_eq!((known.as_large(1.0), known.as_large(6.0)), (1.0, 1.0));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut known = Exceedances::default();
        known.learn(5.0, 1.0, 10.0);
        (0..100).for_each(|_| known.learn(1.0, 1.0, 10.0));
        assert_eq!(known.most(), 1.0);
    }
}
