//! What a row leads to beside alerts: latent features and forecasts.

use ndarray::ArrayView1;

use super::judge::Judged;
use super::score::{Context, Scored};
use super::series::Series;
use crate::model::{HeadKind, Learner};
use crate::record::{
    EventTime, FeatureRecord, ForecastPoint, ForecastRecord, HeadOutput, Outbox, Step,
};

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

/// The latent features of a window, if it is their turn.
pub(super) fn emit_features(
    context: &Context<'_>,
    series: &Series,
    learner: &Learner,
    scored: Scored<'_>,
    judged: &Judged,
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
        surprise: judged.surprise,
        anomaly_score: judged.anomaly_score,
        reconstruction_error: judged.errors[0].powi(2),
        warming: judged.warming,
        model_version: context.model_version,
        latent_space_id: learner.latent_space_id().clone(),
        offset: context.evidence.to_offset,
    });
}

/// Takes a row into the forecasters, and emits a forecast if it is their turn.
pub(super) fn forecast(
    context: &Context<'_>,
    series: &mut Series,
    z: Option<&[f32]>,
    out: &mut Outbox,
) {
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
