//! One network that learns online: newest windows and a replay of older ones, one step at a time.

use std::sync::Arc;

use ndarray::ArrayView1;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::control::LinearControl;
use super::reservoir::Reservoir;
use super::{ModelError, ModelParams, Network, Workspace};
use crate::record::raw;

/// A network with its optimiser, its memory of past windows and its random numbers.
///
/// Training happens at counted windows: after each call of [`Learner::count_window`] that returns
/// `true`, the caller takes one [`Learner::step`]. Clock and batch boundaries play no part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Learner {
    network: Network,
    adam: Adam,
    reservoir: Reservoir,
    control: LinearControl,
    /// Learnable windows since the last step, newest last, at most half a batch of them.
    #[serde(with = "raw::f32s")]
    fresh: Vec<f32>,
    rng: Xoshiro256PlusPlus,
    latent_space_id: Arc<str>,
    width: usize,
    batch: usize,
    train_every: u32,
    warmup_train_every: u32,
    warmup: u64,
    windows: u64,
    since_step: u32,
}

impl Learner {
    /// A learner for windows of `width` cells. `latent_space_id` names the coordinates of `z`.
    pub fn new(params: &ModelParams, width: usize, seed: u64, latent_space_id: Arc<str>) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let network = Network::new(params, width, &mut rng);
        Self {
            adam: Adam::new(params.learning_rate.get() as f32, network.layers()),
            network,
            reservoir: Reservoir::new(params.reservoir, width),
            control: LinearControl::new(params.latent),
            fresh: Vec::new(),
            rng,
            latent_space_id,
            width,
            batch: params.batch,
            train_every: params.train_every,
            warmup_train_every: params.warmup_train_every,
            warmup: u64::from(params.warmup),
            windows: 0,
            since_step: 0,
        }
    }

    /// What this learner knows, under the settings of `fresh`; `None` if its shapes are others.
    pub fn adopt(self, fresh: Self) -> Option<Self> {
        let width = fresh.width;
        let sound = self.network.is_like(&fresh.network)
            && self.width == width
            && self.fresh.len().is_multiple_of(width);
        sound.then_some(())?;
        Some(Self {
            network: self.network,
            adam: self.adam.adopt(&fresh.adam)?,
            reservoir: self.reservoir.adopt(&fresh.reservoir)?,
            control: self.control.adopt(&fresh.control, width)?,
            fresh: self.fresh,
            rng: self.rng,
            windows: self.windows,
            since_step: self.since_step,
            ..fresh
        })
    }

    /// The network, for scoring.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Training steps taken: the version of the weights.
    pub fn version(&self) -> u64 {
        self.adam.steps()
    }

    /// Names the coordinate system of the latent features.
    pub fn latent_space_id(&self) -> &Arc<str> {
        &self.latent_space_id
    }

    /// Windows that may still be scored with the present weights, at least 1.
    pub fn windows_until_step(&self) -> usize {
        self.pace().saturating_sub(self.since_step).max(1) as usize
    }

    /// Counts a scored window and says whether a training step is now due.
    pub fn count_window(&mut self) -> bool {
        self.since_step += 1;
        let due = self.since_step >= self.pace();
        self.windows += 1;
        due
    }

    /// Reconstruction error over that of a PCA of the same width on the same windows; above 1 the
    /// autoencoder is not worth having. `None` until both are known.
    pub fn linear_control_ratio(&self) -> Option<f64> {
        self.control.ratio()
    }

    /// Keeps a window of `(d,)` cells (NaN where not observed) for training. `error` is its mean
    /// squared reconstruction error, for the linear control.
    pub fn offer(&mut self, window: ArrayView1<'_, f32>, error: f64) {
        debug_assert_eq!(window.len(), self.width);
        let fresh_max = (self.batch / 2).max(1) * self.width;
        if self.fresh.len() >= fresh_max {
            self.fresh.drain(..self.width);
        }
        self.fresh.extend(window);
        self.reservoir.insert(window, &mut self.rng);
        self.control.compare(window, error);
        if self.control.is_due() {
            self.control.fit(self.reservoir.cells(), self.width);
        }
    }

    /// Takes one Adam step on the fresh windows, filled up to a batch from the reservoir.
    ///
    /// Returns the mean Huber loss before the step; `None` if no window was ever offered.
    ///
    /// # Errors
    ///
    /// [`ModelError::Diverged`] if a gradient is not finite; weights and moments are unchanged.
    pub fn step(&mut self, space: &mut Workspace) -> Result<Option<f64>, ModelError> {
        self.since_step = 0;
        if self.reservoir.len() == 0 {
            return Ok(None);
        }
        let batch = self.batch.min(space.rows_max());
        let fresh = (self.fresh.len() / self.width).min(batch);
        for i in 0..batch {
            let row = space.window_mut(i);
            if i < fresh {
                let newest = self.fresh.len() - (i + 1) * self.width;
                row.into_iter().zip(&self.fresh[newest..]).for_each(|(cell, v)| *cell = *v);
            } else {
                self.reservoir.sample(row, &mut self.rng);
            }
        }
        self.fresh.clear();
        let loss = self.network.loss_and_gradients(space, batch);
        let finite = space
            .gradients
            .iter()
            .all(|g| g.weights.iter().chain(&g.biases).sum::<f32>().is_finite());
        if !finite {
            return Err(ModelError::Diverged { step: self.adam.steps() });
        }
        self.adam.step(self.network.layers_mut(), &space.gradients);
        Ok(Some(loss))
    }

    fn pace(&self) -> u32 {
        if self.windows < self.warmup { self.warmup_train_every } else { self.train_every }
    }
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
