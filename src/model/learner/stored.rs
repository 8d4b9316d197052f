//! A learner as it is stored, in every format that was ever written.

use std::sync::Arc;

use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;

use super::{Learner, Pace, Past};
use crate::model::control::LinearControl;
use crate::model::drift::Monitors;
use crate::model::gate::Gate;
use crate::model::train::{Allowance, Optimizer, Refreshed, Reservoir, Trainee};
use crate::model::{DriftParams, GateParams, Network};
use crate::record::raw;

/// The stored fields of a [`Learner`], of this format and of format 1, which had no trainee: its
/// network scored and was trained in place.
#[derive(Deserialize)]
pub(super) struct Stored {
    network: Network,
    #[serde(default)]
    adam: Option<Optimizer>,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    trainee: Option<Trainee>,
    #[serde(default)]
    refreshed: Option<Refreshed>,
    reservoir: Reservoir,
    control: LinearControl,
    #[serde(default)]
    gate: Option<Gate>,
    #[serde(default)]
    monitors: Monitors,
    #[serde(with = "raw::f32s")]
    fresh: Vec<f32>,
    rng: Xoshiro256PlusPlus,
    latent_space_id: Arc<str>,
    width: usize,
    windows: u64,
    #[serde(alias = "since_step")]
    since_refresh: u64,
    #[serde(default)]
    allowance: Allowance,
    #[serde(default)]
    past: Past,
}

impl TryFrom<Stored> for Learner {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        if stored.width == 0 {
            return Err("a learner of windows without cells");
        }
        let of_format_1 = stored.adam.map(|adam| Trainee::resume(stored.network.clone(), adam));
        let version = of_format_1.as_ref().map_or(stored.version, Trainee::steps);
        Ok(Self {
            network: stored.network,
            version,
            trainee: of_format_1.or(stored.trainee),
            refreshed: stored.refreshed,
            running: None,
            reservoir: stored.reservoir,
            control: stored.control,
            gate: stored.gate.unwrap_or_else(|| Gate::new(&GateParams::default(), stored.width)),
            monitors: stored.monitors,
            drift: DriftParams::default(),
            fresh: stored.fresh,
            rng: stored.rng,
            latent_space_id: stored.latent_space_id,
            width: stored.width,
            recipe: Arc::default(),
            pace: Pace::default(),
            windows: stored.windows,
            since_refresh: stored.since_refresh,
            allowance: stored.allowance,
            past: stored.past,
        })
    }
}
