//! A masked autoencoder: it sees a part of a window and tells all of it.
//!
//! Input: the window with hidden values as 0, an indicator of what is hidden, and context that is
//! always visible. Values that were not observed (NaN) are hidden, and no target. Sources: see
//! [`crate::model::Mlp`].

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use crate::model::{Activation, Mlp, MlpShape, MlpSpace, OptimizerParams};

/// Windows a training step.
pub(super) const BATCH: usize = 16;
const RATE: f32 = 0.002;
/// Chance that a training window hides its newest values, as when it is judged.
const BLOCK_CHANCE: f64 = 0.8;
/// Chance of each value to be hidden otherwise.
const HIDE_CHANCE: f64 = 0.1;

/// What a masked autoencoder is made of.
#[derive(Debug)]
pub(super) struct MaskedSpec {
    /// Values a window.
    pub(super) window: usize,
    /// Values of context.
    pub(super) context: usize,
    /// Widths of the outer hidden layers and of the latent one; all tanh.
    pub(super) hidden: [usize; 2],
    /// Numbers of newest values hidden in training.
    pub(super) depths: &'static [usize],
    /// Whether it also tells the log-variance of each value.
    pub(super) spread: bool,
    /// Steps after which one counts half in an average of the network; none is kept if there are none.
    pub(super) average: Option<f64>,
}

impl MaskedSpec {
    fn inputs(&self) -> usize {
        2 * self.window + self.context
    }
}

/// The network and its source of chance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Masked {
    mlp: Mlp,
    rng: Xoshiro256PlusPlus,
}

impl Masked {
    pub(super) fn new(spec: &MaskedSpec, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let [outer, latent] = spec.hidden;
        let outputs = if spec.spread { 2 * spec.window } else { spec.window };
        let shape = MlpShape {
            widths: &[spec.inputs(), outer, latent, outer, outputs],
            activations: &[
                Activation::Tanh,
                Activation::Tanh,
                Activation::Tanh,
                Activation::Identity,
            ],
            skip: false,
            output_gains: &[(spec.window, 0.3), (outputs - spec.window, 0.05)],
        };
        let mlp = Mlp::new(&shape, &OptimizerParams::default(), &mut rng);
        Self {
            mlp: if let Some(half_life) = spec.average { mlp.averaged(half_life) } else { mlp },
            rng,
        }
    }

    pub(super) fn space(&self) -> MlpSpace {
        MlpSpace::new(&self.mlp, BATCH)
    }

    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        Some(Self { mlp: self.mlp.adopt(&fresh.mlp)?, rng: self.rng })
    }

    /// Tells the windows that were last [shown](show), a row of output each of the first `rows`.
    pub(super) fn tell(&self, space: &mut MlpSpace, rows: usize) {
        self.mlp.forward(space, rows);
    }

    /// The same by the averaged network.
    pub(super) fn tell_averaged(&self, space: &mut MlpSpace, rows: usize) {
        self.mlp.forward_averaged(space, rows);
    }

    /// Latent features of output row `row` of the last [`Masked::tell`].
    pub(super) fn latent(space: &MlpSpace, row: usize, to: &mut Vec<f32>) {
        to.clear();
        to.extend(space.hidden(2, row + 1).row(row));
    }

    /// A number below `n`, from the network's own source.
    pub(super) fn draw(&mut self, n: usize) -> usize {
        // Multiplication keeps the order of draws independent of `n`.
        (self.rng.gen_range(0.0..1.0_f64) * n as f64) as usize
    }

    /// A step on windows and contexts given by number: Huber loss of the values, half the Gaussian
    /// negative log-likelihood of the log-variances.
    pub(super) fn train(
        &mut self,
        spec: &MaskedSpec,
        space: &mut MlpSpace,
        samples: &[(&[f32], &[f32])],
    ) {
        let rows = samples.len();
        let mut input = space.input_mut(rows);
        for (mut row, (window, context)) in input.rows_mut().into_iter().zip(samples) {
            let row = row.as_slice_mut().expect("rows are contiguous");
            let depth = spec.depths[self.rng.gen_range(0..spec.depths.len())];
            if self.rng.gen_bool(BLOCK_CHANCE) {
                fill(spec, row, window, context, |i| i >= spec.window - depth);
            } else {
                fill(spec, row, window, context, |_| self.rng.gen_bool(HIDE_CHANCE));
            }
        }
        self.mlp.forward(space, rows);
        let (output, mut delta) = space.output_and_delta(rows);
        for ((y, mut d), (window, _)) in
            output.rows().into_iter().zip(delta.rows_mut()).zip(samples)
        {
            let y = y.to_slice().expect("rows are contiguous");
            gradient(spec, y, d.as_slice_mut().expect("rows are contiguous"), window, rows);
        }
        self.mlp.step(space, rows, RATE, &OptimizerParams::default());
    }
}

fn gradient(spec: &MaskedSpec, y: &[f32], d: &mut [f32], target: &[f32], rows: usize) {
    let share = 1.0 / rows as f32;
    for (i, target) in target.iter().enumerate() {
        let known = !target.is_nan();
        let e = if known { y[i] - target } else { 0.0 };
        d[i] = e.clamp(-1.0, 1.0) * share;
        if spec.spread {
            let at = spec.window + i;
            let slope = 0.5 * (1.0 - e * e * (-log_variance(y[at])).exp());
            d[at] = if known { 0.5 * slope.max(-2.0) * share } else { 0.0 };
        }
    }
}

/// The log-variance an output stands for.
pub(super) fn log_variance(output: f32) -> f32 {
    output.clamp(-6.0, 4.0)
}

/// Shows `window` with its newest `depths[i]` values hidden, a row of input each.
pub(super) fn show(
    spec: &MaskedSpec,
    space: &mut MlpSpace,
    window: &[f32],
    context: &[f32],
    depths: &[usize],
) {
    let mut input = space.input_mut(depths.len());
    for (mut row, depth) in input.rows_mut().into_iter().zip(depths) {
        let row = row.as_slice_mut().expect("rows are contiguous");
        fill(spec, row, window, context, |i| i >= spec.window - depth);
    }
}

fn fill(
    spec: &MaskedSpec,
    row: &mut [f32],
    window: &[f32],
    context: &[f32],
    mut hides: impl FnMut(usize) -> bool,
) {
    for (i, value) in window.iter().enumerate() {
        let hidden = hides(i) || value.is_nan();
        row[i] = if hidden { 0.0 } else { *value };
        row[spec.window + i] = if hidden { 1.0 } else { 0.0 };
    }
    row[2 * spec.window..].copy_from_slice(context);
}
