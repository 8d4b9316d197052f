//! `GET /api/v1/streams`.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Limit, check, fits, page};
use crate::web::extract::{Json, Params};
use crate::web::problem::Problem;
use crate::web::server::App;
use crate::web::status::{PartitionStatus, Status, StreamStatus};

/// The streams and what this process knows of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct StreamsBody {
    pub version: String,
    pub ready: bool,
    pub not_ready_reason: Option<String>,
    pub streams: Vec<StreamBody>,
    /// Streams that fit the filters.
    total: u64,
}

/// A stream.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct StreamBody {
    pub stream: String,
    pub topics: Vec<String>,
    pub channels: Vec<String>,
    pub series: usize,
    /// Series that still learn what normal is.
    pub warming: usize,
    pub alerts: OpenBody,
    /// Records that wait; null if not all partitions know.
    pub lag_records: Option<i64>,
    pub records_per_sec: f64,
    pub partitions: Vec<PartitionBody>,
}

/// Open alerts by severity.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct OpenBody {
    pub warning: usize,
    pub critical: usize,
}

/// An input partition that this process owns.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct PartitionBody {
    pub topic: String,
    pub partition: i32,
    next_offset: Option<i64>,
    pub lag_records: Option<i64>,
    /// Age of the newest record read, 0 once the end is reached.
    lag_seconds: Option<f64>,
    pub records_per_sec: f64,
    /// Event time up to which rows are closed.
    pub watermark: Option<String>,
    /// Silence, not records, moves the watermark.
    pub idle: bool,
    pub series: usize,
    pub warming: usize,
    alerts: OpenBody,
    open_rows: usize,
    /// Training steps behind the networks that score.
    pub model_version: u64,
    pub reconstruction_loss: Option<f64>,
    pub linear_control_loss_ratio: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct StreamsQuery {
    stream: Option<String>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    offset: u64,
}

pub(in crate::web) async fn streams(
    State(app): State<App>,
    Params(query): Params<StreamsQuery>,
) -> Result<Json<StreamsBody>, Problem> {
    check(query.limit, query.offset)?;
    let mut body = StreamsBody::from(&app.status.read(Status::clone));
    let wanted = body.streams.into_iter().filter(|s| fits(query.stream.as_ref(), &s.stream));
    (body.streams, body.total) = page(wanted, query.limit, query.offset);
    Ok(Json(body))
}

impl From<&Status> for StreamsBody {
    fn from(status: &Status) -> Self {
        Self {
            version: status.version.clone(),
            ready: status.not_ready.is_none(),
            not_ready_reason: status.not_ready.as_ref().map(ToString::to_string),
            streams: status.streams.iter().map(StreamBody::from).collect(),
            total: status.streams.len() as u64,
        }
    }
}

impl From<&StreamStatus> for StreamBody {
    fn from(stream: &StreamStatus) -> Self {
        let shards = || stream.partitions.iter().map(|partition| &partition.shard);
        Self {
            stream: stream.name.clone(),
            topics: stream.topics.clone(),
            channels: stream.channels.clone(),
            series: shards().map(|shard| shard.series).sum(),
            warming: shards().map(|shard| shard.warming).sum(),
            alerts: OpenBody {
                warning: shards().map(|shard| shard.firing[0]).sum(),
                critical: shards().map(|shard| shard.firing[1]).sum(),
            },
            // Unknown as soon as one part is: a sum of the known parts would look too good.
            lag_records: stream.partitions.iter().map(|partition| partition.lag).sum(),
            records_per_sec: stream.partitions.iter().map(|p| p.records_per_sec).sum(),
            partitions: stream.partitions.iter().map(PartitionBody::from).collect(),
        }
    }
}

impl From<&PartitionStatus> for PartitionBody {
    fn from(partition: &PartitionStatus) -> Self {
        let shard = &partition.shard;
        Self {
            topic: partition.topic.clone(),
            partition: shard.partition,
            next_offset: partition.next_offset,
            lag_records: partition.lag,
            lag_seconds: partition.lag_seconds.and_then(super::finite),
            records_per_sec: partition.records_per_sec,
            watermark: shard.watermark.map(|time| time.to_string()),
            idle: partition.idle,
            series: shard.series,
            warming: shard.warming,
            alerts: OpenBody { warning: shard.firing[0], critical: shard.firing[1] },
            open_rows: shard.open_rows,
            model_version: shard.model_version,
            reconstruction_loss: shard.reconstruction_loss.and_then(super::finite),
            linear_control_loss_ratio: shard.linear_control_ratio.and_then(super::finite),
        }
    }
}
