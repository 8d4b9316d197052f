//! The picture of the streams, for the handlers and for the gauges.

use super::intake::Intake;
use crate::telemetry::{Metrics, PartitionLabels, StreamGauges};
use crate::web::{PartitionStatus, StreamStatus};

/// Looks at every stream and partition.
pub(super) fn streams(intake: &Intake) -> Vec<StreamStatus> {
    let picture = |(index, stream): (usize, &super::stream::Stream)| StreamStatus {
        name: stream.name.to_string(),
        topics: stream.topics.clone(),
        channels: stream.spec.channels.iter().map(ToString::to_string).collect(),
        partitions: partitions(intake, index),
    };
    intake.streams().iter().enumerate().map(picture).collect()
}

fn partitions(intake: &Intake, stream: usize) -> Vec<PartitionStatus> {
    let topics = intake.topics().iter().filter(|topic| topic.stream == stream);
    let of_topic = topics.flat_map(|topic| {
        topic.partitions.values().map(|partition| PartitionStatus {
            topic: topic.name.clone(),
            shard: partition.status(),
            next_offset: partition.next_offset,
            lag: partition.lag,
            idle: partition.is_idle(),
        })
    });
    of_topic.collect()
}

/// Sets the gauges from the picture.
pub(super) fn gauges(metrics: &Metrics, streams: &[StreamStatus]) {
    for stream in streams {
        for partition in &stream.partitions {
            let labels = PartitionLabels {
                stream: &stream.name,
                topic: &partition.topic,
                partition: partition.shard.partition,
            };
            if let Some(lag) = partition.lag {
                metrics.ingest.set_lag(labels, lag);
            }
            if let Some(watermark) = partition.shard.watermark {
                metrics.ingest.set_watermark(labels, watermark.as_secs_f64(), partition.idle);
            }
        }
        metrics.shards.set_stream(&stream.name, &sums(stream));
    }
}

fn sums(stream: &StreamStatus) -> StreamGauges {
    let mut sums = StreamGauges { partitions: stream.partitions.len(), ..StreamGauges::default() };
    let (mut losses, mut controls) = (Vec::new(), Vec::new());
    for shard in stream.partitions.iter().map(|partition| &partition.shard) {
        sums.series += shard.series;
        sums.warming += shard.warming;
        sums.open_rows += shard.open_rows;
        sums.firing[0] += shard.firing[0];
        sums.firing[1] += shard.firing[1];
        losses.extend(shard.reconstruction_loss);
        controls.extend(shard.linear_control_ratio);
    }
    sums.recent_loss = mean(&losses);
    sums.linear_control_ratio = mean(&controls);
    sums
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
