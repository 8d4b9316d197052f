//! What a row leads to beside alerts: latent features.

use ndarray::ArrayView1;

use super::judge::Judged;
use super::score::{Context, Scored};
use super::series::Series;
use crate::model::{HeadKind, Learner};
use crate::record::{FeatureRecord, HeadOutput, Outbox};

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
        vectors: match learner.network().is_quantised() {
            true => scored.vectors.to_vec(),
            false => Vec::new(),
        },
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
