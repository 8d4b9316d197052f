//! All families together, and the doors through which several are moved at once.

use prometheus::{Error, Registry};

use super::delivery::outcome;
use super::family::Families;
use super::{
    AlertMetrics, ConfigMetrics, DeliveryMetrics, ForecastMetrics, IngestMetrics, ModelMetrics,
    PartitionLabels, ProcessMetrics, ShardMetrics, StateMetrics, TrainingMetrics,
};
use crate::model::Reason;
use crate::record::{Facts, ModelChange};

/// Most label sets of one family and stream where nothing else is said.
pub(super) const SERIES_MAX: usize = 1_000;

/// Every metric of the daemon. Clones share the same values.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The process.
    pub process: ProcessMetrics,
    /// Configuration.
    pub config: ConfigMetrics,
    /// Input side.
    pub ingest: IngestMetrics,
    /// Shards.
    pub shards: ShardMetrics,
    /// Forecasts.
    pub forecasts: ForecastMetrics,
    /// Alerts.
    pub alerts: AlertMetrics,
    /// Output side.
    pub delivery: DeliveryMetrics,
    /// State.
    pub state: StateMetrics,
    /// Models.
    pub models: ModelMetrics,
    /// Training.
    pub training: TrainingMetrics,
}

impl Metrics {
    /// Registers every family, and on Linux the `process_*` families.
    ///
    /// # Errors
    ///
    /// If `registry` holds a family of one of these names already.
    pub fn register(registry: &Registry) -> Result<Self, Error> {
        Self::register_capped(registry, SERIES_MAX)
    }

    /// The same with at most `series_max` label sets of one family and stream.
    ///
    /// # Errors
    ///
    /// As [`Metrics::register`].
    pub fn register_capped(registry: &Registry, series_max: usize) -> Result<Self, Error> {
        let to = &Families::new(registry, series_max)?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let shards = ShardMetrics::register(to)?;
        Ok(Self {
            process: ProcessMetrics::register(to)?,
            config: ConfigMetrics::register(to)?,
            ingest: IngestMetrics::register(to)?,
            forecasts: ForecastMetrics::register(to)?,
            alerts: AlertMetrics::register(to)?,
            delivery: DeliveryMetrics::register(to)?,
            state: StateMetrics::register(to)?,
            models: ModelMetrics::register(to, &shards.loss)?,
            training: TrainingMetrics::register(to)?,
            shards,
        })
    }

    /// Starts the counters of a stream at 0, so that the first increase is seen as one.
    pub fn add_stream(&self, stream: &str) {
        let (ingest, shards) = (&self.ingest, &self.shards);
        ingest.late.with_label_values(&[stream, "dropped"]);
        ingest.assigned.with_label_values(&[stream]);
        for moved in ["assigned", "revoked"] {
            ingest.rebalances.with_label_values(&[stream, moved]);
        }
        for outcome in ["ok", "refused"] {
            self.config.reloads.with_label_values(&[outcome]);
        }
        for outcome in ["restored", "anew", "failed", "refused"] {
            self.state.restores.with_label_values(&[outcome]);
        }
        self.state.gone.with_label_values(&[stream]);
        for reason in ["unreadable", "unknown_alert", "no_room"] {
            self.state.count_notices_refused(reason, 0);
        }
        for outcome in ModelChange::ALL {
            let reasons = Reason::ALL.map(Reason::word);
            let promoted = outcome == ModelChange::Promoted;
            for reason in if promoted { &["none"][..] } else { &reasons[..] } {
                self.models.exams.with_label_values(&[stream, outcome.word(), reason]);
            }
        }
        for by in ["pool", "shard"] {
            self.training.refresh_seconds.with_label_values(&[stream, by]);
        }
        for family in [&ingest.consumed_bytes, &ingest.duplicates, &ingest.replayed] {
            family.with_label_values(&[stream]);
        }
        let facts = Facts::default();
        shards.count_facts(stream, &facts);
        self.alerts.count_facts(stream, &facts);
        for ok in [true, false] {
            self.delivery.transactions.with_label_values(&[outcome(ok)]);
            self.state.checkpoints.with_label_values(&[outcome(ok)]);
        }
        ingest.lateness.with_label_values(&[stream]);
        shards.score_seconds.with_label_values(&[stream]);
        self.delivery.latency.with_label_values(&[stream]);
    }

    /// A partition went: what was known of it now is another process's to tell.
    pub fn partition_revoked(&self, of: PartitionLabels<'_>) {
        self.ingest.partition_revoked(of);
        self.shards.forget(of);
        self.alerts.forget(of);
        self.models.forget(of);
        self.forecasts.forget(of);
    }

    /// Adds the counts of one batch of one shard of `stream`.
    pub fn count_facts(&self, stream: &str, facts: &Facts) {
        self.ingest.late.with_label_values(&[stream, "dropped"]).inc_by(facts.late);
        self.ingest.duplicates.with_label_values(&[stream]).inc_by(facts.duplicates);
        let lateness = self.ingest.lateness.with_label_values(&[stream]);
        facts.lateness.iter().for_each(|seconds| lateness.observe(f64::from(*seconds)));
        self.shards.count_facts(stream, facts);
        self.alerts.count_facts(stream, facts);
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
