//! What a settled partition has to deliver: its outputs, and its state when that is due.

use std::time::Duration;

use super::batch::Note;
use super::intake::Topic;
use super::partition::Partition;
use super::stream::Stream;
use crate::io::{Origin, Part, Place};
use crate::web::History;

/// When snapshots are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saving {
    pub interval: Duration,
    /// Of all partitions, now: the process stops.
    pub all: bool,
}

impl Saving {
    /// The partition whose snapshot is due for longest: one a batch, so that no batch waits for
    /// many.
    pub fn most_overdue(self, topics: &[Topic], now: Duration) -> Option<u64> {
        let all = topics.iter().flat_map(|topic| topic.partitions.values());
        let due = all.filter(|p| p.is_unsaved() && p.snapshot_at <= now);
        due.min_by_key(|p| p.snapshot_at).map(|p| p.epoch)
    }
}

/// What a settled partition has to say.
pub(super) fn take_part(
    (topic, number): Place,
    index: usize,
    stream: &mut Stream,
    partition: &mut Partition,
    history: &History,
) -> (Part, Note) {
    let mut outputs = Vec::new();
    let origin = Origin { topic: &topic, partition: number };
    history.take(index, &stream.encode(origin, &partition.outbox, &mut outputs));
    let mut dead = Vec::new();
    for letter in partition.dead.drain(..) {
        dead.push(letter.reason);
        outputs.push(letter.message);
    }
    // Without news the position that is committed stays: a silent partition is not there yet.
    let next_offset = partition.next_offset.filter(|_| partition.records > 0);
    let state = std::mem::take(&mut partition.journal);
    let part = Part { topic, partition: number, next_offset, outputs, state };
    let (epoch, oldest_ms) = (partition.epoch, partition.oldest_ms);
    (part, Note { epoch, stream: index, dead, oldest_ms, saved: false, alerts: Vec::new() })
}
