//! A picture of a shard, for the API and gauges.

use super::series::Series;
use super::shard::Shard;
use crate::model::Learner;
use crate::record::{EventTime, Severity};

/// A picture of a shard for the API and gauges.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShardStatus {
    /// Input partition.
    pub partition: i32,
    /// Series held.
    pub series: usize,
    /// Series still warming up.
    pub warming: usize,
    /// Share of the warm-up that is over, mean over the series; `None` without series.
    pub warmup_progress: Option<f64>,
    /// Event time until the last series that warms up is live, at its pace so far, in seconds.
    pub warmup_remaining: Option<f64>,
    /// Series that have stopped to report, told or not.
    pub stale: usize,
    /// Windows held back from learning.
    pub quarantined: usize,
    /// Errors behind the calibration, mean over the series that no detector judges.
    pub calibration_samples: Option<f64>,
    /// Alerts of all kinds open now, by severity (warning, critical).
    pub firing: [usize; 2],
    /// Event-time watermark.
    pub watermark: Option<EventTime>,
    /// Rows not closed yet, over all series.
    pub open_rows: usize,
    /// Training steps behind the networks that score, over all of them.
    pub model_version: u64,
    /// Exponentially weighted mean of the squared reconstruction error of scored windows.
    pub reconstruction_loss: Option<f64>,
    /// Reconstruction error over that of PCA, mean over networks; above 1 PCA would do.
    pub linear_control_ratio: Option<f64>,
    /// Effective number of code book vectors in use, mean over networks that have a book.
    pub codebook_perplexity: Option<f64>,
}

impl Shard {
    /// A picture for the API and gauges.
    pub fn status(&self) -> ShardStatus {
        let firing = |severity| {
            let states = self.series.iter().flat_map(Series::states);
            states.filter(|s| s.firing().is_some_and(|f| f.severity == severity)).count()
        };
        let learners =
            || self.series.iter().filter_map(|s| s.learner.as_deref()).chain(&self.shared);
        let spec = &self.spec;
        let progress = self.series.iter().map(|s| s.warmup_progress(spec)).collect();
        let left = |s: &Series| Some(s.warmup_rows_left(spec)? * s.row_seconds());
        let plain = self.series.iter().filter(|s| s.detector.is_none());
        ShardStatus {
            partition: self.partition,
            series: self.series.len(),
            warming: self.series.iter().filter(|s| s.is_warming(spec)).count(),
            warmup_progress: mean(progress),
            warmup_remaining: self.series.iter().filter_map(left).reduce(f64::max),
            stale: self.series.iter().filter(|s| s.watch.stale.episode().is_some()).count(),
            quarantined: self.series.iter().map(|s| s.quarantine.len()).sum(),
            calibration_samples: mean(plain.map(|s| s.tails[0].samples()).collect()),
            firing: [firing(Severity::Warning), firing(Severity::Critical)],
            watermark: self.watermark.current(),
            open_rows: self.series.iter().map(|s| s.open.len()).sum(),
            model_version: learners().map(Learner::version).sum(),
            reconstruction_loss: self.loss,
            linear_control_ratio: mean(
                learners().filter_map(Learner::linear_control_ratio).collect(),
            ),
            codebook_perplexity: mean(
                learners().filter_map(|learner| learner.network().perplexity()).collect(),
            ),
        }
    }

    /// Alerts that one period of the budget allows all series together.
    pub fn alerts_per_period(&self) -> f64 {
        self.spec.alert.budget.alerts.get() * self.series.len() as f64
    }
}

fn mean(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
