//! What labels say about scores: how well alerts and anomaly scores find what was marked.
//!
//! Start with [`Figures`]: everything that is told of one labelled series. Its parts are `curve`
//! (areas under curves of all thresholds), `volume` (the same with blurred labels), `event`
//! (alerts against labelled ranges), `watched` (how much time passed). `nab` is the rule of the Numenta Anomaly Benchmark, `compare`
//! pairs the alerts of two runs, `forecast` says what came true of forecasts.
//!
//! # Invariants
//!
//! - Only the order of scores matters to areas, never their size.
//! - What has no answer (no label, no time) is `None`, not 0.

mod compare;
mod curve;
mod error;
mod event;
mod figures;
mod forecast;
#[cfg(test)]
mod golden_tests;
mod nab;
mod ranking;
mod volume;
mod watched;

pub use compare::{Pair, pair};
pub use curve::{average_precision, roc_auc};
pub use error::GradeError;
pub use event::{Event, EventCount, events};
pub use figures::{Figures, Terms};
pub use forecast::{Accuracy, Checked, Errors, ForecastFigures, LEVELS, Scale, Tally};
pub use nab::{Corpus, Detected, Profile, Swept, Window};
pub use volume::vus_pr;
pub use watched::{WEEK_MS, Watched};

use crate::record::EventTime;

/// What was said and what is true of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Graded {
    /// Event time.
    pub time: EventTime,
    /// What ranks rows, such as surprise; high means unusual.
    pub score: f64,
    /// Alerts that opened here.
    pub alerts: u32,
    /// Marked as anomalous.
    pub label: bool,
}
