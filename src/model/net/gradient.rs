//! The loss of a training step and its gradient at every parameter.

use ndarray::s;
use rand::Rng;

use super::code::Code;
use super::dense::Passed;
use super::kernel::Start;
use super::recipe::Kind;
use super::{Network, Recipe, Workspace, codebook, gaussian, loss};
use crate::model::Sparsity;

/// The parts of a loss; what is minimised is their sum.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in crate::model) struct Losses {
    /// Of the reconstruction: mean over observed cells.
    pub reconstruction: f64,
    /// Of the code: sparsity, divergence from the prior, commitment; weighted.
    pub code: f64,
    /// Of the layer on top; weighted.
    pub head: f64,
}

impl Losses {
    pub fn sum(self) -> f64 {
        self.reconstruction + self.code + self.head
    }
}

impl Network {
    /// Loss of the first `rows` windows at training step `step`; leaves the gradients in `space`.
    ///
    /// `rng` draws what the recipe leaves to chance: hidden cells, noise, codes.
    pub(in crate::model) fn loss_and_gradients(
        &self,
        space: &mut Workspace,
        rows: usize,
        (recipe, step): (&Recipe, u64),
        rng: &mut impl Rng,
    ) -> Losses {
        space.fill_input(rows);
        if let Kind::Denoising(params) = &recipe.kind {
            space.corrupt(rows, params, recipe.shape, rng);
        }
        self.encode(space, rows);
        if let (Code::Gaussian(_), Some(code)) = (&self.code(), &mut space.code) {
            gaussian::draw(code.eps.slice_mut(s![..rows, ..]), rng);
            let encoded = space.outputs[self.pairs()].slice(s![..rows, ..]);
            let eps = &code.eps;
            gaussian::shift(encoded, |i, j| eps[(i, j)], code.z.slice_mut(s![..rows, ..]));
        }
        self.decode(space, rows);
        self.run_head(space, rows);
        self.backward(space, rows, recipe, recipe.beta(step))
    }

    /// From the outputs in `space` to losses and gradients.
    pub(super) fn backward(
        &self,
        space: &mut Workspace,
        rows: usize,
        recipe: &Recipe,
        beta: f32,
    ) -> Losses {
        let last = 2 * self.pairs();
        let reconstruction = loss::reconstruction(
            recipe.loss,
            space.outputs[last].slice(s![..rows, ..]),
            space.windows.slice(s![..rows, ..]),
            space.deltas[last].slice_mut(s![..rows, ..]),
        );
        (self.pairs()..last).rev().for_each(|layer| self.backward_layer(layer, space, rows));
        let head = self.backward_head(space, rows, recipe);
        let code = self.backward_code(space, rows, recipe, beta);
        (0..self.pairs()).rev().for_each(|layer| self.backward_layer(layer, space, rows));
        Losses { reconstruction, code, head }
    }

    /// Loss of the layer on top; adds its gradient to that of the code.
    fn backward_head(&self, space: &mut Workspace, rows: usize, recipe: &Recipe) -> f64 {
        let (Some(head), Some((kind, weight))) = (self.head(), recipe.head()) else {
            return 0.0;
        };
        let layer = 2 * self.pairs();
        let Workspace { outputs, deltas, targets, gradients, scratch, .. } = space;
        let cost = loss::head(
            kind,
            recipe.loss,
            weight,
            outputs[layer + 1].slice(s![..rows, ..]),
            targets.slice(s![..rows, ..]),
            deltas[layer + 1].slice_mut(s![..rows, ..]),
        );
        let passed = Passed {
            x: outputs[self.pairs()].slice(s![..rows, ..]),
            before: None,
            y: outputs[layer + 1].slice(s![..rows, ..]),
        };
        let (below, own) = deltas.split_at_mut(layer + 1);
        let code = below[self.pairs()].slice_mut(s![..rows, ..]);
        let own = own[0].slice_mut(s![..rows, ..]);
        head.backward(passed, own, &mut gradients[layer], Some((code, Start::Sum, scratch)));
        cost
    }

    /// Loss of the code; turns the gradient at the decoder's input into that at the encoder's
    /// output.
    fn backward_code(&self, space: &mut Workspace, rows: usize, recipe: &Recipe, beta: f32) -> f64 {
        let at = self.pairs();
        let encoded = space.outputs[at].slice(s![..rows, ..]);
        let mut delta = space.deltas[at].slice_mut(s![..rows, ..]);
        match (&recipe.kind, &space.code) {
            (Kind::Sparse(params), None) => {
                let weight = params.weight.get() as f32;
                match params.penalty {
                    Sparsity::Kl => {
                        loss::kl_sparsity(weight, params.target.get() as f32, encoded, delta)
                    }
                    Sparsity::L1 => loss::l1_sparsity(weight, encoded, delta),
                }
            }
            (Kind::Vae(_), Some(code)) => {
                let [eps, dz] = [&code.eps, &code.dz].map(|a| a.slice(s![..rows, ..]));
                let beta_per_cell = beta / self.cells() as f32;
                gaussian::backward(encoded, eps, dz, beta_per_cell, delta)
            }
            (Kind::VqVae(params), Some(code)) => {
                // Straight through: as if the encoder had said the vectors themselves.
                delta.assign(&code.dz.slice(s![..rows, ..]));
                let (z, weight) = (code.z.slice(s![..rows, ..]), params.commitment.get() as f32);
                codebook::commit(encoded, z, weight, delta)
            }
            _ => 0.0,
        }
    }

    /// Gradients of one layer, and the gradient at its input unless it is the first.
    pub(super) fn backward_layer(&self, layer: usize, space: &mut Workspace, rows: usize) {
        let Workspace { outputs, deltas, before, gradients, code, scratch, .. } = space;
        let (below, own) = deltas.split_at_mut(layer + 1);
        let of_code = layer == self.pairs();
        let (z, dz) = match code {
            Some(code) => (Some(&code.z), Some(&mut code.dz)),
            None => (None, None),
        };
        let dx = match dz {
            Some(dz) if of_code => Some(dz),
            _ => (layer > 0).then_some(&mut below[layer]),
        };
        let before = &before[layer];
        let passed = Passed {
            x: self.input_of(layer, outputs, z, rows),
            before: (before.ncols() > 0).then(|| before.slice(s![..rows, ..])),
            y: outputs[layer + 1].slice(s![..rows, ..]),
        };
        let dx = dx.map(|dx| (dx.slice_mut(s![..rows, ..]), Start::Zero, scratch.as_mut_slice()));
        let own = own[0].slice_mut(s![..rows, ..]);
        self.layers[layer].backward(passed, own, &mut gradients[layer], dx);
    }
}
