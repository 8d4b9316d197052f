//! The JSON of `/api/v1/streams`; its own types, so that inner types can change.

use serde::Serialize;

use super::status::{PartitionStatus, Status, StreamStatus};

#[derive(Debug, Serialize)]
pub(super) struct StreamsBody<'a> {
    version: &'a str,
    ready: bool,
    not_ready_reason: Option<String>,
    streams: Vec<StreamBody<'a>>,
}

#[derive(Debug, Serialize)]
struct StreamBody<'a> {
    stream: &'a str,
    topics: &'a [String],
    channels: &'a [String],
    series: usize,
    warming: usize,
    alerts: AlertsBody,
    lag_records: Option<i64>,
    partitions: Vec<PartitionBody<'a>>,
}

#[derive(Debug, Serialize)]
struct AlertsBody {
    warning: usize,
    critical: usize,
}

#[derive(Debug, Serialize)]
struct PartitionBody<'a> {
    topic: &'a str,
    partition: i32,
    next_offset: Option<i64>,
    lag_records: Option<i64>,
    /// RFC 3339.
    watermark: Option<String>,
    idle: bool,
    series: usize,
    warming: usize,
    alerts: AlertsBody,
    open_rows: usize,
    model_version: u64,
    reconstruction_loss: Option<f64>,
    linear_control_loss_ratio: Option<f64>,
}

impl<'a> From<&'a Status> for StreamsBody<'a> {
    fn from(status: &'a Status) -> Self {
        Self {
            version: &status.version,
            ready: status.not_ready.is_none(),
            not_ready_reason: status.not_ready.as_ref().map(ToString::to_string),
            streams: status.streams.iter().map(StreamBody::from).collect(),
        }
    }
}

impl<'a> From<&'a StreamStatus> for StreamBody<'a> {
    fn from(stream: &'a StreamStatus) -> Self {
        let shards = || stream.partitions.iter().map(|partition| &partition.shard);
        Self {
            stream: &stream.name,
            topics: &stream.topics,
            channels: &stream.channels,
            series: shards().map(|shard| shard.series).sum(),
            warming: shards().map(|shard| shard.warming).sum(),
            alerts: AlertsBody {
                warning: shards().map(|shard| shard.firing[0]).sum(),
                critical: shards().map(|shard| shard.firing[1]).sum(),
            },
            // Unknown as soon as one part is: a sum of the known parts would look too good.
            lag_records: stream.partitions.iter().map(|partition| partition.lag).sum(),
            partitions: stream.partitions.iter().map(PartitionBody::from).collect(),
        }
    }
}

impl<'a> From<&'a PartitionStatus> for PartitionBody<'a> {
    fn from(partition: &'a PartitionStatus) -> Self {
        let shard = &partition.shard;
        Self {
            topic: &partition.topic,
            partition: shard.partition,
            next_offset: partition.next_offset,
            lag_records: partition.lag,
            watermark: shard.watermark.map(|time| time.to_string()),
            idle: partition.idle,
            series: shard.series,
            warming: shard.warming,
            alerts: AlertsBody { warning: shard.firing[0], critical: shard.firing[1] },
            open_rows: shard.open_rows,
            model_version: shard.model_version,
            reconstruction_loss: shard.reconstruction_loss,
            linear_control_loss_ratio: shard.linear_control_ratio,
        }
    }
}
