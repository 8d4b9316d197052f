//! Models: what examinations led to, and what they say about the networks that score.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Error;

use super::family::{Families, GaugeVec, IntCounterVec};
use super::shards::{mean, set_if_some};
use crate::record::{
    DriftLevel, DriftRecord, EventTime, FaultKind, Marks, ModelChange, ModelRecord,
};

/// Families of the models.
#[derive(Debug, Clone)]
pub struct ModelMetrics {
    pub(super) exams: IntCounterVec,
    recall: GaugeVec,
    delay: GaugeVec,
    alignment: GaugeVec,
    perplexity: GaugeVec,
    /// Shared with the shards: the split `calm` is set here.
    loss: GaugeVec,
    drift: GaugeVec,
    age: GaugeVec,
    newest: Arc<Mutex<BTreeMap<String, Newest>>>,
}

/// Event time of the newest change of a network of a stream, and of the newest examination.
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
        Ok(Self {
            exams: to.counter(
                "latentd_model_promotions_total",
                "Examinations of networks in training (`model.variant`), by outcome and by what \
                 spoke against one.",
                &["stream", "outcome", "reason"],
            )?,
            recall: to.gauge(
                "latentd_selftest_recall_ratio",
                "Share of faults, injected into copies of calm windows, that the scoring networks \
                 (`model.variant`, not those of `alert.detector`) find; mean over those that were \
                 examined last.",
                &["stream", "kind"],
            )?,
            delay: to.gauge(
                "latentd_selftest_delay_rows",
                "Mean age in rows at which injected faults are found by these networks.",
                &["stream", "kind"],
            )?,
            alignment: to.gauge(
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
            loss: loss.clone(),
            drift: to.gauge(
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

    /// Counts examinations and shows what they say.
    pub fn count(&self, stream: &str, records: &[ModelRecord]) {
        for record in records {
            let labels = [stream, record.change.word(), record.reason.unwrap_or("none")];
            self.exams.with_label_values(&labels).inc();
        }
        let known = |of: &dyn Fn(&ModelRecord) -> f64| {
            mean(records.iter().map(of).filter(|value| value.is_finite()))
        };
        for (i, kind) in FaultKind::ALL.into_iter().enumerate() {
            let labels = [stream, kind.word()];
            set_if_some(&self.recall, &labels, known(&|record| in_office(record).recall[i]));
            set_if_some(&self.delay, &labels, known(&|record| in_office(record).delay[i]));
        }
        set_if_some(&self.alignment, &[stream], known(&|record| record.alignment_error));
        set_if_some(&self.loss, &[stream, "calm"], known(&|record| in_office(record).loss));
        self.note_times(stream, records);
    }

    fn note_times(&self, stream: &str, records: &[ModelRecord]) {
        let Some(examined) = records.iter().map(|record| record.at).max() else { return };
        let changes = records.iter().filter(|record| record.change != ModelChange::Rejected);
        let changed = changes.map(|record| record.at).max();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.entry(stream.to_owned()).or_default();
        newest.examination = newest.examination.max(Some(examined));
        newest.change = newest.change.max(changed);
    }

    /// Shows how long ago networks were changed and examined, seen from `now`, the watermark.
    pub fn set_ages(&self, stream: &str, now: EventTime) {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = newest.get(stream) else { return };
        for (role, at) in [("champion", newest.change), ("challenger", newest.examination)] {
            let age = at.map(|at| (now - at).get().max(0) as f64 / 1e3);
            set_if_some(&self.age, &[stream, role], age);
        }
    }

    /// Shows how far the newest drifts went.
    pub fn show_drifts(&self, stream: &str, records: &[DriftRecord]) {
        for level in DriftLevel::ALL {
            let moves = records.iter().filter(|record| record.level == level);
            let largest = moves.map(|record| (record.after - record.before).abs()).reduce(f64::max);
            set_if_some(&self.drift, &[stream, level.word()], largest);
        }
    }

    /// Shows how much of the code books is used.
    pub fn set_perplexity(&self, stream: &str, perplexity: f64) {
        self.perplexity.with_label_values(&[stream]).set(perplexity);
    }
}
