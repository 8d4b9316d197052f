//! What the engine says to the outside: values with deterministic ids, no wire format.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    AlertKind, AlertReason, DriftRecord, EventTime, Facts, ForecastRecord, Millis, ModelRecord,
    SeriesKey,
};

/// Everything one call into the engine produced, in order.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Outbox {
    /// Alert state changes.
    pub alerts: Vec<AlertRecord>,
    /// Latent features.
    pub features: Vec<FeatureRecord>,
    /// Demand forecasts.
    pub forecasts: Vec<ForecastRecord>,
    /// Examinations of models.
    pub models: Vec<ModelRecord>,
    /// Drifts of their streams.
    pub drifts: Vec<DriftRecord>,
    /// One entry per scored or warming row, of series that are shown; of all with `keep_rows`.
    pub rows: Vec<RowScore>,
    /// Whether `rows` is wanted of every series (`replay`).
    pub keep_rows: bool,
    /// Counts for telemetry.
    pub facts: Facts,
}

impl Outbox {
    /// Forgets everything but keeps the memory and the `keep_rows` switch.
    pub fn clear(&mut self) {
        self.alerts.clear();
        self.features.clear();
        self.forecasts.clear();
        self.models.clear();
        self.drifts.clear();
        self.rows.clear();
        self.facts = Facts::default();
    }
}

/// First and last instant of a window and how much of it was observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowSpan {
    /// Start of the oldest row.
    pub start: EventTime,
    /// End of the newest row (its start for `step = "event"`).
    pub end: EventTime,
    /// Observed cells over all cells, 0 to 1.
    pub completeness: f64,
}

/// The outcome of one closed row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowScore {
    /// Series of the row.
    pub entity: SeriesKey,
    /// Start of the row: the multiple of `step`, or the record's own time for `step = "event"`.
    pub time: EventTime,
    /// Ranks rows; 0 while warming or with nothing observed.
    pub surprise: f64,
    /// Evidence over the threshold that the alert budget sets: 1 and above means alarm.
    pub anomaly_score: f64,
    /// An alert opened on this row.
    pub raised: bool,
    /// An alert was open after this row.
    pub firing: bool,
    /// The series is still learning what normal is: no alarm can be raised.
    pub warming: bool,
    /// Observed values, one per channel; NaN for a missing one.
    pub values: Vec<f64>,
    /// Value and expectation per channel of this row, in channel order. Where nothing is expected yet:
    /// the values of a series that is shown, else empty.
    pub channels: Vec<Contribution>,
}

/// What changed about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertChange {
    /// The alert began.
    Opened,
    /// Severity rose while firing, or it is time to say again that it fires.
    Updated,
    /// The alert ended.
    Closed,
    /// An alert would have opened here, had it not been for the reason.
    Suppressed,
}

impl AlertChange {
    /// Whether it is the first that is told of an alert.
    pub const fn begins(self) -> bool {
        matches!(self, Self::Opened | Self::Suppressed)
    }
}

/// How bad: from the score at its worst and the duration, see `alert::severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Score from 1.
    Warning,
    /// Score from `critical_ratio`, or a warning that lasted `critical_after` rows.
    Critical,
}

/// Which way the top channel left its expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Observed above expected.
    Above,
    /// Observed below expected.
    Below,
}

/// One channel's part in an anomaly score, in the channel's own unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// Index of the channel in `[[stream.channel]]`.
    pub channel: usize,
    /// Observed value of the newest row; NaN if missing.
    pub y: f64,
    /// Reconstruction of the newest row.
    pub yhat: f64,
    /// `yhat` minus the usual spread of the residual (about 99 % of calm rows lie inside).
    pub lower: f64,
    /// `yhat` plus the usual spread of the residual.
    pub upper: f64,
    /// Share of the reconstruction error, 0 to 1, shares of a row sum to 1.
    pub share: f64,
}

/// The records an alert was computed from, in the input partition of its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Input partition.
    pub partition: i32,
    /// Offset of the first record of the window.
    pub from_offset: i64,
    /// Offset of the last record of the window.
    pub to_offset: i64,
}

/// One change in the life of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRecord {
    /// `a-` and 12 hex digits, a hash of stream, entity, start and kind: the same on every replay.
    pub alert_id: String,
    /// 0 for opened, then counts up.
    pub sequence: u32,
    /// What happened.
    pub change: AlertChange,
    /// Why; `None` for `Opened`.
    pub reason: Option<AlertReason>,
    /// What it is about.
    pub kind: AlertKind,
    /// Worst so far.
    pub severity: Severity,
    /// Of the top channel, if one stands out.
    pub direction: Option<Direction>,
    /// Series.
    pub entity: SeriesKey,
    /// End of the window that opened the alert.
    pub starts_at: EventTime,
    /// Set on `Closed`.
    pub ends_at: Option<EventTime>,
    /// Newest window; for other kinds the span of event time that was looked at.
    pub window: WindowSpan,
    /// Ranks rows, opens nothing; NaN for kinds that no chance is behind.
    pub surprise: f64,
    /// 10 to the power of minus the evidence; NaN as `surprise`.
    pub p_value: f64,
    /// Evidence over threshold; for other kinds the observed over the allowed, see `alert`.
    pub anomaly_score: f64,
    /// Evidence that opens an alert, from the budget; NaN as `surprise`.
    pub threshold: f64,
    /// Largest contributions first, at most `top`.
    pub top: Vec<Contribution>,
    /// Number of training steps behind the weights that scored the window.
    pub model_version: u64,
    /// Where the records are.
    pub evidence: Evidence,
    /// Whether one sensor or the process seems to be at fault, where that can be told.
    pub cause: Option<FaultClass>,
    /// Chance that it is true, in (0, 1), learned from verdicts on alerts before it; `None` while
    /// their base rate predicts as well.
    pub p_true: Option<f64>,
}

/// An alert that is open, as far as the state of its series knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAlert {
    /// As in its records.
    pub alert_id: String,
    /// What it is about.
    pub kind: AlertKind,
    /// Worst so far.
    pub severity: Severity,
    /// Series.
    pub entity: SeriesKey,
    /// End of the window that opened it.
    pub starts_at: EventTime,
    /// Of its newest record.
    pub sequence: u32,
    /// Number of training steps behind the weights that score its series.
    pub model_version: u64,
}

/// Who seems to be at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    /// One channel, by its index: without it the row would be usual.
    Sensor(usize),
    /// The process: more than one channel must be otherwise for the row to be usual.
    Process,
}

impl AlertRecord {
    /// From the start of the alert to the end of the newest window.
    pub fn duration(&self) -> Millis {
        (self.window.end - self.starts_at).max(Millis::ZERO)
    }
}

/// Latent features of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRecord {
    /// Series.
    pub entity: SeriesKey,
    /// Window.
    pub window: WindowSpan,
    /// Latent code, `(k,)`.
    pub z: Vec<f32>,
    /// Vector-quantised autoencoder: indices of the code book vectors that `z` is made of, in its
    /// order; else empty.
    pub vectors: Vec<u32>,
    /// What the layer on top of the code says, if there is one.
    pub head: Option<HeadOutput>,
    /// Surprise of the window; 0 while warming.
    pub surprise: f64,
    /// Evidence over threshold; 0 while warming.
    pub anomaly_score: f64,
    /// Mean squared reconstruction error over observed cells, in squared standard deviations.
    pub reconstruction_error: f64,
    /// Whether the series is still warming up.
    pub warming: bool,
    /// Number of training steps behind the weights.
    pub model_version: u64,
    /// Names the coordinate system of `z`: features of one id can be compared.
    pub latent_space_id: Arc<str>,
    /// Offset of the last record in the window.
    pub offset: i64,
}

/// What the layer on top of a stacked autoencoder says of a window, one number per channel.
#[derive(Debug, Clone, PartialEq)]
pub enum HeadOutput {
    /// The newest row of the next window, in the units of the channels.
    Next(Vec<f64>),
    /// Probability that the newest row of the next window lies above that of this one.
    Rise(Vec<f64>),
}
