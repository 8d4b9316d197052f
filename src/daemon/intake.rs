//! From messages to the outputs of a batch: which shard a message belongs to, what becomes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::batch::Batch;
use super::partition::{DeadLetter, Partition};
use super::stream::Stream;
use super::{DaemonError, RunReport};
use crate::io::{LogEvent, MessageRef, Origin, Position, dead_letter};
use crate::record::Placement;
use crate::telemetry::{Metrics, PartitionLabels};

/// The streams, their topics, and the partitions that this process owns.
#[derive(Debug)]
pub(super) struct Intake {
    streams: Vec<Stream>,
    topics: Vec<Topic>,
    by_name: FxHashMap<String, usize>,
    dlq: DeadLetters,
    metrics: Metrics,
    assigned: bool,
}

/// Where refused records go.
#[derive(Debug)]
pub(super) struct DeadLetters {
    pub topic: String,
    /// Longer ones would be refused by the broker.
    pub bytes_max: usize,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub name: String,
    pub stream: usize,
    /// Ordered, so that the outputs of a batch are.
    pub partitions: BTreeMap<i32, Partition>,
}

impl Intake {
    /// # Errors
    ///
    /// [`DaemonError::TopicTwice`]: a position belongs to one stream.
    pub fn new(
        streams: Vec<Stream>,
        dlq: DeadLetters,
        metrics: Metrics,
    ) -> Result<Self, DaemonError> {
        let mut intake = Self {
            streams: Vec::new(),
            topics: Vec::new(),
            by_name: FxHashMap::default(),
            dlq,
            metrics,
            assigned: false,
        };
        for (index, stream) in streams.iter().enumerate() {
            intake.metrics.add_stream(&stream.name);
            for name in &stream.topics {
                let topic =
                    Topic { name: name.clone(), stream: index, partitions: BTreeMap::new() };
                if let Some(first) = intake.by_name.insert(name.clone(), intake.topics.len()) {
                    let first = streams[intake.topics[first].stream].name.to_string();
                    let second = stream.name.to_string();
                    return Err(DaemonError::TopicTwice { topic: name.clone(), first, second });
                }
                intake.topics.push(topic);
            }
        }
        intake.streams = streams;
        Ok(intake)
    }

    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// Whether the group has spoken, be it to hand out nothing.
    pub fn is_assigned(&self) -> bool {
        self.assigned
    }

    /// Takes one event of the log.
    pub fn take(&mut self, event: LogEvent<'_>, now: Duration) {
        match event {
            LogEvent::Message(message) => self.take_message(&message),
            LogEvent::Assigned(partitions) => {
                self.assigned = true;
                partitions.iter().for_each(|(topic, number)| self.assign(topic, *number, now));
            }
            LogEvent::Revoked(partitions) => {
                partitions.iter().for_each(|(topic, number)| self.revoke(topic, *number));
            }
        }
    }

    fn assign(&mut self, topic: &str, number: i32, now: Duration) {
        let Some(index) = self.by_name.get(topic) else { return };
        let Topic { name, stream, partitions } = &mut self.topics[*index];
        let stream = &self.streams[*stream];
        if let std::collections::btree_map::Entry::Vacant(place) = partitions.entry(number) {
            place.insert(Partition::new(Arc::clone(&stream.spec), number, now));
            let labels = PartitionLabels { stream: &stream.name, topic: name, partition: number };
            self.metrics.ingest.partition_assigned(labels);
            tracing::info!(stream = %stream.name, topic, partition = number, "partition assigned");
        }
    }

    /// Drops the partition whole: what was not delivered of it belongs to the next owner.
    fn revoke(&mut self, topic: &str, number: i32) {
        let Some(index) = self.by_name.get(topic) else { return };
        let Topic { name, stream, partitions } = &mut self.topics[*index];
        if partitions.remove(&number).is_some() {
            let stream = &self.streams[*stream].name;
            let labels = PartitionLabels { stream, topic: name, partition: number };
            self.metrics.ingest.partition_revoked(labels);
            tracing::info!(%stream, topic, partition = number, "partition revoked");
        }
    }

    fn take_message(&mut self, message: &MessageRef<'_>) {
        let owned = self.by_name.get(message.topic).and_then(|index| {
            let topic = &mut self.topics[*index];
            topic.partitions.get_mut(&message.partition).map(|partition| (topic.stream, partition))
        });
        // A message read ahead of a revoke is the next owner's.
        let Some((stream, partition)) = owned else { return };
        partition.note(message);
        let refused = match self.streams[stream].decoder.decode(message) {
            Ok(record) => refusal(partition.push(record, message.timestamp_ms)),
            Err(error) => Some((error.reason(), error.to_string())),
        };
        if let Some((reason, detail)) = refused {
            self.metrics.ingest.count_rejected(&self.streams[stream].name, reason);
            let DeadLetters { topic, bytes_max } = &self.dlq;
            let message = dead_letter(topic, message, reason, &detail, *bytes_max);
            partition.dead.push(DeadLetter { reason, message });
        }
    }

    /// Closes rows of silent partitions.
    pub fn close_idle(&mut self, lag: &[(String, i32, i64)], now: Duration) {
        for Topic { name, stream, partitions } in &mut self.topics {
            for (number, partition) in partitions {
                let of_this = |(topic, n, _): &&(String, i32, i64)| topic == name && n == number;
                partition.lag = lag.iter().find(of_this).map(|(_, _, lag)| *lag);
                partition.close_idle(self.streams[*stream].idle_timeout, now);
            }
        }
    }

    /// Ends the batch: settles every partition and takes what it has to say.
    pub fn collect(&mut self, now: Duration, report: &mut RunReport) -> Batch {
        let mut batch = Batch::default();
        for Topic { name, stream: index, partitions } in &mut self.topics {
            let stream = &mut self.streams[*index];
            for (number, partition) in partitions {
                partition.settle(now);
                if partition.records > 0 {
                    let labels =
                        PartitionLabels { stream: &stream.name, topic: name, partition: *number };
                    let (records, bytes) = (partition.records, partition.bytes);
                    self.metrics.ingest.count_consumed(labels, records, bytes);
                    batch.note_oldest(*index, partition.oldest_ms);
                    batch.positions.extend(partition.next_offset.map(|next_offset| Position {
                        topic: name.clone(),
                        partition: *number,
                        next_offset,
                    }));
                }
                self.metrics.count_facts(&stream.name, &partition.outbox.facts);
                self.metrics.shards.count_forecasts(&stream.name, &partition.outbox.forecasts);
                report.add(partition);
                let origin = Origin { topic: name, partition: *number };
                stream.encode(origin, &partition.outbox, &mut batch.outputs);
                for letter in partition.dead.drain(..) {
                    batch.dead.push((*index, letter.reason));
                    batch.outputs.push(letter.message);
                }
                partition.begin_batch();
            }
        }
        batch
    }
}

/// Why a decoded record was not taken; late and double records are counted, not refused.
fn refusal(placement: Placement) -> Option<(&'static str, String)> {
    match placement {
        Placement::Placed | Placement::Replaced | Placement::Duplicate | Placement::Late => None,
        Placement::Ahead => {
            Some(("ahead", "the event time is further ahead than `ahead_max`".to_owned()))
        }
        Placement::SeriesLimit => {
            Some(("series_limit", "the partition has `series_max` series already".to_owned()))
        }
    }
}
