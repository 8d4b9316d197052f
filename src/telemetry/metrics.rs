//! All families together, and the doors through which several are moved at once.

use prometheus::{Error, Gauge, GaugeVec, Registry};

use super::delivery::outcome;
use super::family::Families;
use super::{
    DeliveryMetrics, ForecastMetrics, IngestMetrics, ModelMetrics, ShardMetrics, StateMetrics,
    TrainingMetrics,
};
use crate::model::Reason;
use crate::record::{Facts, ModelChange};

/// What was built.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// Version of the daemon.
    pub version: &'a str,
    /// Version of the Kafka client library.
    pub kafka_client: &'a str,
}

/// Every metric of the daemon. Clones share the same values.
#[derive(Debug, Clone)]
pub struct Metrics {
    build: GaugeVec,
    ready: Gauge,
    /// Input side.
    pub ingest: IngestMetrics,
    /// Shards.
    pub shards: ShardMetrics,
    /// Forecasts.
    pub forecasts: ForecastMetrics,
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
        let to = Families(registry);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self {
            build: to.gauge(
                "latentd_build_info",
                "Always 1; the labels say what was built.",
                &["version", "kafka_client"],
            )?,
            ready: to.single_gauge(
                "latentd_ready",
                "1 while partitions are assigned and outputs are acknowledged.",
            )?,
            ingest: IngestMetrics::register(to)?,
            shards: ShardMetrics::register(to)?,
            forecasts: ForecastMetrics::register(to)?,
            delivery: DeliveryMetrics::register(to)?,
            state: StateMetrics::register(to)?,
            models: ModelMetrics::register(to)?,
            training: TrainingMetrics::register(to)?,
        })
    }

    /// Says what was built.
    pub fn set_build(&self, build: Build<'_>) {
        self.build.with_label_values(&[build.version, build.kafka_client]).set(1.0);
    }

    /// Says whether the daemon is ready.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(f64::from(u8::from(ready)));
    }

    /// Starts the counters of a stream at 0, so that the first increase is seen as one.
    pub fn add_stream(&self, stream: &str) {
        let (ingest, shards) = (&self.ingest, &self.shards);
        ingest.late.with_label_values(&[stream, "dropped"]);
        ingest.assigned.with_label_values(&[stream]);
        for moved in ["assigned", "revoked"] {
            ingest.rebalances.with_label_values(&[stream, moved]);
        }
        for outcome in ["restored", "anew", "failed", "refused"] {
            self.state.restores.with_label_values(&[outcome]);
        }
        self.state.gone.with_label_values(&[stream]);
        for outcome in ModelChange::ALL {
            let reasons = Reason::ALL.map(Reason::word);
            let promoted = outcome == ModelChange::Promoted;
            for reason in if promoted { &["none"][..] } else { &reasons[..] } {
                self.models.exams.with_label_values(&[stream, outcome.word(), reason]);
            }
        }
        for by in ["pool", "shard"] {
            self.training.refresh_seconds.with_label_values(&[by]);
        }
        for family in [&ingest.consumed_bytes, &ingest.duplicates, &ingest.replayed] {
            family.with_label_values(&[stream]);
        }
        let facts = Facts::default();
        shards.count_facts(stream, &facts);
        for ok in [true, false] {
            self.delivery.batches.with_label_values(&[outcome(ok)]);
        }
        self.delivery.latency.with_label_values(&[stream]);
    }

    /// Adds the counts of one batch of one shard of `stream`.
    pub fn count_facts(&self, stream: &str, facts: &Facts) {
        self.ingest.late.with_label_values(&[stream, "dropped"]).inc_by(facts.late);
        self.ingest.duplicates.with_label_values(&[stream]).inc_by(facts.duplicates);
        self.shards.count_facts(stream, facts);
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
