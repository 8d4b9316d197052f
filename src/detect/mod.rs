//! From errors to surprise: how unusual is a row in its series' own past, and because of which
//! channel?
//!
//! [`Residuals`] says how unusual each channel of a reconstruction is, [`Tail`] how rare an error
//! is in the past. [`univariate`] and [`multivariate`] are detectors with networks of their own, for
//! one channel and for many.
//!
//! # Invariants
//!
//! - An error is judged by what was known before it, then taken in (test, then train).
//! - While an alert fires, nothing of it enters a network, nor what its end is judged by: a fault does
//!   not become normal by lasting.

pub mod multivariate;
mod residual;
mod tail;
pub mod univariate;

pub use residual::{ChannelResidual, Residuals};
pub use tail::Tail;
