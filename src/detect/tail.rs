//! How rare an error is in a series' own past: an empirical distribution with a fitted tail.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Bins per doubling of the error: one bin is 9 % wide.
const BINS_PER_OCTAVE: f64 = 8.0;
const BINS: usize = 128;
/// log2 of the lower edge of bin 1; bin 0 holds everything below.
const LOWEST_OCTAVE: f64 = -8.0;
/// Weights are divided by their common growth when it passes this.
const RESCALE_AT: f32 = 1e6;
/// As many errors of a size must be left in memory for it to be one that comes back: once or twice, so
/// do faults.
const SEEN_MIN: f64 = 5.0;

/// A fading log-scale histogram of past errors, 0.5 KiB, and the p-value of a new one.
///
/// Inside the bulk the p-value is the share of past errors at least as large. Beyond the
/// `tail` quantile `u` the excesses over `u` are taken as exponential with their own mean (the
/// peaks-over-threshold method with shape 0: Coles, "An Introduction to Statistical Modeling of
/// Extreme Values", 2001, section 4.2), so that rarer than anything seen can still be told apart. What
/// was seen is no rarer than that: two-valued errors have no exponential tail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tail {
    #[serde(with = "raw::f32s")]
    weights: [f32; BINS],
    total: f32,
    /// Weight of the next error; grows instead of all others shrinking.
    unit: f32,
    growth: f32,
    tail: f32,
}

impl Tail {
    /// An empty distribution. A past error counts half after `memory` further ones; the largest
    /// `tail` share of errors is the tail.
    pub fn new(tail: f64, memory: f64) -> Self {
        Self {
            weights: [0.0; BINS],
            total: 0.0,
            unit: 1.0,
            growth: (1.0 / memory).exp2() as f32,
            tail: tail as f32,
        }
    }

    /// This past under the settings of `fresh`.
    pub fn adopt(self, fresh: &Self) -> Self {
        Self { growth: fresh.growth, tail: fresh.tail, ..self }
    }

    /// Effective number of past errors.
    pub fn samples(&self) -> f64 {
        f64::from(self.total / self.unit)
    }

    /// Chance that a calm error is at least `error` (finite, not negative); in (0, 1].
    pub fn p_value(&self, error: f64) -> f64 {
        let samples = self.samples();
        let (at, above_at) = self.tail_start();
        let edge = upper_edge(at);
        if error <= edge || above_at <= 0.0 {
            return ((self.weight_above(error) + 1.0) / (samples + 1.0)).min(1.0);
        }
        let excess = self.mean_excess(at, edge);
        let p_edge = (above_at + 1.0) / (samples + 1.0);
        let fitted = p_edge * (-(error - edge) / excess).exp();
        // The smallest positive f64 keeps the logarithm of the p-value finite.
        fitted.max(self.seen(error)).max(f64::MIN_POSITIVE)
    }

    /// Share of past errors about as large or larger; 0 where there were none.
    fn seen(&self, error: f64) -> f64 {
        let above: f32 = self.weights[bin(error)..].iter().sum();
        let above = f64::from(above / self.unit);
        if above < SEEN_MIN { 0.0 } else { ((above + 1.0) / (self.samples() + 1.0)).min(1.0) }
    }

    /// Takes an error in.
    pub fn learn(&mut self, error: f64) {
        self.unit *= self.growth;
        if self.unit > RESCALE_AT {
            let scale = 1.0 / self.unit;
            self.weights.iter_mut().for_each(|weight| *weight *= scale);
            self.total *= scale;
            self.unit = 1.0;
        }
        self.weights[bin(error)] += self.unit;
        self.total += self.unit;
    }

    /// The highest bin edge with at least the `tail` share above it, as (bin, samples above).
    fn tail_start(&self) -> (usize, f64) {
        let wanted = self.tail * self.total;
        let mut above = 0.0;
        for i in (1..BINS).rev() {
            above += self.weights[i];
            if above >= wanted {
                return (i - 1, f64::from(above / self.unit));
            }
        }
        (0, f64::from(above / self.unit))
    }

    /// Mean of (error - edge) over the errors above bin `at`; never below a tenth of the edge.
    fn mean_excess(&self, at: usize, edge: f64) -> f64 {
        let (mut weight, mut sum) = (0.0, 0.0);
        for i in at + 1..BINS {
            let w = f64::from(self.weights[i]);
            weight += w;
            sum += w * (middle(i) - edge);
        }
        if weight > 0.0 { (sum / weight).max(0.1 * edge) } else { edge }
    }

    /// Samples at or above `error`, its own bin shared in proportion.
    fn weight_above(&self, error: f64) -> f64 {
        let own = bin(error);
        let above: f32 = self.weights[own + 1..].iter().sum();
        let lower = if own == 0 { 0.0 } else { upper_edge(own - 1) };
        let inside = ((upper_edge(own) - error) / (upper_edge(own) - lower)).clamp(0.0, 1.0);
        (f64::from(above) + inside * f64::from(self.weights[own])) / f64::from(self.unit)
    }
}

fn bin(error: f64) -> usize {
    // A float-to-integer cast saturates: 0 and below go to bin 0.
    let position = (error.log2() - LOWEST_OCTAVE) * BINS_PER_OCTAVE + 1.0;
    (position as usize).min(BINS - 1)
}

fn upper_edge(bin: usize) -> f64 {
    (LOWEST_OCTAVE + bin as f64 / BINS_PER_OCTAVE).exp2()
}

fn middle(bin: usize) -> f64 {
    (LOWEST_OCTAVE + (bin as f64 - 0.5) / BINS_PER_OCTAVE).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn edges_and_bins_agree() {
        for i in 1..BINS - 1 {
            assert_eq!(bin(upper_edge(i - 1) * 1.001), i);
            assert_eq!(bin(upper_edge(i) * 0.999), i);
        }
        assert_eq!((bin(0.0), bin(1e300)), (0, BINS - 1));
    }

    /// On calm data a p-value below `p` must come about as often as `p` says. Where the tail is
    /// extrapolated, normal errors come less often than promised: their tail is lighter than the
    /// exponential one, which is meant for real sensors.
    #[test]
    fn p_values_of_calm_errors_are_about_uniform() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut tail = Tail::new(0.05, 5_000.0);
        let mut below = [0_u32; 3];
        let levels = [0.3, 0.03, 0.001];
        for i in 0..200_000 {
            let normal: f64 = StandardNormal.sample(&mut rng);
            let error = normal.abs();
            if i > 2_000 {
                let p = tail.p_value(error);
                levels.iter().zip(&mut below).for_each(|(l, n)| *n += u32::from(p < *l));
            }
            tail.learn(error);
        }
        for (level, count) in levels.iter().zip(below) {
            let ratio = f64::from(count) / 198_000.0 / level;
            assert!((0.25..1.3).contains(&ratio), "p < {level}: {ratio} of the promise");
        }
    }

    #[test]
    fn larger_errors_are_never_less_surprising() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut tail = Tail::new(0.05, 1_000.0);
        (0..3_000).for_each(|_| tail.learn(rng.gen_range(0.0..4.0)));
        let p: Vec<f64> = (1..4_000).map(|i| tail.p_value(f64::from(i) * 0.01)).collect();
        // The bulk and the tail meet at a bin edge, where they may differ by the plus-one.
        assert!(p.windows(2).all(|pair| pair[1] <= pair[0] * 1.001));
        assert!(p.iter().all(|p| 0.0 < *p && *p <= 1.0));
    }

    /// What comes once in 500 rows is no rarer than that, however far it is from all others.
    #[test]
    fn an_error_that_was_seen_is_as_rare_as_it_was_seen() {
        for large in [1.0, 30.0, 1e5] {
            let mut tail = Tail::new(0.05, 5_000.0);
            for i in 0..20_000 {
                let jitter = 1.0 + 0.01 * f64::from(i % 7);
                let comes = i % 500 == 499;
                if comes && i > 5_000 {
                    let p = tail.p_value(large * jitter);
                    assert!((0.001..0.02).contains(&p), "{large}: {p}");
                }
                tail.learn(if comes { large * jitter } else { 0.01 * jitter });
            }
            assert!(large > 1e3 || tail.p_value(5.0 * large) < 1e-6, "larger ones are still rare");
        }
    }

    #[test]
    fn the_past_fades_and_weights_stay_finite() {
        let mut tail = Tail::new(0.05, 100.0);
        (0..100_000).for_each(|_| tail.learn(1.0));
        assert!((tail.samples() - 100.0 / 2_f64.ln()).abs() < 2.0, "{}", tail.samples());
        (0..2_000).for_each(|_| tail.learn(8.0));
        assert!(tail.p_value(7.0) > 0.5);
    }

    #[test]
    fn constant_errors_raise_nothing_until_one_differs() {
        let mut tail = Tail::new(0.05, 1_000.0);
        (0..500).for_each(|_| tail.learn(0.0));
        assert_eq!(tail.p_value(0.0), 1.0);
        assert!(tail.p_value(0.1) < 0.003);
    }
}
