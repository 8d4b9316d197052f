//! Consumer and producer as one [`Log`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::inlet::{Inlet, Place, Turn};
use super::outlet::Outlet;
use super::settings::{self, client_error};
use crate::io::{IoError, KafkaParams, Log, LogEvent, MessageRef, OutMessage, Position};

/// Attempts to commit before it is left to the next batch.
const COMMIT_ATTEMPTS: u32 = 5;
/// Wait between two attempts, and until a commit is tried again outside of `deliver`.
const COMMIT_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for the group to take the partitions back.
const LEAVE: Duration = Duration::from_secs(5);

/// A [`Log`] on a Kafka cluster: one consumer of a group and one idempotent producer.
///
/// Use it from one thread. Brokers that are down are waited for inside the library and only
/// reported; `deliver` gives up after `message.timeout.ms` (four minutes).
pub struct KafkaLog {
    // Dropped in this order: the producer goes before the consumer.
    outlet: Outlet,
    consumer: Option<BaseConsumer<Inlet>>,
    owned: BTreeSet<Place>,
    /// Delivered, but not committed yet.
    pending: BTreeMap<Place, i64>,
    commit_again: Option<Instant>,
    headers: Vec<(String, Vec<u8>)>,
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the client settings, which hold secrets.
        f.debug_struct("KafkaLog")
            .field("owned", &self.owned)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// Creates the clients and subscribes to `topics`; a name that starts with `^` is a regular
    /// expression. The connection is made in the background, and no broker need be up.
    ///
    /// # Errors
    ///
    /// [`IoError::Client`] if the library refuses a property, [`IoError::File`] if the password
    /// file cannot be read.
    pub fn open(params: &KafkaParams, topics: &[&str]) -> Result<Self, IoError> {
        let outlet = Outlet::open(settings::producer(params)?)?;
        let config = settings::consumer(params)?;
        let consumer: BaseConsumer<Inlet> =
            config.create_with_context(Inlet::default()).map_err(client_error)?;
        consumer.subscribe(topics).map_err(client_error)?;
        Ok(Self {
            outlet,
            consumer: Some(consumer),
            owned: BTreeSet::new(),
            pending: BTreeMap::new(),
            commit_again: None,
            headers: Vec::new(),
        })
    }

    /// Hands out changes of ownership; returns whether there was any.
    fn take_turns(&mut self, inlet: &Inlet, each: &mut dyn FnMut(LogEvent<'_>)) -> bool {
        let mut any = false;
        while let Some(turn) = inlet.next_turn() {
            any = true;
            match turn {
                Turn::Assigned(places) => {
                    self.owned.extend(places.iter().cloned());
                    each(LogEvent::Assigned(&places));
                }
                Turn::Revoked(places) => {
                    for place in &places {
                        self.owned.remove(place);
                        self.pending.remove(place);
                    }
                    each(LogEvent::Revoked(&places));
                }
            }
        }
        any
    }

    /// Commits what is pending. Retriable faults and lost ownership are no errors: outputs are
    /// written, the positions are tried again later or are no longer ours to commit.
    fn commit(&mut self) -> Result<(), IoError> {
        let Some(consumer) = self.consumer.as_ref().filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        let list = to_list(&self.pending)?;
        self.commit_again = None;
        for attempt in 1..=COMMIT_ATTEMPTS {
            let Err(error) = consumer.commit(&list, CommitMode::Sync) else { break };
            match error.rdkafka_error_code().map_or(Verdict::Fatal, verdict) {
                Verdict::Done => break,
                Verdict::Again if attempt < COMMIT_ATTEMPTS => std::thread::sleep(COMMIT_PAUSE),
                Verdict::Again | Verdict::Later => {
                    tracing::warn!(%error, "positions are not committed yet, trying again");
                    self.commit_again = Some(Instant::now() + COMMIT_PAUSE);
                    return Ok(());
                }
                Verdict::Fatal => return Err(broker("commit", &error)),
            }
        }
        self.pending.clear();
        Ok(())
    }

    fn commit_if_due(&mut self) -> Result<(), IoError> {
        match self.commit_again {
            Some(due) if Instant::now() >= due => self.commit(),
            _ => Ok(()),
        }
    }

    fn poll_open(
        &mut self,
        consumer: &BaseConsumer<Inlet>,
        max: usize,
        wait: Duration,
        each: &mut dyn FnMut(LogEvent<'_>),
    ) -> Result<usize, IoError> {
        let inlet = consumer.context();
        let deadline = Instant::now() + wait;
        let (mut taken, mut waiting) = (0, true);
        while taken < max {
            let left = match waiting {
                true => deadline.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            let polled = consumer.poll(left);
            // The callback ran inside the poll: the change came before the message.
            if self.take_turns(inlet, each) {
                waiting = false;
            }
            match polled {
                Some(Ok(message)) => {
                    hand_over(&message, &mut self.headers, each);
                    waiting = false;
                    taken += 1;
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return Err(broker("poll", &error));
                }
                // Reported by the context; the library goes on by itself.
                Some(Err(_)) => {}
                None if !waiting || left.is_zero() => break,
                None => {}
            }
        }
        Ok(taken)
    }
}

impl Log for KafkaLog {
    fn poll(
        &mut self,
        max: usize,
        wait: Duration,
        each: &mut dyn FnMut(LogEvent<'_>),
    ) -> Result<usize, IoError> {
        self.commit_if_due()?;
        // Out and back in, so that messages may borrow from it while `self` changes.
        let Some(consumer) = self.consumer.take() else { return Ok(0) };
        let polled = self.poll_open(&consumer, max, wait, each);
        self.consumer = Some(consumer);
        polled
    }

    fn deliver(&mut self, outputs: Vec<OutMessage>, positions: &[Position]) -> Result<(), IoError> {
        if !outputs.is_empty() {
            self.outlet.write_all(&outputs)?;
        }
        for Position { topic, partition, next_offset } in positions {
            let place = (topic.clone(), *partition);
            if self.owned.contains(&place) {
                self.pending.insert(place, *next_offset);
            }
        }
        self.commit()
    }

    fn lag(&mut self) -> Vec<(String, i32, i64)> {
        let Some(consumer) = &self.consumer else { return Vec::new() };
        let Ok(positions) = consumer.position() else { return Vec::new() };
        let lag = |(topic, partition): &Place| {
            let element = positions.find_partition(topic, *partition);
            let position = match element.map(|element| element.offset()) {
                Some(Offset::Offset(next)) => Some(next),
                _ => None,
            };
            let lag = consumer.context().lag(topic, *partition, position)?;
            Some((topic.clone(), *partition, lag))
        };
        self.owned.iter().filter_map(lag).collect()
    }

    fn close(&mut self) {
        if let Err(error) = self.commit() {
            tracing::warn!(%error, "the last positions are not committed, records will be read again");
        }
        let Some(consumer) = self.consumer.take() else { return };
        consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE;
        while !self.owned.is_empty() && Instant::now() < deadline {
            // Messages that still arrive were never delivered: the next owner reads them.
            let _ = consumer.poll(Duration::from_millis(50));
            self.take_turns(consumer.context(), &mut |_| ());
        }
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the answer to a commit means.
enum Verdict {
    Done,
    Again,
    Later,
    Fatal,
}

fn verdict(code: RDKafkaErrorCode) -> Verdict {
    use RDKafkaErrorCode as Code;
    match code {
        Code::NoOffset => Verdict::Done,
        Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::WaitingForCoordinator
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator => Verdict::Again,
        // A rebalance is under way; only `poll` can finish it.
        Code::RebalanceInProgress
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::StaleMemberEpoch
        | Code::AssignmentLost => Verdict::Later,
        _ => Verdict::Fatal,
    }
}

fn broker(operation: &'static str, error: &KafkaError) -> IoError {
    IoError::Broker { operation, detail: error.to_string() }
}

fn to_list(positions: &BTreeMap<Place, i64>) -> Result<TopicPartitionList, IoError> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for ((topic, partition), next) in positions {
        list.add_partition_offset(topic, *partition, Offset::Offset(*next))
            .map_err(|error| broker("commit", &error))?;
    }
    Ok(list)
}

fn hand_over(
    message: &BorrowedMessage<'_>,
    headers: &mut Vec<(String, Vec<u8>)>,
    each: &mut dyn FnMut(LogEvent<'_>),
) {
    headers.clear();
    if let Some(native) = message.headers() {
        let owned = |h: rdkafka::message::Header<'_, &[u8]>| {
            (h.key.to_owned(), h.value.unwrap_or_default().to_vec())
        };
        headers.extend(native.iter().map(owned));
    }
    each(LogEvent::Message(MessageRef {
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key(),
        payload: message.payload(),
        headers,
    }));
}
