//! The autoencoder network: encoder, code, mirrored decoder; reconstruction and its gradient.

use ndarray::s;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::dense::Dense;
use super::{Activation, ModelParams, Workspace};

/// Half-width of the quadratic part of the Huber loss, in input units.
const HUBER: f32 = 1.0;

/// Layers from input to reconstruction; the code is the output of `code_layer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    layers: Vec<Dense>,
    code_layer: usize,
}

impl Network {
    /// A network of `inputs → hidden.. → latent → hidden reversed.. → inputs` with random weights.
    ///
    /// Code and output are linear. The output layer starts small, so that an untrained network
    /// says "the mean" instead of noise.
    pub fn new(params: &ModelParams, inputs: usize, rng: &mut impl Rng) -> Self {
        let mut widths = vec![inputs];
        widths.extend(&params.hidden);
        widths.push(params.latent);
        widths.extend(params.hidden.iter().rev());
        widths.push(inputs);
        let code_layer = params.hidden.len();
        let last = widths.len() - 2;
        let layers = (0..=last)
            .map(|i| {
                let linear = i == code_layer || i == last;
                let activation = if linear { Activation::Identity } else { params.activation };
                let gain = if i == last { 0.3 } else { 1.0 };
                Dense::new(widths[i], widths[i + 1], activation, gain, rng)
            })
            .collect();
        Self { layers, code_layer }
    }

    /// Whether both are of one shape.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let layers = self.layers.iter().zip(&other.layers);
        self.layers.len() == other.layers.len()
            && self.code_layer == other.code_layer
            && layers.into_iter().all(|(a, b)| a.is_like(b))
    }

    /// Takes over the weights of a network of the same shape.
    pub(super) fn assign(&mut self, other: &Self) {
        for (layer, from) in self.layers.iter_mut().zip(&other.layers) {
            layer.weights.assign(&from.weights);
            layer.biases.assign(&from.biases);
        }
    }

    /// Input width, then the output width of each layer.
    pub fn widths(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.weights.ncols());
        std::iter::once(self.layers[0].weights.nrows()).chain(outputs).collect()
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.len() + layer.biases.len()).sum()
    }

    pub(super) fn layers(&self) -> &[Dense] {
        &self.layers
    }

    pub(super) fn layers_mut(&mut self) -> &mut [Dense] {
        &mut self.layers
    }

    pub(super) fn code_layer(&self) -> usize {
        self.code_layer
    }

    /// Encodes and decodes the first `rows` windows of `space`; read the results from there.
    ///
    /// `rows <= space.rows_max()`. Missing cells are 0 at the input.
    pub fn reconstruct(&self, space: &mut Workspace, rows: usize) {
        space.fill_input(rows);
        for (i, layer) in self.layers.iter().enumerate() {
            let (before, after) = space.outputs.split_at_mut(i + 1);
            layer.forward(before[i].slice(s![..rows, ..]), after[0].slice_mut(s![..rows, ..]));
        }
    }

    /// Loss of the first `rows` windows; leaves the gradients in `space`.
    ///
    /// The loss is the mean over observed cells of the Huber function of `x̂ − x` (Huber, "Robust
    /// Estimation of a Location Parameter", 1964): a spike pulls with a bounded force. Missing
    /// cells have neither loss nor gradient. 0 if nothing was observed.
    pub(super) fn loss_and_gradients(&self, space: &mut Workspace, rows: usize) -> f64 {
        self.reconstruct(space, rows);
        let loss = output_gradient(space, rows);
        for (i, layer) in self.layers.iter().enumerate().rev() {
            let (before, after) = space.deltas.split_at_mut(i + 1);
            let dx = (i > 0).then(|| before[i].slice_mut(s![..rows, ..]));
            layer.backward(
                space.outputs[i].slice(s![..rows, ..]),
                space.outputs[i + 1].slice(s![..rows, ..]),
                after[0].slice_mut(s![..rows, ..]),
                &mut space.gradients[i],
                dx,
            );
        }
        loss
    }
}

/// Writes the loss gradient at the reconstruction into the last delta; returns the loss.
fn output_gradient(space: &mut Workspace, rows: usize) -> f64 {
    let last = space.outputs.len() - 1;
    let mut delta = space.deltas[last].slice_mut(s![..rows, ..]);
    let mut observed = 0_usize;
    let mut loss = 0.0;
    ndarray::Zip::from(&mut delta)
        .and(space.outputs[last].slice(s![..rows, ..]))
        .and(space.windows.slice(s![..rows, ..]))
        .for_each(|delta, &xhat, &x| {
            if x.is_nan() {
                *delta = 0.0;
                return;
            }
            let error = xhat - x;
            observed += 1;
            loss += f64::from(huber(error));
            *delta = error.clamp(-HUBER, HUBER);
        });
    let cells = observed.max(1) as f64;
    delta.mapv_inplace(|v| v / cells as f32);
    loss / cells
}

fn huber(error: f32) -> f32 {
    let size = error.abs();
    if size <= HUBER { 0.5 * error * error } else { HUBER * (size - 0.5 * HUBER) }
}

#[cfg(test)]
#[path = "network_tests.rs"]
pub(crate) mod tests;
