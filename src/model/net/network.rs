//! The autoencoder network: encoder, code, mirrored decoder, perhaps a layer on top of the code.

use ndarray::{Array2, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::code::{self, Code};
use super::dense::all_alike;
use super::gaussian;
use super::{Dense, Workspace};
use crate::model::{Activation, HeadKind, ModelParams, Variant, WindowShape};

/// Layers from input to reconstruction; the code comes from layer `code_layer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Encoder, decoder, and the layer on top of the code if there is one.
    pub(super) layers: Vec<Dense>,
    pub(super) code_layer: usize,
    #[serde(default, skip_serializing_if = "Code::is_plain")]
    pub(super) code: Code,
    /// What turns the code that is told, `(k, k)`, where the code inside cannot be turned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<Array2<f32>>,
}

impl Network {
    /// A network of `inputs → hidden.. → latent → hidden reversed.. → cells` with random weights,
    /// for windows of `shape`.
    ///
    /// Inputs are the cells of a window, and one indicator of each in a denoising network. The
    /// output is linear and starts small, so that an untrained network says "the mean" instead of
    /// noise.
    pub fn new(params: &ModelParams, shape: WindowShape, rng: &mut impl Rng) -> Self {
        let cells = shape.cells();
        let inputs = if params.variant == Variant::Denoising { 2 * cells } else { cells };
        let code = Code::new(params, rng);
        let (hidden, activation) = (&params.hidden, params.activation);
        let mut widths = vec![inputs];
        widths.extend(hidden);
        let mut layers = Vec::with_capacity(2 * hidden.len() + 3);
        for pair in widths.windows(2) {
            layers.push(Dense::new((pair[0], pair[1]), activation, 1.0, rng));
        }
        let narrow = (widths[hidden.len()], code.encoder_width(params.latent));
        layers.push(Dense::new(narrow, code::activation(params), 1.0, rng));
        let mut width = params.latent;
        for next in hidden.iter().rev() {
            layers.push(Dense::new((width, *next), activation, 1.0, rng));
            width = *next;
        }
        layers.push(Dense::new((width, cells), Activation::Identity, 0.3, rng));
        let head = match params.stacked.head {
            HeadKind::Linear => Activation::Identity,
            HeadKind::Logistic | HeadKind::None => Activation::Sigmoid,
        };
        if params.has_head() {
            layers.push(Dense::new((params.latent, shape.channels), head, 0.3, rng));
        }
        Self { layers, code_layer: hidden.len(), code, turn: None }
    }

    /// Whether both are of one shape.
    pub(in crate::model) fn is_like(&self, other: &Self) -> bool {
        let square = (other.latent(), other.latent());
        let turns = |turn: &Array2<f32>| turn.dim() == square && turn.is_standard_layout();
        all_alike(&self.layers, &other.layers)
            && self.turn.as_ref().is_none_or(turns)
            && self.code_layer == other.code_layer
            && self.code.is_like(&other.code)
    }

    /// Takes over the weights of a network of the same shape.
    pub(in crate::model) fn assign(&mut self, other: &Self) {
        for (layer, from) in self.layers.iter_mut().zip(&other.layers) {
            layer.weights.assign(&from.weights);
            layer.biases.assign(&from.biases);
        }
        if !self.code.is_plain() {
            self.code.clone_from(&other.code);
        }
        self.turn.clone_from(&other.turn);
    }

    /// Width of the input of each layer, then that of the output.
    pub fn widths(&self) -> Vec<usize> {
        let inputs = self.layers.iter().map(|layer| layer.weights.nrows());
        inputs.chain([self.cells()]).collect()
    }

    /// Tells networks apart that need other scratch memory.
    pub(in crate::model) fn memory_shape(&self) -> Vec<usize> {
        let layer = |layer: &Dense| {
            let (inputs, outputs) = layer.weights.dim();
            [inputs, outputs, usize::from(layer.activation.needs_input())]
        };
        let layers = self.layers.iter().flat_map(layer);
        layers.chain([self.code_layer]).chain(self.code.shape()).collect()
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.len() + layer.biases.len()).sum()
    }

    /// Effective number of code book vectors in use; `None` without a book.
    pub fn perplexity(&self) -> Option<f64> {
        match &self.code {
            Code::Quantised(book) => book.perplexity(),
            Code::Plain | Code::Gaussian(_) => None,
        }
    }

    /// Whether codes are vectors of a book that has started.
    pub fn is_quantised(&self) -> bool {
        matches!(&self.code, Code::Quantised(book) if book.is_started())
    }

    pub(in crate::model) fn all_layers(&self) -> &[Dense] {
        &self.layers
    }

    pub(in crate::model) fn all_layers_mut(&mut self) -> &mut [Dense] {
        &mut self.layers
    }

    pub(in crate::model) fn code(&self) -> &Code {
        &self.code
    }

    pub(in crate::model) fn code_mut(&mut self) -> &mut Code {
        &mut self.code
    }

    pub(super) fn encoder(&self) -> &[Dense] {
        &self.layers[..=self.code_layer]
    }

    /// Pairs of an encoder layer and its mirror in the decoder.
    pub(in crate::model) fn pairs(&self) -> usize {
        self.code_layer + 1
    }

    pub(in crate::model) fn head(&self) -> Option<&Dense> {
        self.layers.get(2 * self.pairs())
    }

    /// Cells of a window.
    pub(super) fn cells(&self) -> usize {
        self.layers[2 * self.code_layer + 1].weights.ncols()
    }

    pub(super) fn input_width(&self) -> usize {
        self.layers[0].weights.nrows()
    }

    /// Numbers in a code.
    pub(in crate::model) fn latent(&self) -> usize {
        self.layers[self.code_layer + 1].weights.nrows()
    }

    /// Whether scoring draws codes from the posterior.
    pub(super) fn is_sampled(&self) -> bool {
        matches!(&self.code, Code::Gaussian(gaussian) if gaussian.probes().len() > 0)
    }

    /// Encodes and decodes the first `rows` windows of `space`; read the results from there.
    ///
    /// `rows <= space.rows_max()`. A variational network decodes the mean of the posterior; if it
    /// scores by probability the reconstruction is the mean over drawn codes, and
    /// [`Workspace::spreads`] their variance (An and Cho, "Variational Autoencoder based Anomaly
    /// Detection using Reconstruction Probability", 2015).
    pub fn reconstruct(&self, space: &mut Workspace, rows: usize) {
        self.pass(space, rows);
        self.turn_code(space, rows);
    }

    fn pass(&self, space: &mut Workspace, rows: usize) {
        space.fill_input(rows);
        self.encode(space, rows);
        self.run_head(space, rows);
        let Code::Gaussian(gaussian) = &self.code else { return self.decode(space, rows) };
        let samples = gaussian.probes().len();
        let last = 2 * self.pairs();
        // The means over samples are gathered where no forward pass writes.
        for (i, probe) in gaussian.probes().enumerate() {
            self.shift_code(space, rows, |_, j| probe[j]);
            self.decode(space, rows);
            let Workspace { outputs, deltas, spread: Some(spread), .. } = &mut *space else {
                break;
            };
            let output = outputs[last].slice(s![..rows, ..]);
            let (mean, spread) = (&mut deltas[last], spread.slice_mut(s![..rows, ..]));
            let mean = mean.slice_mut(s![..rows, ..]);
            gaussian::accumulate(i, samples, output, mean, spread);
        }
        self.shift_code(space, rows, |_, _| 0.0);
        match samples {
            0 => self.decode(space, rows),
            _ => {
                let Workspace { outputs, deltas, .. } = space;
                outputs[last].slice_mut(s![..rows, ..]).assign(&deltas[last].slice(s![..rows, ..]));
            }
        }
    }

    /// Latent codes of windows `(n, d)`, `(n, k)`: what [`Network::reconstruct`] gives, without the
    /// decoder.
    pub(in crate::model) fn codes(
        &self,
        windows: ndarray::ArrayView2<'_, f32>,
        space: &mut Workspace,
    ) -> ndarray::Array2<f32> {
        let mut codes = ndarray::Array2::zeros((windows.nrows(), self.latent()));
        space.in_parts(windows, |space, rows| {
            space.fill_input(rows.len());
            self.encode(space, rows.len());
            self.turn_code(space, rows.len());
            codes.slice_mut(s![rows.clone(), ..]).assign(&space.codes(rows.len()));
        });
        codes
    }

    /// Encodes the input; the code is complete unless it is drawn.
    pub(super) fn encode(&self, space: &mut Workspace, rows: usize) {
        (0..=self.code_layer).for_each(|layer| self.forward(layer, space, rows));
        match (&self.code, &mut space.code) {
            (Code::Quantised(book), Some(code)) => book.quantise(
                space.outputs[self.pairs()].slice(s![..rows, ..]),
                code.z.slice_mut(s![..rows, ..]),
                &mut code.picks,
            ),
            (Code::Gaussian(_), Some(_)) => self.shift_code(space, rows, |_, _| 0.0),
            _ => {}
        }
    }

    /// `z = mu + sigma * eps(row, number)`.
    pub(super) fn shift_code(
        &self,
        space: &mut Workspace,
        rows: usize,
        eps: impl Fn(usize, usize) -> f32,
    ) {
        let Some(code) = &mut space.code else { return };
        let encoded = space.outputs[self.pairs()].slice(s![..rows, ..]);
        gaussian::shift(encoded, eps, code.z.slice_mut(s![..rows, ..]));
    }

    /// Decodes the code.
    pub(super) fn decode(&self, space: &mut Workspace, rows: usize) {
        (self.pairs()..2 * self.pairs()).for_each(|layer| self.forward(layer, space, rows));
    }

    /// Asks the layer on top of the code, if there is one.
    pub(super) fn run_head(&self, space: &mut Workspace, rows: usize) {
        if self.head().is_some() {
            self.forward(2 * self.pairs(), space, rows);
        }
    }

    /// Runs one layer on the output of the layer before it, or on the code.
    pub(super) fn forward(&self, layer: usize, space: &mut Workspace, rows: usize) {
        let Workspace { outputs, before, code, .. } = space;
        let (done, rest) = outputs.split_at_mut(layer + 1);
        let input = self.input_of(layer, done, code.as_ref().map(|code| &code.z), rows);
        let before = (before[layer].ncols() > 0).then(|| before[layer].slice_mut(s![..rows, ..]));
        self.layers[layer].forward(input, before, rest[0].slice_mut(s![..rows, ..]));
    }

    /// The input of a layer: `outputs[i]` is what layer `i` reads, but for the two that read the
    /// code.
    pub(super) fn input_of<'a>(
        &self,
        layer: usize,
        outputs: &'a [ndarray::Array2<f32>],
        z: Option<&'a ndarray::Array2<f32>>,
        rows: usize,
    ) -> ndarray::ArrayView2<'a, f32> {
        let of_code = layer == self.pairs() || layer == 2 * self.pairs();
        let input = if of_code { z.unwrap_or(&outputs[self.pairs()]) } else { &outputs[layer] };
        input.slice(s![..rows, ..])
    }

    /// Decodes codes drawn from the prior, N(0, I), into the first `rows` reconstructions of
    /// `space`: what a variational network holds for normal. Does nothing for other networks.
    pub fn sample(&self, space: &mut Workspace, rows: usize, rng: &mut impl Rng) {
        let (Code::Gaussian(_), Some(code)) = (&self.code, &mut space.code) else { return };
        gaussian::draw(code.z.slice_mut(s![..rows, ..]), rng);
        self.decode(space, rows);
    }
}
