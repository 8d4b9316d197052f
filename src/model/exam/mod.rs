//! The examination of a challenger: may it take the place of the network that scores?
//!
//! Both networks reconstruct a hold-out of calm windows that neither was trained on, and copies of
//! them with injected faults (`faults`). `marks` puts the results in numbers, `verdict` compares
//! them, `alignment` turns the challenger's code into the coordinates of the present one. A challenger
//! whose code cannot be turned so far passes all the same: it begins a new latent space.

mod alignment;
mod faults;
mod marks;
mod verdict;

use std::sync::Arc;

use ndarray::Array2;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::net::Recipe;
use super::train::Trainee;
use super::{Network, Workspace};
use crate::record::Marks;

pub(super) use alignment::Anchors;
pub use verdict::{Reason, Verdict};

use marks::Yardstick;

/// What an examination needs. A value, as the refresh it follows.
#[derive(Debug)]
pub(super) struct Exam {
    /// The network that scores.
    pub champion: Network,
    /// The one before it, while the champion is watched.
    pub predecessor: Option<Network>,
    /// Calm windows, `(n, d)`.
    pub holdout: Array2<f32>,
    /// Windows and the codes that the present latent space gives them.
    pub anchors: Arc<Anchors>,
    pub seed: u64,
}

/// The results of an examination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of the network that scored at the start of the examination.
    pub champion: Marks,
    /// Of the one in training.
    pub challenger: Marks,
    /// Of the champion's predecessor, while the champion is watched.
    pub predecessor: Option<Marks>,
    /// Distance of the challenger's codes of the anchors from those of the present latent space,
    /// over their spread, after the best rotation.
    pub alignment_error: f64,
}

/// An examination that is over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sat {
    pub report: Report,
    /// The challenger's codes of the anchors, `(n, k)`.
    pub codes: Array2<f32>,
}

impl Exam {
    /// Examines `trainee`, and turns its code into the coordinates of the present latent space.
    pub fn run(self, trainee: &mut Trainee, recipe: &Recipe, space: &mut Workspace) -> Sat {
        let Self { champion, predecessor, holdout, anchors, seed } = self;
        let (alignment_error, codes) = trainee.align(&anchors, space);
        let mut mark = |network: &Network, yardstick: Option<&Yardstick>| {
            // The same faults for everyone.
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            marks::mark(network, &holdout, recipe.shape, yardstick, space, &mut rng)
        };
        // One bar for all, that of the network that was there first: by a bar of its own each has
        // the same share of false alarms.
        let first = predecessor.as_ref().map(|network| mark(network, None));
        let (predecessor, yardstick) = first.unzip();
        let (champion, own) = mark(&champion, yardstick.as_ref());
        let (challenger, _) = mark(trainee.network(), Some(yardstick.as_ref().unwrap_or(&own)));
        Sat { report: Report { champion, challenger, predecessor, alignment_error }, codes }
    }
}

#[cfg(test)]
mod tests;
