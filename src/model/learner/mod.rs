//! One network that learns online, from the newest windows and a replay of older ones.

mod past;
mod stored;

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, Axis};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

pub use past::Past;

use crate::model::control::LinearControl;
use crate::model::drift::Monitors;
use crate::model::exam::Exam;
use crate::model::gate::{Champion, Gate};
use crate::model::net::Recipe;
use crate::model::train::{Allowance, Reservoir, Trainee};
use crate::model::{
    DriftParams, Drifted, Examined, HeadKind, ModelParams, Network, Outcome, Refresh, Refreshed,
    Role, Running, Started, TrainMax, Trainer, WindowShape, Workspace,
};
use crate::record::{EventTime, raw};

/// A network that scores, its trainee, and what training needs: past windows, random numbers.
///
/// Training goes on beside the scoring. At counted windows, every [`Learner::windows_until_refresh`]
/// of them, the weights of the refresh that was started the last time take effect, and the next
/// one is started. Clock, threads and batch boundaries play no part.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "stored::Stored")]
pub struct Learner {
    /// Scores windows. The trainee is ahead of it by at most two refreshes.
    network: Network,
    /// Training steps behind `network`.
    version: u64,
    /// `None` while a refresh has it.
    trainee: Option<Trainee>,
    /// A refresh whose result is known and not due.
    refreshed: Option<Refreshed>,
    /// A refresh whose result is not known.
    #[serde(skip)]
    running: Option<Box<dyn Running>>,
    reservoir: Reservoir,
    control: LinearControl,
    gate: Gate,
    monitors: Monitors,
    /// Learnable windows since the last refresh was started, newest last, at most half of what it
    /// takes.
    #[serde(with = "raw::f32s")]
    fresh: Vec<f32>,
    rng: Xoshiro256PlusPlus,
    latent_space_id: Arc<str>,
    /// Numbers kept of a window: its cells, then what the layer on top is to say.
    width: usize,
    #[serde(skip)]
    recipe: Arc<Recipe>,
    #[serde(skip)]
    pace: Pace,
    #[serde(skip)]
    drift: DriftParams,
    windows: u64,
    since_refresh: u64,
    allowance: Allowance,
    past: Past,
}

/// When training happens and how much of it.
#[derive(Debug, Clone, Default)]
struct Pace {
    batch: usize,
    refresh_steps: u32,
    train_every: u32,
    warmup_train_every: u32,
    warmup: u64,
    max: TrainMax,
}

impl Learner {
    /// A learner for windows of `shape`. `latent_space_id` names the coordinates of `z`.
    pub fn new(
        params: &ModelParams,
        shape: WindowShape,
        seed: u64,
        latent_space_id: Arc<str>,
    ) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let network = Network::new(params, shape, &mut rng);
        let recipe = Arc::new(Recipe::new(params, shape));
        let width = shape.cells() + if params.has_head() { shape.channels } else { 0 };
        Self {
            trainee: Some(Trainee::new(network.clone(), &recipe)),
            network,
            version: 0,
            refreshed: None,
            running: None,
            reservoir: Reservoir::new(params.reservoir, width),
            control: LinearControl::new(params.latent),
            gate: Gate::new(&params.gate, width),
            monitors: Monitors::default(),
            drift: params.drift.clone(),
            fresh: Vec::new(),
            rng,
            latent_space_id,
            width,
            recipe,
            pace: Pace {
                batch: params.batch,
                refresh_steps: params.refresh_steps,
                train_every: params.train_every,
                warmup_train_every: params.warmup_train_every,
                warmup: u64::from(params.warmup),
                max: params.train_max,
            },
            windows: 0,
            since_refresh: 0,
            allowance: Allowance::default(),
            past: Past::default(),
        }
    }

    /// What this learner knows, under the settings of `fresh`; `None` if its shapes are others.
    pub fn adopt(self, fresh: Self) -> Option<Self> {
        let width = fresh.width;
        let sound = self.network.is_like(&fresh.network)
            && self.width == width
            && self.fresh.len().is_multiple_of(width);
        sound.then_some(())?;
        let untrained = fresh.trainee.as_ref()?;
        let (trainee, refreshed) = match (self.trainee, self.refreshed) {
            (Some(trainee), None) => (Some(trainee.adopt(untrained)?), None),
            (None, Some(refreshed)) => (None, Some(refreshed.adopt(untrained)?)),
            _ => return None,
        };
        let gate = self.gate.adopt(fresh.gate, &fresh.network, fresh.recipe.shape.cells())?;
        let sat = refreshed.as_ref().and_then(|refreshed| refreshed.sat.as_ref());
        sat.is_none_or(|sat| !gate.has_anchors() || gate.awaits(sat)).then_some(())?;
        Some(Self {
            network: self.network,
            version: self.version,
            trainee,
            refreshed,
            reservoir: self.reservoir.adopt(&fresh.reservoir)?,
            control: self.control.adopt(&fresh.control, fresh.recipe.shape.cells())?,
            gate,
            monitors: self.monitors,
            latent_space_id: self.latent_space_id,
            fresh: self.fresh,
            rng: self.rng,
            windows: self.windows,
            since_refresh: self.since_refresh,
            allowance: self.allowance,
            past: self.past,
            ..fresh
        })
    }

    /// The network, for scoring.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Training steps behind the network that scores: the version of its weights.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When it was changed and examined.
    pub fn past(&self) -> Past {
        self.past
    }

    /// By level (input, latent, score) how near to a drift, 1, its stream was at the end of the last
    /// block.
    pub fn drift_statistic(&self) -> [f32; 3] {
        self.monitors.statistic()
    }

    /// Names the coordinate system of the latent features.
    pub fn latent_space_id(&self) -> &Arc<str> {
        &self.latent_space_id
    }

    /// Windows that may still be scored with the present weights, at least 1.
    pub fn windows_until_refresh(&self) -> usize {
        let left = self.period().saturating_sub(self.since_refresh).max(1);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Counts a scored window and says whether a refresh is now due.
    pub fn count_window(&mut self) -> bool {
        self.since_refresh += 1;
        let due = self.since_refresh >= self.period();
        self.windows += 1;
        due
    }

    /// Reconstruction error over that of a PCA of the same width on the same windows; above 1 the
    /// autoencoder is not worth having. `None` until both are known.
    pub fn linear_control_ratio(&self) -> Option<f64> {
        self.control.ratio()
    }

    /// The layer on top of the code, if there is one: it wants to be told what to say.
    pub fn head(&self) -> Option<HeadKind> {
        self.recipe.head().map(|(kind, _)| kind)
    }

    /// Keeps a window of `(d,)` cells (NaN where not observed) for what its role is. `targets` are what
    /// the layer on top is to say of it, one a channel, NaN where not known; empty without one.
    pub fn offer(&mut self, window: ArrayView1<'_, f32>, targets: &[f32], role: Role) {
        debug_assert_eq!(window.len() + targets.len(), self.width);
        let examines = self.gate.is_on() && 2 * self.windows >= self.pace.warmup;
        match role {
            Role::Examine if examines => return self.gate.keep(window, targets, &mut self.rng),
            Role::Apart if examines => return,
            Role::Train | Role::Examine | Role::Apart => {}
        }
        let steps = self.pace.refresh_steps as usize;
        let fresh_max = (self.pace.batch / 2).max(1) * steps * self.width;
        if self.fresh.len() >= fresh_max {
            self.fresh.drain(..self.width);
        }
        self.fresh.extend(window.iter().chain(targets));
        let cells = self.fresh.len() - self.width;
        self.reservoir.insert(&self.fresh[cells..], &mut self.rng);
    }

    /// Forgets the windows of the past, for training and for examinations: they are scaled by what
    /// was normal once, and what lasts now is normal from now on. Codes mean something else, too.
    pub fn accept_new_normal(&mut self) {
        self.reservoir.clear();
        self.fresh.clear();
        self.gate.reopen();
        self.monitors.restart();
        self.latent_space_id = self.gate.next_latent_space(&self.latent_space_id);
    }

    /// Compares a scored window with the past: newest row and code in scaled units, mean squared
    /// error. Nothing is compared before the warm-up is over. A window that may not be learned is no
    /// past for those that come later.
    pub fn watch(&mut self, window: (&[f32], &[f32], f64), learns: bool) -> Vec<Drifted> {
        if self.drift.block == 0 || self.windows < self.pace.warmup {
            return Vec::new();
        }
        self.monitors.take(&self.drift, window, learns)
    }

    /// After a drift: what trains from now on is what came since, and is examined by what comes next.
    pub fn forget_past(&mut self) {
        self.reservoir.clear();
        self.gate.forget_past();
    }

    /// Compares a calm window with the linear control; `error` is the network's mean squared
    /// reconstruction error on it.
    pub fn compare(&mut self, window: ArrayView1<'_, f32>, error: f64) {
        self.control.compare(window, error);
        if self.control.is_due() {
            self.control.fit(self.reservoir.cells(), self.width, window.len());
        }
    }

    /// Puts the last refresh into effect, waiting for it if need be, and starts the next one if the
    /// event time `now` allows it. Returns what the last one did; `None` if none was started.
    ///
    /// `space` is overwritten; it holds at least a batch of windows.
    pub fn refresh(
        &mut self,
        trainer: &dyn Trainer,
        space: &mut Workspace,
        now: EventTime,
    ) -> Option<(Outcome, Option<Examined>)> {
        self.since_refresh = 0;
        self.settle(space);
        let outcome = self.refreshed.take().map(|refreshed| self.take_effect(refreshed, now));
        let steps = self.pace.refresh_steps;
        let allowed =
            self.windows < self.pace.warmup || self.allowance.spend(self.pace.max, steps, now);
        if allowed
            && self.reservoir.len() > 0
            && let Some(trainee) = self.trainee.take()
        {
            let (windows, seed) = (self.draw_batches(), self.rng.r#gen());
            let (recipe, batch) = (Arc::clone(&self.recipe), self.pace.batch);
            let exam = self.next_exam(space).map(Box::new);
            let refresh = Refresh { trainee, recipe, windows, batch, seed, exam };
            match trainer.start(refresh, space) {
                Started::Done(refreshed) => self.refreshed = Some(*refreshed),
                Started::Running(running) => self.running = Some(running),
            }
        }
        outcome
    }

    /// Whether the last refresh was due and not allowed.
    pub fn is_held(&self) -> bool {
        self.trainee.is_some() && self.reservoir.len() > 0
    }

    /// Who scores after a refresh: once the gate is closed, whom an examination lets pass.
    fn take_effect(&mut self, refreshed: Refreshed, now: EventTime) -> (Outcome, Option<Examined>) {
        let Refreshed { mut trainee, outcome, sat } = refreshed;
        // An examination by what was normal once is of no use any more.
        let examined = match sat.filter(|_| self.gate.is_closed()) {
            None if self.gate.is_closed() => None,
            None => {
                self.network.assign(trainee.network());
                self.version = trainee.steps();
                self.past.changed_at = Some(now);
                None
            }
            Some(sat) => {
                let champion = Champion {
                    network: &mut self.network,
                    version: &mut self.version,
                    latent_space_id: &mut self.latent_space_id,
                };
                let examined = self.gate.judge(*sat, champion, &mut trainee);
                self.past.note(&examined, now);
                if examined.new_latent_space {
                    self.monitors.restart_codes(self.recipe.shape.channels);
                }
                Some(examined)
            }
        };
        self.trainee = Some(trainee);
        (outcome, examined)
    }

    /// The examination after the next refresh, if it is time for one.
    fn next_exam(&mut self, space: &mut Workspace) -> Option<Exam> {
        if self.windows < self.pace.warmup {
            return None;
        }
        if self.gate.count_refresh(self.pace.refresh_steps) && !self.gate.has_anchors() {
            // The first space begins with the network that scores when the warm-up is over.
            let (network, past) = (&self.network, &self.reservoir);
            self.gate.begin_latent_space(network, past, self.recipe.shape, space);
            self.latent_space_id = self.gate.next_latent_space(&self.latent_space_id);
            self.monitors.restart_codes(self.recipe.shape.channels);
        }
        self.gate.next_exam(&self.network, self.recipe.shape, &mut self.rng)
    }

    /// Waits for the refresh that runs; its result takes effect when it is due. What is stored
    /// must be settled.
    pub fn settle(&mut self, space: &mut Workspace) {
        if let Some(running) = self.running.take() {
            self.refreshed = Some(running.finish(space));
        }
    }

    /// The windows of all steps of a refresh, `(steps * batch, d + t)`: fresh ones in their order,
    /// each batch filled up from the reservoir.
    fn draw_batches(&mut self) -> Array2<f32> {
        let Pace { batch, refresh_steps, .. } = self.pace;
        let steps = refresh_steps as usize;
        let fresh = self.fresh.len() / self.width;
        let mut windows = Array2::zeros((steps * batch, self.width));
        for (step, mut rows) in windows.axis_chunks_iter_mut(Axis(0), batch).enumerate() {
            let [from, to] = [step, step + 1].map(|s| s * fresh / steps * self.width);
            let mut fresh = self.fresh[from..to].chunks_exact(self.width);
            for mut row in rows.rows_mut() {
                match fresh.next() {
                    Some(window) => row.iter_mut().zip(window).for_each(|(cell, v)| *cell = *v),
                    None => self.reservoir.sample(row, &mut self.rng),
                }
            }
        }
        self.fresh.clear();
        windows
    }

    /// Windows from one refresh to the next.
    fn period(&self) -> u64 {
        let Pace { refresh_steps, train_every, warmup_train_every, warmup, .. } = self.pace;
        let every = if self.windows < warmup { warmup_train_every } else { train_every };
        u64::from(every) * u64::from(refresh_steps)
    }
}

#[cfg(test)]
mod tests;
