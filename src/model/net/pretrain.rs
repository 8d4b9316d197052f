//! Greedy layer-wise pretraining (Bengio et al., "Greedy Layer-Wise Training of Deep Networks",
//! NeurIPS 2006): each pair of an encoder layer and its mirror is an autoencoder of its own, on the
//! codes of the pairs around it.

use ndarray::s;

use super::dense::Passed;
use super::kernel::Start;
use super::{Network, Recipe, Workspace, loss};
use crate::model::Loss;

impl Network {
    /// Layers that training pair `pair` changes: the encoder's and its mirror.
    pub(in crate::model) fn layers_of_pair(&self, pair: usize) -> [usize; 2] {
        [pair, 2 * self.pairs() - 1 - pair]
    }

    /// Loss of pair `pair`, counted from the outside, on the first `rows` windows: how well it
    /// gives back what it is given. Leaves the gradients of its two layers in `space`.
    pub(in crate::model) fn pair_loss_and_gradients(
        &self,
        space: &mut Workspace,
        rows: usize,
        recipe: &Recipe,
        pair: usize,
    ) -> f64 {
        space.fill_input(rows);
        (0..=pair).for_each(|layer| self.forward(layer, space, rows));
        let [encoder, decoder] = self.layers_of_pair(pair);
        let Workspace { outputs, deltas, before, gradients, windows, scratch, .. } = space;
        let (done, rest) = outputs.split_at_mut(decoder + 1);
        let code = done[pair + 1].slice(s![..rows, ..]);
        let keeps = before[decoder].ncols() > 0;
        let kept = keeps.then(|| before[decoder].slice_mut(s![..rows, ..]));
        self.layers[decoder].forward(code, kept, rest[0].slice_mut(s![..rows, ..]));
        let output = rest[0].slice(s![..rows, ..]);
        let delta = deltas[decoder + 1].slice_mut(s![..rows, ..]);
        let loss = if pair == 0 {
            loss::reconstruction(recipe.loss, output, windows.slice(s![..rows, ..]), delta)
        } else {
            // Codes are bounded by their activation: no outliers to guard against.
            loss::reconstruction(Loss::Mse, output, done[pair].slice(s![..rows, ..]), delta)
        };
        let kept =
            |layer: usize| (before[layer].ncols() > 0).then(|| before[layer].slice(s![..rows, ..]));
        let (below, own) = deltas.split_at_mut(decoder + 1);
        self.layers[decoder].backward(
            Passed { x: code, before: kept(decoder), y: output },
            own[0].slice_mut(s![..rows, ..]),
            &mut gradients[decoder],
            Some((below[pair + 1].slice_mut(s![..rows, ..]), Start::Zero, scratch)),
        );
        let passed = Passed { x: done[pair].slice(s![..rows, ..]), before: kept(encoder), y: code };
        let delta = below[pair + 1].slice_mut(s![..rows, ..]);
        self.layers[encoder].backward(passed, delta, &mut gradients[encoder], None);
        loss
    }
}
