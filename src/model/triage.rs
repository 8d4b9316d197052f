//! What people have said about alerts, as a logistic layer: is the next one true?
//!
//! Each verdict is an example: what was seen when the alert opened, and whether it was true. The
//! layer says something only while it predicts the verdicts better than their base rate does, each
//! judged before it was learned (prequential log loss, Dawid 1984), by twice the standard error of the
//! difference: it is asked again after each verdict, and of features that say nothing some history
//! always looks lucky (2 % of them within 60 verdicts, by simulation).
//!
//! One layer serves all series of a shard: verdicts are too few for one each. So what it is told must
//! mean the same for all of them. The code of a network that a series has for itself does not: its axes are
//! turned another way in each series.

use std::collections::VecDeque;

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

/// Verdicts that are remembered.
const EXAMPLES_MAX: usize = 256;
/// Verdicts of each kind before the first fit.
const EACH_MIN: usize = 3;
/// Predictions that are compared before the layer is believed.
const COMPARED_MIN: f64 = 16.0;
/// How many standard errors the layer's loss must be below that of the base rate.
const ERRORS_MIN: f64 = 2.0;
/// Weight of an earlier comparison, each time a new one comes: the last fifty or so count.
const FADE: f64 = 0.98;
/// Ridge penalty: few examples, many features.
const PENALTY: f64 = 1.0;
const STEPS_MAX: u64 = 100;
/// No prediction is surer, in [0, 1]: a log loss must stay finite.
const SURE_MAX: f64 = 0.999;

/// An alert with a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Example {
    features: Vec<f64>,
    real: bool,
}

/// The layer: a weight a feature, in units of its spread among the examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Layer {
    mean: Vec<f64>,
    spread: Vec<f64>,
    weights: Vec<f64>,
    intercept: f64,
}

/// Learns from verdicts which alerts are true.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Triage {
    examples: VecDeque<Example>,
    layer: Option<Layer>,
    /// States of before it was kept compare anew.
    #[serde(default)]
    gain: Gain,
}

/// What the layer's log loss was below that of the base rate, the newest comparisons counting most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Gain {
    /// Sum of the weights, and of their squares.
    weights: [f64; 2],
    /// Weighted sum of the differences, and of their squares.
    sums: [f64; 2],
}

impl Gain {
    fn add(&mut self, gain: f64) {
        let Self { weights: [weight, square], sums: [sum, squares] } = *self;
        self.weights = [FADE * weight + 1.0, FADE * FADE * square + 1.0];
        self.sums = [FADE * sum + gain, FADE * squares + gain * gain];
    }

    fn is_clear(&self) -> bool {
        let Self { weights: [weight, square], sums: [sum, squares] } = *self;
        if weight < COMPARED_MIN {
            return false;
        }
        let mean = sum / weight;
        // As many comparisons of equal weight would know as much.
        let count = weight * weight / square;
        let variance = (squares / weight - mean * mean).max(0.0);
        mean > ERRORS_MIN * (variance / (count - 1.0)).sqrt()
    }
}

impl Triage {
    /// Chance that an alert with these features is true, in (0, 1); `None` as long as the share of
    /// true ones among the verdicts predicts as well.
    pub fn p_true(&self, features: &[f64]) -> Option<f64> {
        self.layer.as_ref().filter(|_| self.gain.is_clear())?.predict(features)
    }

    /// Verdicts that are remembered.
    pub fn verdicts(&self) -> usize {
        self.examples.len()
    }

    /// Takes in a verdict. `features` have the length of all before, or all before are forgotten.
    pub fn learn(&mut self, features: Vec<f64>, real: bool) {
        if self.examples.iter().any(|known| known.features.len() != features.len()) {
            *self = Self::default();
        }
        if let Some(p) = self.layer.as_ref().and_then(|layer| layer.predict(&features)) {
            self.compare(p, real);
        }
        if self.examples.len() >= EXAMPLES_MAX {
            self.examples.pop_front();
        }
        self.examples.push_back(Example { features, real });
        self.layer = self.fit();
    }

    fn compare(&mut self, p: f64, real: bool) {
        let loss = |p: f64| -if real { p } else { 1.0 - p }.ln();
        // Laplace's rule: never 0 or 1.
        let base = (self.count(true) as f64 + 1.0) / (self.examples.len() as f64 + 2.0);
        self.gain.add(loss(base) - loss(p));
    }

    /// A verdict that was learned is now another one: its example is marked anew, if it is still
    /// remembered. What was compared before stands.
    pub fn correct(&mut self, features: &[f64], real: bool) {
        let learned = |example: &&mut Example| example.real != real && example.features == features;
        if let Some(example) = self.examples.iter_mut().rev().find(learned) {
            example.real = real;
            self.layer = self.fit();
        }
    }

    fn count(&self, real: bool) -> usize {
        self.examples.iter().filter(|example| example.real == real).count()
    }

    fn fit(&self) -> Option<Layer> {
        if self.count(true) < EACH_MIN || self.count(false) < EACH_MIN {
            return None;
        }
        let (rows, columns) = (self.examples.len(), self.examples[0].features.len());
        let mut x = Array2::from_shape_fn((rows, columns), |(i, j)| self.examples[i].features[j]);
        let (mut mean, mut spread) = (Vec::new(), Vec::new());
        for mut column in x.columns_mut() {
            let (m, s) = (column.mean().unwrap_or(0.0), column.std(0.0));
            let s = if s > 1e-9 { s } else { 1.0 };
            column.mapv_inplace(|v| (v - m) / s);
            mean.push(m);
            spread.push(s);
        }
        let y: Array1<bool> = self.examples.iter().map(|example| example.real).collect();
        let fitted = LogisticRegression::default()
            .alpha(PENALTY)
            .max_iterations(STEPS_MAX)
            .fit(&Dataset::new(x, y));
        // A solver that gives up leaves alerts without the number, as before.
        let fitted = fitted.ok()?;
        // The probability that is modelled is that of the class that is called positive.
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        let weights = fitted.params().iter().map(|w| sign * w).collect();
        Some(Layer { mean, spread, weights, intercept: sign * fitted.intercept() })
    }
}

impl Layer {
    fn predict(&self, features: &[f64]) -> Option<f64> {
        if features.len() != self.weights.len() {
            return None;
        }
        let scaled = features.iter().zip(&self.mean).zip(&self.spread);
        let parts = scaled.zip(&self.weights).map(|(((v, m), s), w)| w * (v - m) / s);
        let logit: f64 = self.intercept + parts.sum::<f64>();
        Some((1.0 / (1.0 + (-logit).exp())).clamp(1.0 - SURE_MAX, SURE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    /// Features of example `i`: the first tells, the second does not.
    fn example(i: u64) -> (Vec<f64>, bool) {
        let noise = |salt: u64| ((i * 7_919 + salt * 104_729) % 1_009) as f64 / 1_009.0 - 0.5;
        let real = !i.is_multiple_of(3);
        (vec![if real { 1.0 } else { -1.0 } + noise(1), noise(2)], real)
    }

    fn after(verdicts: u64) -> Triage {
        let mut triage = Triage::default();
        (0..verdicts).map(example).for_each(|(features, real)| triage.learn(features, real));
        triage
    }

    #[test]
    fn it_says_nothing_before_it_beats_the_base_rate() {
        for verdicts in 0..16 {
            assert_eq!(after(verdicts).p_true(&[1.0, 0.0]), None, "after {verdicts} verdicts");
        }
        let triage = after(40);
        let p = |features: [f64; 2]| triage.p_true(&features).unwrap();
        let (real, false_alarm) = (p([1.0, 0.0]), p([-1.0, 0.0]));
        assert!(real > 0.8 && false_alarm < 0.3, "{real} {false_alarm}");
        assert!(p([0.0, 0.4]) > p([-1.0, 0.4]));
    }

    /// Someone looks after each of 60 verdicts that follow nothing: in few histories is there ever a
    /// number. With a margin of a tenth, and no error, it was one in five.
    #[test]
    fn verdicts_that_follow_nothing_give_no_number() {
        const HISTORIES: u64 = 60;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut lucky = 0;
        for _ in 0..HISTORIES {
            let mut triage = Triage::default();
            let mut told = false;
            for _ in 0..60 {
                let features: Vec<f64> = (0..4).map(|_| rng.gen_range(-1.0..1.0)).collect();
                told |= triage.p_true(&features).is_some();
                triage.learn(features, rng.gen_bool(0.6));
            }
            assert_eq!(triage.verdicts(), 60);
            lucky += u64::from(told);
        }
        assert!(lucky <= HISTORIES / 12, "a number without a ground in {lucky} of {HISTORIES}");
    }

    #[test]
    fn a_corrected_verdict_is_forgotten_as_it_was() {
        // All verdicts are wrong at first: the first feature tells the opposite of what is so.
        let mut triage = Triage::default();
        (0..60).map(example).for_each(|(features, real)| triage.learn(features, !real));
        assert!(triage.p_true(&[-1.0, 0.0]).unwrap() > triage.p_true(&[1.0, 0.0]).unwrap());
        (0..60).map(example).for_each(|(features, real)| triage.correct(&features, real));
        assert_eq!(triage.verdicts(), 60);
        assert!(triage.p_true(&[1.0, 0.0]).unwrap() > 0.8);
        assert_eq!(triage.layer, after(60).layer, "as if the right ones had been said");
        let before = triage.clone();
        triage.correct(&[5.0, 5.0], true);
        assert_eq!(triage, before, "what is not remembered cannot be corrected");
    }

    #[test]
    fn other_features_begin_anew() {
        let mut triage = after(40);
        triage.learn(vec![1.0], true);
        assert_eq!((triage.verdicts(), triage.p_true(&[1.0])), (1, None));
    }
}
