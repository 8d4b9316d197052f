//! What a batch of a partition did, as metrics.

use super::Clock;
use super::partition::Partition;
use crate::telemetry::{Metrics, PartitionLabels};

/// Scores what is closed, with a watch on it.
pub(super) fn settle(
    metrics: &Metrics,
    clock: &Clock,
    of: PartitionLabels<'_>,
    partition: &mut Partition,
) {
    let began = clock.steady();
    partition.settle(began);
    if partition.records + partition.replayed > 0 {
        let took = clock.steady().saturating_sub(began);
        metrics.shards.observe_scoring(of.stream, took.as_secs_f64());
    }
}

/// Counts what a settled partition has done in its batch.
pub(super) fn count(metrics: &Metrics, labels: PartitionLabels<'_>, partition: &Partition) {
    if partition.records > 0 {
        metrics.ingest.count_consumed(labels, partition.records, partition.bytes);
    }
    metrics.ingest.count_replayed(labels.stream, partition.replayed);
    let facts = &partition.outbox.facts;
    let unused = facts.late + facts.duplicates + partition.dead.len() as u64;
    metrics.ingest.count_unused(labels, unused);
    metrics.count_facts(labels.stream, facts);
    metrics.alerts.count_budget(labels, facts, partition.alerts_per_period());
    metrics.shards.show_training(labels, facts);
    let (channels, series) = (partition.channels(), partition.series());
    metrics.forecasts.count(labels, channels, &partition.outbox.forecasts, series);
    for found in &partition.outbox.facts.seasons_found {
        let (entity, channel, rows) = (&found.entity, found.channel, &found.seasons);
        tracing::info!(stream = labels.stream, %entity, channel, ?rows, "seasons found");
    }
    let models = &partition.outbox.models;
    if !models.is_empty() {
        metrics.models.count(labels, models, partition.networks());
    }
}
