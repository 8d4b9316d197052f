//! What the shards did: windows, scores, training, alerts, features.

use prometheus::{Error, GaugeVec, HistogramVec, IntCounterVec};

use super::family::Families;
use crate::record::{AlertKind, AlertReason, DriftLevel, Facts, Verdict};

/// Around 1, where alarms begin.
const SCORE: &[f64] = &[0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];
const SHARE: &[f64] = &[0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];
pub(super) const SEVERITIES: [&str; 2] = ["warning", "critical"];

/// The state of one stream in this process, summed over its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StreamGauges {
    /// Partitions owned.
    pub partitions: usize,
    /// Series held.
    pub series: usize,
    /// Series still warming up.
    pub warming: usize,
    /// Alerts open, by severity (warning, critical).
    pub firing: [usize; 2],
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
    pub(super) verdicts: IntCounterVec,
    pub(super) drifts: IntCounterVec,
    pub(super) train_steps: IntCounterVec,
    pub(super) train_diverged: IntCounterVec,
    pub(super) held: IntCounterVec,
    loss: GaugeVec,
    control: GaugeVec,
    state: GaugeVec,
    entities: GaugeVec,
    open_rows: GaugeVec,
    alerts_active: GaugeVec,
    pub(super) alerts_opened: IntCounterVec,
    pub(super) alerts_suppressed: IntCounterVec,
    pub(super) alerts_closed: IntCounterVec,
    pub(super) features: IntCounterVec,
}

impl ShardMetrics {
    #[rustfmt::skip]
    pub(super) fn register(to: Families<'_>) -> Result<Self, Error> {
        let stream: &[&str] = &["stream"];
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
            verdicts: to.counter("latentd_verdicts_total",
                "Verdicts of people on alerts that were put into effect.", &["stream", "verdict"])?,
            drifts: to.counter("latentd_drift_total",
                "Times that channels, latent codes or reconstruction errors have moved for good.",
                &["stream", "level"])?,
            train_steps: to.counter("latentd_train_steps_total",
                "Training steps (minibatches).", stream)?,
            train_diverged: to.counter("latentd_train_diverged_total",
                "Training steps refused because a gradient or weight was not finite.", stream)?,
            held: to.counter("latentd_refreshes_held_total",
                "Refreshes that were due and not started: `model.train_max` did not allow them.",
                stream)?,
            loss: to.gauge("latentd_reconstruction_loss",
                "Mean squared reconstruction error: of the last training steps, of recent windows.",
                &["stream", "split"])?,
            control: to.gauge("latentd_linear_control_loss_ratio",
                "Reconstruction error of recent windows over that of a linear model of as many \
                 latents (PCA); 1 and above means that the network is not worth its cost.",
                stream)?,
            state: to.gauge("latentd_stream_state",
                "-1 while every series warms up, 0 calm, 1 with an open alert.", stream)?,
            entities: to.gauge("latentd_entities", "Series held.", &["stream", "state"])?,
            open_rows: to.gauge("latentd_open_rows", "Rows not closed yet.", stream)?,
            alerts_active: to.gauge("latentd_alerts_active",
                "Alerts open now.", &["stream", "severity"])?,
            alerts_opened: to.counter("latentd_alerts_opened_total",
                "Alerts opened, by kind and by their severity at that moment.",
                &["stream", "kind", "severity"])?,
            alerts_suppressed: to.counter("latentd_alerts_suppressed_total",
                "Alerts recorded and not opened: maintenance, or too many openings.",
                &["stream", "reason"])?,
            alerts_closed: to.counter("latentd_alerts_closed_total", "Alerts closed.", stream)?,
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
        for (verdict, count) in Verdict::ALL.into_iter().zip(facts.verdicts) {
            self.verdicts.with_label_values(&[stream, verdict.word()]).inc_by(count);
        }
        for (level, count) in DriftLevel::ALL.into_iter().zip(facts.drifts) {
            self.drifts.with_label_values(&[stream, level.word()]).inc_by(count);
        }
        add(&self.train_steps, facts.train_steps);
        add(&self.train_diverged, facts.train_diverged);
        add(&self.held, facts.refreshes_held);
        for (kind, opened) in AlertKind::ALL.into_iter().zip(facts.alerts_opened) {
            for (severity, opened) in SEVERITIES.into_iter().zip(opened) {
                let labels = [stream, kind.word(), severity];
                self.alerts_opened.with_label_values(&labels).inc_by(opened);
            }
        }
        for (reason, n) in AlertReason::SUPPRESSED.into_iter().zip(facts.alerts_suppressed) {
            self.alerts_suppressed.with_label_values(&[stream, reason.word()]).inc_by(n);
        }
        add(&self.alerts_closed, facts.alerts_closed);
        add(&self.features, facts.features);
        let scores = self.score.with_label_values(&[stream]);
        facts.anomaly_scores.iter().for_each(|score| scores.observe(f64::from(*score)));
        let shares = self.completeness.with_label_values(&[stream]);
        facts.completeness.iter().for_each(|share| shares.observe(f64::from(*share)));
        if facts.train_steps > 0 {
            let mean = facts.train_loss_sum / facts.train_steps as f64;
            self.loss.with_label_values(&[stream, "train"]).set(mean);
        }
    }

    /// Shows the state of a stream; without a partition there is nothing to show.
    pub fn set_stream(&self, stream: &str, now: &StreamGauges) {
        let set = |family: &GaugeVec, value: f64| family.with_label_values(&[stream]).set(value);
        if now.partitions == 0 {
            // A stream that never had a partition has no such gauge.
            let _ = self.state.remove_label_values(&[stream]);
        } else {
            set(&self.state, f64::from(now.state()));
        }
        set(&self.open_rows, now.open_rows as f64);
        let live = now.series.saturating_sub(now.warming);
        self.entities.with_label_values(&[stream, "warming"]).set(now.warming as f64);
        self.entities.with_label_values(&[stream, "live"]).set(live as f64);
        for (severity, firing) in SEVERITIES.into_iter().zip(now.firing) {
            self.alerts_active.with_label_values(&[stream, severity]).set(firing as f64);
        }
        set_if_some(&self.loss, &[stream, "recent"], now.recent_loss);
        set_if_some(&self.control, &[stream], now.linear_control_ratio);
    }
}

pub(super) fn set_if_some(family: &GaugeVec, labels: &[&str], value: Option<f64>) {
    if let Some(value) = value {
        family.with_label_values(labels).set(value);
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0u64), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}
