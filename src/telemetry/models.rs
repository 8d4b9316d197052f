//! Models: what examinations led to, and what they say about the networks that score.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::Error;

use super::PartitionLabels;
use super::family::{Families, GaugeVec, IntCounterVec};
use super::partitions::PartitionGauge;
use super::shards::show;
use crate::record::{DriftLevel, FaultKind, Marks, ModelChange, ModelRecord};

/// Networks that score, and networks in training.
const ROLES: [&str; 2] = ["champion", "challenger"];

/// Model and version that are shown, by stream and role: each change takes the last ones away.
type Shown = BTreeMap<(String, usize), [String; 2]>;

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
    drift: GaugeVec,
    age: GaugeVec,
    version: GaugeVec,
    shown: Arc<Mutex<Shown>>,
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
        let joined = |name: &str, help: &str, labels: &[&str]| {
            to.gauge(name, help, labels).map(PartitionGauge::new)
        };
        Ok(Self {
            exams: to.counter(
                "latentd_model_promotions_total",
                "Examinations of networks in training (`model.variant`), by outcome and by what \
                 spoke against one.",
                &["stream", "outcome", "reason"],
            )?,
            recall: joined(
                "latentd_selftest_recall_ratio",
                "Share of faults, injected into copies of calm windows, that the scoring networks \
                 (`model.variant`, not those of `alert.detector`) find; mean over those that were \
                 examined last.",
                &["stream", "kind"],
            )?,
            delay: joined(
                "latentd_selftest_delay_rows",
                "Mean age in rows at which injected faults are found by these networks.",
                &["stream", "kind"],
            )?,
            alignment: joined(
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
            loss: PartitionGauge::new(loss.clone()),
            drift: to.gauge(
                "latentd_drift_statistic",
                "How far, at the end of the newest block of windows, a mean lay from what it was, over \
                 the bound from which on that is a drift (1); largest over the channels, codes or scores \
                 of the networks (`model.variant`).",
                &["stream", "level"],
            )?,
            age: to.gauge(
                "latentd_model_age_seconds",
                "Event time since which some network that scores has not been promoted or rolled back \
                 (`champion`), or some network in training not examined (`challenger`); absent before \
                 the first.",
                &["stream", "role"],
            )?,
            version: to.gauge(
                "latentd_model_version_info",
                "Always 1; `version` is the largest number of training steps behind a network that \
                 scores (`champion`), or was examined last (`challenger`); `model` is `model.variant`.",
                &["stream", "model", "version", "role"],
            )?,
            shown: Arc::default(),
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
    }

    /// Shows for how many seconds of event time no champion was changed and no challenger examined.
    pub fn set_ages(&self, stream: &str, ages: [Option<f64>; 2]) {
        for (role, age) in ROLES.into_iter().zip(ages) {
            show(&self.age, &[stream, role], age);
        }
    }

    /// Shows the newest versions of champions and challengers; one set of labels a stream and role.
    pub fn set_versions(&self, stream: &str, model: &str, versions: [Option<u64>; 2]) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (i, version) in versions.into_iter().enumerate() {
            let key = (stream.to_owned(), i);
            let labels = version.map(|version| [model.to_owned(), version.to_string()]);
            if shown.get(&key) == labels.as_ref() {
                continue;
            }
            let set = |[model, version]: &[String; 2], value| {
                show(&self.version, &[stream, model, version, ROLES[i]], value);
            };
            if let Some(before) = shown.remove(&key) {
                set(&before, None);
            }
            if let Some(labels) = labels {
                set(&labels, Some(1.0));
                shown.insert(key, labels);
            }
        }
    }

    /// Shows how near to a drift the networks of a stream are, by level; `None` without a partition.
    pub fn set_drift(&self, stream: &str, statistic: Option<[f32; 3]>) {
        for level in DriftLevel::ALL {
            let value = statistic.map(|of_level| f64::from(of_level[level as usize]));
            show(&self.drift, &[stream, level.word()], value);
        }
    }

    /// Shows how much of the code books is used; `None` if there is none.
    pub fn set_perplexity(&self, stream: &str, perplexity: Option<f64>) {
        show(&self.perplexity, &[stream], perplexity);
    }

    pub(super) fn forget(&self, of: PartitionLabels<'_>) {
        for gauge in [&self.recall, &self.delay, &self.alignment, &self.loss] {
            gauge.forget(of);
        }
    }
}
