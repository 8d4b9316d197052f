//! The end of a batch: what each partition has to say, and which of them are stored with it.

use std::time::Duration;

use super::batch::{Batch, Note};
use super::intake::{Intake, Topic};
use super::partition::Partition;
use super::stream::Stream;
use super::supervise::Heartbeat;
use super::tally::{count, settle};
use super::{Clock, RunReport};
use crate::io::{Origin, Part, Place};
use crate::telemetry::PartitionLabels;
use crate::web::History;

impl Intake {
    /// Ends the batch: settles every partition and takes what it has to say.
    pub fn collect(
        &mut self,
        clock: &Clock,
        saving: Saving,
        report: &mut RunReport,
        heart: &Heartbeat,
    ) -> Batch {
        let now = clock.steady();
        let mut batch = Batch::default();
        let Self { streams, topics, metrics, notifier, leaving, history, .. } = self;
        let periodic = saving.most_overdue(topics, now);
        for Topic { name, stream: index, partitions } in topics {
            let stream = &mut streams[*index];
            for (number, partition) in partitions {
                let labels =
                    PartitionLabels { stream: &stream.name, topic: name, partition: *number };
                heart.beat();
                settle(metrics, clock, labels, partition);
                if let Some(open) = partition.take_reopened() {
                    notifier.restored(labels, &open);
                }
                count(metrics, labels, partition);
                report.add(partition);
                let place = (name.clone(), *number);
                let save = saving.all
                    || partition.is_fresh()
                    || leaving.contains(&place)
                    || periodic == Some(partition.epoch);
                let (mut part, mut note) = take_part(place, *index, stream, partition, history);
                if save && partition.is_unsaved() {
                    let began = clock.steady();
                    part.state.extend(partition.snapshot(saving.rungs));
                    note.saved = true;
                    let took = clock.steady().saturating_sub(began);
                    metrics.state.observe_snapshot(took.as_secs_f64());
                    partition.snapshot_at = now + saving.interval;
                }
                if !notifier.is_idle() {
                    note.alerts.clone_from(&partition.outbox.alerts);
                }
                partition.begin_batch();
                batch.push(part, note);
            }
        }
        batch
    }
}

/// When snapshots are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saving {
    pub interval: Duration,
    /// How far older ones are kept.
    pub rungs: u32,
    /// Of all partitions, now: the process stops.
    pub all: bool,
}

impl Saving {
    /// The partition whose snapshot is due for longest: one a batch, so that no batch waits for
    /// many.
    fn most_overdue(self, topics: &[Topic], now: Duration) -> Option<u64> {
        let all = topics.iter().flat_map(|topic| topic.partitions.values());
        let due = all.filter(|p| p.is_unsaved() && p.snapshot_at <= now);
        due.min_by_key(|p| p.snapshot_at).map(|p| p.epoch)
    }
}

/// What a settled partition has to say.
fn take_part(
    (topic, number): Place,
    index: usize,
    stream: &mut Stream,
    partition: &mut Partition,
    history: &History,
) -> (Part, Note) {
    let mut outputs = Vec::new();
    let origin = Origin { topic: &topic, partition: number };
    let news = stream.encode(origin, &partition.outbox, &mut outputs);
    history.take(index, (&topic, number), &news);
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
