//! The log on a Kafka cluster, through librdkafka.
//!
//! [`KafkaLog`] joins `inlet` (consumer) and `outlet` (producer);
//! `settings` has their properties, `report` their log lines. Delivery is at least once: outputs
//! are acknowledged first, then positions are committed.

mod inlet;
mod log;
mod outlet;
mod report;
pub(super) mod settings;

#[cfg(test)]
mod tests;

pub use log::KafkaLog;
pub use settings::OWNED_PROPERTIES;

use rdkafka::ClientConfig;

/// Version and abilities of the client library, for `--version`.
pub fn version_text() -> String {
    let (_, version) = rdkafka::util::get_rdkafka_version();
    let native = ClientConfig::new().create_native_config();
    let features = native.and_then(|native| native.get("builtin.features"));
    format!("librdkafka {version} ({})", features.unwrap_or_else(|_| "features unknown".into()))
}
