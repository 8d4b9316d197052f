//! Reads a topic for a consumer of its own group, one record at a time, committed when dealt with.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::commit::broker;
use super::reader::{Quiet, committed};
use super::settings::{self, client_error};
use crate::io::log::Place;
use crate::io::{IoError, KafkaParams};

/// Longest wait for one answer.
const ASK: Duration = Duration::from_secs(10);
/// Between two signs of life while a record waits.
const BREATH: Duration = Duration::from_millis(200);

/// A record as its reader needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRecord {
    /// Where it lies.
    pub place: Place,
    /// Its offset.
    pub offset: i64,
    /// Header names and values; those that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// Its value.
    pub body: Vec<u8>,
}

impl FeedRecord {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// Committed records of one topic, shared among the members of a group.
///
/// Each record is handed out until [`Feed::done`] has been called for it, by this member or, after a
/// crash, by the next one: at least once, in the order of its partition.
pub struct Feed {
    client: BaseConsumer<Quiet>,
    topic: String,
    started: bool,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Feed {
    /// # Errors
    ///
    /// [`IoError`] for settings that cannot work.
    pub fn open(params: &KafkaParams, group: &str, topic: &str) -> Result<Self, IoError> {
        let mut config = settings::consumer(params)?;
        config.set("group.id", group);
        // Partitions that come later are read from their beginning.
        config.set("auto.offset.reset", "earliest");
        let client = config.create_with_context(Quiet::default()).map_err(client_error)?;
        Ok(Self { client, topic: topic.to_owned(), started: false })
    }

    /// The next record, if one comes within `wait`. The first call of all, over the lives of all
    /// members, begins with what is written after it.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not answer; ask again.
    pub fn next(&mut self, wait: Duration) -> Result<Option<FeedRecord>, IoError> {
        if !self.started {
            self.begin_at_the_end()?;
            let subscribed = self.client.subscribe(&[&self.topic]);
            subscribed.map_err(|error| broker("subscribe", &error))?;
            self.started = true;
        }
        match self.client.poll(wait) {
            // What the client cannot mend by itself it tells again; its context logs it.
            Some(Err(_)) | None => Ok(None),
            Some(Ok(message)) => Ok(Some(copied(&message))),
        }
    }

    /// A group that is new hears no old news: its positions are set to the end.
    fn begin_at_the_end(&self) -> Result<(), IoError> {
        let metadata = self.client.fetch_metadata(Some(&self.topic), ASK);
        let metadata = metadata.map_err(|error| broker("metadata of a topic", &error))?;
        let topics = metadata.topics().iter().filter(|topic| topic.name() == self.topic);
        let mut ends = TopicPartitionList::new();
        for partition in topics.flat_map(|topic| topic.partitions()) {
            if committed(&self.client, &self.topic, partition.id())?.is_some() {
                continue;
            }
            let bounds = self.client.fetch_watermarks(&self.topic, partition.id(), ASK);
            let (_, end) = bounds.map_err(|error| broker("end of a topic", &error))?;
            ends.add_partition_offset(&self.topic, partition.id(), Offset::Offset(end))
                .map_err(|error| broker("end of a topic", &error))?;
        }
        if ends.count() > 0
            && let Err(error) = self.client.commit(&ends, CommitMode::Sync)
        {
            // Another member was first, and has set them.
            tracing::debug!(topic = self.topic, "positions are not set: {error}");
        }
        Ok(())
    }

    /// Lets `time` pass without leaving the group, in the middle of a record.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the client refuses to stand still.
    pub fn stand_still(&self, time: Duration) -> Result<(), IoError> {
        let refused = |error| broker("pause", &error);
        let owned = self.client.assignment().map_err(refused)?;
        self.client.pause(&owned).map_err(refused)?;
        let began = Instant::now();
        while began.elapsed() < time {
            let left = time.saturating_sub(began.elapsed());
            if let Some(Ok(message)) = self.client.poll(left.min(BREATH)) {
                // Of a partition that has come meanwhile: its turn is later.
                let offset = Offset::Offset(message.offset());
                self.client
                    .seek(message.topic(), message.partition(), offset, ASK)
                    .map_err(|error| broker("seek", &error))?;
            }
        }
        let owned = self.client.assignment().map_err(refused)?;
        self.client.resume(&owned).map_err(refused)
    }

    /// The record is dealt with.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the position cannot be handed over; it is told again later.
    pub fn done(&self, record: &FeedRecord) -> Result<(), IoError> {
        let (topic, partition) = &record.place;
        let mut next = TopicPartitionList::new();
        next.add_partition_offset(topic, *partition, Offset::Offset(record.offset + 1))
            .and_then(|()| self.client.commit(&next, CommitMode::Async))
            .map_err(|error| broker("commit", &error))
    }
}

fn copied(message: &impl Message) -> FeedRecord {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let headers = headers.filter_map(|header| {
        let value = std::str::from_utf8(header.value?).ok()?;
        Some((header.key.to_owned(), value.to_owned()))
    });
    FeedRecord {
        place: (message.topic().to_owned(), message.partition()),
        offset: message.offset(),
        headers: headers.collect(),
        body: message.payload().unwrap_or_default().to_vec(),
    }
}
