//! What may be configured about thresholds and the life of an alert.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Allowance, FlapLimit, SkewLimit};
use crate::record::{AlertKind, Fraction, Millis, Positive};

/// How many alerts an operator is willing to see.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Alerts per entity and period.
    pub alerts: Positive,
    /// Period of event time.
    pub per: Millis,
}

/// What judges the rows of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    /// A detector with networks of its own if the series has a network of its own (`model.scope =
    /// "series"`), else as `network`.
    Auto,
    /// The reconstruction errors of the stream's network.
    Network,
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
    /// What judges the rows.
    pub detector: DetectorKind,
    /// Whether thresholds of calm series move until the budget is used; else it is an upper bound.
    pub spend_budget: bool,
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
    /// Rows after which a warning that goes on is critical; 0 for never.
    pub critical_after: u32,
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
    /// The same as a share of the expectation.
    #[schemars(range(min = 0))]
    pub min_rel_dev_from_expected: f64,
    /// Event time from one record of an alert that goes on to the next; nothing says never.
    pub renotify: Millis,
    /// Event time from the first record of a series for which it opens no alert.
    pub new_entity_delay: Millis,
    /// Bound of alerts that open again and again.
    pub flap_limit: FlapLimit,
    /// Event time without a value after which the alerts of a series end; nothing says never.
    pub gone_after: Millis,
    /// Event time without a record after which a series is stale; nothing says never.
    pub stale_after: Millis,
    /// Rows of one value, or without one while other channels have some, after which a channel that moves
    /// is stuck; 0 for never.
    pub stuck_after: u32,
    /// When the clock of an entity is wrong.
    pub clock_skew: SkewLimit,
    /// Share of past errors that the tail model is fitted to.
    pub tail: Fraction,
    /// Scored windows after which a past error counts half in the calibration.
    pub memory: Positive,
}

impl Default for AlertParams {
    /// The defaults of `config/default.toml`.
    fn default() -> Self {
        let positive = |v| Positive::try_from(v).expect("above 0");
        let fraction = |v| Fraction::try_from(v).expect("between 0 and 1");
        Self {
            budget: Budget { alerts: positive(2.0), per: Millis::new(7 * 86_400_000) },
            detector: DetectorKind::Auto,
            spend_budget: false,
            for_rows: 1,
            keep_firing_for: 8,
            release_ratio: fraction(0.6),
            critical_ratio: positive(2.0),
            critical_after: 144,
            accept_after: 400,
            top: 3,
            direction: DetectionDirection::Both,
            min_dev_from_expected: 0.0,
            min_rel_dev_from_expected: 0.0,
            renotify: Millis::ZERO,
            new_entity_delay: Millis::ZERO,
            flap_limit: FlapLimit { openings: 6, per: Millis::new(86_400_000) },
            gone_after: Millis::new(86_400_000),
            stale_after: Millis::ZERO,
            stuck_after: 0,
            clock_skew: SkewLimit { share: 0.5, ahead: Millis::new(60_000) },
            tail: fraction(0.05),
            memory: positive(5_000.0),
        }
    }
}

/// What the state machine of one kind of alert needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LifeParams {
    /// Observations in a row at 1 or above before an alert opens.
    pub for_rows: u32,
    /// Calm observations before it closes.
    pub keep_firing_for: u32,
    /// Score below which an observation counts as calm while firing.
    pub release_ratio: f64,
    /// Score from which it is critical.
    pub critical_ratio: f64,
    /// Observations after which a warning is critical; 0 for never.
    pub critical_after: u32,
    /// Observations after which it is accepted as normal; 0 for never.
    pub accept_after: u32,
    /// Event time between two records of an open alert; zero for never.
    pub renotify: Millis,
    /// Most openings that are told.
    pub flap_limit: FlapLimit,
}

impl AlertParams {
    /// What a series may cost.
    pub fn allowance(&self) -> Allowance {
        Allowance { budget: self.budget, is_spent: self.spend_budget }
    }

    /// The life of alerts of a kind.
    ///
    /// Only anomalies wait for `for` rows: other kinds are certain at once. Stale series and wrong
    /// clocks are observed at times that are no rows, so counts of rows say nothing about them.
    /// A value out of range is never accepted as normal, and neither is silence.
    pub fn life(&self, kind: AlertKind) -> LifeParams {
        let anomaly = LifeParams {
            for_rows: self.for_rows,
            keep_firing_for: self.keep_firing_for,
            release_ratio: self.release_ratio.get(),
            critical_ratio: self.critical_ratio.get(),
            critical_after: self.critical_after,
            accept_after: self.accept_after,
            renotify: self.renotify,
            flap_limit: self.flap_limit,
        };
        match kind {
            AlertKind::Anomaly => anomaly,
            AlertKind::Stuck => LifeParams { for_rows: 1, ..anomaly },
            AlertKind::OutOfRange => LifeParams { for_rows: 1, accept_after: 0, ..anomaly },
            AlertKind::Stale | AlertKind::ClockSkew => LifeParams {
                for_rows: 1,
                keep_firing_for: 1,
                critical_after: 0,
                accept_after: 0,
                ..anomaly
            },
        }
    }
}
