//! From errors to surprise: how unusual is a row in its series' own past, and because of which
//! channel?
//!
//! [`Residuals`] says how unusual each channel of a reconstruction is, [`Tail`] how rare an error
//! is in the past. [`multivariate`] does all of it for many sensors at once.
//!
//! # Invariants
//!
//! - An error is judged by what was known before it, then taken in (test, then train).
//! - While an alert fires the caller takes nothing in: a fault does not become normal by lasting.

pub mod multivariate;
mod residual;
mod tail;

pub use residual::{ChannelResidual, Residuals};
pub use tail::Tail;
