//! The network of the latent expert: window and calendar to a code, a linear layer on top of it that
//! says the future and, if wanted, the window.
//!
//! Bengio et al., "Greedy Layer-Wise Training of Deep Networks", NIPS 2007, stack autoencoders under
//! a supervised layer; here both losses are taken together, by `w_rec` and `w_fc`. The inputs are
//! hidden at random as in Vincent et al., "Extracting and Composing Robust Features with Denoising
//! Autoencoders", ICML 2008.

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::LatentParams;
use super::design::Design;
use super::features::View;
use crate::model::{Activation, Mlp, MlpShape, MlpSpace, OptimizerKind, OptimizerParams};

/// Errors pull with at most this force, in scales.
const ERROR_MAX: f32 = 2.0;
/// Weights of the layer on top begin so much smaller.
const TOP_GAIN: f32 = 0.1;
/// Layer whose output is the code.
const CODE: usize = 2;
/// Rows of a pass that only encodes.
const ENCODE_ROWS: usize = 64;

/// A window and what came after it, as the network sees them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    /// `(inputs,)`.
    #[serde(with = "crate::record::raw::f32s")]
    pub x: Vec<f32>,
    /// `(horizons,)`, NaN where not observed.
    #[serde(with = "crate::record::raw::f32s")]
    pub y: Vec<f32>,
}

impl Sample {
    /// Writes the window of an origin.
    pub(super) fn window(view: &View<'_>, mut put: impl FnMut(f32)) {
        view.lags(|x| put(x as f32));
        view.clock(|x| put(x as f32));
    }

    /// Writes what came true.
    pub(super) fn future(view: &View<'_>, mut put: impl FnMut(f32)) {
        for h in &view.design.horizons {
            let j = view.t + h;
            let missing = view.history.moment(j).missing;
            let y = view.standardise(view.history.y(j));
            put(if missing { f32::NAN } else { y as f32 });
        }
    }

    /// A whole sample.
    pub(super) fn of(view: &View<'_>) -> Self {
        let mut sample = Self::default();
        Self::window(view, |x| sample.x.push(x));
        Self::future(view, |y| sample.y.push(y));
        sample
    }
}

/// Scratch memory for networks of one shape.
#[derive(Debug)]
pub(super) struct Bench {
    space: MlpSpace,
    sizes: [usize; 4],
    clean: Array2<f32>,
    wanted: Array2<f32>,
}

/// A network, the random numbers of its training, and its version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Encoder {
    net: Mlp,
    rng: Xoshiro256PlusPlus,
    inputs: usize,
    horizons: usize,
    /// Training steps behind it.
    pub version: u64,
}

impl Encoder {
    pub(super) fn new(design: &Design, params: &LatentParams, seed: u64) -> Self {
        let (inputs, horizons) = (design.inputs(), design.horizons.len());
        let window = if params.w_rec > 0.0 { inputs } else { 0 };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let shape = MlpShape {
            widths: &[inputs, params.hidden, params.width, horizons + window],
            activations: &[Activation::Relu, Activation::Identity, Activation::Identity],
            skip: false,
            output_gains: &[(horizons, TOP_GAIN), (window, 1.0)],
        };
        let net = Mlp::new(&shape, &optimizer(params), &mut rng);
        Self { net, rng, inputs, horizons, version: 0 }
    }

    /// This network, if it is of the shape of `fresh`.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let alike = (self.inputs, self.horizons) == (fresh.inputs, fresh.horizons);
        let net = alike.then_some(self.net)?.adopt(&fresh.net)?;
        Some(Self { net, ..self })
    }

    /// Scratch memory for this shape, made anew only if `bench` is of another.
    pub(super) fn bench<'a>(
        &self,
        params: &LatentParams,
        bench: &'a mut Option<Bench>,
    ) -> &'a mut Bench {
        let sizes = [self.inputs, params.hidden, self.net.parameters(), params.batch];
        if bench.as_ref().is_none_or(|bench| bench.sizes != sizes) {
            let space = MlpSpace::new(&self.net, params.batch.max(ENCODE_ROWS));
            let outputs = space.output(0).ncols();
            let rows = space.rows_max();
            let clean = Array2::zeros((rows, self.inputs));
            let wanted = Array2::zeros((rows, outputs));
            *bench = Some(Bench { space, sizes, clean, wanted });
        }
        bench.as_mut().expect("just made")
    }

    /// A training step. `draw` writes a random sample: input, then targets.
    pub(super) fn train(
        &mut self,
        params: &LatentParams,
        bench: &mut Bench,
        mut draw: impl FnMut(&mut Xoshiro256PlusPlus, &mut [f32], &mut [f32]),
    ) {
        let rows = params.batch;
        let (keep, horizons) = (1.0 - params.dropout, self.horizons);
        for i in 0..rows {
            let (mut x, mut y) = (bench.clean.row_mut(i), bench.wanted.row_mut(i));
            let x = x.as_slice_mut().expect("a row of a standard layout");
            let y = y.as_slice_mut().expect("a row of a standard layout");
            draw(&mut self.rng, x, &mut y[..horizons]);
            if y.len() > horizons {
                y[horizons..].copy_from_slice(x);
            }
        }
        let mut input = bench.space.input_mut(rows);
        let up = 1.0 / keep as f32;
        for (to, x) in input.iter_mut().zip(bench.clean.iter()) {
            *to = if self.rng.gen_bool(keep) { x * up } else { 0.0 };
        }
        self.net.forward(&mut bench.space, rows);
        let (said, mut delta) = bench.space.output_and_delta(rows);
        let pull = |weight: f64, columns: usize| {
            (2.0 * weight / (rows as f64 * columns.max(1) as f64)) as f32
        };
        let pulls = [pull(params.w_fc, horizons), pull(params.w_rec, self.inputs)];
        for ((i, j), d) in delta.indexed_iter_mut() {
            let error = (said[(i, j)] - bench.wanted[(i, j)]).clamp(-ERROR_MAX, ERROR_MAX);
            let pull = pulls[usize::from(j >= horizons)];
            *d = if error.is_nan() { 0.0 } else { error * pull };
        }
        let rate = params.learning_rate.get() as f32;
        self.version += u64::from(self.net.step(&mut bench.space, rows, rate, &optimizer(params)));
    }

    /// Codes of `count` windows that `fill` writes, `(count, width)` row by row.
    pub(super) fn encode(
        &self,
        bench: &mut Bench,
        count: usize,
        mut fill: impl FnMut(usize, &mut [f32]),
        codes: &mut Vec<f32>,
    ) {
        codes.clear();
        for from in (0..count).step_by(ENCODE_ROWS) {
            let rows = ENCODE_ROWS.min(count - from);
            let mut input = bench.space.input_mut(rows);
            for (i, mut row) in input.rows_mut().into_iter().enumerate() {
                fill(from + i, row.as_slice_mut().expect("a row of a standard layout"));
            }
            self.net.forward(&mut bench.space, rows);
            codes.extend(bench.space.hidden(CODE, rows).iter());
        }
    }

    pub(super) fn state_bytes(&self) -> usize {
        // Weights and two moments of each.
        12 * self.net.parameters()
    }
}

fn optimizer(params: &LatentParams) -> OptimizerParams {
    OptimizerParams {
        kind: OptimizerKind::AdamW,
        weight_decay: params.weight_decay,
        momentum: 0.0,
        clip_norm: 1.0,
    }
}
