//! From surprise to alerts: the threshold that an alert budget sets, and the life of an alert.
//!
//! A judged row meets [`Threshold`] (what does the operator's budget allow?) and [`AlertState`]
//! (does an alert open, go on or close?). High surprise means unusual.
//!
//! There are five kinds of alert ([`crate::record::AlertKind`]), each with a state of its own and one
//! machine for all. The score that drives it is 1 where an alert begins:
//!
//! | kind | score | critical at 2 means |
//! |---|---|---|
//! | anomaly | surprise / threshold | |
//! | stale | silence / `stale_after` | silent for twice as long |
//! | stuck | rows of one value / rows needed ([`Stuck`]) | twice as many |
//! | out of range | 1 + excess / width of `data_range` | a full width outside |
//! | clock skew | share of wrong times / `clock_skew.share` ([`Skew`]) | twice the share |
//!
//! [`severity()`] has the formula of severities; [`Plan`] says what maintenance allows.
//!
//! # Invariants
//!
//! - At most one alert of a kind is open for a series; the sequence of its records counts up from 0.
//! - An id that was suppressed never opens. When maintenance ends, or the limit of openings has room
//!   again, and the fault goes on, an alert of its own opens.
//! - What was suppressed by the limit of openings is never accepted as normal.
//! - Any span shorter than `flap_limit.per` holds at most `flap_limit.openings` openings.

mod budget;
mod flap;
mod life;
mod maintenance;
mod params;
mod schedule;
mod severity;
mod skew;
mod stuck;

pub use budget::{Allowance, EVIDENCE_MAX, Threshold};
pub use flap::FlapLimit;
pub use life::{AlertState, Firing, Observation, Transition};
pub use maintenance::{Entities, Maintenance, MaintenanceWindow, Plan, Planned, Switches, When};
pub use params::{AlertParams, Budget, DetectionDirection, DetectorKind, LifeParams};
pub use schedule::{Schedule, ScheduleError};
pub use severity::severity;
pub use skew::{Skew, SkewLimit};
pub use stuck::Stuck;
