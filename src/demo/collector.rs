//! Reads the outputs back, as any consumer of the topics would.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::accuracy::SeenPoint;
use super::broker::client;
use super::error::DemoError;
use super::matching::SeenAlert;
use super::payload::{forecast_points, opened_alert};
use crate::daemon::Shutdown;
use crate::io::TopicNames;
use crate::record::{EventTime, Millis};

/// Partitions of each output topic.
pub(super) const PARTITIONS: i32 = 4;
/// Wait for the next output.
const WAIT: Duration = Duration::from_millis(50);
/// Longest wait for the end of a partition.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// After the daemon has stopped, the rest must be read within this time.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// An offset by topic and partition.
type Positions = HashMap<(String, i32), i64>;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub alerts: Vec<SeenAlert>,
    pub points: Vec<SeenPoint>,
    pub features: u64,
    pub forecasts: u64,
    pub models: u64,
    pub dead_letters: u64,
    /// Offsets that were skipped: the broker dropped them before they were read.
    pub missed: u64,
    /// Payloads of a shape that nobody promised.
    pub unreadable: u64,
}

/// A consumer of all output topics.
pub(super) struct Collector {
    client: BaseConsumer,
    topics: TopicNames,
    /// Grid of the forecasts: first row and step.
    grid: (EventTime, Millis),
    /// Next offset to read.
    next: Positions,
    seen: Collected,
    alerts: Arc<AtomicU64>,
}

impl Collector {
    /// Reads from the first output on; `alerts` counts along for the live display.
    pub fn new(
        servers: &str,
        topics: TopicNames,
        grid: (EventTime, Millis),
        alerts: Arc<AtomicU64>,
    ) -> Result<Self, DemoError> {
        let client: BaseConsumer = client(servers)
            // Required by the client; no group is joined and nothing is committed.
            .set("group.id", "latentd-demo-collector")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .create()
            .map_err(DemoError::kafka("collector"))?;
        let mut next = HashMap::new();
        let mut list = TopicPartitionList::new();
        for topic in
            [&topics.alerts, &topics.features, &topics.forecasts, &topics.models, &topics.dlq]
        {
            for partition in 0..PARTITIONS {
                list.add_partition_offset(topic, partition, Offset::Beginning)
                    .map_err(DemoError::kafka("collector"))?;
                next.insert((topic.clone(), partition), 0);
            }
        }
        client.assign(&list).map_err(DemoError::kafka("collector"))?;
        Ok(Self { client, topics, grid, next, seen: Collected::default(), alerts })
    }

    /// Reads until `daemon_stopped` is requested and everything that is there was read.
    pub fn run(mut self, daemon_stopped: &Shutdown) -> Collected {
        while !daemon_stopped.is_requested() {
            self.read();
        }
        // Nobody writes any more: the ends stand still.
        let ends = self.ends();
        let started = Instant::now();
        while started.elapsed() < DRAIN_MAX && self.left(&ends) > 0 {
            self.read();
        }
        self.seen.missed += self.left(&ends);
        self.seen
    }

    /// Takes the next output, if there is one soon.
    fn read(&mut self) {
        // Errors of a poll are those that the client mends by itself.
        let Some(Ok(message)) = self.client.poll(WAIT) else { return };
        let next = self.next.entry((message.topic().to_owned(), message.partition())).or_insert(0);
        self.seen.missed += u64::try_from(message.offset() - *next).unwrap_or(0);
        *next = message.offset() + 1;
        take(&mut self.seen, &self.topics, self.grid, &message);
        self.alerts.store(self.seen.alerts.len() as u64, Ordering::Relaxed);
    }

    /// End of each partition; one that the broker does not tell counts as read.
    fn ends(&self) -> Positions {
        let end = |(topic, partition): &(String, i32)| {
            let (_, end) = self.client.fetch_watermarks(topic, *partition, ANSWER_MAX).ok()?;
            Some(((topic.clone(), *partition), end))
        };
        self.next.keys().filter_map(end).collect()
    }

    /// Outputs before `ends` that were not read.
    fn left(&self, ends: &Positions) -> u64 {
        let next = |place| self.next.get(place).copied().unwrap_or(0);
        ends.iter().map(|(place, end)| u64::try_from(end - next(place)).unwrap_or(0)).sum()
    }
}

fn take(
    seen: &mut Collected,
    topics: &TopicNames,
    (start, step): (EventTime, Millis),
    message: &BorrowedMessage<'_>,
) {
    let payload = message.payload().unwrap_or_default();
    let topic = message.topic();
    if topic == topics.alerts {
        match opened_alert(payload) {
            Ok(alert) => seen.alerts.extend(alert),
            Err(_) => seen.unreadable += 1,
        }
    } else if topic == topics.forecasts {
        seen.forecasts += 1;
        match forecast_points(payload, start, step) {
            Ok(points) => seen.points.extend(points),
            Err(_) => seen.unreadable += 1,
        }
    } else if topic == topics.features {
        seen.features += 1;
    } else if topic == topics.models {
        seen.models += 1;
    } else {
        seen.dead_letters += 1;
    }
}
