//! What may be configured about Kafka, topics and the shape of input records.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Millis;
use crate::window::Aggregate;

/// Where to start when the group has no committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffsetReset {
    /// The oldest record.
    Earliest,
    /// Only new records.
    Latest,
}

/// What a crash may do to outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nothing: outputs, positions and state are one transaction.
    ExactlyOnce,
    /// Some outputs may be written twice, under the same ids.
    AtLeastOnce,
}

/// The connection and the pace of delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaParams {
    /// `host:port` of one or more brokers.
    pub brokers: Vec<String>,
    /// Consumer group; all instances with one id share the partitions.
    pub group_id: String,
    /// Where to start when the group has no committed offset.
    pub offset_reset: OffsetReset,
    /// What a crash may do to outputs.
    pub delivery: Delivery,
    /// Name of this process among those of the group; by default the name of the host. Part of
    /// the id of its transactions: a restart under the same name ends what it left open.
    pub instance: Option<String>,
    /// Threads, each with its own consumer, producer and share of the partitions.
    #[schemars(range(min = 1, max = 256))]
    pub workers: usize,
    /// Longest life of a transaction; a worker that dies holds its successor up for so long.
    pub transaction_timeout: Millis,
    /// Most records taken into one batch; outputs and offsets are delivered per batch.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_records_max: usize,
    /// Longest wait for a batch to fill.
    pub batch_wait: Millis,
    /// Larger messages are dead letters.
    #[schemars(range(min = 1))]
    pub message_bytes_max: usize,
    /// A file that holds the SASL password, and nothing else.
    pub sasl_password_file: Option<PathBuf>,
    /// Passed to librdkafka as they are.
    #[serde(default)]
    pub rdkafka: BTreeMap<String, String>,
}

/// Names of the output topics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicNames {
    /// Alert state changes.
    pub alerts: String,
    /// Open alerts: a compacted topic, closed ones are tombstones.
    pub alerts_current: String,
    /// Latent features.
    pub features: String,
    /// Demand forecasts.
    pub forecasts: String,
    /// Examinations of models.
    pub models: String,
    /// Verdicts on alerts: read, not written.
    pub feedback: String,
    /// Announcements of maintenance: read, not written.
    pub control: String,
    /// Dead letters.
    pub dlq: String,
    /// State of the shards, one compacted topic a stream; `{stream}` is its name.
    pub state: String,
}

impl TopicNames {
    /// The state topic of a stream.
    pub fn state_of(&self, stream: &str) -> String {
        self.state.replace("{stream}", stream)
    }
}

/// How a timestamp field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampFormat {
    /// `2026-11-20T10:42:00Z`, with any offset; without an offset it is UTC.
    Rfc3339,
    /// Seconds since 1970, fractions allowed.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Microseconds since 1970.
    EpochUs,
    /// Nanoseconds since 1970.
    EpochNs,
}

/// Where the event time of a record comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum TimestampSource {
    /// A field of the payload, by JSON pointer.
    Field {
        /// JSON pointer, for example `/ts`.
        field: String,
        /// How it is written.
        format: TimestampFormat,
    },
    /// The timestamp of the Kafka record.
    Kafka,
}

/// What names the series of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum EntitySource {
    /// A string or whole-number field of the payload, by JSON pointer.
    Field {
        /// JSON pointer, for example `/machine`.
        field: String,
    },
    /// The key of the Kafka record, as UTF-8.
    KafkaKey,
    /// All records are one series of this name.
    Constant {
        /// Name of the series.
        name: String,
    },
}

/// One input channel ("sensor").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelParams {
    /// Name in alerts and forecasts.
    pub name: String,
    /// JSON pointer of the value, for example `/oil/temp`; by default `/` and the name.
    pub field: Option<String>,
    /// How several values in one row become one.
    pub aggregate: Option<Aggregate>,
    /// Smallest and largest possible value; a row outside is an alert of its own.
    pub data_range: Option<Vec<f64>>,
}

/// How the messages of one stream become records.
#[derive(Debug, Clone, PartialEq)]
pub struct InputParams {
    /// Stream name.
    pub stream: String,
    /// Where the event time is.
    pub timestamp: TimestampSource,
    /// What names the series.
    pub entity: EntitySource,
    /// JSON pointer of each channel, in channel order.
    pub fields: Vec<String>,
    /// Channel names, in the same order (for error texts).
    pub channels: Vec<String>,
    /// Larger messages are refused.
    pub message_bytes_max: usize,
    /// Event times further ahead of the Kafka time than this are refused.
    pub ahead_max: Millis,
}
