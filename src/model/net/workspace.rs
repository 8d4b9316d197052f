//! Scratch memory for forward and backward passes, shared by all networks of one shape.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, s};

use super::code::Code;
use super::{DenseGradient, Network};

/// Activations and gradients for at most `rows_max` windows at a time.
///
/// Kept apart from the network so that thousands of networks share one, and so that a steady
/// state allocates nothing.
#[derive(Debug)]
pub struct Workspace {
    /// Windows as they came, `(rows_max, d)`, NaN where not observed.
    pub(in crate::model) windows: Array2<f32>,
    /// What the layer on top is to say, `(rows_max, t)`, NaN where not known.
    pub(in crate::model) targets: Array2<f32>,
    /// Input of the network, then the output of each layer; the head's last.
    pub(in crate::model) outputs: Vec<Array2<f32>>,
    /// Input of the activation of each layer that asks for it; no columns for the others.
    pub(super) before: Vec<Array2<f32>>,
    /// Gradient at each of `outputs`.
    pub(super) deltas: Vec<Array2<f32>>,
    /// Gradients of each layer.
    pub(in crate::model) gradients: Vec<DenseGradient>,
    /// For the transposed weights of any one layer.
    pub(super) scratch: Vec<f32>,
    /// Input of the decoder, unless that is the output of the encoder.
    pub(super) code: Option<CodeSpace>,
    /// Variance of the reconstructions over the codes drawn in scoring, `(rows_max, d)`.
    pub(super) spread: Option<Array2<f32>>,
    /// Layers of the encoder; the code is the output of the last.
    encoder: usize,
    /// Layers of encoder and decoder.
    layers: usize,
}

/// What codes need that are not plain.
#[derive(Debug)]
pub(super) struct CodeSpace {
    /// Input of the decoder, `(rows_max, k)`.
    pub z: Array2<f32>,
    /// Its gradient.
    pub dz: Array2<f32>,
    /// Noise of the training step, `(rows_max, k)`.
    pub eps: Array2<f32>,
    /// Vectors chosen, `rows_max * groups`.
    pub picks: Vec<u32>,
}

impl Workspace {
    /// Scratch memory for networks shaped like `network`.
    pub fn new(network: &Network, rows_max: usize) -> Self {
        let columns = |n: usize| Array2::<f32>::zeros((rows_max, n));
        let layers = network.all_layers();
        let outputs: Vec<_> = std::iter::once(network.input_width())
            .chain(layers.iter().map(|layer| layer.weights.ncols()))
            .map(columns)
            .collect();
        let before = layers.iter().map(|layer| match layer.activation.needs_input() {
            true => columns(layer.weights.ncols()),
            false => columns(0),
        });
        let cells = network.cells();
        let head = network.head().map_or(0, |head| head.weights.ncols());
        let latent = network.latent();
        Self {
            windows: columns(cells),
            targets: Array2::from_elem((rows_max, head), f32::NAN),
            before: before.collect(),
            deltas: outputs.clone(),
            outputs,
            scratch: vec![0.0; layers.iter().map(|l| l.weights.len()).max().unwrap_or(0)],
            gradients: layers.iter().map(DenseGradient::zeros_like).collect(),
            code: match network.code() {
                Code::Plain => None,
                code => Some(CodeSpace {
                    z: columns(latent),
                    dz: columns(latent),
                    eps: columns(latent),
                    picks: match code {
                        Code::Quantised(book) => vec![0; rows_max * book.groups(latent)],
                        Code::Plain | Code::Gaussian(_) => Vec::new(),
                    },
                }),
            },
            spread: network.is_sampled().then(|| columns(cells)),
            encoder: network.encoder().len(),
            layers: 2 * network.encoder().len(),
        }
    }

    /// Puts windows `(n, d)` in, as many at a time as it holds; `each` is told which ones.
    pub(in crate::model) fn in_parts(
        &mut self,
        windows: ArrayView2<'_, f32>,
        mut each: impl FnMut(&mut Self, Range<usize>),
    ) {
        let most = self.rows_max();
        for (from, rows) in (0..).step_by(most).zip(windows.axis_chunks_iter(Axis(0), most)) {
            let n = rows.nrows();
            self.windows.slice_mut(s![..n, ..]).assign(&rows);
            each(self, from..from + n);
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
        self.outputs[self.layers].slice(s![..rows, ..])
    }

    /// Variance of the reconstructions of the last pass over the codes that were drawn, `(rows,
    /// d)`; `None` if none are drawn.
    pub fn spreads(&self, rows: usize) -> Option<ArrayView2<'_, f32>> {
        self.spread.as_ref().map(|spread| spread.slice(s![..rows, ..]))
    }

    /// Latent codes of the last pass, `(rows, k)`.
    pub fn codes(&self, rows: usize) -> ArrayView2<'_, f32> {
        match &self.code {
            Some(code) => code.z.slice(s![..rows, ..]),
            None => self.outputs[self.encoder].slice(s![..rows, ..]),
        }
    }

    /// What the layer on top of the code says of the last pass, `(rows, t)`; `t` is 0 without one.
    pub fn heads(&self, rows: usize) -> ArrayView2<'_, f32> {
        match self.outputs.get(self.layers + 1) {
            Some(head) => head.slice(s![..rows, ..]),
            None => self.targets.slice(s![..rows, ..0]),
        }
    }

    /// Vectors of the code book that the last pass chose, row by row.
    pub(in crate::model) fn picks(&self) -> &[u32] {
        self.code.as_ref().map_or(&[], |code| &code.picks)
    }

    /// Indices of the vectors that the last pass chose for window `row` of `rows`; meaningless before
    /// the book has started, empty without one.
    pub fn vectors_chosen(&self, rows: usize, row: usize) -> &[u32] {
        debug_assert!(row < rows);
        let groups = self.picks().len() / self.rows_max();
        &self.picks()[row * groups..(row + 1) * groups]
    }

    /// The windows as network input: missing cells become 0, the mean of a standardised channel,
    /// and are told by indicators if the network has any.
    pub(super) fn fill_input(&mut self, rows: usize) {
        let Self { windows, outputs, .. } = self;
        let cells = windows.ncols();
        let indicators = outputs[0].ncols() > cells;
        let mut input: ArrayViewMut2<'_, f32> = outputs[0].slice_mut(s![..rows, ..cells]);
        input.zip_mut_with(&windows.slice(s![..rows, ..]), |cell, &x| {
            *cell = if x.is_nan() { 0.0 } else { x };
        });
        if indicators {
            let mut hidden = outputs[0].slice_mut(s![..rows, cells..]);
            hidden.zip_mut_with(&windows.slice(s![..rows, ..]), |cell, &x| {
                *cell = f32::from(u8::from(x.is_nan()));
            });
        }
    }
}
