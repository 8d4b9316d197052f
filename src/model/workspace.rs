//! Scratch memory for forward and backward passes, shared by all networks of one shape.

use ndarray::{Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, s};

use super::Network;
use super::dense::DenseGradient;

/// Activations and gradients for at most `rows_max` windows at a time.
///
/// Kept apart from the network so that thousands of networks share one, and so that a steady
/// state allocates nothing.
#[derive(Debug)]
pub struct Workspace {
    /// Windows as they came, `(rows_max, d)`, NaN where not observed.
    pub(super) windows: Array2<f32>,
    /// Output of each layer, the network's input first.
    pub(super) outputs: Vec<Array2<f32>>,
    /// Gradient at the output of each layer, in the same order.
    pub(super) deltas: Vec<Array2<f32>>,
    pub(super) gradients: Vec<DenseGradient>,
    code: usize,
}

impl Workspace {
    /// Scratch memory for networks shaped like `network`.
    pub fn new(network: &Network, rows_max: usize) -> Self {
        let outputs: Vec<_> =
            network.widths().into_iter().map(|width| Array2::zeros((rows_max, width))).collect();
        Self {
            windows: outputs[0].clone(),
            deltas: outputs.clone(),
            outputs,
            gradients: network.layers().iter().map(DenseGradient::zeros_like).collect(),
            code: network.code_layer() + 1,
        }
    }

    /// Most windows it can hold.
    pub fn rows_max(&self) -> usize {
        self.windows.nrows()
    }

    /// Row `i` of the windows, to be filled before a pass.
    pub fn window_mut(&mut self, i: usize) -> ArrayViewMut1<'_, f32> {
        self.windows.row_mut(i)
    }

    /// The first `rows` windows, `(rows, d)`, NaN where not observed.
    pub fn windows(&self, rows: usize) -> ArrayView2<'_, f32> {
        self.windows.slice(s![..rows, ..])
    }

    /// Reconstructions of the last pass, `(rows, d)`.
    pub fn reconstructions(&self, rows: usize) -> ArrayView2<'_, f32> {
        self.outputs[self.outputs.len() - 1].slice(s![..rows, ..])
    }

    /// Latent codes of the last pass, `(rows, k)`.
    pub fn codes(&self, rows: usize) -> ArrayView2<'_, f32> {
        self.outputs[self.code].slice(s![..rows, ..])
    }

    /// The windows as network input: missing cells become 0, the mean of a standardised channel.
    pub(super) fn fill_input(&mut self, rows: usize) {
        let Self { windows, outputs, .. } = self;
        let mut input: ArrayViewMut2<'_, f32> = outputs[0].slice_mut(s![..rows, ..]);
        input.zip_mut_with(&windows.slice(s![..rows, ..]), |cell, &x| {
            *cell = if x.is_nan() { 0.0 } else { x };
        });
    }
}
