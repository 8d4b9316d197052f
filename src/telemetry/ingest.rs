//! What came in: records, refusals, lag, partitions, event time.

use prometheus::Error;

use super::family::{Families, GaugeVec, HistogramVec, IntCounterVec};

/// Seconds behind the watermark: from jitter of the network to a buffer that was sent next day.
const LATENESS_SECONDS: &[f64] =
    &[0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0];

/// Names one input partition.
#[derive(Debug, Clone, Copy)]
pub struct PartitionLabels<'a> {
    /// Stream.
    pub stream: &'a str,
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
}

impl PartitionLabels<'_> {
    fn with<R>(&self, use_labels: impl FnOnce(&[&str]) -> R) -> R {
        use_labels(&[self.stream, self.topic, &self.partition.to_string()])
    }
}

/// Families of the input side.
#[derive(Debug, Clone)]
pub struct IngestMetrics {
    pub(super) consumed: IntCounterVec,
    pub(super) consumed_bytes: IntCounterVec,
    pub(super) replayed: IntCounterVec,
    pub(super) rejected: IntCounterVec,
    pub(super) dead_letters: IntCounterVec,
    pub(super) late: IntCounterVec,
    pub(super) duplicates: IntCounterVec,
    unused: IntCounterVec,
    schema_changes: IntCounterVec,
    lag: GaugeVec,
    lag_seconds: GaugeVec,
    pub(super) lateness: HistogramVec,
    pub(super) assigned: GaugeVec,
    pub(super) rebalances: IntCounterVec,
    watermark: GaugeVec,
    idle: GaugeVec,
}

impl IngestMetrics {
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        let partition = ["stream", "topic", "partition"];
        Ok(Self {
            consumed: to.counter(
                "latentd_records_consumed_total",
                "Records read, good and bad.",
                &partition,
            )?,
            consumed_bytes: to.counter(
                "latentd_records_consumed_bytes_total",
                "Bytes of keys and values read.",
                &["stream"],
            )?,
            replayed: to.counter(
                "latentd_records_replayed_total",
                "Records read again to rebuild state; they emit nothing and count nowhere else.",
                &["stream"],
            )?,
            rejected: to.counter(
                "latentd_records_rejected_total",
                "Records that could not be used, by reason.",
                &["stream", "reason"],
            )?,
            dead_letters: to.counter(
                "latentd_dlq_records_total",
                "Records acknowledged by the dead-letter topic, by reason.",
                &["stream", "reason"],
            )?,
            late: to.counter(
                "latentd_late_records_total",
                "Records behind the watermark: their row is closed, they are dropped.",
                &["stream", "outcome"],
            )?,
            duplicates: to.counter(
                "latentd_duplicate_records_total",
                "Records of a series and instant that had a value already.",
                &["stream"],
            )?,
            unused: to.counter(
                "latentd_records_unused_total",
                "Records that are late, double or refused.",
                &partition,
            )?,
            schema_changes: to.counter(
                "latentd_schema_changes_total",
                "Times that a channel which records of a partition used to have was in none of the \
                 next 256 (`channel_gone`), or came again (`channel_back`).",
                &["stream", "kind"],
            )?,
            lag: to.gauge(
                "latentd_consumer_lag_records",
                "Records between the position and the end of the partition.",
                &partition,
            )?,
            lag_seconds: to.gauge(
                "latentd_consumer_lag_seconds",
                "Age, by its Kafka time, of the newest record read; 0 once the end of the \
                 partition is reached.",
                &partition,
            )?,
            lateness: to.histogram(
                "latentd_record_lateness_seconds",
                "How far late records lie behind the watermark, in event time.",
                &["stream"],
                LATENESS_SECONDS,
            )?,
            assigned: to.gauge(
                "latentd_partitions_assigned",
                "Input partitions that this process owns.",
                &["stream"],
            )?,
            rebalances: to.counter(
                "latentd_rebalances_total",
                "Partitions that came or went.",
                &["stream", "outcome"],
            )?,
            watermark: to.gauge(
                "latentd_watermark_timestamp_seconds",
                "Event time up to which the rows of the partition are closed.",
                &partition,
            )?,
            idle: to.gauge(
                "latentd_partition_idle",
                "1 while silence, not records, moves the watermark of the partition.",
                &partition,
            )?,
        })
    }

    /// Starts the counters of refused records at 0, one for each reason there may be.
    pub fn add_reasons(&self, stream: &str, reasons: &[&str]) {
        for family in [&self.rejected, &self.dead_letters] {
            reasons.iter().for_each(|reason| _ = family.with_label_values(&[stream, reason]));
        }
    }

    /// Starts the counters of changes of the schema at 0.
    pub fn add_schema_changes(&self, stream: &str, kinds: &[&str]) {
        kinds.iter().for_each(|kind| {
            self.schema_changes.with_label_values(&[stream, kind]);
        });
    }

    /// Counts a channel that is gone or back.
    pub fn count_schema_change(&self, stream: &str, kind: &str) {
        self.schema_changes.with_label_values(&[stream, kind]).inc();
    }

    /// Counts records of a partition that are late, double or refused.
    pub fn count_unused(&self, of: PartitionLabels<'_>, records: u64) {
        of.with(|labels| self.unused.with_label_values(labels).inc_by(records));
    }

    /// Counts records read from one partition.
    pub fn count_consumed(&self, of: PartitionLabels<'_>, records: u64, bytes: u64) {
        of.with(|labels| self.consumed.with_label_values(labels).inc_by(records));
        self.consumed_bytes.with_label_values(&[of.stream]).inc_by(bytes);
    }

    /// Counts records read again in silence.
    pub fn count_replayed(&self, stream: &str, records: u64) {
        self.replayed.with_label_values(&[stream]).inc_by(records);
    }

    /// Counts one refused record.
    pub fn count_rejected(&self, stream: &str, reason: &str) {
        self.rejected.with_label_values(&[stream, reason]).inc();
    }

    /// Counts one record that the dead-letter topic has acknowledged.
    pub fn count_dead_letter(&self, stream: &str, reason: &str) {
        self.dead_letters.with_label_values(&[stream, reason]).inc();
    }

    /// A partition came.
    pub fn partition_assigned(&self, of: PartitionLabels<'_>) {
        self.assigned.with_label_values(&[of.stream]).inc();
        self.rebalances.with_label_values(&[of.stream, "assigned"]).inc();
    }

    /// A partition went: what was known of it now is another process's to tell.
    pub(super) fn partition_revoked(&self, of: PartitionLabels<'_>) {
        self.assigned.with_label_values(&[of.stream]).dec();
        self.rebalances.with_label_values(&[of.stream, "revoked"]).inc();
        for family in [&self.lag, &self.lag_seconds, &self.watermark, &self.idle] {
            // The gauge of a partition that never reported does not exist.
            let _ = of.with(|labels| family.remove_label_values(labels));
        }
    }

    /// Sets the records between the position and the end, and the age of the newest record read,
    /// if it is known.
    pub fn set_lag(&self, of: PartitionLabels<'_>, records: i64, seconds: Option<f64>) {
        of.with(|labels| {
            self.lag.with_label_values(labels).set(records as f64);
            if let Some(seconds) = seconds {
                self.lag_seconds.with_label_values(labels).set(seconds);
            }
        });
    }

    /// Sets the event time up to which rows are closed, and whether silence moves it.
    pub fn set_watermark(&self, of: PartitionLabels<'_>, seconds: f64, idle: bool) {
        of.with(|labels| {
            self.watermark.with_label_values(labels).set(seconds);
            self.idle.with_label_values(labels).set(f64::from(u8::from(idle)));
        });
    }
}
