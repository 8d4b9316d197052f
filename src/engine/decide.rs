//! What a verdict on an alert does: to the alert, and to the rows that were held back because of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::detector::{Detector, Eyes};
use super::ids::{self, AlertKey};
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
    /// Follows from the rest, and from the names of stream and series.
    #[serde(skip)]
    key: AlertKey,
}

fn anomaly() -> AlertKind {
    AlertKind::Anomaly
}

/// The newest alerts of a series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cases(VecDeque<Case>);

impl Cases {
    /// These cases after they were read: of a series of a stream.
    pub(super) fn restored(mut self, stream: &str, entity: &str) -> Self {
        for case in &mut self.0 {
            case.key = ids::alert_key(stream, entity, case.starts_at, case.kind);
        }
        self
    }

    /// Takes note of an alert that has opened; of an anomaly with what is known of it, and the chance
    /// that it is true.
    fn open(
        &mut self,
        key: AlertKey,
        (kind, starts_at): (AlertKind, EventTime),
        (features, p_true): (Vec<f64>, Option<f64>),
    ) {
        if self.0.iter().filter(|case| case.kind == kind).count() >= CASES_MAX
            && let Some(oldest) = self.0.iter().position(|case| case.kind == kind)
        {
            self.0.remove(oldest);
        }
        self.0.push_back(Case { starts_at, kind, features, p_true, heard: None, key });
    }

    /// Whether someone has said that nothing of the alert of then is to be learned: then it does not
    /// become normal by lasting.
    pub(super) fn is_never_normal(&self, kind: AlertKind, starts_at: EventTime) -> bool {
        let heard = self.of(kind, starts_at).and_then(|case| case.heard);
        heard.is_some_and(|(said, _)| matches!(said, Verdict::TruePositive | Verdict::Expected))
    }

    /// Chance that an anomaly is true, as it was when it opened.
    pub(super) fn p_true(&self, starts_at: EventTime) -> Option<f64> {
        self.of(AlertKind::Anomaly, starts_at)?.p_true
    }

    fn of(&self, kind: AlertKind, starts_at: EventTime) -> Option<&Case> {
        self.0.iter().rev().find(|case| (case.kind, case.starts_at) == (kind, starts_at))
    }

    fn find(&mut self, key: AlertKey) -> Option<&mut Case> {
        self.0.iter_mut().rev().find(|case| case.key == key)
    }
}

impl Shard {
    /// Puts a verdict into effect. What it leads to is in `out`.
    ///
    /// It takes effect after all records that were pushed before; a verdict that was heard before, or
    /// is older than one that was, does nothing, so that a topic of verdicts may be read again.
    pub fn decide(&mut self, feedback: &Feedback, out: &mut Outbox) -> Decided {
        self.score_pending(out);
        let Self { series, .. } = self;
        let &Feedback { ref alert_id, verdict, position } = feedback;
        let Some(key) = ids::key_of(alert_id) else { return Decided::Unknown };
        let mut all = series.iter_mut().enumerate();
        let found = all.find_map(|(index, series)| Some((index, series.cases.find(key)?)));
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
        if let Some(reason) = closing(verdict)
            && self.series[index].is_open(of)
        {
            self.close(index, of.0, reason, out);
        }
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
    /// Takes note of an alert of a kind that has opened at a time, of what was known then, and of the
    /// chance that it is true.
    pub(super) fn open_case(
        &mut self,
        spec: &StreamSpec,
        of: (AlertKind, EventTime),
        known: (Vec<f64>, Option<f64>),
    ) {
        let key = ids::alert_key(&spec.name, &self.key, of.1, of.0);
        self.cases.open(key, of, known);
    }

    /// Whether the alert of a kind that opened at a time is open.
    fn is_open(&mut self, (kind, starts_at): (AlertKind, EventTime)) -> bool {
        self.state(kind).firing().is_some_and(|firing| firing.starts_at == starts_at)
    }

    /// Whether an episode does not become normal by lasting: someone has said what it is.
    pub(super) fn is_never_normal(&self, kind: AlertKind, episode: &Firing) -> bool {
        self.cases.is_never_normal(kind, episode.starts_at)
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
    let goes_on = series.alert.episode().is_some_and(|episode| episode.starts_at == starts_at);
    match verdict {
        Verdict::TruePositive | Verdict::Expected => {
            series.detector.iter_mut().filter(|_| goes_on).for_each(Detector::never_learn);
            return (0, rows);
        }
        Verdict::FalsePositive => {}
        Verdict::NewNormal => series.accept_new_normal(spec, learner, false),
    }
    // What goes on of a new normal is judged as such; a false positive stays silent until it is calm, and
    // is learned meanwhile: so few rows may not be enough to make it calm at once.
    if goes_on {
        match verdict {
            Verdict::NewNormal => series.alert.forget(),
            _ => series.alert.reword(AlertReason::FalsePositive),
        }
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
