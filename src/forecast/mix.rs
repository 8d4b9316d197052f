//! Which expert to believe at which horizon: exponential weights by discounted errors.
//!
//! Cesa-Bianchi and Lugosi, "Prediction, Learning, and Games", 2006, chapter 2, with discounted
//! losses (section 2.11) relative to the best expert.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Seasons after which an error counts half.
pub(super) const HALF_LIFE: f64 = 14.0;
/// Seasons of errors before an expert is believed.
const COUNT_MIN: f64 = 0.5;
/// How fast belief falls with the relative error.
const ETA: f64 = 10.0;
/// Share of the relative error that is that of the horizon; the rest is pooled over all horizons.
const OWN_SHARE: f64 = 0.5;

/// Discounted errors of `experts` at `horizons`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mix {
    experts: usize,
    horizons: usize,
    /// Sums of errors, `(experts, horizons)`.
    #[serde(with = "raw::f64s")]
    errors: Vec<f64>,
    /// Sums of weights, `(experts, horizons)`.
    #[serde(with = "raw::f64s")]
    counts: Vec<f64>,
    keep: f64,
    needed: f64,
}

impl Mix {
    /// `pace`: rows of a season.
    pub(super) fn new(experts: usize, horizons: usize, pace: usize) -> Self {
        let cells = experts * horizons;
        Self {
            experts,
            horizons,
            errors: vec![0.0; cells],
            counts: vec![0.0; cells],
            keep: 0.5_f64.powf(1.0 / (HALF_LIFE * pace as f64)),
            needed: COUNT_MIN * pace as f64,
        }
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        let shape = |m: &Self| (m.experts, m.horizons, m.errors.len(), m.counts.len());
        shape(self) == shape(other)
    }

    /// One row has passed.
    pub(super) fn fade(&mut self) {
        let keep = self.keep;
        self.errors.iter_mut().chain(&mut self.counts).for_each(|x| *x *= keep);
    }

    /// Takes the error of an expert at horizon index `h`; NaN if it made no forecast.
    pub(super) fn learn(&mut self, expert: usize, h: usize, error: f64) {
        if !error.is_nan() {
            self.errors[expert * self.horizons + h] += error;
            self.counts[expert * self.horizons + h] += 1.0;
        }
    }

    /// Mean error of an expert at a horizon; `None` before there is enough to judge.
    fn mean(&self, expert: usize, h: usize) -> Option<f64> {
        let at = expert * self.horizons + h;
        (self.counts[at] > self.needed).then(|| self.errors[at] / self.counts[at])
    }

    /// Mean error of an expert over all horizons.
    fn pooled(&self, expert: usize) -> Option<f64> {
        let sum: Option<f64> = (0..self.horizons).map(|h| self.mean(expert, h)).sum();
        sum.map(|sum| sum / self.horizons as f64)
    }

    /// Weights `(experts, horizons)` for forecasts `said` `(experts, horizons)`, NaN where an expert
    /// says nothing. They sum to 1 over the experts; all are 0 where nobody can be believed.
    pub(super) fn weights(&self, said: &[f64]) -> Vec<f64> {
        let Self { experts, horizons, .. } = *self;
        let mut weights = vec![0.0; experts * horizons];
        let pooled: Vec<Option<f64>> = (0..experts).map(|k| self.pooled(k)).collect();
        let floor = |x: f64| x.max(f64::MIN_POSITIVE);
        let best_pooled = pooled.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        for h in 0..horizons {
            let usable = |k: usize| {
                let is_said = said[k * horizons + h].is_finite();
                pooled[k].zip(self.mean(k, h)).filter(|_| is_said)
            };
            let best =
                (0..experts).filter_map(usable).map(|(_, own)| own).fold(f64::INFINITY, f64::min);
            let relative = |k: usize| {
                let (pooled, own) = usable(k)?;
                let own = OWN_SHARE * floor(own) / floor(best);
                Some(own + (1.0 - OWN_SHARE) * floor(pooled) / floor(best_pooled))
            };
            // Relative to the least of them, so that the best one here never vanishes.
            let least = (0..experts).filter_map(relative).fold(f64::INFINITY, f64::min);
            let mut total = 0.0;
            for k in 0..experts {
                let Some(relative) = relative(k) else { continue };
                let weight = (-ETA * (relative - least)).exp();
                weights[k * horizons + h] = weight;
                total += weight;
            }
            if total > 0.0 {
                (0..experts).for_each(|k| weights[k * horizons + h] /= total);
            }
        }
        weights
    }

    pub(super) fn state_bytes(&self) -> usize {
        16 * self.errors.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the errors, weights are a distribution over those who speak.
        #[test]
        fn weights_are_a_distribution(
            errors in proptest::collection::vec(0.0..1e6_f64, 60),
            silent in 0_usize..3,
        ) {
            let mut mix = Mix::new(3, 2, 4);
            for row in errors.chunks_exact(6) {
                mix.fade();
                row.iter().enumerate().for_each(|(at, e)| mix.learn(at % 3, at / 3, *e));
            }
            let mut said = vec![1.0; 6];
            said[silent * 2] = f64::NAN;
            let weights = mix.weights(&said);
            prop_assert_eq!(weights[silent * 2], 0.0);
            for h in 0..2 {
                let sum: f64 = (0..3).map(|k| weights[k * 2 + h]).sum();
                prop_assert!((sum - 1.0).abs() < 1e-12, "{}", sum);
            }
        }
    }

    #[test]
    fn the_better_expert_is_believed_and_belief_follows_change() {
        let mut mix = Mix::new(2, 1, 4);
        let said = [1.0, 2.0];
        assert_eq!(mix.weights(&said), [0.0, 0.0], "no evidence, no belief");
        let mut rows = |n: usize, errors: [f64; 2]| {
            for _ in 0..n {
                mix.fade();
                (0..2).for_each(|k| mix.learn(k, 0, errors[k]));
            }
            mix.weights(&said)
        };
        assert!(rows(50, [1.0, 2.0])[0] > 0.99);
        assert!(rows(400, [2.0, 1.0])[0] < 0.01);
    }
}
