//! Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1),
//! AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019), and gradient
//! descent with momentum (Sutskever et al., ICML 2013, without Nesterov's correction).

use serde::{Deserialize, Serialize};

use crate::model::net::{ARCH, Dense, DenseGradient, rotate_layer};
use crate::model::{OptimizerKind, OptimizerParams, ScheduleKind, ScheduleParams};
use ndarray::Array2;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Moments of every parameter, and the number of steps taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::model) struct Optimizer {
    steps: u64,
    moments: Vec<Moments>,
}

/// Of one layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Moments {
    /// Mean of the gradients; the velocity of gradient descent.
    first: DenseGradient,
    /// Mean of their squares; gradient descent has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second: Option<DenseGradient>,
    /// Steps in which this layer took part. States of format 1 do not say it: all.
    #[serde(default)]
    taken: Option<u64>,
}

/// How far and in which way a step goes.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Step<'a> {
    pub params: &'a OptimizerParams,
    pub rate: f32,
    /// What gradients are multiplied with: below 1 where they are too long.
    pub shorten: f32,
}

impl Optimizer {
    pub(in crate::model) fn new(params: &OptimizerParams, layers: &[Dense]) -> Self {
        let moments = |layer| Moments {
            first: DenseGradient::zeros_like(layer),
            second: (params.kind != OptimizerKind::Sgd).then(|| DenseGradient::zeros_like(layer)),
            taken: Some(0),
        };
        Self { steps: 0, moments: layers.iter().map(moments).collect() }
    }

    /// These moments, if they are of the shape of `fresh`.
    pub(in crate::model) fn adopt(mut self, fresh: &Self) -> Option<Self> {
        let like = |(a, b): (&Moments, &Moments)| {
            let second = match (&a.second, &b.second) {
                (Some(a), Some(b)) => a.is_like(b),
                (None, None) => true,
                _ => false,
            };
            second && a.first.is_like(&b.first)
        };
        let same = self.moments.len() == fresh.moments.len()
            && self.moments.iter().zip(&fresh.moments).all(like);
        let steps = self.steps;
        self.moments.iter_mut().for_each(|m| _ = m.taken.get_or_insert(steps));
        same.then_some(self)
    }

    /// Forgets the moments, not the steps.
    pub(in crate::model) fn forget(&mut self) {
        for moments in &mut self.moments {
            moments.first.fill_zero();
            moments.second.iter_mut().for_each(DenseGradient::fill_zero);
            moments.taken = Some(0);
        }
    }

    /// Follows a rotation of the code between layers `at - 1` and `at`. The means of gradients turn
    /// with it; those of squares do not, but a code turns by little from step to step.
    pub(in crate::model) fn rotate(&mut self, rotation: &Array2<f32>, at: usize) {
        for (i, moments) in self.moments.iter_mut().enumerate() {
            let DenseGradient { weights, biases } = &mut moments.first;
            rotate_layer((weights, biases), rotation, (i, at));
        }
    }

    /// Steps taken so far.
    pub(in crate::model) fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts a step, then moves the parameters of `layers`, given by index, against their
    /// gradients.
    pub(in crate::model) fn step(
        &mut self,
        step: Step<'_>,
        layers: &mut [Dense],
        gradients: &[DenseGradient],
        active: impl Iterator<Item = usize>,
    ) {
        self.steps += 1;
        for i in active {
            let (layer, gradient, moments) = (&mut layers[i], &gradients[i], &mut self.moments[i]);
            let taken = moments.taken.get_or_insert(0);
            *taken += 1;
            let rule = Rule::new(step, *taken);
            let DenseGradient { weights, biases } = &mut moments.first;
            let (second_w, second_b) = match &mut moments.second {
                Some(second) => (second.weights.as_slice_mut(), second.biases.as_slice_mut()),
                None => (None, None),
            };
            let first = (weights.as_slice_mut(), second_w);
            rule.update(layer.weights.as_slice_mut(), gradient.weights.as_slice(), first, true);
            let first = (biases.as_slice_mut(), second_b);
            rule.update(layer.biases.as_slice_mut(), gradient.biases.as_slice(), first, false);
        }
    }
}

type Slice<'a> = Option<&'a mut [f32]>;

/// The numbers of one step of one layer.
#[derive(Debug, Clone, Copy)]
struct Rule {
    rate: f32,
    epsilon: f32,
    /// What is left of a weight, and of a velocity.
    keep: f32,
    momentum: f32,
    shorten: f32,
}

impl Rule {
    fn new(step: Step<'_>, taken: u64) -> Self {
        let Step { params, rate, shorten } = step;
        let power = i32::try_from(taken).unwrap_or(i32::MAX);
        let correction_1 = 1.0 - BETA_1.powi(power);
        let correction_2 = 1.0 - BETA_2.powi(power);
        let momentum = params.momentum as f32;
        let decay = rate * params.weight_decay as f32;
        let keep = if params.kind == OptimizerKind::AdamW { 1.0 - decay } else { 1.0 };
        let adam = rate * correction_2.sqrt() / correction_1;
        let rate = if params.kind == OptimizerKind::Sgd { rate } else { adam };
        // The published epsilon belongs to the corrected second moment.
        Self { rate, epsilon: EPSILON * correction_2.sqrt(), keep, momentum, shorten }
    }

    /// Moves `values`; without second moments this is gradient descent. Biases do not decay. A number
    /// that would not be finite stays as it was.
    fn update(
        self,
        values: Slice<'_>,
        gradients: Option<&[f32]>,
        moments: (Slice<'_>, Slice<'_>),
        decays: bool,
    ) {
        const CONTIGUOUS: &str = "parameters are owned arrays in standard layout";
        let values = values.expect(CONTIGUOUS);
        let gradients = gradients.expect(CONTIGUOUS);
        let first = moments.0.expect(CONTIGUOUS);
        let Self { rate, epsilon, momentum, shorten, .. } = self;
        let keep = if decays { self.keep } else { 1.0 };
        let Some(second) = moments.1 else {
            for ((value, &g), velocity) in values.iter_mut().zip(gradients).zip(first) {
                *velocity = momentum * *velocity + shorten * g;
                *value = finite_or(*value - rate * *velocity, *value);
            }
            return;
        };
        ARCH.dispatch(
            #[inline(always)]
            || {
                let moments = first.iter_mut().zip(second);
                for ((value, &g), (m, v)) in values.iter_mut().zip(gradients).zip(moments) {
                    let g = shorten * g;
                    *m += (1.0 - BETA_1) * (g - *m);
                    *v += (1.0 - BETA_2) * (g * g - *v);
                    *value = finite_or(keep * *value - rate * *m / (v.sqrt() + epsilon), *value);
                }
            },
        );
    }
}

/// `next`, if it is a number.
#[inline(always)]
fn finite_or(next: f32, before: f32) -> f32 {
    if next.is_finite() { next } else { before }
}

/// The learning rate of step `step`, counted from 0.
pub(in crate::model) fn rate(base: f64, schedule: &ScheduleParams, step: u64) -> f32 {
    let steps = u64::from(schedule.steps.max(1));
    let share = match schedule.kind {
        ScheduleKind::Constant => 1.0,
        ScheduleKind::InverseSqrt => (steps as f64 / (steps + step) as f64).sqrt(),
        ScheduleKind::Cosine => {
            let phase = (step % steps) as f64 / steps as f64;
            let falling = 0.5 * (1.0 + (std::f64::consts::PI * phase).cos());
            schedule.floor + (1.0 - schedule.floor) * falling
        }
    };
    (base * share.max(schedule.floor)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};

    #[test]
    fn learning_rates_fall_and_do_not_die() {
        let schedule = |kind| ScheduleParams { kind, steps: 100, floor: 0.1 };
        let at = |kind, step| rate(2.0, &schedule(kind), step);
        assert_eq!([at(ScheduleKind::Constant, 0), at(ScheduleKind::Constant, 1 << 40)], [2.0; 2]);
        let falling = [0, 300, 1 << 40].map(|step| at(ScheduleKind::InverseSqrt, step));
        assert_eq!(falling, [2.0, 1.0, 0.2]);
        let waves = [0, 50, 99, 100].map(|step| at(ScheduleKind::Cosine, step));
        assert!(waves[0] == 2.0 && waves[3] == 2.0 && waves[2] < 0.21, "{waves:?}");
        assert!((waves[1] - 1.1).abs() < 1e-6, "{waves:?}");
    }

    fn layer(weights: &[f32], bias: f32) -> Dense {
        Dense {
            weights: Array2::from_shape_vec((weights.len(), 1), weights.to_vec()).expect("column"),
            biases: Array1::from_elem(1, bias),
            activation: crate::model::Activation::Identity,
        }
    }

    /// Whatever the rate and the gradients, no weight is ever anything but a number.
    #[test]
    fn no_step_stores_what_is_no_number() {
        for kind in [OptimizerKind::Adam, OptimizerKind::AdamW, OptimizerKind::Sgd] {
            let params = OptimizerParams { kind, weight_decay: 1.0, ..OptimizerParams::default() };
            for rate in [1.0, f32::MAX, f32::INFINITY] {
                let mut layers = [layer(&[0.5, f32::MAX], -f32::MAX)];
                let mut optimizer = Optimizer::new(&params, &layers);
                for g in [1e-30, 1e19, -1e19, 0.0] {
                    let mut gradient = DenseGradient::zeros_like(&layers[0]);
                    gradient.weights.fill(g);
                    gradient.biases.fill(-g);
                    let step = Step { params: &params, rate, shorten: 1.0 };
                    optimizer.step(step, &mut layers, &[gradient], 0..1);
                    let all = layers[0].weights.iter().chain(&layers[0].biases);
                    assert!(all.into_iter().all(|w| w.is_finite()), "{kind:?} {rate} {g}");
                }
            }
        }
    }

    /// Three steps with given gradients: `tests/it/golden/family.py`.
    #[test]
    fn steps_are_those_of_pytorch() {
        let golden = include_str!("../../../tests/it/golden/family.json");
        let golden: serde_json::Value = serde_json::from_str(golden).expect("JSON");
        let cases = [
            (OptimizerKind::Adam, "adam"),
            (OptimizerKind::AdamW, "adam_w"),
            (OptimizerKind::Sgd, "sgd"),
        ];
        for (kind, name) in cases {
            let expected = golden["optimizers"][name].as_array().expect("a list");
            let expected: Vec<f32> =
                expected.iter().filter_map(|v| v.as_f64()).map(|v| v as f32).collect();
            let params = OptimizerParams { kind, ..OptimizerParams::default() };
            let mut layers = [layer(&[0.5, -1.0], 0.25)];
            let mut optimizer = Optimizer::new(&params, &layers);
            for i in 0..3 {
                let mut gradient = DenseGradient::zeros_like(&layers[0]);
                let g = [0.3, 1.5, -0.7].map(|g| g / (i + 1) as f32 - 0.1 * i as f32);
                (gradient.weights[(0, 0)], gradient.weights[(1, 0)]) = (g[0], g[1]);
                gradient.biases[0] = g[2];
                let step = Step { params: &params, rate: 0.01, shorten: 1.0 };
                optimizer.step(step, &mut layers, &[gradient], 0..1);
            }
            let got = [layers[0].weights[(0, 0)], layers[0].weights[(1, 0)], layers[0].biases[0]];
            let close = got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(close, "{kind:?}: {got:?}, expected {expected:?}");
        }
    }
}
