//! One refresh: a few training steps on windows that were drawn before, anywhere and at any time.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, Axis, s};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::Trainee;
use crate::model::exam::{Exam, Report, Sat, Verdict};
use crate::model::net::Recipe;
use crate::model::{ModelError, Workspace};

/// Training steps that wait to be taken. A value: what becomes of it depends on nothing else.
#[derive(Debug)]
pub struct Refresh {
    pub(in crate::model) trainee: Trainee,
    pub(in crate::model) recipe: Arc<Recipe>,
    /// `(steps * batch, d + t)`: windows, NaN where not observed, each followed by its targets.
    pub(in crate::model) windows: Array2<f32>,
    pub(in crate::model) batch: usize,
    /// Of the random numbers that the steps need.
    pub(in crate::model) seed: u64,
    /// What follows the steps, if it is time for it.
    pub(in crate::model) exam: Option<Box<Exam>>,
}

impl Refresh {
    /// Scratch memory for this refresh, and for all others of its shape.
    pub fn workspace(&self) -> Workspace {
        Workspace::new(self.trainee.network(), self.batch)
    }

    /// Tells shapes apart: refreshes of one shape can use one [`Workspace`].
    pub fn shape(&self) -> Vec<usize> {
        let mut shape = self.trainee.network().memory_shape();
        shape.push(self.batch);
        shape
    }

    /// Takes the steps. A step that would store NaN is refused and counted, the others go on.
    ///
    /// # Panics
    ///
    /// If `space` is of another [shape](Refresh::shape).
    pub fn run(self, space: &mut Workspace) -> Refreshed {
        let Self { mut trainee, recipe, windows, batch, seed, exam } = self;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let cells = recipe.shape.cells();
        trainee.start_codebook(windows.slice(s![.., ..cells]), space, &mut rng);
        let mut outcome = Outcome::default();
        for rows in windows.axis_chunks_iter(Axis(0), batch) {
            space.windows.slice_mut(s![..batch, ..]).assign(&rows.slice(s![.., ..cells]));
            space.targets.slice_mut(s![..batch, ..]).assign(&rows.slice(s![.., cells..]));
            match trainee.step(space, batch, &recipe, &mut rng) {
                Ok(losses) => {
                    outcome.steps += 1;
                    outcome.loss_sum += losses.sum();
                }
                Err(ModelError::Diverged { .. }) => outcome.diverged += 1,
            }
        }
        let sat = exam.map(|exam| Box::new(exam.run(&mut trainee, &recipe, space)));
        Refreshed { trainee, outcome, sat }
    }
}

/// What a refresh did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Steps taken.
    pub steps: u64,
    /// Steps refused, since a gradient was not finite.
    pub diverged: u64,
    /// Sum of the losses before each step.
    pub loss_sum: f64,
}

/// A trainee after a refresh.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refreshed {
    pub(in crate::model) trainee: Trainee,
    pub(in crate::model) outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::model) sat: Option<Box<Sat>>,
}

/// What an examination led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// Who scores from now on.
    pub verdict: Verdict,
    /// Why.
    pub report: Report,
    /// Training steps behind the challenger.
    pub challenger: u64,
    /// Whether the latent features are in new coordinates from now on.
    pub new_latent_space: bool,
}

impl Refreshed {
    /// This result under the settings of `fresh`; `None` if it is of another shape.
    pub(in crate::model) fn adopt(self, fresh: &Trainee) -> Option<Self> {
        Some(Self { trainee: self.trainee.adopt(fresh)?, ..self })
    }
}

/// Sees to it that refreshes are run; where and when is its own affair, and changes no result.
pub trait Trainer: fmt::Debug + Send + Sync {
    /// Takes a refresh. `space` fits it and may be used until this returns.
    fn start(&self, refresh: Refresh, space: &mut Workspace) -> Started;

    /// This trainer with a word for whom it works, if it keeps accounts.
    fn of_stream(&self, _stream: &str) -> Option<Arc<dyn Trainer>> {
        None
    }
}

/// What became of a refresh at once.
#[derive(Debug)]
pub enum Started {
    /// It is done.
    Done(Box<Refreshed>),
    /// It will be.
    Running(Box<dyn Running>),
}

/// A refresh that runs elsewhere.
pub trait Running: fmt::Debug + Send {
    /// Waits until it is done, or does it here if nobody has begun. `space` fits it.
    fn finish(self: Box<Self>, space: &mut Workspace) -> Refreshed;
}

/// Runs each refresh at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct InPlace;

impl Trainer for InPlace {
    fn start(&self, refresh: Refresh, space: &mut Workspace) -> Started {
        Started::Done(Box::new(refresh.run(space)))
    }
}
