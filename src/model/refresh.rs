//! One refresh: a few training steps on windows that were drawn before, anywhere and at any time.

use std::fmt;

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::{ModelError, Network, Workspace};

/// A network in training, with its optimiser.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Trainee {
    network: Network,
    adam: Adam,
}

impl Trainee {
    pub(super) fn new(network: Network, learning_rate: f32) -> Self {
        let adam = Adam::new(learning_rate, network.layers());
        Self { network, adam }
    }

    /// Goes on with an optimiser that has already made steps.
    pub(super) fn resume(network: Network, adam: Adam) -> Self {
        Self { network, adam }
    }

    /// This trainee under the settings of `fresh`; `None` if it is of another shape.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let Self { network, adam } = self;
        let alike = network.is_like(&fresh.network);
        Some(Self { network, adam: adam.adopt(&fresh.adam)? }).filter(|_| alike)
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// Training steps taken.
    pub(super) fn steps(&self) -> u64 {
        self.adam.steps()
    }

    /// Takes one Adam step on the first `rows` windows of `space`; the mean loss before it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Diverged`] if a gradient is not finite; weights and moments are unchanged.
    fn step(&mut self, space: &mut Workspace, rows: usize) -> Result<f64, ModelError> {
        let loss = self.network.loss_and_gradients(space, rows);
        let finite = space
            .gradients
            .iter()
            .all(|g| g.weights.iter().chain(&g.biases).sum::<f32>().is_finite());
        if !finite {
            return Err(ModelError::Diverged { step: self.adam.steps() });
        }
        self.adam.step(self.network.layers_mut(), &space.gradients);
        Ok(loss)
    }
}

/// Training steps that wait to be taken. A value: what becomes of it depends on nothing else.
#[derive(Debug)]
pub struct Refresh {
    trainee: Trainee,
    /// `(steps * batch, d)`, NaN where not observed.
    windows: Array2<f32>,
    batch: usize,
}

impl Refresh {
    pub(super) fn new(trainee: Trainee, windows: Array2<f32>, batch: usize) -> Self {
        Self { trainee, windows, batch }
    }

    /// Scratch memory for this refresh, and for all others of its shape.
    pub fn workspace(&self) -> Workspace {
        Workspace::new(&self.trainee.network, self.batch)
    }

    /// Tells shapes apart: refreshes of one shape can use one [`Workspace`].
    pub fn shape(&self) -> Vec<usize> {
        let mut shape = self.trainee.network.widths();
        shape.extend([self.trainee.network.code_layer(), self.batch]);
        shape
    }

    /// Takes the steps. A step that would store NaN is refused and counted, the others go on.
    ///
    /// # Panics
    ///
    /// If `space` is of another [shape](Refresh::shape).
    pub fn run(self, space: &mut Workspace) -> Refreshed {
        let Self { mut trainee, windows, batch } = self;
        let mut outcome = Outcome::default();
        for rows in windows.axis_chunks_iter(ndarray::Axis(0), batch) {
            space.windows.slice_mut(s![..batch, ..]).assign(&rows);
            match trainee.step(space, batch) {
                Ok(loss) => {
                    outcome.steps += 1;
                    outcome.loss_sum += loss;
                }
                Err(ModelError::Diverged { .. }) => outcome.diverged += 1,
            }
        }
        Refreshed { trainee, outcome }
    }
}

/// What a refresh did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Steps taken.
    pub steps: u64,
    /// Steps refused, since a gradient was not finite.
    pub diverged: u64,
    /// Sum of the mean Huber losses before each step.
    pub loss_sum: f64,
}

/// A trainee after a refresh.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refreshed {
    pub(super) trainee: Trainee,
    pub(super) outcome: Outcome,
}

impl Refreshed {
    /// This result under the settings of `fresh`; `None` if it is of another shape.
    pub(super) fn adopt(self, fresh: &Trainee) -> Option<Self> {
        Some(Self { trainee: self.trainee.adopt(fresh)?, outcome: self.outcome })
    }
}

/// Sees to it that refreshes are run; where and when is its own affair, and changes no result.
pub trait Trainer: fmt::Debug + Send + Sync {
    /// Takes a refresh. `space` fits it and may be used until this returns.
    fn start(&self, refresh: Refresh, space: &mut Workspace) -> Started;
}

/// What became of a refresh at once.
#[derive(Debug)]
pub enum Started {
    /// It is done.
    Done(Refreshed),
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
        Started::Done(refresh.run(space))
    }
}
