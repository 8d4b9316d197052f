//! The detector after its first rows: a network that predicts, and one or two memories that judge.

use serde::{Deserialize, Serialize};

use super::memory::Memory;
use super::period::PeriodFinder;
use super::predictor::Predictor;
use super::profile::BINS;
use super::scale::{Scale, tame};
use super::{Judgement, MultivariateSpace, Tuning};
use crate::record::raw;

/// Training steps of the first fit.
const FIT_STEPS: f64 = 300.0;
/// Most training steps a row.
const STEPS_MAX: u32 = 8;

/// Rows for which a new normal is welcome, and as how many the old one counts from then on: from 50 to
/// 300 an offset of four ranges is calm after an hour of it, at 500 it is not.
const WELCOMED: u32 = 150;

/// While the first rows come in: the network learns the first half of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Starting {
    predictor: Predictor,
    finder: PeriodFinder,
    scale: Scale,
    rows: u64,
}

/// Network, period and memories.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Running {
    /// Stands still while an alert fires: it decides when an alert opens and closes.
    pub(super) memory: Memory,
    /// Learns every row: it ranks rows, and is what will be known if a new state is accepted.
    pub(super) tracking: Memory,
    pub(super) predictor: Predictor,
    pub(super) finder: PeriodFinder,
    rows: u64,
    /// How unusual each sensor was in the last rows, fading.
    #[serde(with = "raw::f64s")]
    pub(super) lately: Vec<f64>,
    /// Rows that are still learned whatever they look like.
    #[serde(default)]
    welcome: u32,
    #[serde(skip)]
    pub(super) expected: Vec<f32>,
    #[serde(skip)]
    bin: Option<usize>,
}

impl Starting {
    /// From the first half of the first rows.
    pub(super) fn new(rows: &[f64], channels: usize, tuning: &Tuning, seed: u64) -> Self {
        let mut rows = rows.to_vec();
        tame(&mut rows, channels);
        let mut starting = Self {
            predictor: Predictor::new(channels, seed),
            finder: PeriodFinder::new(channels),
            scale: Scale::fit(&rows, channels),
            rows: 0,
        };
        rows.chunks_exact(channels).for_each(|row| starting.keep(row, tuning));
        starting
    }

    pub(super) fn fits(&self, channels: usize) -> bool {
        self.predictor.fits(channels) && self.finder.fits(channels) && self.scale.fits(channels)
    }

    fn keep(&mut self, row: &[f64], tuning: &Tuning) {
        self.see(row, tuning);
        self.predictor.keep_newest();
    }

    fn see(&mut self, row: &[f64], tuning: &Tuning) {
        let scale = &self.scale;
        let standard = |j: usize| (scale.clip(j, row[j]) - scale.mean(j)) / scale.sd(j);
        if !tuning.aperiodic {
            self.finder.observe((0..row.len()).map(standard));
        }
        self.rows += 1;
        self.predictor.see((0..row.len()).map(standard), None, None);
    }

    /// This row's part of the first fit, of `rows` parts.
    pub(super) fn train(&mut self, rows: u64, tuning: &Tuning, space: &mut MultivariateSpace) {
        self.predictor.owe(FIT_STEPS / rows.max(1) as f64);
        self.predictor.train(&mut space.network, STEPS_MAX, tuning);
    }

    /// All first rows are there.
    pub(super) fn finish(
        mut self,
        mut rows: Vec<f64>,
        channels: usize,
        tuning: &Tuning,
        space: &mut MultivariateSpace,
    ) -> Running {
        let known = self.rows as usize * channels;
        tame(&mut rows, channels);
        self.scale = Scale::fit(&rows, channels);
        let mut errors = Vec::with_capacity(rows.len() - known);
        let (mut expected, mut error) = (Vec::new(), Vec::new());
        for row in rows[known..].chunks_exact(channels) {
            self.see(row, tuning);
            let constant = |j: usize| self.scale.is_constant(j);
            self.predictor.error(&mut space.network, constant, &mut expected, &mut error);
            errors.extend_from_slice(&error);
            self.predictor.keep_newest();
        }
        let memory = Memory::fit(&rows, &errors, self.scale, channels, tuning);
        Running {
            tracking: memory.clone(),
            memory,
            predictor: self.predictor,
            finder: self.finder,
            rows: self.rows,
            lately: vec![0.0; channels],
            expected: Vec::new(),
            welcome: 0,
            bin: None,
        }
    }
}

impl Running {
    /// Time goes on by `rows` rows of which nothing is told.
    pub(super) fn skip(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// Judges a row by what was known before it.
    pub(super) fn judge(
        &mut self,
        values: &[f64],
        tuning: &Tuning,
        space: &mut MultivariateSpace,
    ) -> Judgement {
        let Self { memory, tracking, predictor, finder, expected, .. } = self;
        memory.see(values);
        let standard = || memory.last.standard.iter().copied();
        if !tuning.aperiodic && finder.observe(standard()) {
            predictor.forget_phase();
            memory.forget_phase();
            tracking.forget_phase();
        }
        let phase = finder.phase(self.rows);
        self.bin = phase.map(|phase| ((phase * BINS as f64) as usize).min(BINS - 1));
        self.rows += 1;
        predictor.see(memory.last.standard.iter().copied(), phase, self.bin);
        let mut error = Vec::with_capacity(values.len());
        let constant = |j: usize| memory.sensors.is_constant(j);
        predictor.error(&mut space.network, constant, expected, &mut error);
        memory.see_error(Some(&error));
        memory.judge(self.bin, tuning.hold, tuning);
        tracking.see(values);
        tracking.see_error(Some(&error));
        tracking.judge(self.bin, tuning.hold_ranks, tuning);
        let surprise = tracking.surprise();
        self.remember_sizes(tuning);
        Judgement { surprise, evidence: self.memory.evidence(), warming: None }
    }

    /// Learns the row that was judged last; `calm` false while an alert fires.
    pub(super) fn learn(&mut self, calm: bool, tuning: &Tuning, space: &mut MultivariateSpace) {
        if calm {
            let over = self.welcome == 0 && self.memory.evidence() > tuning.gate;
            self.welcome = self.welcome.saturating_sub(1);
            let weight = if over { tuning.gate_weight } else { 1.0 };
            self.memory.learn(weight, self.bin, tuning);
            self.predictor.learn(weight, self.bin, tuning);
            self.predictor.train(&mut space.network, STEPS_MAX, tuning);
        } else {
            self.memory.pass();
            self.predictor.drop_waiting();
        }
        self.tracking.learn(1.0, self.bin, tuning);
        self.memory.see_units(tuning);
        self.tracking.see_units(tuning);
    }

    /// Learns nothing of the row that was judged last.
    pub(super) fn pass_over(&mut self) {
        self.predictor.drop_waiting();
    }

    pub(super) fn welcome(&mut self, rows: usize) {
        self.welcome = self.welcome.max(u32::try_from(rows).unwrap_or(u32::MAX));
    }

    /// What is, or what comes next, is normal: known is what was tracked meanwhile, baselines start from
    /// where signals are, and the next rows are learned fast, without a look at how unusual they are to
    /// what was known.
    pub(super) fn accept_new_normal(&mut self, tuning: &Tuning) {
        let tracked = self.tracking.clone();
        let judging = std::mem::replace(&mut self.memory, tracked);
        self.memory.keep_exceedances(judging);
        self.memory.rebase(tuning.doubt_rows);
        self.memory.doubt(f64::from(WELCOMED));
        self.welcome = WELCOMED;
    }
}
