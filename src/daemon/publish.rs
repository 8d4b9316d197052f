//! The picture of the streams, for the handlers and for the gauges.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::intake::Intake;
use crate::engine::{NetworksStatus, ShardStatus};
use crate::io::Place;
use crate::record::{EventTime, OpenAlert};
use crate::telemetry::{Metrics, PartitionLabels, StreamGauges};
use crate::web::{History, Load, NotReady, PartitionStatus, SharedStatus, StreamStatus};

/// Series that are listed, over all partitions of a worker.
const SERIES_LISTED_MAX: usize = 20_000;

/// What each worker knows, joined to one picture.
#[derive(Debug, Clone)]
pub(super) struct Board {
    worker: usize,
    slots: Arc<Mutex<Vec<Slot>>>,
    status: SharedStatus,
    history: History,
}

/// One worker's part of the picture.
#[derive(Debug, Clone)]
struct Slot {
    not_ready: Option<NotReady>,
    streams: Vec<StreamStatus>,
}

impl Board {
    /// One board for each worker, all drawing the same picture.
    pub fn for_workers(workers: usize, status: &SharedStatus, history: &History) -> Vec<Self> {
        let empty = Slot { not_ready: Some(NotReady::default()), streams: Vec::new() };
        let slots = Arc::new(Mutex::new(vec![empty; workers]));
        let board = |worker| Self {
            worker,
            slots: Arc::clone(&slots),
            status: status.clone(),
            history: history.clone(),
        };
        (0..workers).map(board).collect()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process is ready when every worker is.
    pub fn set_not_ready(&self, not_ready: Option<NotReady>, metrics: &Metrics) {
        let mut slots = self.slots();
        slots[self.worker].not_ready = not_ready;
        let not_ready = slots.iter().find_map(|slot| slot.not_ready.clone());
        metrics.process.set_ready(not_ready.is_none());
        if self.status.read(|status| status.not_ready != not_ready) {
            self.status.update(|status| status.not_ready = not_ready);
        }
    }

    /// Shows what this worker sees now beside what the others have shown; `now` is the time of day.
    pub fn publish(&self, intake: &Intake, metrics: &Metrics, now: EventTime) {
        let mut slots = self.slots();
        slots[self.worker].streams = streams(intake, now);
        let mut all = slots[self.worker].streams.clone();
        for (index, stream) in all.iter_mut().enumerate() {
            let others = slots.iter().enumerate().filter(|(worker, _)| *worker != self.worker);
            let of_others = others.filter_map(|(_, slot)| slot.streams.get(index));
            stream.partitions.extend(of_others.flat_map(|s| s.partitions.iter().cloned()));
            stream
                .partitions
                .sort_by(|a, b| (&a.topic, a.shard.partition).cmp(&(&b.topic, b.shard.partition)));
        }
        gauges(metrics, &all);
        for (index, stream) in all.iter().enumerate() {
            self.remember(index, stream, &open_alerts(intake, index), now);
        }
        self.status.update(|status| status.streams = all);
    }
}

impl Board {
    /// Lets the history know of this worker's open alerts and of the load.
    fn remember(
        &self,
        index: usize,
        stream: &StreamStatus,
        open: &[(Place, Vec<OpenAlert>)],
        now: EventTime,
    ) {
        let lag: Option<i64> = stream.partitions.iter().map(|partition| partition.lag).sum();
        let rate = stream.partitions.iter().map(|partition| partition.records_per_sec).sum();
        let load = Load { at: now, lag: lag.map_or(f64::NAN, |lag| lag as f64), rate };
        self.history.align(index, open, load);
    }
}

/// Open alerts of all series of the partitions that are caught up with, listed or not.
fn open_alerts(intake: &Intake, stream: usize) -> Vec<(Place, Vec<OpenAlert>)> {
    let topics = intake.topics().iter().filter(|topic| topic.stream == stream);
    let of_topic = topics.flat_map(|topic| {
        let live = topic.partitions.iter().filter(|(_, partition)| !partition.is_silent());
        live.map(|(number, p)| ((topic.name.clone(), *number), p.open_alerts()))
    });
    of_topic.collect()
}

/// Looks at every stream and partition.
fn streams(intake: &Intake, now: EventTime) -> Vec<StreamStatus> {
    let picture = |(index, stream): (usize, &super::stream::Stream)| StreamStatus {
        name: stream.name.to_string(),
        topics: stream.topics.clone(),
        channels: stream.spec.channels.iter().map(ToString::to_string).collect(),
        model: stream.spec.model.variant.word(),
        partitions: partitions(intake, index, now),
    };
    intake.streams().iter().enumerate().map(picture).collect()
}

fn partitions(intake: &Intake, stream: usize, now: EventTime) -> Vec<PartitionStatus> {
    let owned: usize = intake.topics().iter().map(|topic| topic.partitions.len()).sum();
    let most = SERIES_LISTED_MAX / owned.max(1);
    let topics = intake.topics().iter().filter(|topic| topic.stream == stream);
    let of_topic = topics.flat_map(|topic| {
        topic.partitions.values().map(|partition| PartitionStatus {
            topic: topic.name.clone(),
            shard: partition.status(),
            next_offset: partition.next_offset,
            lag: partition.lag,
            lag_seconds: partition.lag_seconds(now.as_millis()),
            stored_bytes: partition.snapshot_bytes[0],
            state_bytes: partition.snapshot_bytes[1],
            idle: partition.is_idle(),
            records_per_sec: partition.records_per_sec(),
            listed: partition.listed(most),
        })
    });
    of_topic.collect()
}

/// Sets the gauges from the picture.
fn gauges(metrics: &Metrics, streams: &[StreamStatus]) {
    for stream in streams {
        for partition in &stream.partitions {
            let labels = PartitionLabels {
                stream: &stream.name,
                topic: &partition.topic,
                partition: partition.shard.partition,
            };
            if let Some(lag) = partition.lag {
                metrics.ingest.set_lag(labels, lag, partition.lag_seconds);
            }
            if let Some(watermark) = partition.shard.watermark {
                metrics.ingest.set_watermark(labels, watermark.as_secs_f64(), partition.idle);
            }
        }
        let sums = sums(stream);
        metrics.shards.set_stream(&stream.name, &sums);
        let owns = sums.partitions > 0;
        metrics.alerts.set_active(&stream.name, owns.then_some(sums.firing));
        let bytes = |of: fn(&PartitionStatus) -> u64| stream.partitions.iter().map(of).sum();
        let both = || [bytes(|p| p.stored_bytes), bytes(|p| p.state_bytes)];
        metrics.state.set_bytes(&stream.name, owns.then(both));
        networks(metrics, stream);
        let shards = || stream.partitions.iter().map(|partition| &partition.shard);
        let perplexities: Vec<f64> =
            shards().filter_map(|shard| shard.codebook_perplexity).collect();
        metrics.models.set_perplexity(&stream.name, mean(&perplexities));
    }
}

/// Shows the networks of a stream.
fn networks(metrics: &Metrics, stream: &StreamStatus) {
    let shards = || stream.partitions.iter().map(|partition| &partition.shard);
    let all = shards().map(|shard| shard.networks).reduce(NetworksStatus::join);
    let now = shards().filter_map(|shard| shard.watermark).max();
    let age = |at: Option<EventTime>| Some((now? - at?).get().max(0) as f64 / 1e3);
    let of = |look: fn(NetworksStatus) -> Option<EventTime>| age(all.and_then(look));
    let (models, name) = (&metrics.models, stream.name.as_str());
    models.set_ages(name, [of(|all| all.changed_at), of(|all| all.examined_at)]);
    let versions = all.map_or([None; 2], |all| [all.champion, all.challenger]);
    models.set_versions(name, stream.model, versions);
    models.set_drift(name, all.map(|all| all.drift));
}

fn sums(stream: &StreamStatus) -> StreamGauges {
    let mut sums = StreamGauges { partitions: stream.partitions.len(), ..StreamGauges::default() };
    let shards = || stream.partitions.iter().map(|partition| &partition.shard);
    for shard in shards() {
        sums.series += shard.series;
        sums.warming += shard.warming;
        sums.open_rows += shard.open_rows;
        sums.firing[0] += shard.firing[0];
        sums.firing[1] += shard.firing[1];
        sums.stale += shard.stale;
        sums.quarantined += shard.quarantined;
    }
    let mean_of = |value: fn(&ShardStatus) -> Option<f64>| {
        mean(&shards().filter_map(value).collect::<Vec<f64>>())
    };
    sums.recent_loss = mean_of(|shard| shard.reconstruction_loss);
    sums.linear_control_ratio = mean_of(|shard| shard.linear_control_ratio);
    sums.calibration_samples = mean_of(|shard| shard.calibration_samples);
    sums.warmup_remaining = shards().filter_map(|shard| shard.warmup_remaining).reduce(f64::max);
    let progress = |shard: &ShardStatus| Some(shard.warmup_progress? * shard.series as f64);
    sums.warmup_progress =
        (sums.series > 0).then(|| shards().filter_map(progress).sum::<f64>() / sums.series as f64);
    sums
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
