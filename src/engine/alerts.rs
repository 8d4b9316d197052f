//! From the state machine of a kind to its records, and what operators say about alerts.

use super::ids;
use super::series::Series;
use super::shard::Shard;
use super::spec::StreamSpec;
use crate::alert::{Firing, Observation, Plan, Switches, Transition};
use crate::model::Learner;
use crate::record::{
    AlertChange, AlertKind, AlertReason, AlertRecord, Contribution, Direction, Evidence, Facts,
    OpenAlert, Outbox, Severity, WindowSpan,
};

/// What the records of one shard have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub spec: &'a StreamSpec,
    pub partition: i32,
    pub model_version: u64,
}

/// What was seen of one kind.
#[derive(Debug, Clone)]
pub(super) struct Sign {
    pub kind: AlertKind,
    /// 1 and above is an alarm.
    pub score: f64,
    /// What was looked at.
    pub span: WindowSpan,
    pub offsets: (i64, i64),
    pub switches: Switches,
    pub direction: Option<Direction>,
    pub top: Vec<Contribution>,
}

/// Steps the state of a kind that is no anomaly, and writes what changed.
pub(super) fn step_kind(
    scene: &Scene<'_>,
    series: &mut Series,
    sign: Sign,
    out: &mut Outbox,
) -> Transition {
    let kind = sign.kind;
    let episode = series.state(kind).episode().copied();
    let row = Observation {
        anomaly_score: sign.score,
        strength: sign.score,
        eligible: series.watch.is_settled(scene.spec, sign.span.end),
        time: sign.span.end,
        muted: !sign.switches.alert,
        news: 0.0,
        news_strength: 0.0,
        settles: sign.switches.learn && !episode.is_some_and(|e| series.is_never_normal(kind, &e)),
    };
    let params = scene.spec.alert.life(kind);
    let (transition, alert) = series.state(kind).step(&params, row);
    if transition == Transition::Opened {
        series.open_case(scene.spec, (kind, row.time), (Vec::new(), None));
    }
    let Some(alert) = alert else { return transition };
    if let Some((change, reason)) = told(transition, &alert) {
        count(&mut out.facts, kind, (change, reason), &alert);
        out.alerts.push(kind_record(scene, series, sign, (change, reason), &alert));
    }
    transition
}

/// What a transition is in a record; `None` if there is nothing to tell.
pub(super) fn told(
    transition: Transition,
    alert: &Firing,
) -> Option<(AlertChange, Option<AlertReason>)> {
    let change = match transition {
        Transition::None => return None,
        Transition::Opened => (AlertChange::Opened, None),
        Transition::Suppressed => (AlertChange::Suppressed, alert.silent),
        Transition::Escalated => (AlertChange::Updated, Some(AlertReason::Escalated)),
        Transition::Renotified => (AlertChange::Updated, Some(AlertReason::Renotified)),
        Transition::Closed => (AlertChange::Closed, Some(AlertReason::Calm)),
        Transition::Superseded => (AlertChange::Closed, Some(AlertReason::Superseded)),
        Transition::Accepted if alert.silent.is_some() => return None,
        Transition::Accepted => (AlertChange::Closed, Some(AlertReason::Accepted)),
    };
    Some(change)
}

/// Counts a record.
pub(super) fn count(
    facts: &mut Facts,
    kind: AlertKind,
    (change, reason): (AlertChange, Option<AlertReason>),
    alert: &Firing,
) {
    match change {
        AlertChange::Opened => {
            let severity = usize::from(alert.severity == Severity::Critical);
            facts.alerts_opened[kind as usize][severity] += 1;
        }
        AlertChange::Closed => {
            let reasons = AlertReason::CLOSED.iter().zip(&mut facts.alerts_closed);
            let mut same = reasons.filter(|(closed, _)| reason == Some(**closed));
            if let Some((_, count)) = same.next() {
                *count += 1;
            }
        }
        AlertChange::Updated => {}
        AlertChange::Suppressed => {
            let reasons = AlertReason::SUPPRESSED.iter().zip(&mut facts.alerts_suppressed);
            let mut same = reasons.filter(|(reason, _)| alert.silent == Some(**reason));
            if let Some((_, count)) = same.next() {
                *count += 1;
            }
        }
    }
}

fn kind_record(
    scene: &Scene<'_>,
    series: &Series,
    sign: Sign,
    (change, reason): (AlertChange, Option<AlertReason>),
    alert: &Firing,
) -> AlertRecord {
    let Sign { kind, score, span, offsets: (from_offset, to_offset), direction, mut top, .. } =
        sign;
    top.truncate(scene.spec.alert.top);
    AlertRecord {
        alert_id: ids::kind_alert_id(&scene.spec.name, &series.key, alert.starts_at, kind),
        sequence: alert.sequence,
        change,
        reason,
        kind,
        severity: alert.severity,
        direction,
        entity: series.key.clone(),
        starts_at: alert.starts_at,
        ends_at: (change == AlertChange::Closed).then_some(span.end),
        window: span,
        surprise: f64::NAN,
        p_value: f64::NAN,
        anomaly_score: score,
        threshold: f64::NAN,
        top,
        model_version: scene.model_version,
        evidence: Evidence { partition: scene.partition, from_offset, to_offset },
        cause: None,
        p_true: None,
    }
}

impl Shard {
    /// Closes an open alert of this shard by the word of an operator, and writes the record, with
    /// that reason, into `out`. Returns which series and kind it was; `None` if no open alert has
    /// that id.
    ///
    /// What the alert saw goes on in silence until it is calm: it does not open again at the next
    /// row, and is still not learned. [`AlertState::forget`] ends that, too.
    ///
    /// [`AlertState::forget`]: crate::alert::AlertState::forget
    pub fn close_alert(
        &mut self,
        alert_id: &str,
        reason: AlertReason,
        out: &mut Outbox,
    ) -> Option<(usize, AlertKind)> {
        self.settle(out);
        let (index, kind) = self.find_alert(alert_id)?;
        self.close(index, kind, reason, out);
        Some((index, kind))
    }

    /// Closes the open alert of a series and kind, if there is one, by the word of an operator.
    pub(super) fn close(
        &mut self,
        index: usize,
        kind: AlertKind,
        reason: AlertReason,
        out: &mut Outbox,
    ) {
        let Some(ended) = self.series[index].state(kind).decide(reason) else { return };
        let series = &self.series[index];
        let newest = series.ring.newest().map_or(ended.starts_at, |mark| mark.start);
        let end = self.spec.rows.step.row_of(newest).1.max(ended.starts_at);
        let span = WindowSpan { start: newest, end, completeness: series.ring.completeness() };
        self.write_end(index, kind, (reason, span), &ended, out);
    }

    /// Writes that an alert has ended, by something other than its rows.
    pub(super) fn write_end(
        &self,
        index: usize,
        kind: AlertKind,
        (reason, span): (AlertReason, WindowSpan),
        ended: &Firing,
        out: &mut Outbox,
    ) {
        let model_version = self.version_of(index);
        let scene = Scene { spec: &self.spec, partition: self.partition, model_version };
        let series = &self.series[index];
        let offset = series.watch.last_offset;
        let sign = Sign {
            kind,
            score: 0.0,
            span,
            offsets: series.ring.offsets().unwrap_or((offset, offset)),
            switches: Switches::ON,
            direction: None,
            top: Vec::new(),
        };
        let change = (AlertChange::Closed, Some(reason));
        count(&mut out.facts, kind, change, ended);
        out.alerts.push(kind_record(&scene, series, sign, change, ended));
    }

    /// The alerts that are open, by series and kind. Call after `settle`.
    pub fn open_alerts(&self) -> Vec<OpenAlert> {
        (0..self.series.len()).flat_map(|index| self.open_alerts_of(index)).collect()
    }

    /// The open alerts of one series, by kind.
    pub(super) fn open_alerts_of(&self, index: usize) -> Vec<OpenAlert> {
        let series = &self.series[index];
        let open = AlertKind::ALL.into_iter().zip(series.states());
        let open = open.filter_map(|(kind, state)| Some((kind, state.firing()?)));
        let told = |(kind, firing): (AlertKind, &Firing)| OpenAlert {
            alert_id: ids::kind_alert_id(&self.spec.name, &series.key, firing.starts_at, kind),
            kind,
            severity: firing.severity,
            entity: series.key.clone(),
            starts_at: firing.starts_at,
            sequence: firing.sequence,
            model_version: self.version_of(index),
        };
        open.map(told).collect()
    }

    /// Series and kind of an open alert.
    fn find_alert(&self, alert_id: &str) -> Option<(usize, AlertKind)> {
        let is = |series: &Series, kind: AlertKind, firing: &Firing| {
            let name = &self.spec.name;
            ids::kind_alert_id(name, &series.key, firing.starts_at, kind) == alert_id
        };
        self.series.iter().enumerate().find_map(|(index, series)| {
            let mut open = AlertKind::ALL.into_iter().zip(series.states());
            let found = open.find(|(kind, s)| s.firing().is_some_and(|f| is(series, *kind, f)));
            found.map(|(kind, _)| (index, kind))
        })
    }

    /// Training steps behind the network of a series.
    pub(super) fn version_of(&self, index: usize) -> u64 {
        let own = self.series.get(index).and_then(|series| series.learner.as_deref());
        own.or(self.shared.as_ref()).map_or(0, Learner::version)
    }

    /// The plan of maintenance.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}
