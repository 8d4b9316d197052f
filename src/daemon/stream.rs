//! What the daemon holds of one configured stream.

use std::sync::Arc;

use super::DaemonError;
use crate::config::{Settings, StreamSettings};
use crate::engine::StreamSpec;
use crate::io::{Decoder, Encoder, Origin, OutMessage};
use crate::model::Trainer;
use crate::record::{Millis, Outbox};

/// One stream; its partitions hold the state.
#[derive(Debug)]
pub(super) struct Stream {
    pub name: Arc<str>,
    pub topics: Vec<String>,
    pub spec: Arc<StreamSpec>,
    pub state_topic: String,
    pub decoder: Decoder,
    pub idle_timeout: Millis,
    pub trainer: Arc<dyn Trainer>,
    encoder: Encoder,
}

/// The streams of checked settings, in their order.
pub(super) fn streams_of(
    settings: &Settings,
    trainer: &Arc<dyn Trainer>,
) -> Result<Vec<Stream>, DaemonError> {
    let stream = |configured: &StreamSettings| {
        let spec = configured.spec(settings.seed);
        let decoder = Decoder::new(&configured.input(settings.kafka.message_bytes_max))
            .map_err(|source| DaemonError::Input { stream: configured.name.clone(), source })?;
        let (topics, build) = (settings.topics.clone(), env!("CARGO_PKG_VERSION"));
        Ok(Stream {
            name: Arc::clone(&spec.name),
            topics: configured.topics.clone(),
            state_topic: topics.state_of(&configured.name),
            encoder: Encoder::new(&spec.name, &spec.channels, topics, build),
            spec: Arc::new(spec),
            decoder,
            idle_timeout: configured.idle_timeout,
            trainer: Arc::clone(trainer),
        })
    };
    settings.stream.iter().map(stream).collect()
}

impl Stream {
    /// Encodes what one shard has said: alerts first, for they are waited for.
    pub fn encode(&mut self, origin: Origin<'_>, outbox: &Outbox, into: &mut Vec<OutMessage>) {
        let encoder = &mut self.encoder;
        for record in &outbox.alerts {
            into.push(encoder.alert(record, origin));
            into.extend(encoder.current_alert(record, origin));
        }
        into.extend(outbox.features.iter().map(|record| encoder.features(record, origin)));
        into.extend(outbox.forecasts.iter().map(|record| encoder.forecast(record, origin)));
        into.extend(outbox.models.iter().map(|record| encoder.model(record, origin)));
        into.extend(outbox.drifts.iter().map(|record| encoder.drift(record, origin)));
    }
}
