//! Reads topics that belong to no group: everybody hears all that people say.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::commit::broker;
use super::reader::{Quiet, seen};
use super::settings::{self, client_error};
use crate::io::log::MessageRef;
use crate::io::{IoError, KafkaParams};

/// Between two looks for topics and partitions that are not there yet.
const LOOK: Duration = Duration::from_secs(30);
/// Longest wait for an answer about topics: the caller has other things to do.
const ASK: Duration = Duration::from_secs(2);
/// Most messages handed over at a time.
const MESSAGES_MAX: usize = 1_000;

/// A consumer of all partitions of some topics, from their beginning.
pub(super) struct Inbox {
    client: BaseConsumer<Quiet>,
    /// Partitions that are read, by topic.
    read: BTreeMap<String, usize>,
    look_at: Instant,
}

impl Inbox {
    /// # Errors
    ///
    /// [`IoError`] for settings that cannot work.
    pub fn open(params: &KafkaParams) -> Result<Self, IoError> {
        let config = settings::reader(params, "read_committed")?;
        let client = config.create_with_context(Quiet::default()).map_err(client_error)?;
        Ok(Self { client, read: BTreeMap::new(), look_at: Instant::now() })
    }

    /// Hands over what has come since the last call, without waiting for more. A topic that does not
    /// exist is looked for from time to time.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the client refuses to read.
    pub fn poll(
        &mut self,
        topics: &[&str],
        each: &mut dyn FnMut(MessageRef<'_>),
    ) -> Result<(), IoError> {
        if Instant::now() >= self.look_at {
            self.look_at = Instant::now() + LOOK;
            self.look_for(topics)?;
        }
        if self.read.is_empty() {
            return Ok(());
        }
        for _ in 0..MESSAGES_MAX {
            match self.client.poll(Duration::ZERO) {
                Some(Ok(message)) => each(seen(&message, &[])),
                // The end of a partition, or a fault that the client mends and the context tells.
                Some(Err(_)) => {}
                None => break,
            }
        }
        Ok(())
    }

    /// Begins to read partitions that are new.
    fn look_for(&mut self, topics: &[&str]) -> Result<(), IoError> {
        let mut list = TopicPartitionList::new();
        for topic in topics {
            let Ok(metadata) = self.client.fetch_metadata(Some(topic), ASK) else { return Ok(()) };
            let found = metadata.topics().iter().find(|t| t.name() == *topic);
            let there = found.map_or(0, |t| t.partitions().len());
            let known = self.read.get(*topic).copied().unwrap_or(0);
            for partition in known..there {
                let partition = i32::try_from(partition).unwrap_or(i32::MAX);
                list.add_partition_offset(topic, partition, Offset::Beginning)
                    .map_err(|error| broker("read the inbox", &error))?;
            }
            if there > known {
                self.read.insert((*topic).to_owned(), there);
            }
        }
        if list.count() > 0 {
            self.client
                .incremental_assign(&list)
                .map_err(|error| broker("read the inbox", &error))?;
        }
        Ok(())
    }
}
