//! One member of a consumer group on a [`MemoryBroker`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::broker::State;
use super::{DeliverFault, MemoryBroker, StoredRecord};
use crate::io::{
    Bounds, DeliverError, Delivery, IoError, Log, LogEvent, MessageRef, OutMessage, Part, Place,
    StateRef,
};

/// A [`Log`] in memory.
#[derive(Debug)]
pub struct MemoryLog {
    broker: MemoryBroker,
    group: String,
    id: u64,
    delivery: Delivery,
    /// Ours, but nobody has said where to begin.
    waiting: BTreeSet<Place>,
    /// Ours and read: where to go on.
    positions: BTreeMap<Place, i64>,
    /// Wanted back and not released.
    leaving: BTreeSet<Place>,
    /// Started, but their position is no part of the log: told once.
    gone: BTreeSet<Place>,
    turn: usize,
    closed: bool,
    /// Records of the inbox that were handed over, by topic of one partition.
    heard: BTreeMap<String, usize>,
}

/// What one poll hands over.
#[derive(Debug, Default)]
struct Batch {
    lost: Vec<Place>,
    revoking: Vec<Place>,
    assigned: Vec<Place>,
    gone: Vec<(Place, i64, Bounds)>,
    messages: Vec<(String, Arc<StoredRecord>)>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        let turns = [&self.lost, &self.revoking, &self.assigned];
        turns.iter().all(|t| t.is_empty()) && self.gone.is_empty() && self.messages.is_empty()
    }
}

impl MemoryLog {
    pub(super) fn new(broker: MemoryBroker, group: String, id: u64, delivery: Delivery) -> Self {
        Self {
            broker,
            group,
            id,
            delivery,
            waiting: BTreeSet::new(),
            positions: BTreeMap::new(),
            leaving: BTreeSet::new(),
            gone: BTreeSet::new(),
            turn: 0,
            closed: false,
            heard: BTreeMap::new(),
        }
    }

    fn collect(&mut self, state: &mut State, max: usize) -> Batch {
        let mut batch = Batch::default();
        self.notice_loss(state, &mut batch);
        let target = state.target(&self.group, self.id);
        self.let_go(&target, &mut batch);
        self.take_over(state, target, &mut batch);
        self.notice_gaps(state, &mut batch);
        self.fetch(state, max, &mut batch);
        batch
    }

    fn held(&self) -> BTreeSet<Place> {
        self.positions.keys().chain(&self.waiting).chain(&self.leaving).cloned().collect()
    }

    fn forget(&mut self, place: &Place) {
        self.positions.remove(place);
        self.waiting.remove(place);
        self.leaving.remove(place);
        self.gone.remove(place);
    }

    fn notice_loss(&mut self, state: &mut State, batch: &mut Batch) {
        let owners = &state.group(&self.group).owners;
        batch.lost =
            self.held().into_iter().filter(|place| owners.get(place) != Some(&self.id)).collect();
        batch.lost.iter().for_each(|place| self.forget(place));
    }

    fn let_go(&mut self, target: &BTreeSet<Place>, batch: &mut Batch) {
        let kept = |place: &Place| target.contains(place) || self.leaving.contains(place);
        batch.revoking = self.held().into_iter().filter(|place| !kept(place)).collect();
        for place in &batch.revoking {
            self.forget(place);
            self.leaving.insert(place.clone());
        }
    }

    fn take_over(&mut self, state: &mut State, target: BTreeSet<Place>, batch: &mut Batch) {
        let group = state.group(&self.group);
        for place in target {
            if let std::collections::btree_map::Entry::Vacant(free) =
                group.owners.entry(place.clone())
            {
                free.insert(self.id);
                self.waiting.insert(place.clone());
                batch.assigned.push(place);
            }
        }
    }

    fn notice_gaps(&mut self, state: &State, batch: &mut Batch) {
        for (place, position) in &self.positions {
            let bounds = state.bounds(place);
            let inside = bounds.low <= *position && *position <= bounds.high;
            if !inside && self.gone.insert(place.clone()) {
                batch.gone.push((place.clone(), *position, bounds));
            }
        }
    }

    fn fetch(&mut self, state: &State, max: usize, batch: &mut Batch) {
        let count = self.positions.len();
        let mut in_turn: Vec<_> = self.positions.iter_mut().collect();
        if count > 0 {
            in_turn.rotate_left(self.turn % count);
        }
        for (place, next) in in_turn.into_iter().filter(|(place, _)| !self.gone.contains(*place)) {
            let room = max - batch.messages.len();
            let new = state.partition(place).map_or(&[][..], |partition| partition.from(*next));
            let new = &new[..new.len().min(room)];
            *next += new.len() as i64;
            batch.messages.extend(new.iter().map(|r| (place.0.clone(), Arc::clone(r))));
        }
        self.turn = if count == 0 { 0 } else { (self.turn + 1) % count };
    }

    fn write(&self, state: &mut State, messages: &[OutMessage]) -> Result<(), DeliverError> {
        for message in messages {
            let now = state.newest_ms();
            state.append(message.clone(), now).map_err(DeliverError::Stop)?;
        }
        Ok(())
    }

    fn lose_all(&self, state: &mut State) {
        state.group(&self.group).owners.retain(|_, owner| *owner != self.id);
    }

    fn owns(&self, state: &mut State, part: &Part) -> bool {
        let place = (part.topic.clone(), part.partition);
        state.group(&self.group).owners.get(&place) == Some(&self.id)
    }

    fn commit(&self, state: &mut State, parts: &[Part]) {
        for part in parts {
            let place = (part.topic.clone(), part.partition);
            if let (Some(next), true) = (part.next_offset, self.owns(state, part)) {
                state.group(&self.group).committed.insert(place, next);
            }
        }
    }

    fn deliver_once(
        &self,
        state: &mut State,
        parts: &[Part],
        fault: Option<DeliverFault>,
    ) -> Result<(), DeliverError> {
        if !parts.iter().all(|part| self.owns(state, part)) {
            return Err(DeliverError::Again(error("no member of the group any more")));
        }
        for part in parts {
            self.write(state, &part.outputs)?;
            self.write(state, &part.state)?;
        }
        self.commit(state, parts);
        if fault == Some(DeliverFault::AnswerLost) {
            self.lose_all(state);
            return Err(DeliverError::Lost(error("injected fault: the answer is lost")));
        }
        Ok(())
    }

    fn deliver_again(
        &self,
        state: &mut State,
        parts: &[Part],
        fault: Option<DeliverFault>,
    ) -> Result<(), DeliverError> {
        parts.iter().try_for_each(|part| self.write(state, &part.outputs))?;
        if fault == Some(DeliverFault::AnswerLost) {
            return Err(DeliverError::Again(error("injected fault: the answer is lost")));
        }
        self.commit(state, parts);
        for part in parts {
            if self.owns(state, part) {
                self.write(state, &part.state)?;
            }
        }
        Ok(())
    }
}

fn error(detail: &str) -> IoError {
    IoError::Broker { operation: "deliver", detail: detail.to_owned() }
}

fn hand_over(batch: &Batch, each: &mut dyn FnMut(LogEvent<'_>)) {
    if !batch.lost.is_empty() {
        each(LogEvent::Lost(&batch.lost));
    }
    if !batch.revoking.is_empty() {
        each(LogEvent::Revoking(&batch.revoking));
    }
    if !batch.assigned.is_empty() {
        each(LogEvent::Assigned(&batch.assigned));
    }
    for (place, position, bounds) in &batch.gone {
        each(LogEvent::Gone { place, position: *position, bounds: *bounds });
    }
    for (topic, record) in &batch.messages {
        each(LogEvent::Message(message(topic, record)));
    }
}

fn message<'a>(topic: &'a str, record: &'a StoredRecord) -> MessageRef<'a> {
    MessageRef {
        topic,
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.as_deref(),
        payload: record.payload.as_deref(),
        headers: &record.headers,
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
        state.count_poll();
        let batch = loop {
            let batch = self.collect(&mut state, max);
            let left = deadline.saturating_duration_since(Instant::now());
            if !batch.is_empty() || left.is_zero() {
                break batch;
            }
            state = broker.wait(state, left);
        };
        drop(state);
        hand_over(&batch, each);
        Ok(batch.messages.len())
    }

    fn deliver(&mut self, parts: &[Part]) -> Result<(), DeliverError> {
        let mut state = self.broker.state();
        let all = || parts.iter().flat_map(|part| part.outputs.iter().chain(&part.state));
        all().try_for_each(|message| state.check(message)).map_err(DeliverError::Stop)?;
        let fault = state.next_fault();
        let outcome = match (fault, self.delivery) {
            (Some(DeliverFault::Refused), _) => {
                Err(DeliverError::Again(error("injected fault: refused")))
            }
            (Some(DeliverFault::Broken), _) => {
                Err(DeliverError::Stop(error("injected fault: broken")))
            }
            (Some(DeliverFault::Fenced), _) => {
                self.lose_all(&mut state);
                Err(DeliverError::Lost(error("injected fault: fenced")))
            }
            (_, Delivery::ExactlyOnce) => self.deliver_once(&mut state, parts, fault),
            (_, Delivery::AtLeastOnce) => self.deliver_again(&mut state, parts, fault),
        };
        drop(state);
        self.broker.changed();
        outcome
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Result<Option<i64>, IoError> {
        Ok(self.broker.committed(&self.group, topic, partition))
    }

    fn bounds(&mut self, topic: &str, partition: i32) -> Result<Bounds, IoError> {
        Ok(self.broker.state().bounds(&(topic.to_owned(), partition)))
    }

    fn read_state(
        &mut self,
        state_topic: &str,
        of: &Place,
        each: &mut dyn FnMut(StateRef<'_>),
    ) -> Result<(), IoError> {
        self.broker.grow_topic(state_topic, of.1 as usize + 1);
        let of_it = self.broker.records(state_topic).into_iter().filter(|r| r.partition == of.1);
        of_it.for_each(|record| each(stored(&record)));
        Ok(())
    }

    fn read_topic(
        &mut self,
        topic: &str,
        each: &mut dyn FnMut(StateRef<'_>),
    ) -> Result<(), IoError> {
        self.broker.records(topic).iter().for_each(|record| each(stored(record)));
        Ok(())
    }

    fn start(&mut self, partitions: &[(Place, i64)]) -> Result<(), IoError> {
        for (place, offset) in partitions {
            if self.waiting.remove(place) {
                self.positions.insert(place.clone(), *offset);
            }
        }
        Ok(())
    }

    fn seek(&mut self, place: &Place, offset: i64) -> Result<(), IoError> {
        self.gone.remove(place);
        if let Some(position) = self.positions.get_mut(place) {
            *position = offset;
        }
        Ok(())
    }

    fn release(&mut self, partitions: &[Place]) -> Result<(), IoError> {
        partitions.iter().for_each(|place| self.forget(place));
        let mut state = self.broker.state();
        let owners = &mut state.group(&self.group).owners;
        owners.retain(|place, owner| *owner != self.id || !partitions.contains(place));
        drop(state);
        self.broker.changed();
        Ok(())
    }

    fn poll_inbox(
        &mut self,
        topics: &[&str],
        each: &mut dyn FnMut(MessageRef<'_>),
    ) -> Result<(), IoError> {
        for topic in topics {
            let heard = self.heard.get(*topic).copied().unwrap_or(0);
            let new: Vec<_> = self.broker.records(topic).into_iter().skip(heard).collect();
            self.heard.insert((*topic).to_owned(), heard + new.len());
            new.iter().for_each(|record| each(message(topic, record)));
        }
        Ok(())
    }

    fn lag(&mut self) -> Vec<(String, i32, i64)> {
        let state = self.broker.state();
        let lag = |(place, next): (&Place, &i64)| {
            (place.0.clone(), place.1, (state.bounds(place).high - next).max(0))
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

fn stored(record: &StoredRecord) -> StateRef<'_> {
    let key = record.key.as_deref().unwrap_or_default();
    StateRef { offset: record.offset, key, payload: record.payload.as_deref() }
}
