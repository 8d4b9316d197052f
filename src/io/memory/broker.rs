//! The cluster: topics, groups and the faults to be injected.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHasher;

use super::MemoryLog;
use crate::io::{IoError, OffsetReset, OutMessage};

/// Topic and partition.
pub(super) type Place = (String, i32);

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

/// How one `deliver` shall fail. Positions are committed in neither case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliverFault {
    /// Nothing is written.
    BeforeWrite,
    /// Everything is written, but the acknowledgement is lost.
    AfterWrite,
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
    topics: BTreeMap<String, Vec<Vec<Arc<StoredRecord>>>>,
    groups: BTreeMap<String, Group>,
    faults: VecDeque<DeliverFault>,
    newest_ms: Option<i64>,
    members: u64,
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
        partitions.flatten().map(|record| StoredRecord::clone(record)).collect()
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

    /// Joins a consumer group. Topics that do not exist yet are read once they do.
    pub fn join(&self, group: &str, topics: &[&str], reset: OffsetReset) -> MemoryLog {
        let mut state = self.state();
        state.members += 1;
        let id = state.members;
        let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
        state.group(group).members.insert(id, topics);
        drop(state);
        MemoryLog::new(self.clone(), group.to_owned(), id, reset)
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

    pub(super) fn next_fault(&mut self) -> Option<DeliverFault> {
        self.faults.pop_front()
    }

    /// Time of records that members write: the newest seen, since there is no clock here.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    pub(super) fn partition(&self, (topic, partition): &Place) -> &[Arc<StoredRecord>] {
        let index = usize::try_from(*partition).ok();
        let records = self.topics.get(topic).zip(index).and_then(|(all, index)| all.get(index));
        records.map_or(&[], Vec::as_slice)
    }

    pub(super) fn end(&self, place: &Place) -> i64 {
        self.partition(place).len() as i64
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
        let (partition, offset) = (at as i32, partitions[at].len() as i64);
        let OutMessage { key, payload, headers, .. } = message;
        let record = StoredRecord { partition, offset, timestamp_ms, key, payload, headers };
        partitions[at].push(Arc::new(record));
        Ok((partition, offset))
    }

    fn topic(&mut self, name: &str, partitions: usize) -> &mut Vec<Vec<Arc<StoredRecord>>> {
        self.topics.entry(name.to_owned()).or_insert_with(|| vec![Vec::new(); partitions.max(1)])
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
