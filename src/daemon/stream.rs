//! What the daemon holds of one configured stream.

use std::sync::Arc;

use super::DaemonError;
use crate::config::{Settings, StreamSettings};
use crate::engine::StreamSpec;
use crate::io::{Decoder, Encoder, Origin, OutMessage};
use crate::model::Trainer;
use crate::record::{Millis, Outbox};
use crate::web::News;

/// One stream; its partitions hold the state.
#[derive(Debug)]
pub(super) struct Stream {
    pub name: Arc<str>,
    pub topics: Vec<String>,
    pub spec: Arc<StreamSpec>,
    pub state_topic: String,
    /// Compacted topic of open alerts.
    pub alerts_current: String,
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
            alerts_current: topics.alerts_current.clone(),
            encoder: Encoder::new(&spec.name, &spec.channels, topics, build),
            decoder,
            idle_timeout: configured.idle_timeout,
            spec: Arc::new(spec),
            trainer: trainer.of_stream(&configured.name).unwrap_or_else(|| Arc::clone(trainer)),
        })
    };
    settings.stream.iter().map(stream).collect()
}

impl Stream {
    /// Encodes what one shard has said: alerts first, for they are waited for. Returns what of it is
    /// shown, too.
    pub fn encode<'a>(
        &mut self,
        origin: Origin<'_>,
        outbox: &'a Outbox,
        into: &mut Vec<OutMessage>,
    ) -> News<'a> {
        let encoder = &mut self.encoder;
        let (alerts, forecasts, models) = (Vec::new(), Vec::new(), Vec::new());
        let mut news = News { outbox, alerts, forecasts, models };
        for record in &outbox.alerts {
            into.push(encoder.alert(record, origin));
            news.alerts.extend(into.last().and_then(body));
            into.extend(encoder.current_alert(record, origin));
        }
        into.extend(outbox.features.iter().map(|record| encoder.features(record, origin)));
        let from = into.len();
        into.extend(outbox.forecasts.iter().map(|record| encoder.forecast(record, origin)));
        news.forecasts.extend(into[from..].iter().filter_map(body));
        let from = into.len();
        into.extend(outbox.models.iter().map(|record| encoder.model(record, origin)));
        into.extend(outbox.drifts.iter().map(|record| encoder.drift(record, origin)));
        news.models.extend(into[from..].iter().filter_map(body));
        news
    }
}

/// The JSON of a message.
fn body(message: &OutMessage) -> Option<Arc<str>> {
    Some(Arc::from(std::str::from_utf8(message.payload.as_deref()?).ok()?))
}
