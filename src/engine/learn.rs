//! What is learned from a calm row, and what training leads to.

use ndarray::ArrayView1;

use super::score::{Context, Scored, Verdict};
use super::series::{Awaiting, Series};
use super::spec::StreamSpec;
use crate::model::{self, Examined, HeadKind, Learner, Trainer, Workspace};
use crate::record::{EventTime, Facts, ModelChange, ModelRecord, SeriesKey};

/// Windows with a smaller p-value are not what others are compared with.
const TYPICAL: f64 = 0.05;

/// Takes a calm row into everything that says what calm is.
pub(super) fn learn(
    series: &mut Series,
    learner: &mut Learner,
    context: &Context<'_>,
    scored: Scored<'_>,
    verdict: &Verdict,
) {
    // Errors of an untrained network say nothing about the trained one.
    let settled = 2 * series.windows > u64::from(context.spec.model.warmup);
    if settled {
        series.tails.iter_mut().zip(verdict.errors).for_each(|(tail, e)| tail.learn(e));
    }
    series.residuals.learn(scored.x, scored.xhat);
    series.scaler.learn(&context.row.values);
    let typical = settled && verdict.p_value > TYPICAL;
    offer(context.spec, series, learner, scored.x, typical);
    learner.compare(scored.x, verdict.errors[0].powi(2));
}

/// Gives a window to the learner; if a layer on top of the code is to say something about the next
/// one, only when that is known.
fn offer(
    spec: &StreamSpec,
    series: &mut Series,
    learner: &mut Learner,
    window: ArrayView1<'_, f32>,
    typical: bool,
) {
    let Some(kind) = learner.head() else { return learner.offer(window, &[], typical) };
    let before = series.awaiting.replace(Awaiting { window: window.to_vec(), rows: series.rows });
    let stride = spec.window.stride as u64;
    let Some(before) = before.filter(|before| before.rows + stride == series.rows) else {
        return;
    };
    let from = window.len() - spec.channels.len();
    let newest = window.iter().zip(&before.window).skip(from);
    let targets: Vec<f32> = newest
        .map(|(next, now)| match kind {
            HeadKind::Logistic if next.is_nan() || now.is_nan() => f32::NAN,
            HeadKind::Logistic => f32::from(u8::from(next > now)),
            HeadKind::Linear | HeadKind::None => *next,
        })
        .collect();
    learner.offer(before.window.as_slice().into(), &targets, typical);
}

/// Counts a window and takes a refresh if one is due; what an examination led to.
pub(super) fn count_and_train(
    learner: &mut Learner,
    trainer: &dyn Trainer,
    space: &mut Workspace,
    now: EventTime,
    facts: &mut Facts,
) -> Option<Examined> {
    if !learner.count_window() {
        return None;
    }
    let result = learner.refresh(trainer, space, now);
    facts.refreshes_held += u64::from(learner.is_held());
    let (outcome, examined) = result?;
    facts.train_steps += outcome.steps;
    facts.train_loss_sum += outcome.loss_sum;
    facts.train_diverged += outcome.diverged;
    examined
}

/// The record of an examination.
pub(super) fn model_record(
    context: &Context<'_>,
    learner: &Learner,
    examined: Examined,
    entity: Option<SeriesKey>,
) -> ModelRecord {
    let Examined { verdict, report, challenger, new_latent_space } = examined;
    let (change, reason) = match verdict {
        model::Verdict::Promoted => (ModelChange::Promoted, None),
        model::Verdict::Rejected(reason) => (ModelChange::Rejected, Some(reason.word())),
        model::Verdict::RolledBack(reason) => (ModelChange::RolledBack, Some(reason.word())),
    };
    ModelRecord {
        entity,
        partition: context.evidence.partition,
        at: context.span.end,
        change,
        reason,
        model_version: learner.version(),
        challenger_version: challenger,
        latent_space_id: learner.latent_space_id().clone(),
        new_latent_space,
        alignment_error: report.alignment_error,
        champion: report.champion,
        challenger: report.challenger,
        predecessor: report.predecessor,
        offset: context.evidence.to_offset,
    }
}
