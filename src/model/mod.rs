//! The autoencoder: standardise, encode, decode, score, learn.
//!
//! A row meets the parts in this order: [`Scaler`] → [`Network`] (made of dense layers) →
//! [`Learner`], which keeps a reservoir of past windows and draws from it what a [`Refresh`] trains
//! on. A [`Trainer`] runs refreshes, perhaps on other threads; they take effect at counted windows.
//!
//! # Symbols
//!
//! | symbol | meaning | unit |
//! |---|---|---|
//! | `b` | rows in a batch, one row a window | |
//! | `d` | inputs: channels × rows in a window | |
//! | `k` | latent width, `1 <= k && k < d` | |
//! | `x` | `(b, d)` scaled windows, `asinh` of standard deviations; NaN where not observed | none |
//! | `z` | `(b, k)` latent features | none |
//!
//! # Invariants
//!
//! - No clock, thread, channel, file or log line: equal inputs and an equal seed give equal bits.
//! - The bits of one row's reconstruction do not depend on the other rows of its batch.
//! - Every weight is finite: a step that would store NaN is refused with [`ModelError::Diverged`].

mod control;
mod drift;
mod error;
mod exam;
mod gate;
mod holdout;
mod learner;
mod net;
mod params;
mod scaler;
mod train;
mod triage;

pub use control::principal_axes;
pub use drift::Drifted;
pub use error::ModelError;
pub use exam::{Reason, Report, Verdict};
pub use holdout::Role;
pub use learner::{Learner, Past};
pub use net::{Mlp, MlpShape, MlpSpace, Network, Workspace};
pub use params::{
    Activation, DenoisingParams, DriftParams, GateParams, HeadKind, Loss, ModelParams,
    OptimizerKind, OptimizerParams, ScheduleKind, ScheduleParams, Scope, SparseParams, Sparsity,
    StackedParams, TrainMax, VaeParams, VaeScore, Variant, VqVaeParams, WindowShape,
};
pub use scaler::Scaler;
pub use train::{Examined, InPlace, Outcome, Refresh, Refreshed, Running, Started, Trainer};
pub use triage::Triage;

#[cfg(test)]
mod family_tests;
