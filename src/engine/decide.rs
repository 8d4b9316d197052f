//! What a verdict on an alert does: to the alert, and to the rows that were held back because of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::detector::Eyes;
use super::ids;
use super::series::Series;
use super::shard::Shard;
use super::spec::StreamSpec;
use crate::model::Learner;
use crate::record::{AlertReason, Decided, EventTime, Feedback, Outbox, Verdict};

/// Alerts of a series about which a verdict is still heard.
const CASES_MAX: usize = 16;

/// An alert that a verdict may come about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Case {
    starts_at: EventTime,
    /// What was known when it opened.
    #[serde(default)]
    features: Vec<f64>,
    /// The last verdict, and where it was said.
    heard: Option<(Verdict, i64)>,
}

/// The newest alerts of a series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cases(VecDeque<Case>);

impl Cases {
    /// Takes note of an alert that has opened.
    pub(super) fn open(&mut self, starts_at: EventTime, features: Vec<f64>) {
        if self.0.len() >= CASES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Case { starts_at, features, heard: None });
    }

    /// Whether someone has said that the alert of then is a fault: then it does not become normal
    /// by lasting.
    pub(super) fn is_fault(&self, starts_at: EventTime) -> bool {
        self.of(starts_at)
            .and_then(|case| case.heard)
            .is_some_and(|(said, _)| said == Verdict::TruePositive)
    }

    /// What was known of an alert when it opened.
    pub(super) fn features(&self, starts_at: EventTime) -> Option<&[f64]> {
        self.of(starts_at).map(|case| case.features.as_slice())
    }

    fn of(&self, starts_at: EventTime) -> Option<&Case> {
        self.0.iter().rev().find(|case| case.starts_at == starts_at)
    }

    fn find(&mut self, spec: &StreamSpec, entity: &str, alert_id: &str) -> Option<&mut Case> {
        let is = |case: &&mut Case| ids::alert_id(&spec.name, entity, case.starts_at) == alert_id;
        self.0.iter_mut().rev().find(is)
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
        // A verdict that is changed is not learned twice.
        let lesson = before.is_none().then(|| case.features.clone());
        let starts_at = case.starts_at;
        let reason = match verdict {
            // It goes on until it is over, and does not become normal by lasting.
            Verdict::TruePositive => None,
            Verdict::FalsePositive => Some(AlertReason::FalsePositive),
            Verdict::Expected => Some(AlertReason::Expected),
            Verdict::NewNormal => Some(AlertReason::NewNormal),
        };
        if let Some(features) = lesson.filter(|features| !features.is_empty()) {
            let real = matches!(verdict, Verdict::TruePositive | Verdict::NewNormal);
            self.triage.learn(features, real);
        }
        reason.and_then(|reason| self.close_alert(alert_id, reason, out));
        out.facts.verdicts[verdict as usize] += 1;
        let Self { spec, series, shared, eyes, .. } = self;
        let series = &mut series[index];
        let mut own = series.learner.take();
        let learner = own.as_deref_mut().or(shared.as_mut());
        let (learned, dropped) = learner.map_or((0, 0), |learner| {
            put_into_effect(spec, series, learner, eyes, (starts_at, verdict))
        });
        series.learner = own;
        Decided::Applied { entity: series.key.clone(), learned, dropped }
    }
}

/// Returns how many of the rows held back were learned and dropped.
fn put_into_effect(
    spec: &StreamSpec,
    series: &mut Series,
    learner: &mut Learner,
    eyes: &mut Eyes,
    (starts_at, verdict): (EventTime, Verdict),
) -> (u64, u64) {
    let mut held = series.quarantine.release(starts_at);
    let rows = held.rows.len() as u64;
    match verdict {
        Verdict::TruePositive | Verdict::Expected => return (0, rows),
        Verdict::FalsePositive => {}
        Verdict::NewNormal => series.accept_new_normal(spec, learner),
    }
    // What it saw may be learned: it does not go on in silence.
    series.alert.forget();
    if let Some(detector) = held.relive(eyes, verdict == Verdict::NewNormal) {
        series.detector = Some(detector);
    }
    for lesson in held.rows {
        series.windows += u64::from(verdict == Verdict::NewNormal);
        lesson.take_in(spec, series, learner);
    }
    (rows, 0)
}
