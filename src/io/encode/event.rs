//! CloudEvents 1.0 attributes as Kafka headers (binary content mode).

use std::fmt::{self, Write as _};

use crate::record::{AlertChange, EventTime, ModelChange};

/// The input partition that a result was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Input topic.
    pub topic: &'a str,
    /// Input partition.
    pub partition: i32,
}

/// What an event says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Alert(AlertChange),
    Features,
    Forecast,
    Model(ModelChange),
    Drift,
}

impl Kind {
    /// The `ce_type`.
    const fn name(self) -> &'static str {
        match self {
            Self::Alert(AlertChange::Opened) => "io.latentd.alert.opened.v1",
            Self::Alert(AlertChange::Updated) => "io.latentd.alert.updated.v1",
            Self::Alert(AlertChange::Closed) => "io.latentd.alert.closed.v1",
            Self::Alert(AlertChange::Suppressed) => "io.latentd.alert.suppressed.v1",
            Self::Features => "io.latentd.features.v1",
            Self::Forecast => "io.latentd.forecast.v1",
            Self::Model(ModelChange::Promoted) => "io.latentd.model.promoted.v1",
            Self::Model(ModelChange::Rejected) => "io.latentd.model.rejected.v1",
            Self::Model(ModelChange::RolledBack) => "io.latentd.model.rolled_back.v1",
            Self::Drift => "io.latentd.model.drift.v1",
        }
    }
}

/// The text of the last event time: neighbouring results share their windows.
#[derive(Debug, Default)]
pub(super) struct TimeText {
    time: Option<EventTime>,
    text: String,
}

impl TimeText {
    /// `time` as RFC 3339.
    pub(super) fn of(&mut self, time: EventTime) -> &str {
        if self.time != Some(time) {
            self.time = Some(time);
            self.text.clear();
            // Writing to a String cannot fail.
            let _ = write!(self.text, "{time}");
        }
        &self.text
    }
}

/// The attributes that differ from event to event.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) source: &'a str,
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) time: &'a str,
    pub(super) entity: &'a str,
}

/// `topic/partition/offset/kind/rest`: the same on every replay of the same input, and different
/// for every result, since `rest` names entity and event time. Readable on purpose: a consumer
/// that deduplicates sees at once which input record a result came from.
pub(super) fn id(origin: Origin<'_>, offset: i64, kind: &str, rest: fmt::Arguments<'_>) -> String {
    let mut id = String::with_capacity(128);
    let Origin { topic, partition } = origin;
    // Writing to a String cannot fail.
    let _ = write!(id, "{topic}/{partition}/{offset}/{kind}/{rest}");
    id
}

impl Event<'_> {
    /// All headers of the message.
    pub(super) fn headers(self) -> Vec<(String, Vec<u8>)> {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        vec![
            header("content-type", "application/json"),
            header("ce_specversion", "1.0"),
            ("ce_id".to_owned(), self.id.into_bytes()),
            header("ce_source", self.source),
            header("ce_type", self.kind.name()),
            header("ce_time", self.time),
            header("ce_subject", self.entity),
            header("ce_partitionkey", self.entity),
        ]
    }
}
