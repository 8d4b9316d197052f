//! Whether the client library takes its settings, asked without a broker.

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};

use super::settings::{self, client_error};
use crate::io::{Delivery, IoError, KafkaParams};

/// Makes every client that the settings lead to, without the addresses of brokers: files that they name
/// are opened, and what does not go together is told, but nobody is contacted.
///
/// # Errors
///
/// [`IoError`]: the first thing that keeps a client from being made.
pub fn trial(params: &KafkaParams) -> Result<(), IoError> {
    for config in [settings::consumer(params)?, settings::reader(params, "read_committed")?] {
        let made = alone(config).create_with_context::<_, BaseConsumer<Mute>>(Mute);
        made.map_err(client_error)?;
    }
    let config = match params.delivery {
        Delivery::ExactlyOnce => settings::transactional_producer(params, 0)?,
        Delivery::AtLeastOnce => settings::producer(params)?,
    };
    let made = alone(config).create_with_context::<_, BaseProducer<Mute>>(Mute);
    made.map_err(client_error)?;
    Ok(())
}

fn alone(mut config: ClientConfig) -> ClientConfig {
    config.remove("bootstrap.servers");
    config
}

/// Context of clients that are made and thrown away.
struct Mute;

impl ClientContext for Mute {
    /// That there is no broker is on purpose.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Mute {}

impl ProducerContext for Mute {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
