//! State: what is stored, what is restored, and what could not be.

use std::time::Duration;

use prometheus::{Error, Gauge, Histogram, IntCounter};

use super::delivery::outcome;
use super::family::{Families, GaugeVec, IntCounterVec};
use super::shards::show;

/// Seconds, from one small partition to many large ones.
const RESTORE_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds. A snapshot is taken between two batches: its time is a pause.
const SNAPSHOT_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Families of the state.
#[derive(Debug, Clone)]
pub struct StateMetrics {
    written_bytes: IntCounter,
    pub(super) restores: IntCounterVec,
    restore_seconds: Histogram,
    snapshot_seconds: Histogram,
    pub(super) checkpoints: IntCounterVec,
    checkpoint_at: Gauge,
    interval: Gauge,
    bytes: GaugeVec,
    pub(super) gone: IntCounterVec,
    notices_refused: IntCounterVec,
}

impl StateMetrics {
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            written_bytes: to.single_counter(
                "latentd_state_written_bytes_total",
                "Bytes handed to the state topics: snapshots and journals.",
            )?,
            restores: to.counter(
                "latentd_state_restores_total",
                "Partitions taken over, by outcome: `restored`, `anew` (nothing stored), `failed` \
                 (asked again), `refused` (ends the process).",
                &["outcome"],
            )?,
            restore_seconds: to.single_histogram(
                "latentd_state_restore_duration_seconds",
                "From an assignment to the first record read, for all its partitions.",
                RESTORE_SECONDS,
            )?,
            snapshot_seconds: to.single_histogram(
                "latentd_checkpoint_duration_seconds",
                "Time to take one snapshot of one partition: no record is read meanwhile.",
                SNAPSHOT_SECONDS,
            )?,
            checkpoints: to.counter(
                "latentd_checkpoints_total",
                "Snapshots of partitions that were stored, by whether their batch was acknowledged.",
                &["outcome"],
            )?,
            checkpoint_at: to.single_gauge(
                "latentd_checkpoint_last_success_timestamp_seconds",
                "When a snapshot was acknowledged last, in seconds since 1970; 0 before the first.",
            )?,
            interval: to.single_gauge(
                "latentd_checkpoint_interval_seconds",
                "`state.snapshot_interval`: how often a snapshot of each partition is wanted.",
            )?,
            bytes: to.gauge(
                "latentd_state_bytes",
                "State of the partitions owned, of their newest snapshots: compressed, as in the state \
                 topic (tier `log`), and as it is, about what it takes in memory (tier `memory`).",
                &["stream", "tier"],
            )?,
            gone: to.counter(
                "latentd_offset_gone_total",
                "Times that records were gone before they were read.",
                &["stream"],
            )?,
            notices_refused: to.counter(
                "latentd_notices_refused_total",
                "What people said without effect: `unreadable` records of the feedback and control \
                 topics, verdicts on an `unknown_alert` (too old, of another process, or a wrong id; \
                 counted anew at each start), and `no_room` in a partition for announced maintenance \
                 or values.",
                &["reason"],
            )?,
        })
    }

    /// Counts bytes handed to the state topics.
    pub fn count_written(&self, bytes: u64) {
        self.written_bytes.inc_by(bytes);
    }

    /// Counts one partition taken over: `restored`, `anew`, `failed` or `refused`.
    pub fn count_restore(&self, outcome: &'static str) {
        self.restores.with_label_values(&[outcome]).inc();
    }

    /// Adds the seconds of one take-over.
    pub fn observe_restore(&self, seconds: f64) {
        self.restore_seconds.observe(seconds);
    }

    /// Adds the seconds of one snapshot.
    pub fn observe_snapshot(&self, seconds: f64) {
        self.snapshot_seconds.observe(seconds);
    }

    /// Counts an attempt to store snapshots; `now` in seconds since 1970.
    pub fn count_checkpoints(&self, ok: bool, snapshots: u64, now: f64) {
        if snapshots > 0 {
            self.checkpoints.with_label_values(&[outcome(ok)]).inc_by(snapshots);
            if ok {
                self.checkpoint_at.set(now);
            }
        }
    }

    /// Shows how often snapshots are wanted.
    pub fn set_interval(&self, interval: Duration) {
        self.interval.set(interval.as_secs_f64());
    }

    /// Shows the bytes of the newest snapshots of a stream, compressed and as they are; `None` without
    /// a partition.
    pub fn set_bytes(&self, stream: &str, bytes: Option<[u64; 2]>) {
        for (i, tier) in ["log", "memory"].into_iter().enumerate() {
            show(&self.bytes, &[stream, tier], bytes.map(|bytes| bytes[i] as f64));
        }
    }

    /// Counts what people said without effect: `unreadable`, `unknown_alert` or `no_room`.
    pub fn count_notices_refused(&self, reason: &'static str, count: u64) {
        self.notices_refused.with_label_values(&[reason]).inc_by(count);
    }

    /// Counts a position that is no part of the log any more.
    pub fn count_gone(&self, stream: &str) {
        self.gone.with_label_values(&[stream]).inc();
    }
}
