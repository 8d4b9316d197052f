//! What may be configured about event time, rows and windows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Millis, Step};

/// How the values of one channel that fall into one row become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The value with the largest event time; of equal times the one that came last.
    Last,
    /// Arithmetic mean.
    Mean,
    /// Sum.
    Sum,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Number of observed values; a row with records but none of this channel counts 0.
    Count,
}

/// Event-time order of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowParams {
    /// Grid step, or one row a record.
    pub step: Step,
    /// How far the watermark stays behind the largest event time of the partition.
    pub max_out_of_order: Millis,
    /// How far a record may lie ahead of its own Kafka time before it is refused.
    pub ahead_max: Millis,
    /// Aggregator per channel.
    pub aggregates: Vec<Aggregate>,
    /// Open rows that one series may hold; over it the oldest is closed early.
    pub open_rows_max: usize,
}

/// Hopping windows over closed rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowParams {
    /// Rows in a window.
    #[schemars(range(min = 1, max = 4096))]
    pub length: usize,
    /// Rows between two windows of a series.
    #[schemars(range(min = 1, max = 4096))]
    pub stride: usize,
    /// Smallest observed share of a window that is scored, from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub min_completeness: f64,
}
