//! Reads what is stored: the state topic, and where partitions begin and end.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::commit::broker;
use super::settings::{self, client_error};
use crate::io::log::{Bounds, Place, StateRef};
use crate::io::topics::{TopicSpec, grow_topic};
use crate::io::{IoError, KafkaParams};

/// Longest wait for one answer.
const ASK: Duration = Duration::from_secs(10);
/// Longest silence of the broker within a partition.
const SILENCE: Duration = Duration::from_secs(10);
/// Between two looks at a transaction that another worker has open.
const LOOK: Duration = Duration::from_millis(50);

/// Two clients without a group, made when they are first needed.
pub(super) struct StateReader {
    committed: ClientConfig,
    all: ClientConfig,
    /// Longest life of a transaction, which hides what lies behind it.
    transaction: Duration,
    clients: Option<(BaseConsumer, BaseConsumer)>,
}

impl StateReader {
    pub(super) fn open(params: &KafkaParams) -> Result<Self, IoError> {
        Ok(Self {
            committed: settings::reader(params, "read_committed")?,
            all: settings::reader(params, "read_uncommitted")?,
            transaction: params.transaction_timeout.to_duration(),
            clients: None,
        })
    }

    /// The clients that read committed records, and all records.
    fn clients(&mut self) -> Result<(&BaseConsumer, &BaseConsumer), IoError> {
        if self.clients.is_none() {
            let create = |config: &ClientConfig| config.create().map_err(client_error);
            self.clients = Some((create(&self.committed)?, create(&self.all)?));
        }
        let clients = self.clients.as_ref().map(|(committed, all)| (committed, all));
        clients.ok_or_else(|| IoError::Client("no reader".to_owned()))
    }

    /// Oldest and next offset of a partition, open transactions included.
    pub(super) fn bounds(&mut self, (topic, partition): &Place) -> Result<Bounds, IoError> {
        let (_, all) = self.clients()?;
        let (low, high) = all
            .fetch_watermarks(topic, *partition, ASK)
            .map_err(|error| broker("offsets of a partition", &error))?;
        Ok(Bounds { low, high })
    }

    /// Makes sure that the state topic has as many partitions as the input.
    pub(super) fn ensure(
        &mut self,
        params: &KafkaParams,
        state_topic: &str,
        (topic, _): &Place,
    ) -> Result<(), IoError> {
        let (_, all) = self.clients()?;
        let wanted = partitions(all, topic)?;
        if partitions(all, state_topic)? >= wanted {
            return Ok(());
        }
        let spec = TopicSpec::state(state_topic, wanted);
        tracing::info!(topic = state_topic, partitions = wanted, "making the state topic");
        grow_topic(params, &spec)?;
        let deadline = Instant::now() + ASK;
        while partitions(all, state_topic)? < wanted {
            if Instant::now() >= deadline {
                let detail = format!("{state_topic} has fewer than {wanted} partitions");
                return Err(IoError::Broker { operation: "make the state topic", detail });
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Hands over all committed records of a partition, in order.
    pub(super) fn read(
        &mut self,
        topic: &str,
        partition: i32,
        each: &mut dyn FnMut(StateRef<'_>),
    ) -> Result<(), IoError> {
        let transaction = self.transaction;
        let (reader, all) = self.clients()?;
        wait_until_stable(reader, all, topic, partition, transaction + ASK)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .map_err(|error| broker("read state", &error))?;
        reader.assign(&list).map_err(|error| broker("read state", &error))?;
        let outcome = read_to_the_end(reader, each);
        reader.unassign().map_err(|error| broker("read state", &error))?;
        outcome
    }
}

/// Number of partitions of a topic; 0 if there is none of this name.
fn partitions(client: &BaseConsumer, topic: &str) -> Result<usize, IoError> {
    let metadata = client
        .fetch_metadata(Some(topic), ASK)
        .map_err(|error| broker("metadata of a topic", &error))?;
    let of_topic = metadata.topics().iter().find(|t| t.name() == topic);
    Ok(of_topic.map_or(0, |t| t.partitions().len()))
}

/// Waits until no transaction is open before what is now the end of the partition: behind it may
/// lie committed records of the former owner.
fn wait_until_stable(
    reader: &BaseConsumer,
    all: &BaseConsumer,
    topic: &str,
    partition: i32,
    limit: Duration,
) -> Result<(), IoError> {
    let ask = |client: &BaseConsumer| {
        let watermarks = client.fetch_watermarks(topic, partition, ASK);
        watermarks.map_err(|error| broker("end of the state topic", &error))
    };
    let (_, end) = ask(all)?;
    let deadline = Instant::now() + limit;
    while ask(reader)?.1 < end {
        if Instant::now() >= deadline {
            let detail = format!("a transaction is open in {topic}/{partition} for too long");
            return Err(IoError::Broker { operation: "read state", detail });
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn read_to_the_end(
    reader: &BaseConsumer,
    each: &mut dyn FnMut(StateRef<'_>),
) -> Result<(), IoError> {
    let mut alive = Instant::now();
    loop {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                each(StateRef {
                    offset: message.offset(),
                    key: message.key().unwrap_or_default(),
                    payload: message.payload(),
                });
                alive = Instant::now();
            }
            // The end is told by the client: a marker at the end has an offset and no record.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) => return Err(broker("read state", &error)),
            None if alive.elapsed() > SILENCE => {
                let detail = "the broker is silent".to_owned();
                return Err(IoError::Broker { operation: "read state", detail });
            }
            None => {}
        }
    }
}
