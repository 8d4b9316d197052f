//! What a verdict on an alert does: to the alert, and to the rows that were held back because of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::detector::Eyes;
use super::ids;
use super::series::Series;
use super::shard::Shard;
use super::spec::StreamSpec;
use crate::alert::Firing;
use crate::model::Learner;
use crate::record::{AlertKind, AlertReason, Decided, EventTime, Feedback, Outbox, Verdict};

/// Alerts of a series and kind about which a verdict is still heard.
const CASES_MAX: usize = 16;

/// An alert that a verdict may come about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Case {
    starts_at: EventTime,
    /// States of before others were kept know anomalies alone.
    #[serde(default = "anomaly")]
    kind: AlertKind,
    /// What was known when it opened.
    #[serde(default)]
    features: Vec<f64>,
    /// Chance that it is true, as it was when it opened: what is learned later, from the verdict
    /// on this very alert, too, says nothing new of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p_true: Option<f64>,
    /// The last verdict, and where it was said.
    heard: Option<(Verdict, i64)>,
}

fn anomaly() -> AlertKind {
    AlertKind::Anomaly
}

/// The newest alerts of a series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cases(VecDeque<Case>);

impl Cases {
    /// Takes note of an alert that has opened; of an anomaly with what is known of it, and the chance
    /// that it is true.
    pub(super) fn open(
        &mut self,
        kind: AlertKind,
        starts_at: EventTime,
        (features, p_true): (Vec<f64>, Option<f64>),
    ) {
        if self.0.iter().filter(|case| case.kind == kind).count() >= CASES_MAX
            && let Some(oldest) = self.0.iter().position(|case| case.kind == kind)
        {
            self.0.remove(oldest);
        }
        self.0.push_back(Case { starts_at, kind, features, p_true, heard: None });
    }

    /// Whether someone has said that the alert of then is a fault: then it does not become normal
    /// by lasting.
    pub(super) fn is_fault(&self, kind: AlertKind, starts_at: EventTime) -> bool {
        self.of(kind, starts_at)
            .and_then(|case| case.heard)
            .is_some_and(|(said, _)| said == Verdict::TruePositive)
    }

    /// Chance that an anomaly is true, as it was when it opened.
    pub(super) fn p_true(&self, starts_at: EventTime) -> Option<f64> {
        self.of(AlertKind::Anomaly, starts_at)?.p_true
    }

    fn of(&self, kind: AlertKind, starts_at: EventTime) -> Option<&Case> {
        self.0.iter().rev().find(|case| (case.kind, case.starts_at) == (kind, starts_at))
    }

    fn find(&mut self, spec: &StreamSpec, entity: &str, alert_id: &str) -> Option<&mut Case> {
        let id = |case: &Case| ids::kind_alert_id(&spec.name, entity, case.starts_at, case.kind);
        self.0.iter_mut().rev().find(|case| id(case) == alert_id)
    }
}

impl Shard {
    /// Puts a verdict into effect. What it leads to is in `out`.
    ///
    /// It takes effect after all records that were pushed before; a verdict that was heard before, or
    /// is older than one that was, does nothing, so that a topic of verdicts may be read again.
    pub fn decide(&mut self, feedback: &Feedback, out: &mut Outbox) -> Decided {
        self.score_pending(out);
        let Self { spec, series, .. } = self;
        let &Feedback { ref alert_id, verdict, position } = feedback;
        let found = series.iter_mut().enumerate().find_map(|(index, series)| {
            Some((index, series.cases.find(spec, &series.key, alert_id)?))
        });
        let Some((index, case)) = found else { return Decided::Unknown };
        if case.heard.is_some_and(|(_, before)| position <= before) {
            return Decided::Heard;
        }
        let before = case.heard.replace((verdict, position));
        let of = (case.kind, case.starts_at);
        match before.map(|(before, _)| is_real(before)) {
            _ if case.features.is_empty() => {}
            None => self.triage.learn(case.features.clone(), is_real(verdict)),
            // A verdict that is changed is not learned twice.
            Some(before) if before != is_real(verdict) => {
                self.triage.correct(&case.features, is_real(verdict));
            }
            Some(_) => {}
        }
        closing(verdict).and_then(|reason| self.close_alert(alert_id, reason, out));
        out.facts.verdicts[verdict as usize] += 1;
        let Self { spec, series, shared, eyes, .. } = self;
        let series = &mut series[index];
        let mut own = series.learner.take();
        let learner = own.as_deref_mut().or(shared.as_mut());
        let (learned, dropped) = match (of, learner) {
            ((AlertKind::Anomaly, starts_at), Some(learner)) => {
                put_into_effect(spec, series, learner, eyes, (starts_at, verdict))
            }
            ((kind, _), _) => {
                series.heed(kind, verdict);
                (0, 0)
            }
        };
        series.learner = own;
        Decided::Applied { entity: series.key.clone(), learned, dropped }
    }
}

/// Whether an alert was worth its while: what is expected was not, though it was unusual.
fn is_real(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::TruePositive | Verdict::NewNormal)
}

/// Why a verdict closes an alert, if it does.
fn closing(verdict: Verdict) -> Option<AlertReason> {
    match verdict {
        // It goes on until it is over, and does not become normal by lasting.
        Verdict::TruePositive => None,
        Verdict::FalsePositive => Some(AlertReason::FalsePositive),
        Verdict::Expected => Some(AlertReason::Expected),
        Verdict::NewNormal => Some(AlertReason::NewNormal),
    }
}

impl Series {
    /// Whether someone has said that an episode is a fault.
    pub(super) fn is_fault(&self, kind: AlertKind, episode: &Firing) -> bool {
        self.cases.is_fault(kind, episode.starts_at)
    }

    /// A verdict on an alert that is no anomaly. Nothing is held back because of it; but a channel
    /// that repeats a value as long as it did is no longer stuck if that was right.
    fn heed(&mut self, kind: AlertKind, verdict: Verdict) {
        let is_normal = matches!(verdict, Verdict::FalsePositive | Verdict::NewNormal);
        if kind == AlertKind::Stuck && is_normal {
            self.watch.runs.accept();
        }
    }
}

/// Returns how many of the rows held back were learned and dropped. Nothing happens to a series that
/// has another alert since, or has accepted what this one saw: there is nothing to learn it from.
fn put_into_effect(
    spec: &StreamSpec,
    series: &mut Series,
    learner: &mut Learner,
    eyes: &mut Eyes,
    (starts_at, verdict): (EventTime, Verdict),
) -> (u64, u64) {
    let Some(mut held) = series.quarantine.release(starts_at) else { return (0, 0) };
    let rows = held.rows.len() as u64;
    match verdict {
        Verdict::TruePositive | Verdict::Expected => return (0, rows),
        Verdict::FalsePositive => {}
        Verdict::NewNormal => series.accept_new_normal(spec, learner),
    }
    // What it saw may be learned: it does not go on in silence.
    if series.alert.episode().is_some_and(|episode| episode.starts_at == starts_at) {
        series.alert.forget();
    }
    if let Some(detector) = held.relive(eyes, spec.rows.step, verdict == Verdict::NewNormal) {
        series.detector = Some(detector);
    }
    for lesson in held.rows {
        series.windows += u64::from(verdict == Verdict::NewNormal);
        lesson.take_in(spec, series, learner);
    }
    (rows, 0)
}
