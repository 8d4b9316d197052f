//! One member of a consumer group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::broker::{DeliverFault, Place, State};
use super::{MemoryBroker, StoredRecord};
use crate::io::{IoError, Log, LogEvent, MessageRef, OffsetReset, OutMessage, Position};

/// A [`Log`] on a [`MemoryBroker`].
#[derive(Debug)]
pub struct MemoryLog {
    broker: MemoryBroker,
    group: String,
    id: u64,
    reset: OffsetReset,
    /// Next offset of each partition owned.
    positions: BTreeMap<Place, i64>,
    /// Partition to start from, so that none starves.
    turn: usize,
    closed: bool,
}

/// What a poll found, taken out of the lock before it is handed over.
#[derive(Default)]
struct Batch {
    revoked: Vec<Place>,
    assigned: Vec<Place>,
    messages: Vec<(String, Arc<StoredRecord>)>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.revoked.is_empty() && self.assigned.is_empty() && self.messages.is_empty()
    }
}

impl MemoryLog {
    pub(super) fn new(broker: MemoryBroker, group: String, id: u64, reset: OffsetReset) -> Self {
        Self { broker, group, id, reset, positions: BTreeMap::new(), turn: 0, closed: false }
    }

    fn collect(&mut self, state: &mut State, max: usize) -> Batch {
        let mut batch = Batch::default();
        let target = state.target(&self.group, self.id);
        self.let_go(state, &target, &mut batch);
        self.take_over(state, target, &mut batch);
        self.fetch(state, max, &mut batch);
        batch
    }

    fn let_go(&mut self, state: &mut State, target: &BTreeSet<Place>, batch: &mut Batch) {
        batch.revoked = self.positions.keys().filter(|p| !target.contains(*p)).cloned().collect();
        for place in &batch.revoked {
            self.positions.remove(place);
            state.group(&self.group).owners.remove(place);
        }
    }

    fn take_over(&mut self, state: &mut State, target: BTreeSet<Place>, batch: &mut Batch) {
        for place in target {
            let end = state.end(&place);
            let group = state.group(&self.group);
            if group.owners.contains_key(&place) {
                continue;
            }
            group.owners.insert(place.clone(), self.id);
            let start = match self.reset {
                OffsetReset::Earliest => 0,
                OffsetReset::Latest => end,
            };
            let next = group.committed.get(&place).copied().unwrap_or(start);
            self.positions.insert(place.clone(), next);
            batch.assigned.push(place);
        }
    }

    fn fetch(&mut self, state: &State, max: usize, batch: &mut Batch) {
        let count = self.positions.len();
        let mut in_turn: Vec<_> = self.positions.iter_mut().collect();
        if count > 0 {
            in_turn.rotate_left(self.turn % count);
        }
        for (place, next) in in_turn {
            let room = max - batch.messages.len();
            let from = usize::try_from(*next).unwrap_or(0);
            let new = state.partition(place).get(from..).unwrap_or_default();
            let new = &new[..new.len().min(room)];
            *next += new.len() as i64;
            batch.messages.extend(new.iter().map(|r| (place.0.clone(), Arc::clone(r))));
        }
        self.turn = if count == 0 { 0 } else { (self.turn + 1) % count };
    }
}

fn hand_over(batch: &Batch, each: &mut dyn FnMut(LogEvent<'_>)) {
    if !batch.revoked.is_empty() {
        each(LogEvent::Revoked(&batch.revoked));
    }
    if !batch.assigned.is_empty() {
        each(LogEvent::Assigned(&batch.assigned));
    }
    for (topic, record) in &batch.messages {
        each(LogEvent::Message(MessageRef {
            topic,
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.as_deref(),
            payload: record.payload.as_deref(),
            headers: &record.headers,
        }));
    }
}

impl Log for MemoryLog {
    fn poll(
        &mut self,
        max: usize,
        wait: Duration,
        each: &mut dyn FnMut(LogEvent<'_>),
    ) -> Result<usize, IoError> {
        if self.closed {
            return Ok(0);
        }
        let deadline = Instant::now() + wait;
        let broker = self.broker.clone();
        let mut state = broker.state();
        let batch = loop {
            let batch = self.collect(&mut state, max);
            let left = deadline.saturating_duration_since(Instant::now());
            if !batch.is_empty() || left.is_zero() {
                break batch;
            }
            state = broker.wait(state, left);
        };
        drop(state);
        if !batch.revoked.is_empty() {
            broker.changed();
        }
        hand_over(&batch, each);
        Ok(batch.messages.len())
    }

    fn deliver(&mut self, outputs: Vec<OutMessage>, positions: &[Position]) -> Result<(), IoError> {
        let mut state = self.broker.state();
        let fault = state.next_fault();
        let sent = outputs.len();
        let lost = IoError::Undelivered { sent, failed: sent, detail: "injected fault".into() };
        if fault == Some(DeliverFault::BeforeWrite) {
            return Err(lost);
        }
        outputs.iter().try_for_each(|message| state.check(message))?;
        for message in outputs {
            let now = state.newest_ms();
            state.append(message, now)?;
        }
        self.broker.changed();
        if fault == Some(DeliverFault::AfterWrite) {
            return Err(lost);
        }
        let group = state.group(&self.group);
        for position in positions {
            let place = (position.topic.clone(), position.partition);
            if group.owners.get(&place) == Some(&self.id) {
                group.committed.insert(place, position.next_offset);
            }
        }
        Ok(())
    }

    fn lag(&mut self) -> Vec<(String, i32, i64)> {
        let state = self.broker.state();
        let lag = |(place, next): (&Place, &i64)| {
            (place.0.clone(), place.1, (state.end(place) - next).max(0))
        };
        self.positions.iter().map(lag).collect()
    }

    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.positions.clear();
            self.broker.leave(&self.group, self.id);
        }
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        self.close();
    }
}
