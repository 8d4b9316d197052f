//! What people have said about alerts, as a logistic layer: is the next one true?
//!
//! Each verdict is an example: what was seen when the alert opened, and whether it was true. The
//! layer says something only while it predicts the verdicts better than their base rate does, each
//! judged before it was learned (prequential log loss, Dawid 1984).

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
const COMPARED_MIN: f64 = 8.0;
/// How much smaller the layer's loss must be than that of the base rate: luck is not enough.
const MARGIN: f64 = 0.9;
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
    /// Faded number of comparisons, and sums of log losses: of the layer, of the base rate.
    compared: f64,
    losses: [f64; 2],
}

impl Triage {
    /// Chance that an alert with these features is true, in (0, 1); `None` as long as the share of
    /// true ones among the verdicts predicts as well.
    pub fn p_true(&self, features: &[f64]) -> Option<f64> {
        let believed = self.compared >= COMPARED_MIN && self.losses[0] < MARGIN * self.losses[1];
        self.layer.as_ref().filter(|_| believed)?.predict(features)
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
        self.compared = FADE * self.compared + 1.0;
        for (sum, p) in self.losses.iter_mut().zip([p, base]) {
            *sum = FADE * *sum + loss(p);
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
    use super::*;

    /// Features of example `i`: the first tells, the second does not.
    fn example(i: u64) -> (Vec<f64>, bool) {
        let noise = |salt: u64| ((i * 7_919 + salt * 104_729) % 1_009) as f64 / 1_009.0 - 0.5;
        let real = !i.is_multiple_of(3);
        (vec![if real { 1.0 } else { -1.0 } + noise(1), noise(2)], real)
    }

    #[test]
    fn it_says_nothing_before_it_beats_the_base_rate() {
        let mut triage = Triage::default();
        for i in 0..10 {
            let (features, real) = example(i);
            assert_eq!(triage.p_true(&features), None, "after {i} verdicts");
            triage.learn(features, real);
        }
        (10..40).for_each(|i| {
            let (features, real) = example(i);
            triage.learn(features, real);
        });
        let p = |features: [f64; 2]| triage.p_true(&features).unwrap();
        assert!(
            p([1.0, 0.0]) > 0.8 && p([-1.0, 0.0]) < 0.3,
            "{} {}",
            p([1.0, 0.0]),
            p([-1.0, 0.0])
        );
        assert!(p([0.0, 0.4]) > p([-1.0, 0.4]));
    }

    #[test]
    fn verdicts_that_follow_nothing_give_no_number() {
        let mut triage = Triage::default();
        let mut said = 0;
        for i in 0..200_u64 {
            let (features, _) = example(i);
            // No feature knows of this.
            let real = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 < 4;
            said += usize::from(triage.p_true(&features).is_some());
            triage.learn(features, real);
        }
        assert!(said < 20, "{said} of 200 predictions without a ground");
        assert_eq!(triage.verdicts(), 200);
    }

    #[test]
    fn other_features_begin_anew() {
        let mut triage = Triage::default();
        (0..40).for_each(|i| {
            let (features, real) = example(i);
            triage.learn(features, real);
        });
        triage.learn(vec![1.0], true);
        assert_eq!((triage.verdicts(), triage.p_true(&[1.0])), (1, None));
    }
}
