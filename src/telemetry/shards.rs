//! What the shards did: windows, scores, training, alerts, features.

use prometheus::Error;

use super::PartitionLabels;
use super::family::{Families, GaugeVec, HistogramVec, IntCounterVec};
use super::partitions::PartitionGauge;
use crate::record::{DriftLevel, Facts};

/// Around 1, where alarms begin.
const SCORE: &[f64] = &[0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];
const SHARE: &[f64] = &[0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];
/// Seconds to score and learn what one partition has closed in one batch.
const SCORE_SECONDS: &[f64] =
    &[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What closed the newest row of a window, in the order of the counts in `Facts`.
const TRIGGERS: [&str; 3] = ["watermark", "idle", "flush"];

/// The state of one stream in this process, summed over its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StreamGauges {
    /// Partitions owned.
    pub partitions: usize,
    /// Series held.
    pub series: usize,
    /// Series still warming up.
    pub warming: usize,
    /// Share of the warm-up that is over, mean over the series; `None` without series.
    pub warmup_progress: Option<f64>,
    /// Event time until the last series that warms up is live, at its pace so far, in seconds.
    pub warmup_remaining: Option<f64>,
    /// Alerts open, by severity (warning, critical).
    pub firing: [usize; 2],
    /// Series that have stopped to report, told or not.
    pub stale: usize,
    /// Windows held back from learning.
    pub quarantined: usize,
    /// Mean over the series of the errors behind their calibration.
    pub calibration_samples: Option<f64>,
    /// Rows not closed yet.
    pub open_rows: usize,
    /// Mean over the partitions of the reconstruction error of recent windows.
    pub recent_loss: Option<f64>,
    /// Mean over the partitions of that error over the error of a linear model (PCA).
    pub linear_control_ratio: Option<f64>,
}

impl StreamGauges {
    /// 1 with an open alert, -1 while no series has left its warm-up, else 0.
    pub fn state(&self) -> i8 {
        if self.firing != [0, 0] {
            1
        } else if self.series == self.warming {
            -1
        } else {
            0
        }
    }
}

/// Families of the shards.
#[derive(Debug, Clone)]
pub struct ShardMetrics {
    pub(super) rows: IntCounterVec,
    pub(super) windows: IntCounterVec,
    pub(super) completeness: HistogramVec,
    pub(super) score: HistogramVec,
    pub(super) quarantined: IntCounterVec,
    quarantine: GaugeVec,
    pub(super) closed: IntCounterVec,
    pub(super) score_seconds: HistogramVec,
    calibration: GaugeVec,
    pub(super) drifts: IntCounterVec,
    pub(super) train_steps: IntCounterVec,
    pub(super) train_diverged: IntCounterVec,
    pub(super) held: IntCounterVec,
    pub(super) loss: GaugeVec,
    /// The split `train` of it.
    train_loss: PartitionGauge,
    control: GaugeVec,
    state: GaugeVec,
    entities: GaugeVec,
    warmup_progress: GaugeVec,
    warmup_remaining: GaugeVec,
    stale: GaugeVec,
    open_rows: GaugeVec,
    pub(super) features: IntCounterVec,
}

impl ShardMetrics {
    #[rustfmt::skip]
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        let stream: &[&str] = &["stream"];
        let loss = to.gauge("latentd_reconstruction_loss",
            "Mean squared reconstruction error: of the last training steps (`train`), of the calm \
             windows of the last examination (`calm`), of recent windows (`recent`).",
            &["stream", "split"])?;
        Ok(Self {
            rows: to.counter("latentd_rows_closed_total",
                "Rows closed: with something observed, or put in for a gap.", &["stream", "kind"])?,
            windows: to.counter("latentd_windows_scored_total", "Windows scored.", stream)?,
            completeness: to.histogram("latentd_window_completeness_ratio",
                "Observed share of each scored window.", stream, SHARE)?,
            score: to.histogram("latentd_anomaly_score",
                "Anomaly score of each scored window; 1 and above means alarm.", stream, SCORE)?,
            quarantined: to.counter("latentd_windows_quarantined_total",
                "Windows not learned from: their series was firing, or under maintenance.", stream)?,
            quarantine: to.gauge("latentd_quarantine_windows",
                "Windows held back from learning until a verdict or time says what they were.",
                stream)?,
            closed: to.counter("latentd_windows_closed_total",
                "Windows that became complete, by what closed their newest row: `watermark`, `idle` \
                 (silence) or `flush` (too many open rows). Emptier ones are not scored.",
                &["stream", "trigger"])?,
            score_seconds: to.histogram("latentd_score_duration_seconds",
                "Time to score, and learn from, what one partition has closed in one batch.",
                stream, SCORE_SECONDS)?,
            calibration: to.gauge("latentd_calibration_samples",
                "Errors behind the calibration of a series, old ones counted less; mean over the \
                 series that are judged by the errors of the network.", stream)?,
            drifts: to.counter("latentd_drift_detections_total",
                "Times that channels, latent codes or reconstruction errors of the network \
                 (`model.variant`) have moved for good.",
                &["stream", "level"])?,
            train_steps: to.counter("latentd_train_steps_total",
                "Training steps (minibatches).", stream)?,
            train_diverged: to.counter("latentd_train_diverged_total",
                "Training steps refused because a gradient or weight was not finite.", stream)?,
            held: to.counter("latentd_refreshes_held_total",
                "Refreshes that were due and not started: `model.train_max` did not allow them.",
                stream)?,
            train_loss: PartitionGauge::new(loss.clone()),
            loss,
            control: to.gauge("latentd_linear_control_loss_ratio",
                "Reconstruction error of recent windows over that of a linear model of as many \
                 latents (PCA); 1 and above means that the network is not worth its cost.",
                stream)?,
            state: to.gauge("latentd_stream_state",
                "-1 while every series warms up, 0 calm, 1 with an open alert.", stream)?,
            entities: to.gauge("latentd_entities", "Series held.", &["stream", "state"])?,
            warmup_progress: to.gauge("latentd_warmup_progress_ratio",
                "Share of the warm-up that is over, mean over the series; 1 once all are live.",
                stream)?,
            warmup_remaining: to.gauge("latentd_warmup_remaining_seconds",
                "Event time until the last series that warms up is live, at its pace so far.",
                stream)?,
            stale: to.gauge("latentd_sensor_stale",
                "Series that have stopped to report, as `alert.stale_after` has it.", stream)?,
            open_rows: to.gauge("latentd_open_rows", "Rows not closed yet.", stream)?,
            features: to.counter("latentd_features_emitted_total",
                "Latent feature records emitted.", stream)?,
        })
    }

    pub(super) fn count_facts(&self, stream: &str, facts: &Facts) {
        let add = |family: &IntCounterVec, n| family.with_label_values(&[stream]).inc_by(n);
        self.rows.with_label_values(&[stream, "observed"]).inc_by(facts.rows);
        self.rows.with_label_values(&[stream, "gap"]).inc_by(facts.gap_rows);
        add(&self.windows, facts.windows_scored);
        add(&self.quarantined, facts.windows_quarantined);
        for (trigger, count) in TRIGGERS.into_iter().zip(facts.windows_closed) {
            self.closed.with_label_values(&[stream, trigger]).inc_by(count);
        }
        for (level, count) in DriftLevel::ALL.into_iter().zip(facts.drifts) {
            self.drifts.with_label_values(&[stream, level.word()]).inc_by(count);
        }
        add(&self.train_steps, facts.train_steps);
        add(&self.train_diverged, facts.train_diverged);
        add(&self.held, facts.refreshes_held);
        add(&self.features, facts.features);
        let scores = self.score.with_label_values(&[stream]);
        facts.anomaly_scores.iter().for_each(|score| scores.observe(f64::from(*score)));
        let shares = self.completeness.with_label_values(&[stream]);
        facts.completeness.iter().for_each(|share| shares.observe(f64::from(*share)));
    }

    /// Shows the loss of the training steps of a batch of one partition.
    pub fn show_training(&self, of: PartitionLabels<'_>, facts: &Facts) {
        let steps = facts.train_steps;
        let mean = (steps > 0).then(|| facts.train_loss_sum / steps as f64);
        self.train_loss.add(of, &["train"], mean.into_iter(), 0);
    }

    pub(super) fn forget(&self, of: PartitionLabels<'_>) {
        self.train_loss.forget(of);
    }

    /// Adds the seconds that a partition took to score and learn what a batch has closed.
    pub fn observe_scoring(&self, stream: &str, seconds: f64) {
        self.score_seconds.with_label_values(&[stream]).observe(seconds);
    }

    /// Shows the state of a stream; without a partition there is nothing to show.
    pub fn set_stream(&self, stream: &str, now: &StreamGauges) {
        let set = |family: &GaugeVec, more: &[&str], value: Option<f64>| {
            let labels = [&[stream], more].concat();
            show(family, &labels, value.filter(|_| now.partitions > 0));
        };
        let live = now.series.saturating_sub(now.warming);
        set(&self.state, &[], Some(f64::from(now.state())));
        set(&self.open_rows, &[], Some(now.open_rows as f64));
        set(&self.entities, &["warming"], Some(now.warming as f64));
        set(&self.entities, &["live"], Some(live as f64));
        set(&self.stale, &[], Some(now.stale as f64));
        set(&self.quarantine, &[], Some(now.quarantined as f64));
        set(&self.warmup_remaining, &[], Some(now.warmup_remaining.unwrap_or(0.0)));
        set(&self.warmup_progress, &[], now.warmup_progress);
        set(&self.calibration, &[], now.calibration_samples);
        set(&self.loss, &["recent"], now.recent_loss);
        set(&self.control, &[], now.linear_control_ratio);
    }
}

/// Sets a gauge, or removes it if there is nothing to tell.
pub(super) fn show(family: &GaugeVec, labels: &[&str], value: Option<f64>) {
    match value {
        Some(value) => family.with_label_values(labels).set(value),
        // One that never was is gone already.
        None => _ = family.remove_label_values(labels),
    }
}
