//! The mean of the networks that training goes through.

use serde::{Deserialize, Serialize};

use super::dense::{Dense, all_alike};

/// At first the average follows as if it was of a fifth of all steps so far: what the network was
/// before it had learned anything is no part of it.
const YOUNG: f64 = 0.2;

/// Layers whose weights follow those of a network, exponentially weighted: steps of small batches
/// scatter around a better network than any of them (Polyak and Juditsky, "Acceleration of Stochastic
/// Approximation by Averaging", 1992; with fading weights as in Tarvainen and Valpola, "Mean
/// Teachers", NeurIPS 2017).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Average {
    layers: Vec<Dense>,
    /// What of a step is taken, in the long run.
    rate: f64,
}

impl Average {
    /// Of `layers`, in which a step counts half after `half_life` further ones.
    pub(super) fn new(layers: &[Dense], half_life: f64) -> Self {
        Self { layers: layers.to_vec(), rate: 1.0 - (-1.0 / half_life).exp2() }
    }

    /// Another one that starts at `layers`.
    pub(super) fn of(&self, layers: &[Dense]) -> Self {
        Self { layers: layers.to_vec(), ..*self }
    }

    pub(super) fn layers(&self) -> &[Dense] {
        &self.layers
    }

    /// These stored layers with the rate of `fresh`, if they are shaped alike.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        all_alike(&self.layers, &fresh.layers).then_some(Self { rate: fresh.rate, ..self })
    }

    /// Takes in what step number `steps` has made of the network.
    pub(super) fn follow(&mut self, layers: &[Dense], steps: u64) {
        let rate = self.rate.max(1.0 / (YOUNG * steps as f64 + 1.0)) as f32;
        for (own, new) in self.layers.iter_mut().zip(layers) {
            own.weights.zip_mut_with(&new.weights, |own, new| *own += rate * (new - *own));
            own.biases.zip_mut_with(&new.biases, |own, new| *own += rate * (new - *own));
        }
    }
}
