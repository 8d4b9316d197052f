//! What an alert may be about, and why its state changed.

use serde::{Deserialize, Serialize};

/// What is wrong with a series. Each kind has its own open alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// It does not look like itself.
    Anomaly,
    /// It has stopped to report.
    Stale,
    /// A channel that moves repeats one value.
    Stuck,
    /// A value lies outside the `data_range` of its channel.
    OutOfRange,
    /// Its records are late, or ahead of their Kafka time, again and again.
    ClockSkew,
}

impl AlertKind {
    /// All of them; `kind as usize` is the index.
    pub const ALL: [Self; 5] =
        [Self::Anomaly, Self::Stale, Self::Stuck, Self::OutOfRange, Self::ClockSkew];

    /// The name in payloads, ids and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Anomaly => "anomaly",
            Self::Stale => "stale",
            Self::Stuck => "stuck",
            Self::OutOfRange => "out_of_range",
            Self::ClockSkew => "clock_skew",
        }
    }
}

/// Why an alert was updated, closed or suppressed; openings need no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertReason {
    /// Updated: it became critical.
    Escalated,
    /// Updated: it goes on, and `renotify` has passed since its last record.
    Renotified,
    /// Closed: calm for `keep_firing_for`.
    Calm,
    /// Closed: it lasted `accept_after` rows, what it saw is normal from now on.
    Accepted,
    /// Closed: while it went on something else began, clear and unlike all that it had shown, which has an
    /// alert of its own.
    Superseded,
    /// Closed: its series has sent nothing for `gone_after`.
    Gone,
    /// Closed by an operator: it was wrong.
    FalsePositive,
    /// Closed by an operator: right, but nobody needs to know.
    Expected,
    /// Closed by an operator: what it saw is normal from now on.
    NewNormal,
    /// Closed: the state that it was part of was dropped (`--reset-state`).
    Reset,
    /// Suppressed: a maintenance window with `alert = false`.
    Maintenance,
    /// Suppressed: more openings than `flap_limit` allows.
    Flapping,
}

impl AlertReason {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Escalated,
        Self::Renotified,
        Self::Calm,
        Self::Accepted,
        Self::Superseded,
        Self::Gone,
        Self::FalsePositive,
        Self::Expected,
        Self::NewNormal,
        Self::Reset,
        Self::Maintenance,
        Self::Flapping,
    ];
    /// Reasons for which an alert is suppressed, in the order of the counts in `Facts`.
    pub const SUPPRESSED: [Self; 2] = [Self::Maintenance, Self::Flapping];
    /// Reasons for which a shard closes an alert, in the order of the counts in `Facts`.
    pub const CLOSED: [Self; 7] = [
        Self::Calm,
        Self::Accepted,
        Self::Superseded,
        Self::Gone,
        Self::FalsePositive,
        Self::Expected,
        Self::NewNormal,
    ];

    /// The name in payloads and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Escalated => "escalated",
            Self::Renotified => "renotified",
            Self::Calm => "calm",
            Self::Accepted => "accepted",
            Self::Superseded => "superseded",
            Self::Gone => "gone",
            Self::FalsePositive => "false_positive",
            Self::Expected => "expected",
            Self::NewNormal => "new_normal",
            Self::Reset => "reset",
            Self::Maintenance => "maintenance",
            Self::Flapping => "flapping",
        }
    }
}
