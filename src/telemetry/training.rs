//! Training: who did it, how long it took, and how long shards waited for it.

use prometheus::{Error, Histogram, Registry};

use super::SERIES_MAX;
use super::family::{Families, HistogramVec};

/// Seconds of one refresh: from a small network's few steps to a large one's many.
const REFRESH_SECONDS: &[f64] = &[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
/// Seconds that a shard stands still.
const WAIT_SECONDS: &[f64] = &[0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0];

/// Families of the training.
#[derive(Debug, Clone)]
pub struct TrainingMetrics {
    pub(super) refresh_seconds: HistogramVec,
    wait_seconds: Histogram,
}

impl TrainingMetrics {
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            refresh_seconds: to.histogram(
                "latentd_train_duration_seconds",
                "Time of the training steps of one refresh, by who took them: `pool` (a training \
                 thread), `shard` (the scoring thread: no training thread was free).",
                &["stream", "by"],
                REFRESH_SECONDS,
            )?,
            wait_seconds: to.single_histogram(
                "latentd_refresh_wait_seconds",
                "Time for which scoring stood still until a refresh that was due was ready.",
                WAIT_SECONDS,
            )?,
        })
    }

    /// The families of the training and no others.
    ///
    /// # Errors
    ///
    /// If `registry` holds a family of one of these names already.
    pub fn register_alone(registry: &Registry) -> Result<Self, Error> {
        Self::register(&Families::new(registry, SERIES_MAX)?)
    }

    /// Counts one refresh of a stream, done by a thread of the `pool` or by the `shard` itself.
    pub fn count_refresh(&self, stream: &str, by: &'static str, seconds: f64) {
        self.refresh_seconds.with_label_values(&[stream, by]).observe(seconds);
    }

    /// Adds the seconds for which a shard waited.
    pub fn observe_wait(&self, seconds: f64) {
        self.wait_seconds.observe(seconds);
    }

    /// Refreshes of a stream so far: by the pool, by the shards.
    pub fn refreshes(&self, stream: &str) -> (u64, u64) {
        let of = |by| self.refresh_seconds.with_label_values(&[stream, by]).get_sample_count();
        (of("pool"), of("shard"))
    }
}
