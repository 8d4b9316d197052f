//! Alerts: open, opened, suppressed, closed; what people say of them; what they cost of the budget.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Error, IntCounter};

use super::PartitionLabels;
use super::family::{Families, GaugeVec, IntCounterVec};
use super::partitions::{Place, place};
use super::shards::show;
use crate::record::{AlertKind, AlertReason, Facts, Verdict};

pub(super) const SEVERITIES: [&str; 2] = ["warning", "critical"];

/// Families of the alerts.
#[derive(Debug, Clone)]
pub struct AlertMetrics {
    active: GaugeVec,
    opened: IntCounterVec,
    suppressed: IntCounterVec,
    closed: IntCounterVec,
    feedback: IntCounterVec,
    false_alarms: GaugeVec,
    budget: GaugeVec,
    accounts: Arc<Mutex<Accounts>>,
    delivery: IntCounterVec,
    pending: GaugeVec,
}

/// By stream, then by partition.
type Accounts = BTreeMap<String, BTreeMap<Place, Account>>;

/// What the budget allowed a partition, and what came of it, over about its last period.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    allowed: f64,
    opened: f64,
}

impl Account {
    /// Adds a batch in which `allowed` alerts were allowed and `opened` opened; `period` is what a
    /// period of the budget allows all series together. Older counts fade with what was allowed
    /// since, so that the memory is one period whatever the number of series.
    fn add(&mut self, allowed: f64, opened: f64, period: f64) {
        let kept = if period > 0.0 { (-allowed / period).exp() } else { 1.0 };
        self.allowed = self.allowed * kept + allowed;
        self.opened = self.opened * kept + opened;
    }

    fn join(self, other: Self) -> Self {
        Self { allowed: self.allowed + other.allowed, opened: self.opened + other.opened }
    }

    /// Realised over promised; `None` until half an alert was allowed: less says nothing.
    fn ratio(self) -> Option<f64> {
        (self.allowed >= 0.5).then(|| self.opened / self.allowed)
    }
}

impl AlertMetrics {
    #[rustfmt::skip]
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            active: to.gauge("latentd_alerts_active",
                "Alerts open now.", &["stream", "severity"])?,
            opened: to.counter("latentd_alerts_opened_total",
                "Alerts opened, by kind and by their severity at that moment.",
                &["stream", "kind", "severity"])?,
            suppressed: to.counter("latentd_alerts_suppressed_total",
                "Alerts recorded and not opened: maintenance, or too many openings.",
                &["stream", "reason"])?,
            closed: to.counter("latentd_alerts_closed_total",
                "Alerts closed: calm again, accepted as the new normal, or by the word of people.",
                &["stream", "outcome"])?,
            feedback: to.counter("latentd_feedback_total",
                "Verdicts of people on alerts that were put into effect.", &["stream", "verdict"])?,
            false_alarms: to.gauge("latentd_false_alarm_ratio",
                "Share of `false_positive` among the verdicts that this process has put into effect \
                 since it started; absent without any. Over restarts: increase() of \
                 `latentd_feedback_total`.", &["stream"])?,
            budget: to.gauge("latentd_alert_budget_ratio",
                "Anomaly alerts opened over those that `alert.budget` allows the series that are \
                 not warming, over about the last period of the budget; above 1 it is overdrawn.",
                &["stream"])?,
            accounts: Arc::default(),
            delivery: to.counter("latentd_alert_delivery_total",
                "Alerts handed to a sink: `ok`, `failed` (tried again), `refused` (by its answer) or \
                 `dropped` (no room to wait).", &["sink", "outcome"])?,
            pending: to.gauge("latentd_alert_delivery_pending",
                "Changes of alerts that a sink has not taken yet; after a failure also the open alerts \
                 that it was to be told again.", &["sink"])?,
        })
    }

    pub(super) fn count_facts(&self, stream: &str, facts: &Facts) {
        for (kind, opened) in AlertKind::ALL.into_iter().zip(facts.alerts_opened) {
            for (severity, opened) in SEVERITIES.into_iter().zip(opened) {
                let labels = [stream, kind.word(), severity];
                self.opened.with_label_values(&labels).inc_by(opened);
            }
        }
        for (reason, n) in AlertReason::SUPPRESSED.into_iter().zip(facts.alerts_suppressed) {
            self.suppressed.with_label_values(&[stream, reason.word()]).inc_by(n);
        }
        for (reason, n) in AlertReason::CLOSED.into_iter().zip(facts.alerts_closed) {
            self.closed.with_label_values(&[stream, reason.word()]).inc_by(n);
        }
        for (verdict, n) in Verdict::ALL.into_iter().zip(facts.verdicts) {
            self.feedback.with_label_values(&[stream, verdict.word()]).inc_by(n);
        }
        if facts.verdicts != [0; 4] {
            self.show_false_alarms(stream);
        }
    }

    fn show_false_alarms(&self, stream: &str) {
        let of = |verdict: Verdict| {
            self.feedback.with_label_values(&[stream, verdict.word()]).get() as f64
        };
        let all: f64 = Verdict::ALL.into_iter().map(of).sum();
        if all > 0.0 {
            let share = of(Verdict::FalsePositive) / all;
            self.false_alarms.with_label_values(&[stream]).set(share);
        }
    }

    /// Adds what the budget allowed a partition in a batch, and what opened; `period` is what one
    /// period of the budget allows all its series.
    pub fn count_budget(&self, of: PartitionLabels<'_>, facts: &Facts, period: f64) {
        let opened: u64 = facts.alerts_opened[AlertKind::Anomaly as usize].iter().sum();
        if facts.alerts_allowed == 0.0 && opened == 0 {
            return;
        }
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stream = accounts.entry(of.stream.to_owned()).or_default();
        let account = of_stream.entry(place(of)).or_default();
        account.add(facts.alerts_allowed, opened as f64, period);
        self.show_budget(of.stream, of_stream);
    }

    fn show_budget(&self, stream: &str, accounts: &BTreeMap<Place, Account>) {
        let all = accounts.values().copied().fold(Account::default(), Account::join);
        show(&self.budget, &[stream], all.ratio());
    }

    /// What a partition cost is another process's account from now on.
    pub(super) fn forget(&self, of: PartitionLabels<'_>) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_stream) = accounts.get_mut(of.stream) else { return };
        if of_stream.remove(&place(of)).is_some() {
            self.show_budget(of.stream, of_stream);
        }
    }

    /// Shows the alerts open now, by severity (warning, critical); `None` without a partition.
    pub fn set_active(&self, stream: &str, firing: Option<[usize; 2]>) {
        for (i, severity) in SEVERITIES.into_iter().enumerate() {
            show(&self.active, &[stream, severity], firing.map(|firing| firing[i] as f64));
        }
    }

    /// The counters of one sink.
    pub fn sink(&self, sink: &str) -> SinkMetrics {
        let count = |outcome| self.delivery.with_label_values(&[sink, outcome]);
        SinkMetrics {
            ok: count("ok"),
            failed: count("failed"),
            refused: count("refused"),
            dropped: count("dropped"),
            pending: self.pending.with_label_values(&[sink]),
        }
    }
}

/// What became of the alerts that one sink was handed.
#[derive(Debug, Clone)]
pub struct SinkMetrics {
    /// Taken.
    pub ok: IntCounter,
    /// Not taken, tried again.
    pub failed: IntCounter,
    /// Refused by its answer, not tried again as they are.
    pub refused: IntCounter,
    /// Not kept: too many waited.
    pub dropped: IntCounter,
    /// Changes that wait.
    pub pending: prometheus::Gauge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_ratio_forgets_what_is_older_than_a_period() {
        let mut account = Account::default();
        account.add(0.1, 3.0, 2.0);
        assert_eq!(account.ratio(), None, "a tenth of an alert says nothing");
        (0..39).for_each(|_| account.add(0.1, 0.0, 2.0));
        let two_periods = account.ratio().unwrap();
        assert!((0.2..0.26).contains(&two_periods), "{two_periods}");
        (0..100).for_each(|_| account.add(0.1, 0.1, 2.0));
        let steady = account.ratio().unwrap();
        assert!((steady - 1.0).abs() < 0.01, "{steady}");
    }
}
