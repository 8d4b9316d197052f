//! The whole configuration as types. Every key is documented in `config/default.toml`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MaintenanceSettings;
use crate::alert::AlertParams;
use crate::forecast::{Head, LatentParams, Link, NonNegative};
use crate::io::{ChannelParams, EntitySource, KafkaParams, TimestampSource, TopicNames};
use crate::model::ModelParams;
use crate::notify::AlertingParams;
use crate::record::{Fraction, Millis, Positive, Step};
use crate::window::{Aggregate, WindowParams};

/// Everything, after defaults, file and environment were laid over each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Version of this format: 1.
    pub schema: u32,
    /// Root of every random number.
    pub seed: u64,
    /// The broker.
    pub kafka: KafkaParams,
    /// Output topics.
    pub topics: TopicNames,
    /// Snapshots and what to do without them.
    pub state: StateSettings,
    /// Threads that train.
    pub training: TrainingSettings,
    /// The HTTP server.
    pub http: HttpSettings,
    /// Metrics.
    pub metrics: MetricsSettings,
    /// Sinks of alerts beside Kafka.
    pub alerting: AlertingParams,
    /// Values that a `[[stream]]` does not set itself.
    pub stream_defaults: StreamDefaults,
    /// Input streams.
    pub stream: Vec<StreamSettings>,
}

/// Snapshots of the shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// Between two snapshots of a partition.
    pub snapshot_interval: Millis,
    /// How far back older snapshots are kept, for `latentd explain` and `latentd state verify`.
    pub history: Millis,
    /// How to go on if records are gone before they were read.
    pub on_missing_offset: MissingOffset,
}

impl StateSettings {
    /// Powers of two of snapshot intervals, from the 0th on, that reach back as far as the history;
    /// none without one.
    pub fn rungs(&self) -> u32 {
        let intervals = self.history.get() / self.snapshot_interval.get().max(1);
        match u64::try_from(intervals) {
            Ok(intervals) if self.history.get() > 0 => u64::BITS - intervals.leading_zeros() + 1,
            _ => 0,
        }
    }
}

/// How to go on if records are gone before they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingOffset {
    /// Not at all.
    Fail,
    /// From the oldest record that is there.
    Earliest,
    /// With the next record that comes.
    Latest,
}

/// Threads that train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// Threads beside the workers; with 0 the workers train.
    #[schemars(range(min = 0, max = 256))]
    pub threads: usize,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// `address:port`; port 0 picks a free one.
    pub listen: String,
    /// A file that holds the token of requests that change something, and nothing else.
    pub token_file: Option<PathBuf>,
    /// Certificate chain, PEM.
    pub tls_cert_file: Option<PathBuf>,
    /// Private key of the certificate, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// Most connections at a time.
    #[schemars(range(min = 1, max = 65_536))]
    pub connections_max: usize,
    /// Longest time for a request and its answer.
    pub request_timeout: Millis,
    /// Largest body of a request.
    #[schemars(range(min = 1_024, max = 16_777_216))]
    pub body_bytes_max: usize,
    /// Rows that are kept of a series for its charts.
    #[schemars(range(min = 16, max = 65_536))]
    pub history_rows: usize,
    /// Most memory for the rows of all series.
    #[schemars(range(min = 0, max = 17_179_869_184_u64))]
    pub history_bytes_max: usize,
}

/// Metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// Most label sets of one family and stream.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub series_max: usize,
}

/// One input stream, complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamSettings {
    /// Name in outputs, metrics and ids.
    pub name: String,
    /// Input topics, each with its own partitions.
    pub topics: Vec<String>,
    /// Channels.
    pub channel: Vec<ChannelParams>,
    /// Where the event time is.
    pub timestamp: TimestampSource,
    /// What names the series.
    pub entity: EntitySource,
    /// Event-time grid: a duration, or `event`.
    pub step: Step,
    /// How far the watermark stays behind.
    pub max_out_of_order: Millis,
    /// How far a record may lie ahead of its Kafka time.
    pub ahead_max: Millis,
    /// Wall-clock silence after which a caught-up partition closes its rows.
    pub idle_timeout: Millis,
    /// Aggregator of channels that do not name one.
    pub aggregate: Aggregate,
    /// Open rows that one series may hold.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub open_rows_max: usize,
    /// Most series of a partition.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub series_max: usize,
    /// Windows.
    pub window: WindowParams,
    /// Network and training.
    pub model: ModelParams,
    /// Alerts.
    pub alert: AlertParams,
    /// Maintenance that is known beforehand.
    #[schemars(length(max = 256))]
    pub maintenance: Vec<MaintenanceSettings>,
    /// Latent features.
    pub features: FeatureSettings,
    /// Forecasts.
    pub forecast: ForecastSettings,
}

/// The keys of [`StreamSettings`] that have a default. Kept as a raw table: its content is laid
/// under each stream before the streams are read, and is checked there.
pub type StreamDefaults = std::collections::BTreeMap<String, serde_json::Value>;

/// Latent features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureSettings {
    /// Windows between two feature records of a series; 0 emits none.
    pub every: u32,
}

/// Forecasts; off while `targets` is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForecastSettings {
    /// Channel names to forecast.
    pub targets: Vec<String>,
    /// Horizons: durations, whole multiples of `step`.
    pub horizons: Vec<Millis>,
    /// Seasons: durations, whole multiples of `step`, ascending; empty to find them in the data.
    pub seasons: Vec<Millis>,
    /// Names of channels whose past is an input.
    pub exogenous: Vec<String>,
    /// Names of channels whose values are announced on the control topic before they come.
    pub known: Vec<String>,
    /// Local time of the demand, an IANA name.
    pub time_zone: String,
    /// Days off beside weekends: dates such as 2026-12-25.
    pub holidays: Vec<String>,
    /// Rows between two forecasts of a series.
    #[schemars(range(min = 1))]
    pub every: u32,
    /// Penalty of the linear experts.
    pub ridge: Positive,
    /// How the weights of the skip expert are found.
    pub head: Head,
    /// Event time after which an old observation counts half in the linear experts.
    pub half_life: Millis,
    /// Rows that a series keeps; 0 for 10,080, or 2,016 where a shard shares the network.
    #[schemars(range(min = 0, max = 1_048_576))]
    pub memory: usize,
    /// Scale on which everything is modelled.
    pub link: Link,
    /// The network of the latent expert.
    pub latent: LatentParams,
    /// Coverage levels.
    pub levels: Vec<Fraction>,
    /// When forecasts are kept at or above zero.
    pub non_negative: NonNegative,
}
