//! What went out, and how long a batch took.

use prometheus::Error;

use super::family::{Families, HistogramVec, IntCounterVec};

/// Seconds, from a small batch on an idle machine to a broker that is down.
const BATCH_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds; a backlog that is being read is far above, live data below one.
const LATENCY_SECONDS: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];

/// Families of the output side.
#[derive(Debug, Clone)]
pub struct DeliveryMetrics {
    pub(super) produced: IntCounterVec,
    pub(super) transactions: IntCounterVec,
    pub(super) batch_seconds: HistogramVec,
    pub(super) latency: HistogramVec,
}

impl DeliveryMetrics {
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            produced: to.counter(
                "latentd_records_produced_total",
                "Output records handed to the log, by whether their batch was acknowledged.",
                &["topic", "outcome"],
            )?,
            transactions: to.counter(
                "latentd_transactions_total",
                "Attempts to deliver the outputs, positions and state of a batch: transactions with \
                 `exactly_once`, else writes and a commit.",
                &["outcome"],
            )?,
            batch_seconds: to.histogram(
                "latentd_batch_duration_seconds",
                "Time of one batch: `read` polls, decodes and places, `score` scores, learns and \
                 encodes, `deliver` waits for acknowledgements.",
                &["stage"],
                BATCH_SECONDS,
            )?,
            latency: to.histogram(
                "latentd_end_to_end_latency_seconds",
                "From the Kafka time of the oldest record of a batch to the acknowledgement of \
                 its outputs.",
                &["stream"],
                LATENCY_SECONDS,
            )?,
        })
    }

    /// Counts output records of one topic; `ok` tells whether they were acknowledged.
    pub fn count_produced(&self, topic: &str, ok: bool, records: u64) {
        self.produced.with_label_values(&[topic, outcome(ok)]).inc_by(records);
    }

    /// Counts one attempt to deliver.
    pub fn count_batch(&self, ok: bool) {
        self.transactions.with_label_values(&[outcome(ok)]).inc();
    }

    /// Adds the seconds of one stage of a batch: `read`, `score` or `deliver`.
    pub fn observe_stage(&self, stage: &'static str, seconds: f64) {
        self.batch_seconds.with_label_values(&[stage]).observe(seconds);
    }

    /// Adds the age of the oldest record of a batch at the acknowledgement of its outputs.
    pub fn observe_latency(&self, stream: &str, seconds: f64) {
        self.latency.with_label_values(&[stream]).observe(seconds);
    }
}

/// The `outcome` label of an attempt.
pub(super) const fn outcome(ok: bool) -> &'static str {
    if ok { "ok" } else { "failed" }
}
