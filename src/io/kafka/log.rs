//! Consumer and producer together: the [`Log`] of the daemon.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::commit::{Commits, broker, to_list};
use super::inlet::{Inlet, Turn, assign, unassign};
use super::outlet::Outlet;
use super::reader::StateReader;
use super::settings::{self, client_error};
use super::transaction::Transactions;
use crate::io::log::{
    Bounds, DeliverError, Log, LogEvent, MessageRef, OutMessage, Part, Place, StateRef,
};
use crate::io::{Delivery, IoError, KafkaParams};

/// Longest wait for an answer about offsets.
const ASK: Duration = Duration::from_secs(10);
/// Longest wait for the group to take the partitions back.
const LEAVE: Duration = Duration::from_secs(5);
/// So many fresh starts within [`RENEWALS_WITHIN`] mean that something is wrong for good.
const RENEWALS_MAX: usize = 5;
const RENEWALS_WITHIN: Duration = Duration::from_secs(600);

/// A [`Log`] on a Kafka cluster: one consumer of a group and one producer.
///
/// Use it from one thread. Brokers that are down are waited for inside the library and only
/// reported.
pub struct KafkaLog {
    params: KafkaParams,
    worker: usize,
    topics: Vec<String>,
    // Dropped in this order: the producer goes before the consumer.
    sender: Sender,
    consumer: Option<BaseConsumer<Inlet>>,
    reader: StateReader,
    /// Started and not yet released.
    owned: BTreeSet<Place>,
    /// Owned by consumers that were given up; told by the next poll.
    lost: Vec<Place>,
    renewals: VecDeque<Instant>,
    headers: Vec<(String, Vec<u8>)>,
}

/// How outputs and positions leave.
enum Sender {
    /// In one transaction.
    ExactlyOnce(Transactions),
    /// Outputs, then positions, then state.
    AtLeastOnce { outlet: Outlet, commits: Commits, state: Vec<(Place, Vec<OutMessage>)> },
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the client settings, which hold secrets.
        f.debug_struct("KafkaLog")
            .field("worker", &self.worker)
            .field("owned", &self.owned)
            .finish_non_exhaustive()
    }
}

impl Sender {
    fn open(params: &KafkaParams, worker: usize) -> Result<Self, IoError> {
        Ok(match params.delivery {
            Delivery::ExactlyOnce => {
                let config = settings::transactional_producer(params, worker)?;
                let timeout = params.transaction_timeout.to_duration();
                Self::ExactlyOnce(Transactions::open(config, timeout)?)
            }
            Delivery::AtLeastOnce => Self::AtLeastOnce {
                outlet: Outlet::open(settings::producer(params)?)?,
                commits: Commits::default(),
                state: Vec::new(),
            },
        })
    }
}

impl KafkaLog {
    /// Creates the clients and subscribes to `topics`; a name that starts with `^` is a regular
    /// expression. The connection is made in the background, and no broker need be up.
    ///
    /// `worker` tells the logs of one process apart.
    ///
    /// # Errors
    ///
    /// [`IoError::Client`] if the library refuses a property, [`IoError::File`] if the password
    /// file cannot be read.
    pub fn open(params: &KafkaParams, worker: usize, topics: &[&str]) -> Result<Self, IoError> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        Ok(Self {
            sender: Sender::open(params, worker)?,
            consumer: Some(subscribe(params, &topics)?),
            reader: StateReader::open(params)?,
            params: params.clone(),
            worker,
            topics,
            owned: BTreeSet::new(),
            lost: Vec::new(),
            renewals: VecDeque::new(),
            headers: Vec::new(),
        })
    }

    /// Hands out changes of ownership; returns whether there was any.
    fn take_turns(&mut self, inlet: &Inlet, each: &mut dyn FnMut(LogEvent<'_>)) -> bool {
        let mut any = !self.lost.is_empty();
        if any {
            each(LogEvent::Lost(&std::mem::take(&mut self.lost)));
        }
        while let Some(turn) = inlet.next_turn() {
            any = true;
            match turn {
                Turn::Assigned(places) => each(LogEvent::Assigned(&places)),
                Turn::Revoking(places) => each(LogEvent::Revoking(&places)),
                Turn::Lost(places) => {
                    self.forget(&places);
                    each(LogEvent::Lost(&places));
                }
            }
        }
        any
    }

    fn forget(&mut self, places: &[Place]) {
        for place in places {
            self.owned.remove(place);
            if let Sender::AtLeastOnce { commits, state, .. } = &mut self.sender {
                commits.forget(place);
                state.retain(|(of, _)| of != place);
            }
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
        let (mut taken, mut waiting) = (0, !self.take_turns(inlet, each));
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
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    self.tell_gone(consumer, each);
                }
                // Reported by the context; the library goes on by itself.
                Some(Err(_)) => {}
                None if !waiting || left.is_zero() => break,
                None => {}
            }
        }
        Ok(taken)
    }

    /// Finds the partitions whose position is no longer, or not yet, part of the log.
    fn tell_gone(&mut self, consumer: &BaseConsumer<Inlet>, each: &mut dyn FnMut(LogEvent<'_>)) {
        let Ok(positions) = consumer.position() else { return };
        for place in &self.owned {
            let element = positions.find_partition(&place.0, place.1);
            let Some(Offset::Offset(position)) = element.map(|e| e.offset()) else { continue };
            // Without an answer the client tells the fault again.
            let Ok(bounds) = self.reader.bounds(place) else { continue };
            if position < bounds.low || bounds.high < position {
                each(LogEvent::Gone { place, position, bounds });
            }
        }
    }

    fn consumer(&self) -> Result<&BaseConsumer<Inlet>, IoError> {
        self.consumer.as_ref().ok_or_else(|| IoError::Client("the log is closed".to_owned()))
    }

    /// All in one transaction.
    fn deliver_once(&mut self, parts: &[Part]) -> Result<(), DeliverError> {
        let Self { sender: Sender::ExactlyOnce(transactions), consumer, .. } = self else {
            return Ok(());
        };
        let group = consumer.as_ref().and_then(Consumer::group_metadata);
        let Some(group) = group else {
            return Err(DeliverError::Lost(IoError::Client("no member of the group".into())));
        };
        let offsets = to_list(&positions(parts)).map_err(DeliverError::Stop)?;
        let all = parts.iter().flat_map(|part| part.outputs.iter().chain(&part.state));
        let all: Vec<&OutMessage> = all.collect();
        if all.is_empty() && offsets.count() == 0 {
            return Ok(());
        }
        let outcome = transactions.run(all.into_iter(), &offsets, &group);
        if let Err(DeliverError::Lost(error)) = outcome {
            return Err(self.begin_anew(error));
        }
        outcome
    }

    /// Outputs, positions, state: a crash in between repeats outputs, and loses none.
    fn deliver_again(&mut self, parts: &[Part]) -> Result<(), DeliverError> {
        let Self {
            sender: Sender::AtLeastOnce { outlet, commits, state }, consumer, owned, ..
        } = self
        else {
            return Ok(());
        };
        outlet.renew_if_dead().map_err(DeliverError::Stop)?;
        let outputs: Vec<&OutMessage> = parts.iter().flat_map(|part| &part.outputs).collect();
        outlet.write_all(outputs.into_iter())?;
        for (place, next) in positions(parts) {
            if owned.contains(&place) {
                commits.note(place, next);
            }
        }
        let described = parts.iter().filter(|part| !part.state.is_empty());
        state.extend(described.map(|p| ((p.topic.clone(), p.partition), p.state.clone())));
        let Some(consumer) = consumer else { return Ok(()) };
        if commits.commit(consumer).map_err(DeliverError::Stop)? {
            let waiting: Vec<&OutMessage> = state.iter().flat_map(|(_, of)| of).collect();
            outlet.write_all(waiting.into_iter())?;
            state.clear();
        }
        Ok(())
    }

    /// New clients in the place of those that can do no more. All partitions are lost.
    fn begin_anew(&mut self, cause: IoError) -> DeliverError {
        let now = Instant::now();
        self.renewals.retain(|then| now.duration_since(*then) < RENEWALS_WITHIN);
        self.renewals.push_back(now);
        if self.renewals.len() > RENEWALS_MAX {
            return DeliverError::Stop(cause);
        }
        tracing::warn!(%cause, "kafka clients are built anew, all partitions are given up");
        self.lost.extend(std::mem::take(&mut self.owned));
        let renewed = Sender::open(&self.params, self.worker).and_then(|sender| {
            self.sender = sender;
            if let Some(old) = self.consumer.take() {
                old.context().close();
            }
            self.consumer = Some(subscribe(&self.params, &self.topics)?);
            Ok(())
        });
        match renewed {
            Ok(()) => DeliverError::Lost(cause),
            Err(error) => DeliverError::Stop(error),
        }
    }

    fn commit_if_due(&mut self) -> Result<(), IoError> {
        match &self.sender {
            Sender::AtLeastOnce { commits, .. } if commits.is_due() => self.finish_commits(),
            _ => Ok(()),
        }
    }

    /// Commits what is pending. What is not committed is read again.
    fn finish_commits(&mut self) -> Result<(), IoError> {
        match self.deliver_again(&[]) {
            Ok(()) => Ok(()),
            Err(DeliverError::Again(e) | DeliverError::Lost(e) | DeliverError::Stop(e)) => Err(e),
        }
    }
}

fn subscribe(params: &KafkaParams, topics: &[String]) -> Result<BaseConsumer<Inlet>, IoError> {
    let config = settings::consumer(params)?;
    let consumer: BaseConsumer<Inlet> =
        config.create_with_context(Inlet::default()).map_err(client_error)?;
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(client_error)?;
    Ok(consumer)
}

fn positions(parts: &[Part]) -> BTreeMap<Place, i64> {
    let position = |part: &Part| Some(((part.topic.clone(), part.partition), part.next_offset?));
    parts.iter().filter_map(position).collect()
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

    fn deliver(&mut self, parts: &[Part]) -> Result<(), DeliverError> {
        match self.sender {
            Sender::ExactlyOnce(_) => self.deliver_once(parts),
            Sender::AtLeastOnce { .. } => self.deliver_again(parts),
        }
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Result<Option<i64>, IoError> {
        if let Sender::ExactlyOnce(transactions) = &mut self.sender {
            // Ends what a former life of this producer left open.
            transactions.prepare().map_err(|error| match error {
                DeliverError::Again(e) | DeliverError::Lost(e) | DeliverError::Stop(e) => e,
            })?;
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let offsets = self
            .consumer()?
            .committed_offsets(list, ASK)
            .map_err(|error| broker("committed offset", &error))?;
        match offsets.elements().first().map(|element| (element.offset(), element.error())) {
            Some((Offset::Offset(next), Ok(()))) => Ok(Some(next)),
            Some((_, Err(error))) => Err(broker("committed offset", &error)),
            _ => Ok(None),
        }
    }

    fn bounds(&mut self, topic: &str, partition: i32) -> Result<Bounds, IoError> {
        self.reader.bounds(&(topic.to_owned(), partition))
    }

    fn read_state(
        &mut self,
        state_topic: &str,
        of: &Place,
        each: &mut dyn FnMut(StateRef<'_>),
    ) -> Result<(), IoError> {
        self.reader.ensure(&self.params, state_topic, of)?;
        self.reader.read(state_topic, of.1, each)
    }

    fn start(&mut self, partitions: &[(Place, i64)]) -> Result<(), IoError> {
        let list = to_list(partitions.iter().map(|(place, offset)| (place, offset)))?;
        assign(self.consumer()?, &list).map_err(|error| broker("assign", &error))?;
        self.owned.extend(partitions.iter().map(|(place, _)| place.clone()));
        Ok(())
    }

    fn seek(&mut self, place: &Place, offset: i64) -> Result<(), IoError> {
        let result = self.consumer()?.seek(&place.0, place.1, Offset::Offset(offset), ASK);
        result.map_err(|error| broker("seek", &error))
    }

    fn release(&mut self, partitions: &[Place]) -> Result<(), IoError> {
        if let Err(error) = self.finish_commits() {
            tracing::warn!(%error, "positions are not committed, records will be read again");
        }
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        unassign(self.consumer()?, &list).map_err(|error| broker("unassign", &error))?;
        self.forget(partitions);
        Ok(())
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
        if let Err(error) = self.finish_commits() {
            tracing::warn!(%error, "the last positions are not committed, records will be read again");
        }
        let Some(consumer) = self.consumer.take() else { return };
        consumer.context().close();
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
