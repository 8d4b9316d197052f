//! The edge to Kafka and files: bytes in, records out; outputs in, bytes out.

mod error;
mod log;
mod params;

pub use error::IoError;
pub use log::{Log, LogEvent, MessageRef, OutMessage, Position};
pub use params::{
    ChannelParams, EntitySource, InputParams, KafkaParams, OffsetReset, TimestampFormat,
    TimestampSource, TopicNames,
};
