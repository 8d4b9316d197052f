//! Reads partitions without a group: state topics, and the input that a state is checked with.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use super::commit::broker;
use super::report::Reporter;
use super::settings::{self, client_error};
use crate::io::log::{Bounds, MessageRef, Place};
use crate::io::topics::{TopicSpec, grow_topic};
use crate::io::{IoError, KafkaParams};

/// Longest wait for one answer.
const ASK: Duration = Duration::from_secs(10);
/// Longest silence of the broker within a partition.
const SILENCE: Duration = Duration::from_secs(10);
/// Between two looks at a transaction that another worker has open.
const LOOK: Duration = Duration::from_millis(50);

/// Clients that join no group, made when they are first needed.
pub struct PartitionReader {
    committed: ClientConfig,
    all: ClientConfig,
    /// Longest life of a transaction, which hides what lies behind it.
    transaction: Duration,
    clients: Option<(Client, Client)>,
    /// State topics that are there, with their partitions.
    ensured: BTreeMap<String, usize>,
}

type Client = BaseConsumer<Quiet>;

/// Context of a reader: the end of a partition is no fault.
#[derive(Default)]
pub(super) struct Quiet(Reporter);

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        Reporter::line("reader", level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            self.0.fault("reader", &error, reason);
        }
    }
}

impl ConsumerContext for Quiet {}

impl std::fmt::Debug for PartitionReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the client settings, which hold secrets.
        f.debug_struct("PartitionReader").finish_non_exhaustive()
    }
}

impl PartitionReader {
    /// Checks the settings; no connection is made yet.
    ///
    /// # Errors
    ///
    /// [`IoError`] for settings that cannot work.
    pub fn open(params: &KafkaParams) -> Result<Self, IoError> {
        Ok(Self {
            committed: settings::reader(params, "read_committed")?,
            all: settings::reader(params, "read_uncommitted")?,
            transaction: params.transaction_timeout.to_duration(),
            clients: None,
            ensured: BTreeMap::new(),
        })
    }

    /// The clients that read committed records, and all records.
    fn clients(&mut self) -> Result<(&Client, &Client), IoError> {
        if self.clients.is_none() {
            let create = |config: &ClientConfig| {
                config.create_with_context(Quiet::default()).map_err(client_error)
            };
            self.clients = Some((create(&self.committed)?, create(&self.all)?));
        }
        let clients = self.clients.as_ref().map(|(committed, all)| (committed, all));
        clients.ok_or_else(|| IoError::Client("no reader".to_owned()))
    }

    /// Number of partitions of a topic; 0 if there is none of this name.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not answer.
    pub fn partitions(&mut self, topic: &str) -> Result<usize, IoError> {
        partitions(self.clients()?.1, topic)
    }

    /// The committed position of the group, if there is one.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not answer.
    pub fn committed(&mut self, (topic, partition): &Place) -> Result<Option<i64>, IoError> {
        committed(self.clients()?.0, topic, *partition)
    }

    /// Oldest and next offset of a partition, open transactions included.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not answer.
    pub fn bounds(&mut self, (topic, partition): &Place) -> Result<Bounds, IoError> {
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
        (topic, number): &Place,
    ) -> Result<(), IoError> {
        let known = self.ensured.get(state_topic).copied().unwrap_or(0);
        if usize::try_from(*number).is_ok_and(|number| number < known) {
            return Ok(());
        }
        let (_, all) = self.clients()?;
        let wanted = partitions(all, topic)?;
        let there = partitions(all, state_topic)?;
        if there >= wanted {
            self.ensured.insert(state_topic.to_owned(), there);
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

    /// Hands over the committed records of a partition, in order, from an offset or the beginning
    /// to the end, or until `each` says no.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not deliver in time.
    pub fn read(
        &mut self,
        topic: &str,
        partition: i32,
        from: Option<i64>,
        each: &mut dyn FnMut(MessageRef<'_>) -> bool,
    ) -> Result<(), IoError> {
        let transaction = self.transaction;
        let (reader, all) = self.clients()?;
        let bounds = wait_until_stable(reader, all, topic, partition, transaction + ASK)?;
        if from.unwrap_or(bounds.low) >= bounds.high {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        let from = from.map_or(Offset::Beginning, Offset::Offset);
        list.add_partition_offset(topic, partition, from)
            .map_err(|error| broker("read a partition", &error))?;
        reader.assign(&list).map_err(|error| broker("read a partition", &error))?;
        let outcome = read_to_the_end(reader, each);
        reader.unassign().map_err(|error| broker("read a partition", &error))?;
        outcome
    }
}

/// The committed position of the client's group, once no transaction can change it any more.
pub(super) fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Result<Option<i64>, IoError> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let offsets =
        client.committed_offsets(list, ASK).map_err(|error| broker("committed offset", &error))?;
    match offsets.elements().first().map(|element| (element.offset(), element.error())) {
        Some((Offset::Offset(next), Ok(()))) => Ok(Some(next)),
        Some((_, Err(error))) => Err(broker("committed offset", &error)),
        _ => Ok(None),
    }
}

/// Number of partitions of a topic; 0 if there is none of this name.
fn partitions(client: &Client, topic: &str) -> Result<usize, IoError> {
    let metadata = client
        .fetch_metadata(Some(topic), ASK)
        .map_err(|error| broker("metadata of a topic", &error))?;
    let of_topic = metadata.topics().iter().find(|t| t.name() == topic);
    Ok(of_topic.map_or(0, |t| t.partitions().len()))
}

/// Waits until no transaction is open before what is now the end of the partition: behind it may
/// lie committed records of the former owner.
fn wait_until_stable(
    reader: &Client,
    all: &Client,
    topic: &str,
    partition: i32,
    limit: Duration,
) -> Result<Bounds, IoError> {
    let ask = |client: &Client| {
        let watermarks = client.fetch_watermarks(topic, partition, ASK);
        watermarks.map_err(|error| broker("end of the state topic", &error))
    };
    let (low, end) = ask(all)?;
    let deadline = Instant::now() + limit;
    while ask(reader)?.1 < end {
        if Instant::now() >= deadline {
            let detail = format!("a transaction is open in {topic}/{partition} for too long");
            return Err(IoError::Broker { operation: "read state", detail });
        }
        std::thread::sleep(LOOK);
    }
    Ok(Bounds { low, high: end })
}

fn is_connection(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve)
    )
}

fn read_to_the_end(
    reader: &Client,
    each: &mut dyn FnMut(MessageRef<'_>) -> bool,
) -> Result<(), IoError> {
    let mut alive = Instant::now();
    loop {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                if !each(seen(&message, &[])) {
                    return Ok(());
                }
                alive = Instant::now();
            }
            // The end is told by the client: a marker at the end has an offset and no record.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            // Told for every connection that was lost, also long ago; the client mends it.
            Some(Err(error)) if is_connection(&error) => {}
            Some(Err(error)) => return Err(broker("read a partition", &error)),
            None if alive.elapsed() > SILENCE => {
                let detail = "the broker is silent".to_owned();
                return Err(IoError::Broker { operation: "read a partition", detail });
            }
            None => {}
        }
    }
}

/// A message as the rest of the program sees it.
pub(super) fn seen<'a>(
    message: &'a BorrowedMessage<'_>,
    headers: &'a [(String, Vec<u8>)],
) -> MessageRef<'a> {
    MessageRef {
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key(),
        payload: message.payload(),
        headers,
    }
}
