//! What may be configured about thresholds and the life of an alert.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Fraction, Millis, Positive};

/// How many alerts an operator is willing to see.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Alerts per entity and period.
    pub alerts: Positive,
    /// Period of event time.
    pub per: Millis,
}

/// Which deviations may open an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetectionDirection {
    /// Above and below expectation.
    Both,
    /// Only when the top channel is above its expectation.
    AboveExpected,
    /// Only when the top channel is below its expectation.
    BelowExpected,
}

/// Threshold and life of alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertParams {
    /// The operator's main knob: sets the threshold of every series.
    pub budget: Budget,
    /// Rows in a row that must be over the threshold before an alert opens.
    #[serde(rename = "for")]
    #[schemars(range(min = 1))]
    pub for_rows: u32,
    /// Rows below `release_ratio` before an alert closes.
    #[schemars(range(min = 1))]
    pub keep_firing_for: u32,
    /// Anomaly score below which a row counts as calm while firing (hysteresis).
    pub release_ratio: Fraction,
    /// Anomaly score from which an alert is critical.
    pub critical_ratio: Positive,
    /// Rows after which a firing state is accepted as the new normal and learned.
    #[schemars(range(min = 1))]
    pub accept_after: u32,
    /// Channels named in an explanation.
    #[schemars(range(min = 1, max = 64))]
    pub top: usize,
    /// Which deviations may open an alert.
    pub direction: DetectionDirection,
    /// Smallest deviation from the expectation that may open an alert, in the channel's unit.
    #[schemars(range(min = 0))]
    pub min_dev_from_expected: f64,
    /// Share of past errors that the tail model is fitted to.
    pub tail: Fraction,
    /// Scored windows after which a past error counts half in the calibration.
    pub memory: Positive,
}
