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

mod activation;
mod adam;
mod control;
mod dense;
mod error;
mod learner;
mod network;
mod params;
mod refresh;
mod reservoir;
mod scaler;
mod workspace;

pub use error::ModelError;
pub use learner::Learner;
pub use network::Network;
pub use params::{Activation, ModelParams, Scope, Variant};
pub use refresh::{InPlace, Outcome, Refresh, Refreshed, Running, Started, Trainer};
pub use scaler::Scaler;
pub use workspace::Workspace;
