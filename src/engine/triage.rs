//! What is known of an alert when it opens, for the layer that learns from verdicts.

use super::explain::top_channel;
use super::judge::Judged;
use super::score::{Context, Scored};
use crate::model::Scope;
use crate::record::Contribution;

/// Streams with more channels go without their shares: verdicts are few.
const SHARES_MAX: usize = 64;

/// Score, direction, the share of each channel, and the latent of a network that is shared. The axes of
/// networks of single series mean something else in each, and verdicts are too few for a layer each.
pub(super) fn features(
    context: &Context<'_>,
    judged: &Judged,
    channels: &[Contribution],
    scored: Option<Scored<'_>>,
) -> Vec<f64> {
    let direction =
        top_channel(channels).map_or(0.0, |top| if top.y >= top.yhat { 1.0 } else { -1.0 });
    let mut features = vec![judged.anomaly_score.max(f64::MIN_POSITIVE).ln(), direction];
    let count = context.spec.channels.len();
    if count <= SHARES_MAX {
        let first = features.len();
        features.resize(first + count, 0.0);
        for part in channels {
            features[first + part.channel] = part.share;
        }
    }
    if context.spec.model.scope == Scope::Shard {
        let first = features.len();
        features.resize(first + context.spec.model.latent, 0.0);
        if let Some(scored) = scored {
            let latent = features[first..].iter_mut().zip(scored.z);
            latent.for_each(|(feature, z)| *feature = f64::from(*z));
        }
    }
    features
}
