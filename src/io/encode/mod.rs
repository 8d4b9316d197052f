//! From results to messages: JSON bodies under binary-mode CloudEvents headers.
//!
//! `wire` has the shape of the bodies, `event` the headers and ids. The shapes are promised by
//! the JSON Schemas in `config/schemas`, which the tests hold against encoded samples.

mod event;
mod forecast;
mod model;
mod wire;

#[cfg(test)]
mod tests;

pub use event::Origin;

use serde::Serialize;

use self::event::{Event, Kind, TimeText};
use self::forecast::ForecastBody;
use self::model::{DriftBody, ModelBody};
use self::wire::{AlertBody, FeatureBody};
use super::{OutMessage, TopicNames};
use crate::record::{
    AlertChange, AlertRecord, DriftLevel, DriftRecord, FeatureRecord, ForecastRecord, ModelRecord,
};

/// Encodes the results of one stream.
#[derive(Debug)]
pub struct Encoder {
    stream: String,
    channels: Vec<String>,
    topics: TopicNames,
    build: String,
    source: String,
    body: Vec<u8>,
    start: TimeText,
    end: TimeText,
}

impl Encoder {
    /// An encoder for `stream`, whose channels have these names in the order of a record's
    /// values. `build` is the version that alerts name as their maker.
    pub fn new(
        stream: &str,
        channels: &[impl AsRef<str>],
        topics: TopicNames,
        build: &str,
    ) -> Self {
        Self {
            stream: stream.into(),
            channels: channels.iter().map(|name| name.as_ref().into()).collect(),
            topics,
            build: build.into(),
            source: format!("/latentd/{stream}"),
            body: Vec::with_capacity(1024),
            start: TimeText::default(),
            end: TimeText::default(),
        }
    }

    /// One change of an alert, keyed by alert id.
    pub fn alert(&mut self, record: &AlertRecord, origin: Origin<'_>) -> OutMessage {
        let topic = self.topics.alerts.clone();
        self.alert_for(&topic, record, origin)
    }

    /// The same change for the compacted topic of open alerts: its newest record, or, once it is
    /// closed, a tombstone with the headers of the closing. `None` for what never opened.
    pub fn current_alert(
        &mut self,
        record: &AlertRecord,
        origin: Origin<'_>,
    ) -> Option<OutMessage> {
        let topic = self.topics.alerts_current.clone();
        match record.change {
            AlertChange::Suppressed => None,
            AlertChange::Opened | AlertChange::Updated => {
                Some(self.alert_for(&topic, record, origin))
            }
            AlertChange::Closed => {
                Some(OutMessage { payload: None, ..self.alert_for(&topic, record, origin) })
            }
        }
    }

    fn alert_for(&mut self, topic: &str, record: &AlertRecord, origin: Origin<'_>) -> OutMessage {
        let body = AlertBody::new(record, &self.stream, &self.channels, origin, &self.build);
        write(&mut self.body, &body);
        let id = format_args!("{}/{}", record.alert_id, record.sequence);
        let event = Event {
            source: &self.source,
            kind: Kind::Alert(record.change),
            id: event::id(origin, record.evidence.to_offset, "alert", id),
            time: self.end.of(record.window.end),
            entity: &record.entity,
        };
        message(topic, record.alert_id.as_bytes(), &self.body, event)
    }

    /// The latent features of one window, keyed by entity.
    pub fn features(&mut self, record: &FeatureRecord, origin: Origin<'_>) -> OutMessage {
        let span = (self.start.of(record.window.start), self.end.of(record.window.end));
        write(&mut self.body, &FeatureBody::new(record, &self.stream, span));
        let id = format_args!("{}/{}", record.entity, record.window.end.as_millis());
        let event = Event {
            source: &self.source,
            kind: Kind::Features,
            id: event::id(origin, record.offset, "features", id),
            time: span.1,
            entity: &record.entity,
        };
        message(&self.topics.features, record.entity.as_bytes(), &self.body, event)
    }

    /// The forecast of one channel, keyed by entity.
    pub fn forecast(&mut self, record: &ForecastRecord, origin: Origin<'_>) -> OutMessage {
        let target = wire::channel_name(&self.channels, record.channel);
        write(&mut self.body, &ForecastBody::new(record, &self.stream, target));
        let id = format_args!("{target}/{}/{}", record.entity, record.issued_at.as_millis());
        let event = Event {
            source: &self.source,
            kind: Kind::Forecast,
            id: event::id(origin, record.offset, "forecast", id),
            time: self.end.of(record.issued_at),
            entity: &record.entity,
        };
        message(&self.topics.forecasts, record.entity.as_bytes(), &self.body, event)
    }

    /// An examination of a model, keyed by its owner: the entity, or topic and partition.
    pub fn model(&mut self, record: &ModelRecord, origin: Origin<'_>) -> OutMessage {
        write(&mut self.body, &ModelBody::new(record, &self.stream, origin));
        let shard = format!("{}/{}", origin.topic, origin.partition);
        let owner: &str = record.entity.as_deref().unwrap_or(&shard);
        let id = format_args!("{owner}/{}", record.challenger_version);
        let event = Event {
            source: &self.source,
            kind: Kind::Model(record.change),
            id: event::id(origin, record.offset, "model", id),
            time: self.end.of(record.at),
            entity: owner,
        };
        message(&self.topics.models, owner.as_bytes(), &self.body, event)
    }

    /// A drift of the stream of a model, keyed by its owner.
    pub fn drift(&mut self, record: &DriftRecord, origin: Origin<'_>) -> OutMessage {
        let channel = (record.level == DriftLevel::Input)
            .then(|| wire::channel_name(&self.channels, record.part));
        write(&mut self.body, &DriftBody::new(record, &self.stream, origin, channel));
        let shard = format!("{}/{}", origin.topic, origin.partition);
        let owner: &str = record.entity.as_deref().unwrap_or(&shard);
        let (level, part) = (record.level.word(), record.part);
        let id = format_args!("{owner}/{level}/{part}/{}", record.at.as_millis());
        let event = Event {
            source: &self.source,
            kind: Kind::Drift,
            id: event::id(origin, record.offset, "drift", id),
            time: self.end.of(record.at),
            entity: owner,
        };
        message(&self.topics.models, owner.as_bytes(), &self.body, event)
    }
}

fn message(topic: &str, key: &[u8], body: &[u8], event: Event<'_>) -> OutMessage {
    OutMessage {
        topic: topic.into(),
        partition: None,
        key: Some(key.into()),
        payload: Some(body.into()),
        headers: event.headers(),
    }
}

fn write(body: &mut Vec<u8>, value: &impl Serialize) {
    body.clear();
    serde_json::to_writer(body, value).expect("a Vec takes every byte and all keys are strings");
}
