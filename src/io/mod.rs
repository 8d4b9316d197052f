//! The edge to Kafka and files: bytes in, records out; outputs in, bytes out.

mod block;
pub mod decode;
mod dlq;
pub mod encode;
mod error;
pub mod failpoint;
pub mod kafka;
#[cfg(test)]
mod laws;
mod log;
pub mod memory;
mod notice;
mod params;
pub mod snapshot;
pub mod topics;

pub use decode::{DecodeError, Decoder, InputError, timestamp};
pub use dlq::dead_letter;
pub use encode::{Encoder, Origin};
pub use error::IoError;
pub use kafka::{
    Feed, FeedRecord, KafkaLog, PartitionReader, SingleWriter, version_text, write_one,
};
pub use log::{Bounds, DeliverError, Log, LogEvent, MessageRef, OutMessage, Part, Place, StateRef};
pub use memory::{DeliverFault, MemoryBroker, MemoryLog, StoredRecord};
pub use notice::{Notice, control, feedback};
pub use params::{
    ChannelParams, Delivery, EntitySource, InputParams, KafkaParams, OffsetReset, TimestampFormat,
    TimestampSource, TopicNames,
};
pub use topics::{TopicInfo, TopicOutcome, TopicSpec, ensure_topics, list_topics};
