//! Models: what examinations led to, and what they say about the networks that score.

use prometheus::{Error, GaugeVec, IntCounterVec};

use super::family::Families;
use super::shards::{mean, set_if_some};
use crate::record::{FaultKind, Marks, ModelChange, ModelRecord};

/// Families of the models.
#[derive(Debug, Clone)]
pub struct ModelMetrics {
    pub(super) exams: IntCounterVec,
    recall: GaugeVec,
    delay: GaugeVec,
    alignment: GaugeVec,
    perplexity: GaugeVec,
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
    pub(super) fn register(to: Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            exams: to.counter(
                "latentd_model_promotions_total",
                "Examinations of networks in training, by outcome and by what spoke against one.",
                &["stream", "outcome", "reason"],
            )?,
            recall: to.gauge(
                "latentd_selftest_recall_ratio",
                "Share of faults, injected into copies of calm windows, that the scoring networks \
                 find; mean over those that were examined last.",
                &["stream", "kind"],
            )?,
            delay: to.gauge(
                "latentd_selftest_delay_rows",
                "Mean age in rows at which injected faults are found.",
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
    }

    /// Shows how much of the code books is used.
    pub fn set_perplexity(&self, stream: &str, perplexity: f64) {
        self.perplexity.with_label_values(&[stream]).set(perplexity);
    }
}
