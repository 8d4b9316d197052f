//! The cluster: topics, groups and the faults to be injected.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHasher;

use super::MemoryLog;
use crate::io::{Bounds, Delivery, IoError, OutMessage, Place};

/// A record as it lies in a partition.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970, if it has a time.
    pub timestamp_ms: Option<i64>,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Header names and values.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// How one `deliver` shall fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliverFault {
    /// Nothing is written; it may be tried again.
    Refused,
    /// With at-least-once delivery: the outputs are written, their acknowledgement is lost and
    /// nothing is committed. With exactly-once delivery: all is committed, the answer is lost,
    /// and so is the place in the group.
    AnswerLost,
    /// Nothing is written, and never will be.
    Broken,
    /// Nothing is written, and the place in the group is lost.
    Fenced,
}

/// The records of one partition that are kept.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// Offset of the first record that is kept.
    low: i64,
    records: Vec<Arc<StoredRecord>>,
}

impl Partition {
    fn high(&self) -> i64 {
        self.low + self.records.len() as i64
    }

    /// Records from `offset` on.
    pub(super) fn from(&self, offset: i64) -> &[Arc<StoredRecord>] {
        let skip = usize::try_from(offset - self.low).unwrap_or(0);
        self.records.get(skip..).unwrap_or_default()
    }
}

/// A cluster in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    topics: BTreeMap<String, Vec<Partition>>,
    groups: BTreeMap<String, Group>,
    faults: VecDeque<DeliverFault>,
    newest_ms: Option<i64>,
    members: u64,
    polls: u64,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) committed: BTreeMap<Place, i64>,
    pub(super) owners: BTreeMap<Place, u64>,
    members: BTreeMap<u64, Vec<String>>,
}

impl MemoryBroker {
    /// An empty cluster.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a topic of at least one partition; one that exists stays as it is.
    pub fn create_topic(&self, name: &str, partitions: usize) {
        self.state().topic(name, partitions);
        self.shared.changed.notify_all();
    }

    /// Appends a record and returns its partition and offset. An unknown topic is made with one
    /// partition.
    ///
    /// # Errors
    ///
    /// [`IoError::Broker`] if the message names a partition that the topic does not have.
    pub fn append(
        &self,
        message: OutMessage,
        timestamp_ms: Option<i64>,
    ) -> Result<(i32, i64), IoError> {
        let place = self.state().append(message, timestamp_ms)?;
        self.shared.changed.notify_all();
        Ok(place)
    }

    /// All records of a topic, partition after partition; empty if there is no such topic.
    pub fn records(&self, topic: &str) -> Vec<StoredRecord> {
        let state = self.state();
        let partitions = state.topics.get(topic).into_iter().flatten();
        partitions.flat_map(|p| &p.records).map(|record| StoredRecord::clone(record)).collect()
    }

    /// Forgets the records before `low`, as retention does.
    pub fn truncate(&self, topic: &str, partition: i32, low: i64) {
        let mut state = self.state();
        let index = usize::try_from(partition).ok();
        let topic = state.topics.get_mut(topic);
        if let Some(of) = topic.zip(index).and_then(|(all, index)| all.get_mut(index)) {
            let gone = usize::try_from(low - of.low).unwrap_or(0).min(of.records.len());
            of.records.drain(..gone);
            of.low += gone as i64;
        }
    }

    /// Adds partitions to a topic until it has `partitions`.
    pub fn grow_topic(&self, name: &str, partitions: usize) {
        let mut state = self.state();
        let topic = state.topic(name, partitions);
        topic.resize_with(topic.len().max(partitions), Partition::default);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Throws all members out of a group, as if none had been heard of for too long. Each finds
    /// out when it polls next.
    pub fn expire_members(&self, group: &str) {
        self.state().group(group).owners.clear();
        self.shared.changed.notify_all();
    }

    /// Sets the committed position of a group, as an operator may.
    pub fn set_committed(&self, group: &str, topic: &str, partition: i32, next_offset: i64) {
        let place = (topic.to_owned(), partition);
        self.state().group(group).committed.insert(place, next_offset);
    }

    /// The committed position of a group: the next offset it will read.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let state = self.state();
        state.groups.get(group)?.committed.get(&(topic.to_owned(), partition)).copied()
    }

    /// Lets the next `deliver` of any member fail; calls add up.
    pub fn fail_next_deliver(&self, fault: DeliverFault) {
        self.state().faults.push_back(fault);
    }

    /// Faults that no `deliver` has met yet.
    pub fn faults_left(&self) -> usize {
        self.state().faults.len()
    }

    /// How often members have asked for records.
    pub fn polls(&self) -> u64 {
        self.state().polls
    }

    /// Forgets faults that no `deliver` has met yet.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Joins a consumer group. Topics that do not exist yet are read once they do.
    pub fn join(&self, group: &str, topics: &[&str], delivery: Delivery) -> MemoryLog {
        let mut state = self.state();
        state.members += 1;
        let id = state.members;
        let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
        state.group(group).members.insert(id, topics);
        drop(state);
        MemoryLog::new(self.clone(), group.to_owned(), id, delivery)
    }

    pub(super) fn leave(&self, group: &str, id: u64) {
        let mut state = self.state();
        let group = state.group(group);
        group.members.remove(&id);
        group.owners.retain(|_, owner| *owner != id);
        drop(state);
        self.shared.changed.notify_all();
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere must not hide its message behind a poisoned lock.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.shared.changed.notify_all();
    }

    /// Waits for any change, at most `wait`.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        wait: Duration,
    ) -> MutexGuard<'a, State> {
        let waited = self.shared.changed.wait_timeout(state, wait);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    pub(super) fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }

    pub(super) fn count_poll(&mut self) {
        self.polls += 1;
    }

    pub(super) fn next_fault(&mut self) -> Option<DeliverFault> {
        self.faults.pop_front()
    }

    /// Time of records that members write: the newest seen, since there is no clock here.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    pub(super) fn partition(&self, (topic, partition): &Place) -> Option<&Partition> {
        let index = usize::try_from(*partition).ok();
        self.topics.get(topic).zip(index).and_then(|(all, index)| all.get(index))
    }

    pub(super) fn bounds(&self, place: &Place) -> Bounds {
        let of = |p: &Partition| Bounds { low: p.low, high: p.high() };
        self.partition(place).map_or(Bounds { low: 0, high: 0 }, of)
    }

    /// What member `id` should own: partitions go round over the members that read the topic.
    pub(super) fn target(&mut self, group: &str, id: u64) -> BTreeSet<Place> {
        let members = self.group(group).members.clone();
        let mut target = BTreeSet::new();
        for (topic, partitions) in &self.topics {
            let readers: Vec<u64> = members
                .iter()
                .filter(|(_, topics)| topics.contains(topic))
                .map(|(&reader, _)| reader)
                .collect();
            for partition in 0..partitions.len() {
                if !readers.is_empty() && readers[partition % readers.len()] == id {
                    target.insert((topic.clone(), partition as i32));
                }
            }
        }
        target
    }

    /// Refuses messages for partitions that do not exist, before anything is written.
    pub(super) fn check(&self, message: &OutMessage) -> Result<(), IoError> {
        let count = self.topics.get(&message.topic).map_or(1, Vec::len);
        match message.partition.map(usize::try_from) {
            None => Ok(()),
            Some(Ok(partition)) if partition < count => Ok(()),
            Some(_) => Err(IoError::Broker {
                operation: "produce",
                detail: format!(
                    "topic {} has no partition {}",
                    message.topic,
                    message.partition.unwrap_or_default()
                ),
            }),
        }
    }

    pub(super) fn append(
        &mut self,
        message: OutMessage,
        timestamp_ms: Option<i64>,
    ) -> Result<(i32, i64), IoError> {
        self.check(&message)?;
        self.newest_ms = self.newest_ms.max(timestamp_ms);
        let partitions = self.topic(&message.topic, 1);
        let at = match message.partition {
            Some(partition) => partition as usize,
            None => hash(message.key.as_deref()) % partitions.len(),
        };
        let (partition, offset) = (at as i32, partitions[at].high());
        let OutMessage { key, payload, headers, .. } = message;
        let record = StoredRecord { partition, offset, timestamp_ms, key, payload, headers };
        partitions[at].records.push(Arc::new(record));
        Ok((partition, offset))
    }

    fn topic(&mut self, name: &str, partitions: usize) -> &mut Vec<Partition> {
        let empty = || (0..partitions.max(1)).map(|_| Partition::default()).collect();
        self.topics.entry(name.to_owned()).or_insert_with(empty)
    }
}

/// Spreads keys over partitions, the same on every run; no key is partition 0.
fn hash(key: Option<&[u8]>) -> usize {
    let Some(key) = key else { return 0 };
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    // FxHash mixes upwards: the high half is the good one.
    (hasher.finish() >> 32) as usize
}
