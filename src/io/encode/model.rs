//! The bodies of what happens to models, as `config/schemas/model.v1.json` and `drift.v1.json` promise
//! them.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Origin;
use super::wire::{At, Version};
use crate::record::{DriftLevel, DriftRecord, FaultKind, Marks, ModelRecord};

#[derive(Serialize)]
pub(super) struct ModelBody<'a> {
    stream: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    topic: &'a str,
    partition: i32,
    at: At,
    change: &'static str,
    reason: Option<&'static str>,
    model_version: Version,
    challenger_version: Version,
    latent_space_id: &'a str,
    new_latent_space: bool,
    alignment_error: f64,
    champion: MarksBody<'a>,
    challenger: MarksBody<'a>,
    predecessor: Option<MarksBody<'a>>,
}

#[derive(Serialize)]
struct MarksBody<'a> {
    false_alarm_ratio: f64,
    reconstruction_error: f64,
    recall: ByKind<'a>,
    delay_rows: ByKind<'a>,
}

/// Numbers by the name of the kind of fault.
struct ByKind<'a>(&'a [f64; 6]);

impl Serialize for ByKind<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (kind, value) in FaultKind::ALL.into_iter().zip(self.0) {
            map.serialize_entry(kind.word(), value)?;
        }
        map.end()
    }
}

impl<'a> MarksBody<'a> {
    fn new(marks: &'a Marks) -> Self {
        Self {
            false_alarm_ratio: marks.false_alarms,
            reconstruction_error: marks.loss,
            recall: ByKind(&marks.recall),
            delay_rows: ByKind(&marks.delay),
        }
    }
}

impl<'a> ModelBody<'a> {
    pub(super) fn new(record: &'a ModelRecord, stream: &'a str, origin: Origin<'a>) -> Self {
        Self {
            stream,
            entity: record.entity.as_deref(),
            topic: origin.topic,
            partition: origin.partition,
            at: At(record.at),
            change: record.change.word(),
            reason: record.reason,
            model_version: Version(record.model_version),
            challenger_version: Version(record.challenger_version),
            latent_space_id: &record.latent_space_id,
            new_latent_space: record.new_latent_space,
            alignment_error: record.alignment_error,
            champion: MarksBody::new(&record.champion),
            challenger: MarksBody::new(&record.challenger),
            predecessor: record.predecessor.as_ref().map(MarksBody::new),
        }
    }
}

#[derive(Serialize)]
pub(super) struct DriftBody<'a> {
    stream: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    topic: &'a str,
    partition: i32,
    at: At,
    change: &'static str,
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latent: Option<usize>,
    mean_before: f64,
    mean_after: f64,
    action: &'static str,
    model_version: Version,
}

impl<'a> DriftBody<'a> {
    /// `sensor` is the name of the channel, if the drift shows in one.
    pub(super) fn new(
        record: &'a DriftRecord,
        stream: &'a str,
        origin: Origin<'a>,
        sensor: Option<&'a str>,
    ) -> Self {
        Self {
            stream,
            entity: record.entity.as_deref(),
            topic: origin.topic,
            partition: origin.partition,
            at: At(record.at),
            change: "drift",
            level: record.level.word(),
            sensor,
            latent: (record.level == DriftLevel::Latent).then_some(record.part),
            mean_before: record.before,
            mean_after: record.after,
            action: record.action.word(),
            model_version: Version(record.model_version),
        }
    }
}
