//! The bodies as they go over the wire. Field names are a promise: they follow
//! `config/schemas/*.v1.json`. A number that is not finite becomes null.

use jiff::SignedDuration;
use serde::Serialize;
use serde::ser::Serializer;

use super::Origin;
use crate::record::{
    AlertChange, AlertReason, AlertRecord, Contribution, Direction, EventTime, FaultClass,
    FeatureRecord, HeadOutput, Severity, WindowSpan,
};

/// An event time as RFC 3339.
pub(super) struct At(pub(super) EventTime);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A count as a string, so that a version may become a name one day.
pub(super) struct Version(pub(super) u64);

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(itoa::Buffer::new().format(self.0))
    }
}

/// Milliseconds as an ISO 8601 duration: `PT1H`.
pub(super) struct Span(pub(super) i64);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&SignedDuration::from_millis(self.0))
    }
}

/// The name of a channel; records only carry indexes that exist.
pub(super) fn channel_name(channels: &[String], index: usize) -> &str {
    channels.get(index).map_or("", String::as_str)
}

#[derive(Serialize)]
pub(super) struct AlertBody<'a> {
    alert_id: &'a str,
    sequence: u32,
    change: &'static str,
    reason: Option<&'static str>,
    kind: &'static str,
    state: &'static str,
    severity: &'static str,
    stream: &'a str,
    entity: &'a str,
    starts_at: At,
    ends_at: Option<At>,
    duration: Span,
    window: Window,
    anomaly_score: f64,
    surprise: f64,
    p_value: f64,
    threshold: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_true: Option<f64>,
    direction: Option<&'static str>,
    explanation: Explanation<'a>,
    model: Model,
    evidence: Evidence<'a>,
}

#[derive(Serialize)]
struct Window {
    start: At,
    end: At,
    completeness: f64,
}

#[derive(Serialize)]
struct Explanation<'a> {
    top: Vec<Sensor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause<'a>>,
}

/// Who seems to be at fault.
#[derive(Serialize)]
struct Cause<'a> {
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
}

impl<'a> Cause<'a> {
    fn new(class: FaultClass, channels: &'a [String]) -> Self {
        match class {
            FaultClass::Process => Self { class: "process", sensor: None },
            FaultClass::Sensor(channel) => {
                Self { class: "sensor", sensor: Some(channel_name(channels, channel)) }
            }
        }
    }
}

#[derive(Serialize)]
struct Sensor<'a> {
    sensor: &'a str,
    y: f64,
    yhat: f64,
    yhat_lower: f64,
    yhat_upper: f64,
    share: f64,
}

#[derive(Serialize)]
struct Model {
    version: Version,
}

#[derive(Serialize)]
struct Evidence<'a> {
    topic: &'a str,
    partition: i32,
    from_offset: i64,
    to_offset: i64,
    build: &'a str,
}

impl<'a> AlertBody<'a> {
    pub(super) fn new(
        record: &'a AlertRecord,
        stream: &'a str,
        channels: &'a [String],
        origin: Origin<'a>,
        build: &'a str,
    ) -> Self {
        let (change, state) = change_words(record.change);
        Self {
            alert_id: &record.alert_id,
            sequence: record.sequence,
            change,
            reason: record.reason.map(AlertReason::word),
            kind: record.kind.word(),
            state,
            severity: severity_word(record.severity),
            stream,
            entity: &record.entity,
            starts_at: At(record.starts_at),
            ends_at: record.ends_at.map(At),
            duration: Span(record.duration().get()),
            window: Window::from(record.window),
            anomaly_score: record.anomaly_score,
            surprise: record.surprise,
            p_value: record.p_value,
            threshold: record.threshold,
            p_true: record.p_true,
            direction: record.direction.map(direction_word),
            explanation: Explanation {
                top: record.top.iter().map(|part| Sensor::new(part, channels)).collect(),
                cause: record.cause.map(|class| Cause::new(class, channels)),
            },
            model: Model { version: Version(record.model_version) },
            evidence: Evidence {
                topic: origin.topic,
                partition: record.evidence.partition,
                from_offset: record.evidence.from_offset,
                to_offset: record.evidence.to_offset,
                build,
            },
        }
    }
}

impl From<WindowSpan> for Window {
    fn from(span: WindowSpan) -> Self {
        Self { start: At(span.start), end: At(span.end), completeness: span.completeness }
    }
}

impl<'a> Sensor<'a> {
    fn new(part: &Contribution, channels: &'a [String]) -> Self {
        Self {
            sensor: channel_name(channels, part.channel),
            y: part.y,
            yhat: part.yhat,
            yhat_lower: part.lower,
            yhat_upper: part.upper,
            share: part.share,
        }
    }
}

const fn change_words(change: AlertChange) -> (&'static str, &'static str) {
    match change {
        AlertChange::Opened => ("opened", "firing"),
        AlertChange::Updated => ("updated", "firing"),
        AlertChange::Closed => ("closed", "resolved"),
        AlertChange::Suppressed => ("suppressed", "suppressed"),
    }
}

const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Above => "above_expected",
        Direction::Below => "below_expected",
    }
}

#[derive(Serialize)]
pub(super) struct FeatureBody<'a> {
    stream: &'a str,
    entity: &'a str,
    window_start: &'a str,
    window_end: &'a str,
    latent_space_id: &'a str,
    model_version: Version,
    z: &'a [f32],
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    vectors: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a [f64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_rise: Option<&'a [f64]>,
    observed_ratio: f64,
    anomaly_score: f64,
    surprise: f64,
    reconstruction_error: f64,
    warming: bool,
}

impl<'a> FeatureBody<'a> {
    /// `span` is start and end of the window, as RFC 3339.
    pub(super) fn new(
        record: &'a FeatureRecord,
        stream: &'a str,
        span: (&'a str, &'a str),
    ) -> Self {
        let (next, p_rise) = match &record.head {
            Some(HeadOutput::Next(values)) => (Some(values.as_slice()), None),
            Some(HeadOutput::Rise(values)) => (None, Some(values.as_slice())),
            None => (None, None),
        };
        Self {
            stream,
            entity: &record.entity,
            window_start: span.0,
            window_end: span.1,
            latent_space_id: &record.latent_space_id,
            model_version: Version(record.model_version),
            z: &record.z,
            vectors: &record.vectors,
            next,
            p_rise,
            observed_ratio: record.window.completeness,
            anomaly_score: record.anomaly_score,
            surprise: record.surprise,
            reconstruction_error: record.reconstruction_error,
            warming: record.warming,
        }
    }
}
