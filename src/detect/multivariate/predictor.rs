//! The autoencoder: what should this row be, given the rows before it?
//!
//! A masked autoencoder (see [`crate::model::Mlp`]) whose input is the row with some sensors hidden,
//! two running means of the rows before, and the usual row of this phase of the period. It is
//! trained to fill in what is hidden, and asked with the whole row hidden: the statistic of a fault
//! must not depend on the fault.

use ndarray::Array2;
use rand::Rng;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::Tuning;
use super::profile::Profile;
use super::track::rate;
use crate::model::{Activation, Mlp, MlpShape, MlpSpace, OptimizerKind, OptimizerParams};
use crate::record::raw;

/// Rows of a training step.
pub(super) const BATCH: usize = 64;
/// Sine and cosine of four harmonics of the period.
const PHASE: usize = 8;
/// Inputs are standard deviations, brought to within so many.
const REACH: f64 = 5.0;
/// Half-lives of the two running means, rows.
const HISTORY: [f64; 2] = [2.0, 20.0];
/// Rows a row waits before it may be trained on: an alert may open in the meantime.
const WAIT: usize = 64;
/// Sensors up to which training is not thinned out.
const WIDE: f64 = 128.0;
/// Cells of past rows that are kept, at most 4,096 rows.
const REPLAY_CELLS: usize = 1 << 17;
const ROWS_MAX: usize = 4_096;
const ROWS_MIN: usize = 256;

/// The network, its memory of past rows, and what it needs to see of the newest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Predictor {
    network: Mlp,
    rng: Xoshiro256PlusPlus,
    #[serde(with = "raw::f32s")]
    fast: Vec<f32>,
    #[serde(with = "raw::f32s")]
    slow: Vec<f32>,
    profile: Profile,
    /// Past rows, `(n * (4 p + 8),)`: values (NaN where missing), running means, profile, phase.
    #[serde(with = "raw::f32s")]
    replay: Vec<f32>,
    /// Rows that wait, oldest first.
    #[serde(with = "raw::f32s")]
    waiting: Vec<f32>,
    rows: u64,
    /// Training steps owed.
    due: f64,
    /// The newest row, as it would be kept.
    #[serde(with = "raw::f32s")]
    newest: Vec<f32>,
}

impl Predictor {
    pub(super) fn new(channels: usize, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let p = channels;
        let hidden = (2 * p).clamp(24, 64);
        let code = (p / 3).clamp(3, 16);
        let shape = MlpShape {
            widths: &[5 * p + PHASE, hidden, code, hidden, p],
            activations: &[
                Activation::Tanh,
                Activation::Identity,
                Activation::Tanh,
                Activation::Identity,
            ],
            skip: true,
            output_gains: &[(p, 0.3)],
        };
        Self {
            network: Mlp::new(&shape, &optimizer(), &mut rng),
            rng,
            fast: vec![0.0; p],
            slow: vec![0.0; p],
            profile: Profile::new(p, 0.2),
            replay: Vec::new(),
            waiting: Vec::new(),
            rows: 0,
            due: 0.0,
            newest: vec![0.0; 4 * p + PHASE],
        }
    }

    /// Whether this is of the shape for `p` sensors.
    pub(super) fn fits(&self, p: usize) -> bool {
        let fresh = Self::new(p, 0);
        let width = fresh.newest.len();
        self.fast.len() == p
            && self.slow.len() == p
            && self.profile.fits(p)
            && self.newest.len() == width
            && self.replay.len().is_multiple_of(width)
            && self.waiting.len().is_multiple_of(width)
            && self.network.clone().adopt(&fresh.network).is_some()
    }

    pub(super) fn space(&self) -> MlpSpace {
        MlpSpace::new(&self.network, BATCH)
    }

    fn channels(&self) -> usize {
        self.fast.len()
    }

    fn width(&self) -> usize {
        4 * self.channels() + PHASE
    }

    /// Takes note of the newest row `(p,)` in standard deviations, NaN where missing.
    pub(super) fn see(
        &mut self,
        row: impl Iterator<Item = f64>,
        phase: Option<f64>,
        bin: Option<usize>,
    ) {
        let p = self.channels();
        for (j, x) in row.enumerate() {
            self.newest[j] = x.clamp(-REACH, REACH) as f32;
            self.newest[p + j] = self.fast[j];
            self.newest[2 * p + j] = self.slow[j];
            self.newest[3 * p + j] = bin.map_or(0.0, |bin| self.profile.smooth(bin, j));
        }
        for k in 0..PHASE / 2 {
            let (sin, cos) = phase.map_or((0.0, 0.0), |phase| {
                (std::f64::consts::TAU * phase * (k + 1) as f64).sin_cos()
            });
            self.newest[4 * p + 2 * k] = sin as f32;
            self.newest[4 * p + 2 * k + 1] = cos as f32;
        }
        let rates = HISTORY.map(|h| rate(h) as f32);
        for j in 0..p {
            let x = self.newest[j];
            if !x.is_nan() {
                self.fast[j] += rates[0] * (x - self.fast[j]);
                self.slow[j] += rates[1] * (x - self.slow[j]);
            }
        }
    }

    /// The newest row as expected from the rows before it, `(p,)`, standard deviations.
    pub(super) fn expect<'a>(&self, space: &'a mut MlpSpace) -> &'a [f32] {
        let p = self.channels();
        let mut input = space.input_mut(1);
        let input = input.as_slice_mut().expect("the first row of a matrix is contiguous");
        input[..2 * p].fill(0.0);
        input[2 * p..].copy_from_slice(&self.newest[p..]);
        self.network.forward(space, 1);
        space.output(1).to_slice().expect("the first row of a matrix is contiguous")
    }

    /// The expected row into `expected`, and how far the newest is from it into `error`, both `(p,)`.
    ///
    /// A sensor that is `constant` is expected to stay so: what the network makes of it is rounding.
    pub(super) fn error(
        &self,
        space: &mut MlpSpace,
        constant: impl Fn(usize) -> bool,
        expected: &mut Vec<f32>,
        error: &mut Vec<f64>,
    ) {
        let said = self.expect(space);
        expected.clear();
        expected.extend(said.iter().enumerate().map(|(j, y)| if constant(j) { 0.0 } else { *y }));
        error.clear();
        let pairs = self.newest.iter().zip(expected);
        error.extend(pairs.map(|(x, y)| f64::from(*x) - f64::from(*y)));
    }

    /// Learns from the newest row: it waits, then is kept, and training steps fall due.
    pub(super) fn learn(&mut self, weight: f64, bin: Option<usize>, tuning: &Tuning) {
        if let Some(bin) = bin {
            let usual = |j: usize| self.profile.mean(bin, j);
            let seen = |(j, x): (usize, &f32)| f64::from(if x.is_nan() { usual(j) } else { *x });
            let row: Vec<f64> =
                self.newest[..self.fast.len()].iter().enumerate().map(seen).collect();
            self.profile.observe(bin, true, row.into_iter());
        }
        self.rows += 1;
        let early = self.rows < tuning.fit_rows;
        self.owe(if early { tuning.steps_early } else { tuning.steps_late });
        if weight < 1.0 {
            return;
        }
        if !self.rows.is_multiple_of(tuning.keep_every) && self.kept() >= self.kept_max() {
            return;
        }
        self.waiting.extend_from_slice(&self.newest);
        let width = self.width();
        if self.waiting.len() > WAIT * width {
            let row: Vec<f32> = self.waiting.drain(..width).collect();
            self.keep(&row);
        }
    }

    /// Rows that wait are not to be trained on: an alert has opened.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Keeps the newest row at once; for the time before anything is judged.
    pub(super) fn keep_newest(&mut self) {
        self.rows += 1;
        let row = std::mem::take(&mut self.newest);
        self.keep(&row);
        self.newest = row;
    }

    fn kept(&self) -> usize {
        self.replay.len() / self.width()
    }

    fn kept_max(&self) -> usize {
        (REPLAY_CELLS / self.channels()).clamp(ROWS_MIN, ROWS_MAX)
    }

    fn keep(&mut self, row: &[f32]) {
        let width = self.width();
        if self.kept() < self.kept_max() {
            self.replay.extend_from_slice(row);
        } else {
            let slot = self.rng.gen_range(0..self.kept_max());
            self.replay[slot * width..][..width].copy_from_slice(row);
        }
    }

    /// Another period: what is known of its phases is worth nothing. The network must not be thrown
    /// by inputs that it has never seen move.
    pub(super) fn forget_phase(&mut self) {
        let p = self.channels();
        self.profile = Profile::new(p, 0.2);
        self.network.silence(4 * p..5 * p + PHASE);
    }

    /// Owes `steps` more training steps; fewer of wide rows, whose steps are dear.
    pub(super) fn owe(&mut self, steps: f64) {
        self.due += steps * (WIDE / self.channels() as f64).min(1.0);
    }

    /// Takes the whole steps that are due, at most `most`.
    pub(super) fn train(&mut self, space: &mut MlpSpace, most: u32, tuning: &Tuning) {
        self.due = self.due.min(f64::from(4 * BATCH as u32));
        let steps = (self.due.floor() as u32).min(most);
        self.due -= f64::from(steps);
        if self.kept() < BATCH {
            return;
        }
        for _ in 0..steps {
            self.train_step(space, tuning);
        }
    }

    fn train_step(&mut self, space: &mut MlpSpace, tuning: &Tuning) {
        let p = self.channels();
        let target = self.draw(space);
        self.network.forward(space, BATCH);
        let (output, mut delta) = space.output_and_delta(BATCH);
        let scale = 2.0 / (BATCH * p) as f32;
        let weights = target.slice(ndarray::s![.., p..]);
        for ((d, y), (x, w)) in
            delta.iter_mut().zip(output).zip(target.slice(ndarray::s![.., ..p]).iter().zip(weights))
        {
            *d = if x.is_nan() { 0.0 } else { (y - x).clamp(-2.0, 2.0) * w * scale };
        }
        let rate = learning_rate(self.network.steps(), tuning);
        self.network.step(space, BATCH, rate, &optimizer());
    }

    /// Fills a batch; returns targets and their weights, `(64, 2 p)`.
    ///
    /// A quarter of the rows hide all sensors, a tenth none, the others each with chance 1/4.
    fn draw(&mut self, space: &mut MlpSpace) -> Array2<f32> {
        let (p, width, kept) = (self.channels(), self.width(), self.kept());
        let Self { rng, replay, .. } = self;
        let mut target = Array2::zeros((BATCH, 2 * p));
        let mut input = space.input_mut(BATCH);
        for (mut to, mut target) in input.rows_mut().into_iter().zip(target.rows_mut()) {
            let from = rng.gen_range(0..kept) * width;
            let row = &replay[from..from + width];
            let kind: f32 = rng.r#gen();
            let hide = if kind < 0.25 {
                1.0
            } else if kind < 0.35 {
                0.0
            } else {
                0.25
            };
            for j in 0..p {
                let hidden = rng.r#gen::<f32>() < hide || row[j].is_nan();
                let noise: f32 = StandardNormal.sample(rng);
                to[j] = if hidden { 0.0 } else { row[j] + 0.05 * noise };
                to[p + j] = if hidden { 0.0 } else { 1.0 };
                target[j] = row[j];
                target[p + j] = if hidden { 1.0 } else { 0.2 };
            }
            to.iter_mut().skip(2 * p).zip(&row[p..]).for_each(|(to, x)| *to = *x);
        }
        target
    }
}

fn optimizer() -> OptimizerParams {
    OptimizerParams {
        kind: OptimizerKind::AdamW,
        weight_decay: 1e-3,
        momentum: 0.9,
        clip_norm: 1.0,
    }
}

/// High at first, along half a cosine to the rate that it keeps.
fn learning_rate(steps: u64, tuning: &Tuning) -> f32 {
    let done = (steps as f64 / tuning.anneal_steps).min(1.0);
    let fall = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
    (tuning.rate_late + (tuning.rate_early - tuning.rate_late) * fall) as f32
}
