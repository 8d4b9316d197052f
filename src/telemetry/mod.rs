//! Metrics and log lines: what the daemon tells operators about itself.
//!
//! [`Metrics`] owns every family that `/metrics` shows. Labels are bounded by the configuration:
//! stream, topic, partition, and closed lists of outcomes and reasons. The name of a series is
//! never a label. Counters of a stream exist from the start at 0, so that `rate()` sees the first
//! increase; gauges of a partition vanish when the partition moves away. A family has at most
//! `metrics.series_max` label sets a stream; what is beyond counts as `_overflow`.
//!
//! Files: `family` makes families, `process`, `config`, `ingest`, `shards`, `alerts`, `forecasts`, `models`, `training`,
//! `delivery` and `state` hold them in the order in which a batch passes, `metrics` joins them,
//! `logging` sets up the log lines.

mod alerts;
mod config;
mod delivery;
mod family;
mod forecasts;
mod ingest;
mod logging;
mod metrics;
mod models;
mod partitions;
mod process;
mod shards;
mod state;
mod training;

pub use alerts::{AlertMetrics, SinkMetrics};
pub use config::ConfigMetrics;
pub use delivery::DeliveryMetrics;
pub use forecasts::ForecastMetrics;
pub use ingest::{IngestMetrics, PartitionLabels};
pub use logging::{LogFormat, LogSetupError, init_logging, say};
pub use metrics::Metrics;
use metrics::SERIES_MAX;
pub use models::ModelMetrics;
pub use process::{Build, ProcessMetrics};
pub use shards::{ShardMetrics, StreamGauges};
pub use state::StateMetrics;
pub use training::TrainingMetrics;
