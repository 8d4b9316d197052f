//! From a closed row to its results: score, alert, learn, latent features, forecast.

use ndarray::{ArrayView1, ArrayView2};

use super::alerts::{Scene, count, told};
use super::explain::{alert_record, contributions, is_eligible};
use super::learn::{count_and_train, model_record, watch_drift};
use super::lesson::Lesson;
use super::series::Series;
use super::shard::{Pending, Shard};
use super::spec::StreamSpec;
use super::watch::watch_row;
use crate::alert::{Observation, Switches, Transition};
use crate::model::{HeadKind, Learner, Workspace};
use crate::record::{
    AlertKind, Contribution, EventTime, Evidence, FeatureRecord, ForecastPoint, ForecastRecord,
    HeadOutput, Millis, Outbox, RowScore, Step, WindowSpan,
};
use crate::window::ClosedRow;

/// Rate of the exponentially weighted reconstruction loss.
const LOSS_RATE: f64 = 0.01;

/// How unusual a window is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Verdict {
    pub(super) warming: bool,
    /// Root mean squared residual of the window; largest relative residual of its newest row.
    pub(super) errors: [f64; 2],
    pub(super) surprise: f64,
    pub(super) p_value: f64,
    pub(super) threshold: f64,
    pub(super) anomaly_score: f64,
}

impl Verdict {
    /// What is shown of a window that is not to be scored.
    fn hidden(self) -> Self {
        Self { warming: true, surprise: 0.0, p_value: 1.0, anomaly_score: 0.0, ..self }
    }
}

/// A window with its reconstruction and code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scored<'a> {
    pub(super) x: ArrayView1<'a, f32>,
    pub(super) xhat: ArrayView1<'a, f32>,
    pub(super) z: ArrayView1<'a, f32>,
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
        let Self { spec, series, shared, trainer, space, loss, partition, plan, .. } = self;
        let series = &mut series[pending.series];
        series.pending = false;
        let mut own = series.learner.take();
        if let (Some(learner), Some(_)) = (&own, pending.slot) {
            learner.network().reconstruct(space, windows);
        }
        let is_own = own.is_some();
        if let Some(learner) = own.as_deref_mut().or(shared.as_mut()) {
            let mut context = context(spec, series, learner.version(), &pending.row, *partition);
            let row_end = context.span.end.max(context.row.start);
            let switches = plan.switches(&series.key, context.row.start, row_end);
            let model_version = context.model_version;
            let scene = Scene { spec, partition: *partition, model_version };
            watch_row(&scene, series, &pending.row, switches, out);
            context.switches = plan.switches(&series.key, context.span.start, context.span.end);
            match pending.slot {
                Some(slot) => {
                    let scored = Scored::new(space, windows, slot);
                    let error = finish_window(&context, series, learner, scored, out);
                    *loss = Some(loss.map_or(error, |l| l + LOSS_RATE * (error - l)));
                    let now = context.span.end;
                    if let Some(examined) =
                        count_and_train(learner, &**trainer, space, now, &mut out.facts)
                    {
                        let entity = is_own.then(|| series.key.clone());
                        out.models.push(model_record(&context, learner, examined, entity));
                    }
                }
                None => finish_unscored(&context, series, out),
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
    partition: i32,
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
        switches: Switches::ON,
    }
}

fn row_length(spec: &StreamSpec) -> Millis {
    match spec.rows.step {
        Step::Grid(step) => step,
        Step::Event => Millis::ZERO,
    }
}

/// Everything about a row whose window was scored. Returns the mean squared error.
fn finish_window(
    context: &Context<'_>,
    series: &mut Series,
    learner: &mut Learner,
    scored: Scored<'_>,
    out: &mut Outbox,
) -> f64 {
    series.windows += 1;
    let judged = judge(context.spec, series, scored);
    let verdict = if context.switches.score { judged } else { judged.hidden() };
    if context.switches.score {
        out.facts.windows_scored += 1;
        out.facts.anomaly_scores.push(verdict.anomaly_score as f32);
        out.facts.completeness.push(context.span.completeness as f32);
    }
    let was_firing = series.alert.firing().is_some();
    let explained = verdict.anomaly_score >= 1.0 || was_firing || out.keep_rows;
    let channels = if explained { contributions(series, context.row, scored) } else { Vec::new() };
    let transition = step_alert(context, series, &verdict, &channels, out);
    let lesson = lesson(context, series, scored, &judged);
    if may_learn(context, series) {
        lesson.take_in(context.spec, series, learner);
    } else {
        if let Some(because) = series.alert.episode().map(|episode| episode.starts_at) {
            series.quarantine.hold(because, lesson);
        }
        out.facts.windows_quarantined += 1;
    }
    if transition == Transition::Accepted {
        series.accept_new_normal(context.spec, learner);
    }
    let newest = scored.x.len() - context.spec.channels.len();
    if let (Some(x), Some(z)) = (scored.x.as_slice(), scored.z.as_slice()) {
        watch_drift(context, series, learner, (&x[newest..], z, verdict.errors[0].powi(2)), out);
    }
    if context.switches.score {
        emit_features(context, series, learner, scored, &verdict, out);
    }
    forecast(context, series, scored.z.as_slice(), out);
    if out.keep_rows {
        out.rows.push(RowScore {
            entity: series.key.clone(),
            time: context.row.start,
            surprise: verdict.surprise,
            anomaly_score: verdict.anomaly_score,
            raised: transition == Transition::Opened,
            firing: series.alert.firing().is_some(),
            warming: verdict.warming,
            channels,
        });
    }
    verdict.errors[0].powi(2)
}

fn lesson(context: &Context<'_>, series: &Series, scored: Scored<'_>, verdict: &Verdict) -> Lesson {
    let newest = scored.xhat.len() - context.spec.channels.len();
    Lesson {
        values: context.row.values.to_vec(),
        window: scored.x.to_vec(),
        xhat: scored.xhat.iter().skip(newest).copied().collect(),
        errors: verdict.errors,
        p_value: verdict.p_value,
        rows: series.rows,
    }
}

/// A row without a window: the series is younger than one, or too little was observed.
fn finish_unscored(context: &Context<'_>, series: &mut Series, out: &mut Outbox) {
    if may_learn(context, series) {
        series.scaler.learn(&context.row.values);
    }
    forecast(context, series, None, out);
    if out.keep_rows {
        out.rows.push(RowScore {
            entity: series.key.clone(),
            time: context.row.start,
            surprise: 0.0,
            anomaly_score: 0.0,
            raised: false,
            firing: series.alert.firing().is_some(),
            warming: series.windows <= u64::from(context.spec.model.warmup),
            channels: Vec::new(),
        });
    }
}

/// Judges a window by what was known before it.
fn judge(spec: &StreamSpec, series: &Series, scored: Scored<'_>) -> Verdict {
    let errors = series.residuals.errors(scored.x, scored.xhat, scored.spread);
    let threshold = series.threshold.level(&spec.alert.budget);
    if series.windows <= u64::from(spec.model.warmup) {
        return Verdict { warming: true, errors, p_value: 1.0, threshold, ..Verdict::default() };
    }
    let p = errors.iter().zip(&series.tails).map(|(e, tail)| tail.p_value(*e)).fold(1.0, f64::min);
    // Two looks at one window: Bonferroni.
    let p_value = (2.0 * p).min(1.0);
    // Not `-log10`: a p-value of 1 would print as -0.
    let surprise = 0.0 - p_value.log10();
    Verdict {
        warming: false,
        errors,
        surprise,
        p_value,
        threshold,
        anomaly_score: surprise / threshold,
    }
}

fn step_alert(
    context: &Context<'_>,
    series: &mut Series,
    verdict: &Verdict,
    channels: &[Contribution],
    out: &mut Outbox,
) -> Transition {
    if verdict.warming {
        return Transition::None;
    }
    let is_fault = series.alert.episode().is_some_and(|e| series.cases.is_fault(e.starts_at));
    let observation = Observation {
        anomaly_score: verdict.anomaly_score,
        eligible: is_eligible(&context.spec.alert, channels)
            && series.watch.is_settled(context.spec, context.span.end),
        time: context.span.end,
        muted: !context.switches.alert,
        learns: context.switches.learn && !is_fault,
    };
    let life = context.spec.alert.life(AlertKind::Anomaly);
    let (transition, alert) = series.alert.step(&life, observation);
    if transition == Transition::Opened {
        series.threshold.spend();
        series.cases.open(context.span.end);
    }
    if let Some(alert) = alert
        && let Some(change) = told(transition, &alert)
    {
        count(&mut out.facts, AlertKind::Anomaly, change.0, &alert);
        out.alerts.push(alert_record(context, &series.key, verdict, channels, change, &alert));
    }
    transition
}

/// Whether the series is calm, and maintenance lets it learn.
fn may_learn(context: &Context<'_>, series: &Series) -> bool {
    context.switches.learn && series.alert.episode().is_none() && !series.watch.is_faulty()
}

/// What the layer on top of the code says, in the units of the channels.
fn head_output(
    series: &Series,
    learner: &Learner,
    said: ArrayView1<'_, f32>,
) -> Option<HeadOutput> {
    match learner.head()? {
        HeadKind::Logistic => Some(HeadOutput::Rise(said.iter().map(|p| f64::from(*p)).collect())),
        HeadKind::Linear | HeadKind::None => {
            let unscaled = said.iter().enumerate().map(|(c, x)| series.scaler.unscale(c, *x));
            Some(HeadOutput::Next(unscaled.collect()))
        }
    }
}

fn emit_features(
    context: &Context<'_>,
    series: &Series,
    learner: &Learner,
    scored: Scored<'_>,
    verdict: &Verdict,
    out: &mut Outbox,
) {
    let every = u64::from(context.spec.features_every);
    if every == 0 || !series.windows.is_multiple_of(every) {
        return;
    }
    out.facts.features += 1;
    out.features.push(FeatureRecord {
        entity: series.key.clone(),
        window: context.span,
        z: scored.z.to_vec(),
        head: head_output(series, learner, scored.head),
        surprise: verdict.surprise,
        anomaly_score: verdict.anomaly_score,
        reconstruction_error: verdict.errors[0].powi(2),
        warming: verdict.warming,
        model_version: context.model_version,
        latent_space_id: learner.latent_space_id().clone(),
        offset: context.evidence.to_offset,
    });
}

fn forecast(context: &Context<'_>, series: &mut Series, z: Option<&[f32]>, out: &mut Outbox) {
    let (Some(params), Step::Grid(step)) = (&context.spec.forecast, context.spec.rows.step) else {
        return;
    };
    for (channel, forecaster) in params.targets.iter().zip(&mut series.forecasters) {
        forecaster.observe(context.row.values[*channel], z);
        if !series.rows.is_multiple_of(u64::from(params.every)) {
            continue;
        }
        let Some(set) = forecaster.forecast() else { continue };
        let target_at = |horizon: u32| {
            EventTime::from_millis(context.row.start.as_millis() + i64::from(horizon) * step.get())
        };
        out.facts.forecasts += 1;
        out.forecasts.push(ForecastRecord {
            entity: series.key.clone(),
            channel: *channel,
            issued_at: context.span.end,
            step,
            points: set
                .points
                .into_iter()
                .map(|p| ForecastPoint {
                    horizon: p.horizon,
                    target_at: target_at(p.horizon),
                    yhat: p.yhat,
                    intervals: p.intervals,
                    source: p.source,
                })
                .collect(),
            skill: set.skill,
            coverage: set.coverage,
            model_version: context.model_version,
            offset: context.evidence.to_offset,
        });
    }
}
