//! The log on a Kafka cluster, through librdkafka.
//!
//! [`KafkaLog`] joins a consumer (`inlet`) and a producer (`outlet`, behind `sender`). With exactly-once delivery
//! `transaction` makes outputs, state and positions one; with at-least-once delivery `commit`
//! commits positions after the outputs were acknowledged. `feed` hands out a topic record by record, `reader` reads state topics, `settings`
//! has the properties of all clients, `report` their log lines.

mod commit;
mod feed;
mod inbox;
mod inlet;
mod log;
mod outlet;
mod reader;
mod report;
mod sender;
pub(super) mod settings;
mod single;
mod transaction;

#[cfg(test)]
mod tests;

pub use feed::{Feed, FeedRecord};
pub use log::KafkaLog;
pub use reader::PartitionReader;
pub use settings::OWNED_PROPERTIES;
pub use single::{SingleWriter, write_one};

use rdkafka::ClientConfig;

/// Version and abilities of the client library, for `--version`.
pub fn version_text() -> String {
    let (_, version) = rdkafka::util::get_rdkafka_version();
    let native = ClientConfig::new().create_native_config();
    let features = native.and_then(|native| native.get("builtin.features"));
    format!("librdkafka {version} ({})", features.unwrap_or_else(|_| "features unknown".into()))
}
