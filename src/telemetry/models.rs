//! Models: what examinations led to, and what they say about the networks that score.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Error;

use super::PartitionLabels;
use super::family::{Families, GaugeVec, IntCounterVec};
use super::partitions::{Join, PartitionGauge, Place, place};
use super::shards::show;
use crate::record::{
    DriftLevel, DriftRecord, EventTime, FaultKind, Marks, ModelChange, ModelRecord,
};

/// Families of the models.
#[derive(Debug, Clone)]
pub struct ModelMetrics {
    pub(super) exams: IntCounterVec,
    recall: PartitionGauge,
    delay: PartitionGauge,
    alignment: PartitionGauge,
    perplexity: GaugeVec,
    /// The split `calm` of a family that is shared with the shards.
    loss: PartitionGauge,
    drift: PartitionGauge,
    age: GaugeVec,
    newest: Arc<Mutex<BTreeMap<String, BTreeMap<Place, Newest>>>>,
}

/// Event time of the newest change of a network of a partition, and of the newest examination.
#[derive(Debug, Clone, Copy, Default)]
struct Newest {
    change: Option<EventTime>,
    examination: Option<EventTime>,
}

/// The marks of the network that scores after an examination.
fn in_office(record: &ModelRecord) -> &Marks {
    match record.change {
        ModelChange::Promoted => &record.challenger,
        ModelChange::Rejected => &record.champion,
        ModelChange::RolledBack => record.predecessor.as_ref().unwrap_or(&record.champion),
    }
}

impl ModelMetrics {
    pub(super) fn register(to: &Families<'_>, loss: &GaugeVec) -> Result<Self, Error> {
        let joined = |join: Join, name: &str, help: &str, labels: &[&str]| {
            to.gauge(name, help, labels).map(|family| PartitionGauge::new(family, join))
        };
        Ok(Self {
            exams: to.counter(
                "latentd_model_promotions_total",
                "Examinations of networks in training (`model.variant`), by outcome and by what \
                 spoke against one.",
                &["stream", "outcome", "reason"],
            )?,
            recall: joined(
                Join::Mean,
                "latentd_selftest_recall_ratio",
                "Share of faults, injected into copies of calm windows, that the scoring networks \
                 (`model.variant`, not those of `alert.detector`) find; mean over those that were \
                 examined last.",
                &["stream", "kind"],
            )?,
            delay: joined(
                Join::Mean,
                "latentd_selftest_delay_rows",
                "Mean age in rows at which injected faults are found by these networks.",
                &["stream", "kind"],
            )?,
            alignment: joined(
                Join::Mean,
                "latentd_latent_alignment_error_ratio",
                "Distance of the codes of networks in training from the latent space, over its \
                 spread, after the best rotation.",
                &["stream"],
            )?,
            perplexity: to.gauge(
                "latentd_codebook_perplexity",
                "Effective number of code book vectors in use, mean over networks; vector-quantised \
                 networks only.",
                &["stream"],
            )?,
            loss: PartitionGauge::new(loss.clone(), Join::Mean),
            drift: joined(
                Join::Largest,
                "latentd_drift_statistic",
                "Largest move of a mean in the newest drifts of a level, in scaled units; of the \
                 score in natural logarithms of the reconstruction error.",
                &["stream", "level"],
            )?,
            age: to.gauge(
                "latentd_model_age_seconds",
                "Event time since a network of the stream was promoted or rolled back last \
                 (`champion`), and since one in training was examined last (`challenger`), as far \
                 as this process has seen it.",
                &["stream", "role"],
            )?,
            newest: Arc::default(),
        })
    }

    /// Counts examinations of one partition, which has `networks` networks, and shows what they say.
    pub fn count(&self, of: PartitionLabels<'_>, records: &[ModelRecord], networks: usize) {
        for record in records {
            let labels = [of.stream, record.change.word(), record.reason.unwrap_or("none")];
            self.exams.with_label_values(&labels).inc();
        }
        let marks = || records.iter().map(in_office);
        for (i, kind) in FaultKind::ALL.into_iter().enumerate() {
            self.recall.add(of, &[kind.word()], marks().map(|marks| marks.recall[i]), networks);
            self.delay.add(of, &[kind.word()], marks().map(|marks| marks.delay[i]), networks);
        }
        let errors = records.iter().map(|record| record.alignment_error);
        self.alignment.add(of, &[], errors, networks);
        self.loss.add(of, &["calm"], marks().map(|marks| marks.loss), networks);
        self.note_times(of, records);
    }

    fn note_times(&self, of: PartitionLabels<'_>, records: &[ModelRecord]) {
        let Some(examined) = records.iter().map(|record| record.at).max() else { return };
        let changes = records.iter().filter(|record| record.change != ModelChange::Rejected);
        let changed = changes.map(|record| record.at).max();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.entry(of.stream.to_owned()).or_default().entry(place(of)).or_default();
        newest.examination = newest.examination.max(Some(examined));
        newest.change = newest.change.max(changed);
    }

    /// Shows how long ago networks were changed and examined, seen from `now`, the watermark; `None`
    /// without a partition that has one.
    pub fn set_ages(&self, stream: &str, now: Option<EventTime>) {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stream = || newest.get(stream).into_iter().flat_map(BTreeMap::values);
        let change = of_stream().filter_map(|newest| newest.change).max();
        let examination = of_stream().filter_map(|newest| newest.examination).max();
        for (role, at) in [("champion", change), ("challenger", examination)] {
            let age = now.zip(at).map(|(now, at)| (now - at).get().max(0) as f64 / 1e3);
            show(&self.age, &[stream, role], age);
        }
    }

    /// Shows how far the newest drifts of a partition went.
    pub fn show_drifts(&self, of: PartitionLabels<'_>, records: &[DriftRecord]) {
        for level in DriftLevel::ALL {
            let moves = records.iter().filter(|record| record.level == level);
            let largest = moves.map(|record| (record.after - record.before).abs()).reduce(f64::max);
            self.drift.add(of, &[level.word()], largest.into_iter(), 0);
        }
    }

    /// Shows how much of the code books is used; `None` if there is none.
    pub fn set_perplexity(&self, stream: &str, perplexity: Option<f64>) {
        show(&self.perplexity, &[stream], perplexity);
    }

    pub(super) fn forget(&self, of: PartitionLabels<'_>) {
        for gauge in [&self.recall, &self.delay, &self.alignment, &self.loss, &self.drift] {
            gauge.forget(of);
        }
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_stream) = newest.get_mut(of.stream) {
            of_stream.remove(&place(of));
        }
    }
}
