//! The log on a Kafka cluster, through librdkafka.
//!
//! [`KafkaLog`] joins a consumer (`inlet`) and a producer (`outlet`, behind `sender`). With exactly-once delivery
//! `transaction` makes outputs, state and positions one; with at-least-once delivery `commit`
//! commits positions after the outputs were acknowledged. `feed` hands out a topic record by record, `reader` reads state topics, `settings`
//! has the properties of all clients, `properties` those that are not for users, `report` their log lines;
//! `trial` asks the library whether it takes them.

mod commit;
mod feed;
mod inbox;
mod inlet;
mod log;
mod outlet;
mod properties;
mod reader;
pub(super) mod report;
mod sender;
pub(super) mod settings;
mod single;
mod transaction;
mod trial;

#[cfg(test)]
mod tests;

pub use feed::{Feed, FeedRecord};
pub use log::KafkaLog;
pub use properties::{is_secret, owned_property, property_fault};
pub use reader::PartitionReader;
pub use single::{SingleWriter, write_one};
pub use trial::trial;

use rdkafka::ClientConfig;

/// Version and abilities of the client library, for `--version`.
pub fn version_text() -> String {
    let (_, version) = rdkafka::util::get_rdkafka_version();
    let native = ClientConfig::new().create_native_config();
    let features = native.and_then(|native| native.get("builtin.features"));
    format!("librdkafka {version} ({})", features.unwrap_or_else(|_| "features unknown".into()))
}
