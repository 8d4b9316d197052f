//! Reads topics that belong to no group: everybody hears all that people say.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
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
/// Most messages handed over at a time, behind what was there when their partition began to be read.
const MESSAGES_MAX: usize = 1_000;
/// Longest wait for what was there, and for one message of it.
const CATCH_UP: Duration = Duration::from_secs(10);
const MESSAGE: Duration = Duration::from_millis(100);

/// A consumer of all partitions of some topics, from their beginning.
pub(super) struct Inbox {
    client: BaseConsumer<Quiet>,
    /// Partitions that are read, by topic.
    read: BTreeMap<String, usize>,
    /// Numbers of the partitions whose end was not seen yet, once for each topic.
    behind: Vec<i32>,
    look_at: Instant,
}

impl Inbox {
    /// # Errors
    ///
    /// [`IoError`] for settings that cannot work.
    pub fn open(params: &KafkaParams) -> Result<Self, IoError> {
        let config = settings::reader(params, "read_committed")?;
        let client = config.create_with_context(Quiet::default()).map_err(client_error)?;
        Ok(Self { client, read: BTreeMap::new(), behind: Vec::new(), look_at: Instant::now() })
    }

    /// Hands over what has come since the last call. All that a partition holds when it begins to be read
    /// is waited for, but no more. A topic that does not exist is looked for from time to time.
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
        let until = Instant::now() + CATCH_UP;
        while !self.behind.is_empty() && Instant::now() < until {
            self.take(MESSAGE, each);
        }
        self.behind.clear();
        for _ in 0..MESSAGES_MAX {
            if !self.take(Duration::ZERO, each) {
                break;
            }
        }
        Ok(())
    }

    /// Hands over the next message. Returns whether there was anything within `wait`.
    fn take(&mut self, wait: Duration, each: &mut dyn FnMut(MessageRef<'_>)) -> bool {
        match self.client.poll(wait) {
            Some(Ok(message)) => each(seen(&message, &[])),
            Some(Err(KafkaError::PartitionEOF(ended))) => {
                if let Some(at) = self.behind.iter().position(|number| *number == ended) {
                    self.behind.swap_remove(at);
                }
            }
            // A fault that the client mends and the context tells.
            Some(Err(_)) => {}
            None => return false,
        }
        true
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
                self.behind.push(partition);
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
