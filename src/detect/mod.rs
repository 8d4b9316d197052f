//! From reconstruction errors to alerts: calibration, threshold, life of an alert, attribution.
//!
//! A scored window meets [`Residuals`] (how unusual is each channel?), [`Tail`] (how rare is such
//! an error in this series' own past?), [`Threshold`] (what does the operator's budget allow?) and
//! [`AlertState`] (does an alert open, go on or close?). High surprise means unusual.
//!
//! # Invariants
//!
//! - An error is judged by what was known before it, then taken in (test, then train).
//! - While an alert fires the caller takes nothing in: a fault does not become normal by lasting.

mod alert;
mod params;
mod residual;
mod tail;
mod threshold;

pub use alert::{AlertState, Firing, Observation, Transition};
pub use params::{AlertParams, Budget, DetectionDirection};
pub use residual::{ChannelResidual, Residuals};
pub use tail::Tail;
pub use threshold::Threshold;
