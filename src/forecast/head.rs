//! Ridge regression on the code of one version of a network.
//!
//! For a new version the windows of the memory are encoded anew, so that the weights always fit the
//! code.

use serde::{Deserialize, Serialize};

use super::design::Design;
use super::encoder::{Bench, Encoder, Sample};
use super::features::View;
use super::history::History;
use super::ridge::{Sums, Weights};
use super::{ForecastParams, LatentParams};
use crate::record::raw;

/// Windows of a block, for cross-fitting.
const BLOCK_WINDOWS: usize = 2;

/// Scratch memory, for any number of forecasters.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) bench: Option<Bench>,
    codes: Vec<f32>,
    pub(super) features: Vec<f64>,
    pub(super) own: Vec<f64>,
    pub(super) targets: Vec<f64>,
}

/// Ridge on the code of one version of a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LatentHead {
    sums: Sums,
    weights: Option<Weights>,
    /// Mean and deviation of each number of the code over the memory.
    #[serde(with = "raw::f64s")]
    mean: Vec<f64>,
    #[serde(with = "raw::f64s")]
    deviation: Vec<f64>,
    /// The version; `None` before the first.
    pub version: Option<u64>,
    /// Blocks that the network is trained on; the head is fitted on the others. `None`: all.
    pub parity: Option<usize>,
    /// Origins of the memory from one that is encoded to the next.
    stride: usize,
}

/// What a head is asked to use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub params: &'a ForecastParams,
    pub design: &'a Design,
    pub history: &'a History,
}

impl Plan<'_> {
    pub(super) fn view(&self, t: usize) -> View<'_> {
        View { design: self.design, history: self.history, t }
    }

    pub(super) fn latent(&self) -> &LatentParams {
        &self.params.latent
    }

    /// Origins of the memory whose targets are all known; the newest row is `r`.
    pub(super) fn memory(&self, r: usize) -> std::ops::Range<usize> {
        let end = (r + 1).saturating_sub(self.design.reach());
        let oldest = self.history.first() + self.design.first_origin();
        let begin =
            oldest.max(self.design.first_origin()).max((r + 1).saturating_sub(self.design.memory));
        begin..end.max(begin)
    }

    pub(super) fn parity(&self, t: usize) -> usize {
        t / (BLOCK_WINDOWS * self.design.window) % 2
    }
}

impl LatentHead {
    pub(super) fn new(design: &Design, params: &LatentParams, parity: Option<usize>) -> Self {
        let day = if parity.is_some() { design.day() } else { 0 };
        let shared = design.few() + day + design.clock() + params.width;
        Self {
            sums: Sums::new(shared, design.future(), design.horizons.len()),
            weights: None,
            mean: vec![0.0; params.width],
            deviation: vec![1.0; params.width],
            version: None,
            parity,
            stride: 1,
        }
    }

    pub(super) fn is_like(&self, fresh: &Self) -> bool {
        self.sums.is_like(&fresh.sums)
            && self.weights.as_ref().is_none_or(|weights| weights.fit(&fresh.sums))
            && self.mean.len() == fresh.mean.len()
            && self.deviation.len() == fresh.deviation.len()
            && self.parity == fresh.parity
            && self.stride > 0
    }

    /// One training season of an own network on the memory.
    pub(super) fn train(
        &self,
        plan: &Plan<'_>,
        r: usize,
        encoder: &mut Encoder,
        scratch: &mut Scratch,
    ) {
        let memory = plan.memory(r);
        let mine: Vec<usize> = self.side(plan, memory, |parity, own| parity == own);
        if mine.is_empty() {
            return;
        }
        let bench = encoder.bench(plan.latent(), &mut scratch.bench);
        for _ in 0..plan.latent().steps {
            encoder.train(plan.latent(), bench, |rng, x, y| {
                let t = mine[rand::Rng::gen_range(rng, 0..mine.len())];
                let view = plan.view(t);
                let (mut x, mut y) = (x.iter_mut(), y.iter_mut());
                Sample::window(&view, |value| x.next().into_iter().for_each(|x| *x = value));
                Sample::future(&view, |value| y.next().into_iter().for_each(|y| *y = value));
            });
        }
    }

    /// Origins of the memory on one side of the blocks; all while there are too few.
    fn side(
        &self,
        plan: &Plan<'_>,
        memory: std::ops::Range<usize>,
        wanted: impl Fn(usize, usize) -> bool,
    ) -> Vec<usize> {
        if let Some(own) = self.parity {
            let side: Vec<usize> =
                memory.clone().filter(|t| wanted(plan.parity(*t), own)).collect();
            if side.len() >= plan.design.pace {
                return side;
            }
        }
        memory.collect()
    }

    /// Encodes the memory with a new version, and fits the weights to it.
    pub(super) fn rebuild(
        &mut self,
        plan: &Plan<'_>,
        r: usize,
        encoder: &Encoder,
        scratch: &mut Scratch,
    ) {
        let memory = plan.memory(r);
        let origins = self.side(plan, memory, |parity, own| parity != own);
        self.stride = origins.len().div_ceil(plan.latent().windows_max.max(1)).max(1);
        let origins: Vec<usize> = origins.into_iter().rev().step_by(self.stride).collect();
        self.encode(plan, &origins, encoder, scratch);
        self.measure(&scratch.codes);
        self.sums = Sums::new_like(&self.sums);
        let codes = std::mem::take(&mut scratch.codes);
        let width = self.mean.len();
        let mut before = None;
        for (t, code) in origins.iter().zip(codes.chunks_exact(width)).rev() {
            let rows = t - before.unwrap_or(*t);
            self.sums.grow(growth(plan.params, rows));
            self.learn_code(plan, *t, code, scratch);
            before = Some(*t);
        }
        if let Some(newest) = before {
            self.sums.grow(growth(plan.params, r - newest));
        }
        scratch.codes = codes;
        self.version = Some(encoder.version);
        self.solve(plan);
    }

    fn encode(&self, plan: &Plan<'_>, origins: &[usize], encoder: &Encoder, scratch: &mut Scratch) {
        let fill = |i: usize, row: &mut [f32]| {
            let mut cells = row.iter_mut();
            let view = plan.view(origins[i]);
            Sample::window(&view, |value| cells.next().into_iter().for_each(|x| *x = value));
        };
        let bench = encoder.bench(plan.latent(), &mut scratch.bench);
        encoder.encode(bench, origins.len(), fill, &mut scratch.codes);
    }

    /// Mean and deviation of the codes of the memory.
    fn measure(&mut self, codes: &[f32]) {
        let width = self.mean.len();
        let n = (codes.len() / width.max(1)).max(1) as f64;
        self.mean.fill(0.0);
        let mut squares = vec![0.0; width];
        for code in codes.chunks_exact(width) {
            for (mean, z) in self.mean.iter_mut().zip(code) {
                *mean += f64::from(*z) / n;
            }
        }
        for code in codes.chunks_exact(width) {
            for ((square, mean), z) in squares.iter_mut().zip(&self.mean).zip(code) {
                *square += (f64::from(*z) - mean).powi(2) / n;
            }
        }
        for (deviation, square) in self.deviation.iter_mut().zip(squares) {
            *deviation = f64::sqrt(square) + 1e-6;
        }
    }

    fn features(&self, view: &View<'_>, code: &[f32], out: &mut Vec<f64>) {
        out.clear();
        view.few(out);
        if self.parity.is_some() {
            view.day(out);
        }
        view.clock(|x| out.push(x));
        let scaled = code.iter().zip(self.mean.iter().zip(&self.deviation));
        out.extend(scaled.map(|(z, (mean, deviation))| (f64::from(*z) - mean) / deviation));
    }

    fn learn_code(&mut self, plan: &Plan<'_>, t: usize, code: &[f32], scratch: &mut Scratch) {
        let view = plan.view(t);
        if view.observed_targets() < super::experts::OBSERVED_MIN {
            return;
        }
        let Scratch { features, own, targets, .. } = scratch;
        self.features(&view, code, features);
        own.clear();
        view.future(own);
        targets.clear();
        view.targets(targets);
        self.sums.learn(features, own, targets);
    }

    /// Takes an origin whose targets are now known, by the version the sums are of.
    pub(super) fn learn(
        &mut self,
        plan: &Plan<'_>,
        t: usize,
        encoder: &Encoder,
        scratch: &mut Scratch,
    ) {
        if self.version != Some(encoder.version) {
            return;
        }
        self.sums.grow(growth(plan.params, 1));
        if !t.is_multiple_of(self.stride) {
            return;
        }
        self.encode(plan, &[t], encoder, scratch);
        let codes = std::mem::take(&mut scratch.codes);
        self.learn_code(plan, t, &codes, scratch);
        scratch.codes = codes;
    }

    /// Fits the weights to the sums.
    pub(super) fn solve(&mut self, plan: &Plan<'_>) {
        if self.sums.count() >= 2 {
            let penalty = plan.params.ridge.get() / self.stride as f64;
            self.weights = self.sums.solve(penalty).or(self.weights.take());
        }
    }

    /// Adds `share` of the forecast of the newest row's origin to `out`; `own` are the horizons' own
    /// features. Returns whether there is one.
    pub(super) fn say(
        &self,
        plan: &Plan<'_>,
        (t, own, share): (usize, &[f64], f64),
        encoder: &Encoder,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> bool {
        let Some(weights) = self.weights.as_ref().filter(|_| self.version == Some(encoder.version))
        else {
            return false;
        };
        self.encode(plan, &[t], encoder, scratch);
        let (view, codes) = (plan.view(t), std::mem::take(&mut scratch.codes));
        self.features(&view, &codes, &mut scratch.features);
        scratch.codes = codes;
        let mut said = vec![0.0; out.len()];
        weights.add_to(&scratch.features, own, &mut said);
        out.iter_mut().zip(said).for_each(|(out, x)| *out += share * x);
        true
    }

    pub(super) fn state_bytes(&self) -> usize {
        self.sums.state_bytes()
            + self.weights.as_ref().map_or(0, Weights::state_bytes)
            + 16 * self.mean.len()
    }
}

/// How much more a row weighs than one `rows` older.
pub(super) fn growth(params: &ForecastParams, rows: usize) -> f64 {
    2.0_f64.powf(rows as f64 / params.half_life.get())
}
