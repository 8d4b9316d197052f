//! A feed-forward network that is trained by the gradient at its output: the caller's loss.
//!
//! The detectors are made of it: conditional autoencoders whose input is a partly hidden window,
//! indicators of what is hidden, and context, and whose output is the whole window, perhaps with its
//! log-variance (masked autoencoders: Germain et al., "MADE", ICML 2015, use masks on weights; here
//! they are inputs, as in Ivanov et al., "Variational Autoencoder with Arbitrary Conditioning",
//! ICLR 2019).

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::average::Average;
use super::dense::{Passed, all_alike};
use super::kernel::{self, Start};
use super::{Dense, DenseGradient};
use crate::model::train::{Optimizer, Step};
use crate::model::{Activation, OptimizerParams};

/// What a [`Mlp`] is made of.
#[derive(Debug, Clone)]
pub struct MlpShape<'a> {
    /// Width of the input, of each hidden layer, of the output.
    pub widths: &'a [usize],
    /// Of each layer; one fewer than `widths`.
    pub activations: &'a [Activation],
    /// A linear map from input to output beside the layers, zero at the start.
    pub skip: bool,
    /// Factors of the initial weights of the output layer: of so many columns each, in order.
    pub output_gains: &'a [(usize, f32)],
}

/// A feed-forward network and its optimiser.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mlp {
    /// The skip is the last, if there is one.
    layers: Vec<Dense>,
    skip: bool,
    optimizer: Optimizer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    average: Option<Average>,
}

/// Scratch memory of networks of one shape, for at most `rows_max` rows.
#[derive(Debug)]
pub struct MlpSpace {
    /// Input, then the output of each layer.
    outputs: Vec<Array2<f32>>,
    /// Gradient at each of `outputs`.
    deltas: Vec<Array2<f32>>,
    gradients: Vec<DenseGradient>,
    scratch: Vec<f32>,
}

impl Mlp {
    /// Weights from N(0, 1 / n_in) times the gains, biases and skip zero.
    ///
    /// # Panics
    ///
    /// If `shape` contradicts itself, or names an activation whose derivative needs its input
    /// (GELU): shapes are written in the code.
    pub fn new(shape: &MlpShape<'_>, params: &OptimizerParams, rng: &mut impl Rng) -> Self {
        assert_eq!(shape.activations.len() + 1, shape.widths.len(), "an activation a layer");
        assert!(shape.activations.iter().all(|a| !a.needs_input()), "derivative from the output");
        let of = shape.widths.windows(2).zip(shape.activations);
        let mut layers: Vec<Dense> =
            of.map(|(w, activation)| Dense::new((w[0], w[1]), *activation, 1.0, rng)).collect();
        if let Some(output) = layers.last_mut() {
            let mut from = 0;
            for (columns, gain) in shape.output_gains {
                output.weights.slice_mut(s![.., from..from + columns]).mapv_inplace(|w| w * gain);
                from += columns;
            }
        }
        if shape.skip {
            let ends = (shape.widths[0], shape.widths[shape.widths.len() - 1]);
            layers.push(Dense::new(ends, Activation::Identity, 0.0, rng));
        }
        let optimizer = Optimizer::new(params, &layers);
        Self { optimizer, layers, skip: shape.skip, average: None }
    }

    /// This network with an average of it beside, in which a step counts half after `half_life`
    /// further ones: [`Mlp::forward_averaged`].
    pub fn averaged(self, half_life: f64) -> Self {
        Self { average: Some(Average::new(&self.layers, half_life)), ..self }
    }

    /// This network, if it is of the shape of `fresh`.
    pub fn adopt(self, fresh: &Self) -> Option<Self> {
        let alike = self.skip == fresh.skip && all_alike(&self.layers, &fresh.layers);
        alike.then_some(())?;
        let optimizer = self.optimizer.adopt(&fresh.optimizer)?;
        let average = match (self.average, &fresh.average) {
            (Some(stored), Some(fresh)) => Some(stored.adopt(fresh)?),
            (None, Some(fresh)) => Some(fresh.of(&self.layers)),
            (_, None) => None,
        };
        Some(Self { optimizer, average, ..self })
    }

    /// Training steps taken so far.
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.len() + layer.biases.len()).sum()
    }

    /// Makes the network blind to `inputs`: what was zero and is no longer changes nothing until it is
    /// learned. An average begins anew from there.
    pub fn silence(&mut self, inputs: std::ops::Range<usize>) {
        let deep = self.deep();
        let seeing = self.layers.iter_mut().enumerate().filter(|(i, _)| *i == 0 || *i == deep);
        for (_, layer) in seeing {
            layer.weights.slice_mut(s![inputs.clone(), ..]).fill(0.0);
        }
        self.average = self.average.as_ref().map(|average| average.of(&self.layers));
    }

    /// Runs the first `rows` rows of [`MlpSpace::input_mut`]; the results are in
    /// [`MlpSpace::output`] and [`MlpSpace::hidden`].
    pub fn forward(&self, space: &mut MlpSpace, rows: usize) {
        self.run(&self.layers, space, rows);
    }

    /// The same by the averaged network; by the network itself if no average is kept.
    pub fn forward_averaged(&self, space: &mut MlpSpace, rows: usize) {
        self.run(self.average.as_ref().map_or(&self.layers, Average::layers), space, rows);
    }

    fn run(&self, layers: &[Dense], space: &mut MlpSpace, rows: usize) {
        let deep = self.deep();
        for (i, layer) in layers[..deep].iter().enumerate() {
            let (done, rest) = space.outputs.split_at_mut(i + 1);
            let x = done[i].slice(s![..rows, ..]);
            layer.forward(x, None, rest[0].slice_mut(s![..rows, ..]));
        }
        if let Some(skip) = layers.get(deep) {
            let (input, output) = space.outputs.split_at_mut(deep);
            let x = input[0].slice(s![..rows, ..]);
            let y = output[0].slice_mut(s![..rows, ..]);
            kernel::multiply(x, skip.weights.view(), Start::Sum, y);
        }
    }

    /// A training step on the rows of the last [`Mlp::forward`], with the gradient of the loss that
    /// was put into [`MlpSpace::output_and_delta`]; over all parameters it is shortened to `clip_norm` of
    /// `params`. Returns whether it was taken: a gradient that is not finite changes nothing.
    pub fn step(
        &mut self,
        space: &mut MlpSpace,
        rows: usize,
        rate: f32,
        params: &OptimizerParams,
    ) -> bool {
        self.backward(space, rows);
        let square: f32 = space.gradients.iter().map(square_norm).sum();
        if !square.is_finite() {
            return false;
        }
        let (norm, most) = (square.sqrt(), params.clip_norm as f32);
        let shorten = if most > 0.0 && norm > most { most / norm } else { 1.0 };
        let (step, all) = (Step { params, rate, shorten }, 0..self.layers.len());
        self.optimizer.step(step, &mut self.layers, &space.gradients, all);
        if let Some(average) = &mut self.average {
            average.follow(&self.layers, self.optimizer.steps());
        }
        true
    }

    fn backward(&self, space: &mut MlpSpace, rows: usize) {
        let deep = self.deep();
        let MlpSpace { outputs, deltas, gradients, scratch } = space;
        if self.skip {
            let (x, d) = (outputs[0].slice(s![..rows, ..]), deltas[deep].slice(s![..rows, ..]));
            kernel::multiply_transposed(x, d, gradients[deep].weights.view_mut());
        }
        for (i, layer) in self.layers[..deep].iter().enumerate().rev() {
            let (below, own) = deltas.split_at_mut(i + 1);
            let passed = Passed {
                x: outputs[i].slice(s![..rows, ..]),
                before: None,
                y: outputs[i + 1].slice(s![..rows, ..]),
            };
            let below = below[i].slice_mut(s![..rows, ..]);
            let input = (i > 0).then_some((below, Start::Zero, scratch.as_mut_slice()));
            let own = own[0].slice_mut(s![..rows, ..]);
            layer.backward(passed, own, &mut gradients[i], input);
        }
    }

    /// Layers without the skip.
    fn deep(&self) -> usize {
        self.layers.len() - usize::from(self.skip)
    }
}

fn square_norm(gradient: &DenseGradient) -> f32 {
    let squares = |values: Option<&[f32]>| {
        // Eight sums side by side vectorise; one would be a chain.
        let values = values.unwrap_or_default();
        let mut sums = [0.0_f32; 8];
        let chunks = values.chunks_exact(8);
        let rest: f32 = chunks.remainder().iter().map(|g| g * g).sum();
        for chunk in chunks {
            sums.iter_mut().zip(chunk).for_each(|(sum, g)| *sum += g * g);
        }
        sums.iter().sum::<f32>() + rest
    };
    squares(gradient.weights.as_slice()) + squares(gradient.biases.as_slice())
}

impl MlpSpace {
    /// For networks shaped like `network`.
    pub fn new(network: &Mlp, rows_max: usize) -> Self {
        let deep = &network.layers[..network.deep()];
        let input = deep.first().map_or(0, |layer| layer.weights.nrows());
        let widths = std::iter::once(input).chain(deep.iter().map(|layer| layer.biases.len()));
        let outputs: Vec<_> = widths.map(|n| Array2::zeros((rows_max, n))).collect();
        Self {
            deltas: outputs.clone(),
            outputs,
            gradients: network.layers.iter().map(DenseGradient::zeros_like).collect(),
            scratch: vec![0.0; deep.iter().map(|l| l.weights.len()).max().unwrap_or(0)],
        }
    }

    /// Most rows it can hold.
    pub fn rows_max(&self) -> usize {
        self.outputs[0].nrows()
    }

    /// Where the input goes, `(rows, n_in)`.
    pub fn input_mut(&mut self, rows: usize) -> ArrayViewMut2<'_, f32> {
        self.outputs[0].slice_mut(s![..rows, ..])
    }

    /// Output of layer `layer` (from 1), `(rows, width)`.
    pub fn hidden(&self, layer: usize, rows: usize) -> ArrayView2<'_, f32> {
        self.outputs[layer].slice(s![..rows, ..])
    }

    /// The output, `(rows, n_out)`.
    pub fn output(&self, rows: usize) -> ArrayView2<'_, f32> {
        self.outputs[self.outputs.len() - 1].slice(s![..rows, ..])
    }

    /// The output, and where its gradient goes.
    pub fn output_and_delta(
        &mut self,
        rows: usize,
    ) -> (ArrayView2<'_, f32>, ArrayViewMut2<'_, f32>) {
        let last = self.outputs.len() - 1;
        let Self { outputs, deltas, .. } = self;
        (outputs[last].slice(s![..rows, ..]), deltas[last].slice_mut(s![..rows, ..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OptimizerKind;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    const ROWS: usize = 5;

    fn network(skip: bool) -> Mlp {
        let shape = MlpShape {
            widths: &[6, 5, 3, 4],
            activations: &[Activation::Tanh, Activation::Identity, Activation::Identity],
            skip,
            output_gains: &[(2, 0.3), (2, 0.05)],
        };
        let params = OptimizerParams { kind: OptimizerKind::AdamW, ..OptimizerParams::default() };
        let mut network = Mlp::new(&shape, &params, &mut Xoshiro256PlusPlus::seed_from_u64(3));
        for (i, layer) in network.layers.iter_mut().enumerate() {
            layer.weights.iter_mut().enumerate().for_each(|(j, w)| *w += 0.1 * wave(i * 31 + j));
        }
        network
    }

    fn wave(i: usize) -> f32 {
        (i as f32 * 1.7 + 0.3).sin()
    }

    /// `sum of cos(y + column)`: any smooth loss will do.
    fn loss(network: &Mlp, space: &mut MlpSpace) -> f64 {
        let fill = |((i, j), x): ((usize, usize), &mut f32)| *x = wave(i * 7 + j);
        space.input_mut(ROWS).indexed_iter_mut().for_each(fill);
        network.forward(space, ROWS);
        let (y, mut dy) = space.output_and_delta(ROWS);
        dy.zip_mut_with(&y, |d, y| *d = -(y + 1.0).sin());
        y.iter().map(|y| f64::from((y + 1.0).cos())).sum()
    }

    #[test]
    fn gradients_are_finite_differences() {
        for skip in [false, true] {
            let network = network(skip);
            let mut space = MlpSpace::new(&network, ROWS);
            loss(&network, &mut space);
            network.backward(&mut space, ROWS);
            let gradients = space.gradients.clone();
            for (i, gradient) in gradients.iter().enumerate() {
                for (at, g) in gradient.weights.indexed_iter() {
                    let mut moved = |by: f32| {
                        let mut network = network.clone();
                        network.layers[i].weights[at] += by;
                        loss(&network, &mut space)
                    };
                    let (h, g) = (1e-2_f32, f64::from(*g));
                    let difference = (moved(h) - moved(-h)) / (2.0 * f64::from(h));
                    let error = (difference - g).abs() / (1.0 + g.abs());
                    assert!(error < 2e-3, "layer {i} {at:?}: {g} and {difference}");
                }
            }
        }
    }

    #[test]
    fn steps_lower_the_loss_and_refuse_what_is_not_finite() {
        let mut network = network(true);
        let mut space = MlpSpace::new(&network, ROWS);
        let params = OptimizerParams::default();
        let first = loss(&network, &mut space);
        for _ in 0..50 {
            loss(&network, &mut space);
            assert!(network.step(&mut space, ROWS, 0.01, &params));
        }
        assert!(loss(&network, &mut space) < first - 1.0);
        let before = network.clone();
        space.output_and_delta(ROWS).1.fill(f32::NAN);
        assert!(!network.step(&mut space, ROWS, 0.01, &params));
        assert_eq!(network.layers, before.layers);
        assert_eq!(network.steps(), 50);
    }

    /// Output of the network, or of its average.
    fn output(network: &Mlp, averaged: bool) -> Array2<f32> {
        let mut space = MlpSpace::new(network, ROWS);
        loss(network, &mut space);
        if averaged {
            network.forward_averaged(&mut space, ROWS);
        }
        space.output(ROWS).to_owned()
    }

    #[test]
    fn an_average_follows_the_network_more_steadily() {
        let mut network = network(true).averaged(20.0);
        assert_eq!(output(&network, true), output(&network, false));
        let mut space = MlpSpace::new(&network, ROWS);
        let mut moved = [0.0_f32; 2];
        for i in 0..400 {
            let before = [false, true].map(|averaged| output(&network, averaged));
            loss(&network, &mut space);
            // A gradient that points here and there, as one of small batches.
            space.output_and_delta(ROWS).1.mapv_inplace(|d| d + 2.0 * wave(i * 13));
            network.step(&mut space, ROWS, 0.01, &OptimizerParams::default());
            // At first both go where the loss is low.
            for (k, before) in before.iter().enumerate().filter(|_| i >= 100) {
                moved[k] += (&output(&network, k == 1) - before).mapv(f32::abs).sum();
            }
        }
        assert!(moved[1] < 0.5 * moved[0], "{moved:?}");
        let off = (output(&network, true) - output(&network, false)).mapv(f32::abs).sum();
        assert!(off < 0.1 * moved[0], "{off} of {moved:?}");
        // Where the network stands still, so does the average in the end, but for rounding: it comes no
        // closer than a bit of f32 over the rate.
        space.output_and_delta(ROWS).1.fill(0.0);
        for _ in 0..2_000 {
            network.step(&mut space, ROWS, 0.0, &OptimizerParams::default());
        }
        let off = (output(&network, true) - output(&network, false)).mapv(f32::abs).sum();
        assert!(off < 1e-3, "{off}");
    }

    #[test]
    fn a_stored_network_without_an_average_gets_one() {
        let mut stored = network(false);
        let mut space = MlpSpace::new(&stored, ROWS);
        loss(&stored, &mut space);
        stored.step(&mut space, ROWS, 0.1, &OptimizerParams::default());
        let fresh = network(false).averaged(20.0);
        let adopted = stored.clone().adopt(&fresh).expect("of one shape");
        assert_eq!(output(&adopted, true), output(&stored, false));
        let again = adopted.clone().adopt(&fresh).expect("of one shape");
        assert_eq!(output(&again, true), output(&adopted, true));
        assert!(adopted.adopt(&network(false)).expect("of one shape").average.is_none());
        assert!(network(true).averaged(1.0).adopt(&fresh).is_none());
    }
}
