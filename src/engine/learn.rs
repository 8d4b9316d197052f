//! What training leads to.

use super::score::{Context, may_learn};
use super::series::Series;
use crate::model::{self, Drifted, Examined, Learner, Scope, Trainer, Workspace};
use crate::record::{
    DriftAction, DriftRecord, EventTime, Facts, ModelChange, ModelRecord, Outbox, SeriesKey,
};

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

/// Compares a scored window with the past of its network; what has drifted is told, and followed up
/// unless the series is at fault: what is now must not become normal then.
pub(super) fn watch_drift(
    context: &Context<'_>,
    series: &mut Series,
    learner: &mut Learner,
    window: (&[f32], &[f32], f64),
    out: &mut Outbox,
) {
    let own = context.spec.model.scope == Scope::Series;
    let learns = may_learn(context, series);
    // One series at fault is no drift of a network that all of them share.
    if !(learns || own) {
        return;
    }
    let drifted = learner.watch(window, learns);
    if drifted.is_empty() {
        return;
    }
    let action = if learns { context.spec.model.drift.action } else { DriftAction::None };
    for Drifted { level, part, before, after } in drifted {
        out.facts.drifts[level as usize] += 1;
        out.drifts.push(DriftRecord {
            entity: own.then(|| series.key.clone()),
            at: context.span.end,
            level,
            part,
            before,
            after,
            action,
            model_version: context.model_version,
            offset: context.evidence.to_offset,
        });
    }
    match action {
        DriftAction::None => {}
        DriftAction::Refresh => learner.forget_past(),
        DriftAction::Reset if own => series.accept_new_normal(context.spec, learner, false),
        DriftAction::Reset => learner.accept_new_normal(),
    }
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
