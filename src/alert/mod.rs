//! From surprise to alerts: the threshold that an alert budget sets, and the life of an alert.
//!
//! A judged row meets [`Threshold`] (what does the operator's budget allow?) and [`AlertState`]
//! (does an alert open, go on or close?). High surprise means unusual.

mod budget;
mod life;
mod params;

pub use budget::Threshold;
pub use life::{AlertState, Firing, Observation, Transition};
pub use params::{AlertParams, Budget, DetectionDirection};
