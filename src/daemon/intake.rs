//! From messages to partitions: which shard a message belongs to, what becomes of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::DaemonError;
use super::batch::Note;
use super::notices::Refused;
use super::partition::{DeadLetter, Partition};
use super::presence::SchemaChange;
use super::restore::Restored;
use super::stream::Stream;
use crate::io::{
    Bounds, DecodeError, LogEvent, MessageRef, Notice, Part, Place, control, dead_letter, feedback,
};
use crate::notify::Notifier;
use crate::record::Placement;
use crate::telemetry::{Metrics, PartitionLabels};
use crate::web::History;

/// Notices kept for partitions that are yet to come.
const NOTICES_MAX: usize = 10_000;

/// Reasons for which a decoded record is refused.
const AHEAD: &str = "ahead";
const SERIES_LIMIT: &str = "series_limit";

/// The streams, their topics, and the partitions that this process owns.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) streams: Vec<Stream>,
    pub(super) topics: Vec<Topic>,
    by_name: FxHashMap<String, usize>,
    dlq: DeadLetters,
    pub(super) metrics: Metrics,
    pub(super) notifier: Notifier,
    pub(super) history: History,
    assigned: bool,
    /// Given to us, but their state is not restored yet.
    arriving: Vec<Place>,
    /// Wanted back, after one more batch.
    pub(super) leaving: Vec<Place>,
    /// Their position is not part of the log any more.
    gone: Vec<(Place, Bounds)>,
    epochs: u64,
    /// What people want, oldest first, for partitions that are yet to come.
    notices: VecDeque<Notice>,
    /// Number of the first of them.
    notices_first: u64,
    refused: Refused,
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
        (notifier, history): (Notifier, History),
    ) -> Result<Self, DaemonError> {
        let mut intake = Self {
            streams: Vec::new(),
            topics: Vec::new(),
            by_name: FxHashMap::default(),
            dlq,
            metrics,
            notifier,
            history,
            assigned: false,
            arriving: Vec::new(),
            leaving: Vec::new(),
            gone: Vec::new(),
            epochs: 0,
            notices: VecDeque::new(),
            notices_first: 0,
            refused: Refused::default(),
        };
        for (index, stream) in streams.iter().enumerate() {
            intake.metrics.add_stream(&stream.name);
            let reasons = [&DecodeError::REASONS[..], &[AHEAD, SERIES_LIMIT]].concat();
            intake.metrics.ingest.add_reasons(&stream.name, &reasons);
            let changes = SchemaChange::ALL.map(SchemaChange::word);
            intake.metrics.ingest.add_schema_changes(&stream.name, &changes);
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

    /// Whether changes of ownership wait for an answer.
    pub fn has_turns(&self) -> bool {
        !(self.arriving.is_empty() && self.leaving.is_empty() && self.gone.is_empty())
    }

    /// Partitions whose state is to be restored.
    pub fn arriving(&self) -> &[Place] {
        &self.arriving
    }

    /// Partitions that may be released once their last batch is delivered.
    pub fn leaving(&self) -> &[Place] {
        &self.leaving
    }

    /// Partitions that want to read what is not there, told once.
    pub fn take_gone(&mut self) -> Vec<(Place, Bounds)> {
        std::mem::take(&mut self.gone)
    }

    /// Partitions whose outputs are withheld until they are news again.
    pub fn silent(&self) -> usize {
        self.partitions().filter(|partition| partition.is_silent()).count()
    }

    fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.topics.iter().flat_map(|topic| topic.partitions.values())
    }

    /// Takes one event of the log.
    pub fn take(&mut self, event: LogEvent<'_>) {
        match event {
            LogEvent::Message(message) => self.take_message(&message),
            LogEvent::Assigned(places) => {
                self.assigned = true;
                self.arriving.extend_from_slice(places);
            }
            LogEvent::Revoking(places) => self.leaving.extend_from_slice(places),
            LogEvent::Lost(places) => self.drop_partitions(places),
            LogEvent::Gone { place, bounds, .. } => self.gone.push((place.clone(), bounds)),
        }
    }

    /// The stream of an input topic.
    pub fn stream_of(&self, topic: &str) -> Option<&Stream> {
        let index = self.by_name.get(topic)?;
        Some(&self.streams[self.topics[*index].stream])
    }

    /// Where a partition goes on.
    pub fn next_offset(&self, (topic, number): &Place) -> Option<i64> {
        let index = self.by_name.get(topic)?;
        self.topics[*index].partitions.get(number)?.next_offset
    }

    /// Takes over partitions whose state is restored.
    pub fn begin(&mut self, restored: Vec<(Place, Restored)>, now: Duration) {
        self.arriving.clear();
        for ((topic, number), restored) in restored {
            let Some(index) = self.by_name.get(&topic) else { continue };
            let Topic { name, stream, partitions } = &mut self.topics[*index];
            self.epochs += 1;
            let mut partition = Partition::new(restored, self.epochs, now);
            self.history.wanted(*stream, |new, wants| partition.show_rows(new, wants));
            partitions.insert(number, partition);
            let stream = &self.streams[*stream].name;
            let labels = PartitionLabels { stream, topic: name, partition: number };
            self.metrics.ingest.partition_assigned(labels);
            tracing::info!(%stream, topic, partition = number, "partition assigned");
        }
    }

    /// Replaces the settings of the streams; their names and topics are those of before. Call
    /// after a batch was collected.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Reload`] if a state does not fit.
    pub fn replace(&mut self, streams: Vec<Stream>) -> Result<(), DaemonError> {
        for Topic { stream, partitions, .. } in &mut self.topics {
            for (number, partition) in partitions {
                partition.reshape(*number, &streams[*stream]).map_err(DaemonError::Reload)?;
            }
        }
        self.streams = streams;
        Ok(())
    }

    /// Drops partitions whole: what was not delivered of them belongs to the next owner.
    pub fn drop_partitions(&mut self, places: &[Place]) {
        for place in places {
            self.arriving.retain(|other| other != place);
            self.leaving.retain(|other| other != place);
            let (topic, number) = place;
            let Some(index) = self.by_name.get(topic) else { continue };
            let Topic { name, stream, partitions } = &mut self.topics[*index];
            if partitions.remove(number).is_some() {
                self.history.left(*stream, (topic.as_str(), *number));
                let stream = &self.streams[*stream].name;
                let labels = PartitionLabels { stream, topic: name, partition: *number };
                self.metrics.partition_revoked(labels);
                self.notifier.left(labels);
                tracing::info!(%stream, topic, partition = number, "partition revoked");
            }
        }
    }

    /// Whether a part was made under the present ownership of its partition.
    pub fn owns(&self, part: &Part, note: &Note) -> bool {
        let found = self.by_name.get(&part.topic).map(|index| &self.topics[*index].partitions);
        found
            .and_then(|partitions| partitions.get(&part.partition))
            .is_some_and(|partition| partition.epoch == note.epoch)
    }

    /// Tells of the alerts of a part that is committed now.
    pub fn notify(&self, part: &Part, note: &Note) {
        let stream = &self.streams[note.stream];
        let (topic, partition) = (part.topic.as_str(), part.partition);
        let labels = PartitionLabels { stream: &stream.name, topic, partition };
        self.notifier.committed(labels, &note.alerts, &stream.spec.channels);
    }

    fn take_message(&mut self, message: &MessageRef<'_>) {
        let owned = self.by_name.get(message.topic).and_then(|index| {
            let topic = &mut self.topics[*index];
            topic.partitions.get_mut(&message.partition).map(|partition| (topic.stream, partition))
        });
        // A message read ahead of a revoke is the next owner's.
        let Some((stream, partition)) = owned else { return };
        let news = partition.note(message);
        let refused = match self.streams[stream].decoder.decode(message) {
            Ok(record) => {
                let placement = partition.push(record, message.timestamp_ms);
                if news {
                    let changes = partition.presence.take(self.streams[stream].decoder.present());
                    tell_schema(&self.metrics, &self.streams[stream], message, &changes);
                }
                refusal(placement)
            }
            Err(error) => Some((error.reason(), error.to_string())),
        };
        // A record that is read again was refused before.
        if let Some((reason, detail)) = refused.filter(|_| news) {
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

    /// Measures the pace of all partitions, and asks which rows are wanted from now on.
    pub fn look(&mut self, now: Duration) {
        let Self { topics, history, .. } = self;
        for Topic { stream, partitions, .. } in topics {
            for partition in partitions.values_mut() {
                partition.look(now);
                history.wanted(*stream, |new, wants| partition.show_rows(new, wants));
            }
        }
    }

    /// Takes note of what people want; what cannot be read is told and passed over.
    pub fn take_notice(&mut self, message: &MessageRef<'_>, feedback_topic: &str) {
        let read = if message.topic == feedback_topic { feedback } else { control };
        match read(message) {
            Ok(notice) => {
                if self.notices.len() >= NOTICES_MAX {
                    if self.notices_first == 0 {
                        tracing::warn!(
                            most = NOTICES_MAX,
                            "more notices than are kept: partitions that come later do not hear the oldest"
                        );
                    }
                    self.notices.pop_front();
                    self.refused.unknown.remove(&self.notices_first);
                    self.notices_first += 1;
                }
                if matches!(notice, Notice::Verdict(_)) {
                    self.refused.unknown.insert(self.notices_first + self.notices.len() as u64);
                }
                self.notices.push_back(notice);
            }
            Err(fault) => {
                self.metrics.state.count_notices_refused("unreadable", 1);
                tracing::warn!("passed over: {fault}");
            }
        }
    }

    /// Lets every partition hear what it has not heard yet.
    pub fn spread_notices(&mut self) {
        let Self { topics, notices, notices_first, refused, .. } = self;
        let end = *notices_first + notices.len() as u64;
        let mut all_have_heard = true;
        for partition in topics.iter_mut().flat_map(|topic| topic.partitions.values_mut()) {
            partition.hear(notices, *notices_first, refused);
            all_have_heard &= partition.has_heard(end);
        }
        let no_room = std::mem::take(&mut refused.no_room);
        self.metrics.state.count_notices_refused("no_room", no_room);
        let owns_any = self.topics.iter().any(|topic| !topic.partitions.is_empty());
        if all_have_heard && owns_any && !self.refused.unknown.is_empty() {
            let verdicts = std::mem::take(&mut self.refused.unknown).len() as u64;
            self.metrics.state.count_notices_refused("unknown_alert", verdicts);
            tracing::info!(
                verdicts,
                "verdicts on alerts that no partition here knows: too old, of another process, or a wrong id"
            );
        }
    }
}

/// Tells of channels that have gone or come back.
fn tell_schema(
    metrics: &Metrics,
    stream: &Stream,
    message: &MessageRef<'_>,
    changes: &[(usize, SchemaChange)],
) {
    for (index, change) in changes {
        metrics.ingest.count_schema_change(&stream.name, change.word());
        let channel = stream.spec.channels.get(*index).map_or("", |name| name);
        let (topic, partition, offset) = (message.topic, message.partition, message.offset);
        let stream = &stream.name;
        match change {
            SchemaChange::Gone => {
                tracing::warn!(
                    %stream, topic, partition, offset, channel,
                    "a channel is in no record any more"
                );
            }
            SchemaChange::Back => {
                tracing::info!(%stream, topic, partition, offset, channel, "a channel is back");
            }
        }
    }
}

/// Why a decoded record was not taken; late and double records are counted, not refused.
fn refusal(placement: Placement) -> Option<(&'static str, String)> {
    match placement {
        Placement::Placed | Placement::Replaced | Placement::Duplicate | Placement::Late => None,
        Placement::Ahead => {
            Some((AHEAD, "the event time is further ahead than `ahead_max`".to_owned()))
        }
        Placement::SeriesLimit => {
            Some((SERIES_LIMIT, "the partition has `series_max` series already".to_owned()))
        }
    }
}
