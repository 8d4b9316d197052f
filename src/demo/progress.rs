//! How far the daemon is, as its committed offsets say, and what the terminal shows of it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;

use super::broker::client;
use super::error::DemoError;

/// A look at the offsets that takes longer is tried again.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// Reads the committed offsets of the daemon's group without being a member.
pub(super) struct Committed {
    client: BaseConsumer,
    partitions: TopicPartitionList,
}

impl Committed {
    /// For `group`, and the topics that it reads with their numbers of partitions.
    pub fn new(servers: &str, group: &str, topics: &[(&str, i32)]) -> Result<Self, DemoError> {
        let client = client(servers)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .map_err(DemoError::kafka("offset reader"))?;
        let mut partitions = TopicPartitionList::new();
        for (topic, count) in topics {
            partitions.add_partition_range(topic, 0, count - 1);
        }
        Ok(Self { client, partitions })
    }

    /// Records before the committed offsets; `None` if the broker did not answer in time.
    pub fn records(&self) -> Option<u64> {
        let offsets = self.client.committed_offsets(self.partitions.clone(), LOOK_MAX).ok()?;
        let committed = offsets.elements().into_iter().map(|element| match element.offset() {
            Offset::Offset(next) => u64::try_from(next).unwrap_or(0),
            _ => 0,
        });
        Some(committed.sum())
    }
}

/// A bar on a terminal, nothing in a pipe.
pub(super) fn bar(total: u64) -> ProgressBar {
    let style = "{elapsed_precise} {bar:30} {human_pos}/{human_len} records  {msg}";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar
}
