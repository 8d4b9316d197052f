//! From a closed row to its results: score, alert, learn, latent features.

use ndarray::{ArrayView1, ArrayView2};

use super::alerts::{Scene, count, told};
use super::detector::{Detector, Eyes};
use super::explain::{alert_record, is_eligible};
use super::judge::{Judged, cause, explain, judge};
use super::learn::{count_and_train, model_record, watch_drift};
use super::lesson::Lesson;
use super::outputs::emit_features;
use super::series::Series;
use super::shard::{Pending, Shard};
use super::spec::StreamSpec;
use super::triage::features;
use super::watch::watch_row;
use crate::alert::{Firing, Observation, Switches, Transition};
use crate::model::{Learner, Triage, Workspace};
use crate::record::{
    AlertKind, AlertRecord, Contribution, Evidence, Millis, Outbox, RowScore, Step, WindowSpan,
};
use crate::window::ClosedRow;

/// Rate of the exponentially weighted reconstruction loss.
const LOSS_RATE: f64 = 0.01;

/// A window with its reconstruction and code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scored<'a> {
    pub(super) x: ArrayView1<'a, f32>,
    pub(super) xhat: ArrayView1<'a, f32>,
    pub(super) z: ArrayView1<'a, f32>,
    /// Indices of the code book vectors that `z` is made of; see [`Workspace::vectors_chosen`].
    pub(super) vectors: &'a [u32],
    /// Variance of several reconstructions of which `xhat` is the mean.
    pub(super) spread: Option<ArrayView1<'a, f32>>,
    /// What the layer on top of the code says; empty without one.
    pub(super) head: ArrayView1<'a, f32>,
}

impl<'a> Scored<'a> {
    /// Row `slot` of a pass of `rows` windows.
    fn new(space: &'a Workspace, rows: usize, slot: usize) -> Self {
        let row = |all: ArrayView2<'a, f32>| all.slice_move(ndarray::s![slot, ..]);
        Self {
            x: row(space.windows(rows)),
            xhat: row(space.reconstructions(rows)),
            z: row(space.codes(rows)),
            vectors: space.vectors_chosen(rows, slot),
            spread: space.spreads(rows).map(row),
            head: row(space.heads(rows)),
        }
    }
}

/// What all results of one row have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) spec: &'a StreamSpec,
    pub(super) row: &'a ClosedRow,
    pub(super) span: WindowSpan,
    pub(super) evidence: Evidence,
    pub(super) model_version: u64,
    pub(super) triage: &'a Triage,
    /// What maintenance allows for the window.
    pub(super) switches: Switches,
}

impl Shard {
    /// Scores all waiting windows in one pass, then finishes the waiting rows in order.
    pub(super) fn score_pending(&mut self, out: &mut Outbox) {
        let windows = std::mem::take(&mut self.pending_windows);
        if let Some(learner) = &self.shared {
            learner.network().reconstruct(&mut self.space, windows);
        }
        let mut pending = std::mem::take(&mut self.pending);
        for row in pending.drain(..) {
            self.finish_row(&row, windows, out);
        }
        self.pending = pending;
    }

    fn finish_row(&mut self, pending: &Pending, windows: usize, out: &mut Outbox) {
        let Self {
            spec,
            series,
            shared,
            trainer,
            space,
            loss,
            partition,
            plan,
            eyes,
            foresight,
            triage,
            ..
        } = self;
        let series = &mut series[pending.series];
        series.pending = false;
        let mut own = series.learner.take();
        if let (Some(learner), Some(_)) = (&own, pending.slot) {
            learner.network().reconstruct(space, windows);
        }
        let is_own = own.is_some();
        if let Some(learner) = own.as_deref_mut().or(shared.as_mut()) {
            let place = (*partition, &*triage);
            let mut context = context(spec, series, learner.version(), &pending.row, place);
            let row_end = context.span.end.max(context.row.start);
            let switches = plan.switches(&series.key, context.row.start, row_end);
            let model_version = context.model_version;
            let scene = Scene { spec, partition: *partition, model_version };
            watch_row(&scene, series, &pending.row, switches, out);
            context.switches = plan.switches(&series.key, context.span.start, context.span.end);
            let learns = may_learn(&context, series);
            if let (Some(detector), true) = (&mut series.detector, pending.gap > 0) {
                let before = (context.row.start, row_length(spec).get());
                detector.pass(eyes, pending.gap, before, learns);
            }
            let scored = pending.slot.map(|slot| Scored::new(space, windows, slot));
            let error = finish(&context, series, learner, scored, eyes, out);
            foresight.row(&context, series, (pending.gap, switches.learn), out);
            if pending.slot.is_some() {
                *loss = Some(loss.map_or(error, |l| l + LOSS_RATE * (error - l)));
                let now = context.span.end;
                if let Some(examined) =
                    count_and_train(learner, &**trainer, space, now, &mut out.facts)
                {
                    let entity = is_own.then(|| series.key.clone());
                    out.models.push(model_record(&context, learner, examined, entity));
                }
            }
        }
        series.learner = own;
    }
}

pub(super) fn context<'a>(
    spec: &'a StreamSpec,
    series: &Series,
    model_version: u64,
    row: &'a ClosedRow,
    (partition, triage): (i32, &'a Triage),
) -> Context<'a> {
    let start = series.ring.oldest().map_or(row.start, |mark| mark.start);
    let (from_offset, to_offset) =
        series.ring.offsets().unwrap_or((row.first_offset, row.last_offset));
    Context {
        spec,
        row,
        span: WindowSpan {
            start,
            end: row.start + row_length(spec),
            completeness: series.ring.completeness(),
        },
        evidence: Evidence { partition, from_offset, to_offset },
        model_version,
        triage,
        switches: Switches::ON,
    }
}

fn row_length(spec: &StreamSpec) -> Millis {
    match spec.rows.step {
        Step::Grid(step) => step,
        Step::Event => Millis::ZERO,
    }
}

/// Everything about a row; `scored` is the window that ends with it, if there is one. Returns the mean
/// squared error of that window, 0 without one.
fn finish(
    context: &Context<'_>,
    series: &mut Series,
    learner: &mut Learner,
    scored: Option<Scored<'_>>,
    eyes: &mut Eyes,
    out: &mut Outbox,
) -> f64 {
    series.windows += u64::from(scored.is_some());
    let judged = judge(context, series, scored, eyes);
    let shown = judged.map(|judged| if context.switches.score { judged } else { judged.hidden() });
    let was_firing = series.alert.firing().is_some();
    let told = out.keep_rows || series.shown;
    let explained = |j: &Judged| j.anomaly_score >= 1.0 || was_firing || told;
    let channels = match &shown {
        Some(judged) if explained(judged) => explain(context, series, scored, judged),
        _ => Vec::new(),
    };
    let transition = match &shown {
        Some(judged) => step_alert(context, series, (judged, &channels, scored), out),
        None => Transition::None,
    };
    let lesson = Lesson::of(context, series, scored, judged.unwrap_or_default());
    learn(context, series, learner, lesson, eyes, out);
    if transition == Transition::Accepted {
        series.accept_new_normal(context.spec, learner, true);
    }
    let shown =
        shown.unwrap_or(Judged { warming: series.is_warming(context.spec), ..Judged::default() });
    if let Some(scored) = scored {
        tell_window(context, series, learner, scored, &shown, out);
    }
    if told {
        // A chart begins before anything is expected.
        let unexplained = series.shown && channels.is_empty();
        let channels = if unexplained { observed(context.row) } else { channels };
        out.rows.push(RowScore {
            entity: series.key.clone(),
            time: context.row.start,
            surprise: shown.surprise,
            anomaly_score: shown.anomaly_score,
            raised: opens(transition),
            firing: series.alert.firing().is_some(),
            warming: shown.warming,
            values: context.row.values.clone(),
            channels,
        });
    }
    shown.errors[0].powi(2)
}

/// The values of a row of which nothing is expected.
fn observed(row: &ClosedRow) -> Vec<Contribution> {
    let (nothing, share) = (f64::NAN, 0.0);
    let part = |(channel, y): (usize, &f64)| Contribution {
        channel,
        y: *y,
        yhat: nothing,
        lower: nothing,
        upper: nothing,
        share,
    };
    row.values.iter().enumerate().map(part).collect()
}

/// Takes in what a row has to teach, or holds it back while its series is at fault.
fn learn(
    context: &Context<'_>,
    series: &mut Series,
    learner: &mut Learner,
    lesson: Lesson,
    eyes: &mut Eyes,
    out: &mut Outbox,
) {
    let learns = may_learn(context, series);
    let episode = series.alert.episode().map(|episode| episode.starts_at);
    if learns {
        lesson.take_in(context.spec, series, learner);
        series.quarantine.follow(lesson);
    } else {
        out.facts.windows_quarantined += u64::from(lesson.has_window());
        if let Some(because) = episode {
            series.quarantine.hold(because, lesson, (series.detector.as_ref(), eyes));
        }
    }
    // An alert alone is no reason for the past of the errors to miss what goes on.
    let speaks = speaks(context, series);
    match &mut series.detector {
        Some(detector) if speaks => detector.learn(eyes, learns),
        Some(detector) => detector.pass_over(eyes),
        None => {}
    }
}

/// What a scored window leads to beside alerts: counts, drift, latent features.
fn tell_window(
    context: &Context<'_>,
    series: &mut Series,
    learner: &mut Learner,
    scored: Scored<'_>,
    judged: &Judged,
    out: &mut Outbox,
) {
    let newest = scored.x.len() - context.spec.channels.len();
    if let (Some(x), Some(z)) = (scored.x.as_slice(), scored.z.as_slice()) {
        watch_drift(context, series, learner, (&x[newest..], z, judged.errors[0].powi(2)), out);
    }
    if context.switches.score {
        out.facts.windows_scored += 1;
        out.facts.anomaly_scores.push(judged.anomaly_score as f32);
        out.facts.completeness.push(context.span.completeness as f32);
        emit_features(context, series, learner, scored, judged, out);
    }
}

fn step_alert(
    context: &Context<'_>,
    series: &mut Series,
    (judged, channels, scored): (&Judged, &[Contribution], Option<Scored<'_>>),
    out: &mut Outbox,
) -> Transition {
    // Of a row in which nothing was observed nobody knows whether it is calm.
    let observed = context.row.values.iter().any(|value| value.is_finite());
    if judged.warming || !observed {
        return Transition::None;
    }
    let episode = series.alert.episode();
    let never_normal = episode.is_some_and(|e| series.is_never_normal(AlertKind::Anomaly, e));
    let alerting = &context.spec.alert;
    let strength = |score| series.threshold.strength(alerting, score * judged.threshold);
    let observation = Observation {
        anomaly_score: judged.anomaly_score,
        strength: strength(judged.anomaly_score),
        eligible: is_eligible(alerting, channels)
            && series.watch.is_settled(context.spec, context.span.end),
        time: context.span.end,
        muted: !context.switches.alert,
        settles: context.switches.learn && !never_normal,
        news: judged.news,
        news_strength: strength(judged.news),
    };
    let life = alerting.life(AlertKind::Anomaly);
    let (transition, alert) = series.alert.step(&life, observation);
    if opens(transition) {
        let features = features(context, judged, channels, scored);
        let p_true = context.triage.p_true(&features);
        series.open_case(context.spec, (AlertKind::Anomaly, context.span.end), (features, p_true));
    }
    keep_budget(context, series, judged, transition);
    let seen = (judged, channels);
    if let Some(alert) = alert {
        tell_alert(context, series, seen, (transition, &alert), out);
    }
    if let (Transition::Superseded, Some(next)) = (transition, series.alert.firing().copied()) {
        tell_alert(context, series, seen, (Transition::Opened, &next), out);
    }
    transition
}

/// Whether an alert opens with it.
fn opens(transition: Transition) -> bool {
    matches!(transition, Transition::Opened | Transition::Superseded)
}

/// Writes what has happened to an alert, if that is told.
fn tell_alert(
    context: &Context<'_>,
    series: &Series,
    (judged, channels): (&Judged, &[Contribution]),
    (transition, alert): (Transition, &Firing),
    out: &mut Outbox,
) {
    let Some(change) = told(transition, alert) else { return };
    count(&mut out.facts, AlertKind::Anomaly, change, alert);
    let cause = if judged.anomaly_score >= 1.0 { cause(series) } else { None };
    let record = alert_record(context, &series.key, judged, channels, change, alert);
    let p_true = series.cases.p_true(alert.starts_at);
    out.alerts.push(AlertRecord { cause, p_true, ..record });
}

/// Lets the threshold learn from a judged row, and pay for an alert that has opened.
fn keep_budget(
    context: &Context<'_>,
    series: &mut Series,
    judged: &Judged,
    transition: Transition,
) {
    let params = &context.spec.alert;
    let of = params.allowance();
    let evidence = judged.evidence();
    if params.spend_budget {
        series.threshold.learn(&of, evidence);
    }
    if opens(transition) {
        let lift = series.detector.as_ref().map_or(0.0, Detector::looseness);
        series.threshold.spend(&of, judged.threshold, lift);
    }
    // What is not told has cost nothing, and says nothing about what has.
    if series.alert.firing().is_some() {
        series.threshold.confirm(evidence);
    }
}

/// Whether the series is calm as far as anyone knows, and maintenance lets it learn.
pub(super) fn may_learn(context: &Context<'_>, series: &Series) -> bool {
    let held = series.alert.episode().is_some_and(|episode| episode.holds_back());
    let pending = series.alert.is_pending(context.spec.alert.for_rows);
    speaks(context, series) && !held && !pending
}

/// Whether rows say anything of the series: not in maintenance without learning, not with known faults.
fn speaks(context: &Context<'_>, series: &Series) -> bool {
    context.switches.learn && !series.watch.is_faulty()
}
