//! Consumer and producer together: the [`Log`] of the daemon.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::commit::{broker, to_list};
use super::inbox::Inbox;
use super::inlet::{Inlet, Turn, assign, unassign};
use super::reader::{PartitionReader, committed, seen};
use super::sender::Sender;
use super::settings::{self, client_error};
use crate::io::log::{Bounds, DeliverError, Log, LogEvent, MessageRef, Part, Place, StateRef};
use crate::io::{IoError, KafkaParams};

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
    reader: PartitionReader,
    /// Opened when it is first asked.
    inbox: Option<Inbox>,
    /// Started and not yet released.
    owned: BTreeSet<Place>,
    /// Owned by consumers that were given up; told by the next poll.
    lost: Vec<Place>,
    renewals: VecDeque<Instant>,
    headers: Vec<(String, Vec<u8>)>,
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
            reader: PartitionReader::open(params)?,
            inbox: None,
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
        self.owned.retain(|place| !places.contains(place));
        self.sender.forget(places);
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

    /// Commits what is pending. What is not committed is read again.
    fn finish_commits(&mut self) -> Result<(), IoError> {
        match (&mut self.sender, &self.consumer) {
            (Sender::AtLeastOnce(sender), Some(consumer)) => sender.finish(consumer),
            _ => Ok(()),
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

impl Log for KafkaLog {
    fn poll(
        &mut self,
        max: usize,
        wait: Duration,
        each: &mut dyn FnMut(LogEvent<'_>),
    ) -> Result<usize, IoError> {
        if self.sender.is_due() {
            self.finish_commits()?;
        }
        // Out and back in, so that messages may borrow from it while `self` changes.
        let Some(consumer) = self.consumer.take() else { return Ok(0) };
        let polled = self.poll_open(&consumer, max, wait, each);
        self.consumer = Some(consumer);
        polled
    }

    fn deliver(&mut self, parts: &[Part]) -> Result<(), DeliverError> {
        let Some(consumer) = &self.consumer else {
            return Err(DeliverError::Stop(IoError::Client("the log is closed".to_owned())));
        };
        match self.sender.deliver(consumer, &self.owned, parts) {
            Err(DeliverError::Lost(cause)) => Err(self.begin_anew(cause)),
            outcome => outcome,
        }
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Result<Option<i64>, IoError> {
        self.sender.prepare()?;
        committed(self.consumer()?, topic, partition)
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
        self.reader.read(state_topic, of.1, None, &mut |message| {
            let key = message.key.unwrap_or_default();
            each(StateRef { offset: message.offset, key, payload: message.payload });
            true
        })
    }

    fn read_topic(
        &mut self,
        topic: &str,
        each: &mut dyn FnMut(StateRef<'_>),
    ) -> Result<(), IoError> {
        let partitions = self.reader.partitions(topic)?;
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            self.reader.read(topic, partition, None, &mut |message| {
                let key = message.key.unwrap_or_default();
                each(StateRef { offset: message.offset, key, payload: message.payload });
                true
            })?;
        }
        Ok(())
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

    fn poll_inbox(
        &mut self,
        topics: &[&str],
        each: &mut dyn FnMut(MessageRef<'_>),
    ) -> Result<(), IoError> {
        let inbox = match &mut self.inbox {
            Some(inbox) => inbox,
            none => none.insert(Inbox::open(&self.params)?),
        };
        inbox.poll(topics, each)
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
    each(LogEvent::Message(seen(message, headers)));
}
