//! The consumer side: what its callbacks leave behind for the polling thread.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr as Code;
use rdkafka::{ClientContext, TopicPartitionList};
use serde::Deserialize;

use super::report::Reporter;
use crate::io::log::Place;

/// A change of ownership, in the order in which the group decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Ours, once [`assign`] has said where to begin.
    Assigned(Vec<Place>),
    /// Wanted back, but ours until [`unassign`].
    Revoking(Vec<Place>),
    /// No longer ours.
    Lost(Vec<Place>),
}

/// Context of the consumer. Callbacks run inside `poll` on the polling thread; they only write
/// down what happened, so that nothing can wait for anything.
///
/// The client library lets an application answer a rebalance after the callback: the group waits
/// for it, heartbeats go on. So state is restored before a partition is read, and stored before
/// it is given away.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    turns: Mutex<VecDeque<Turn>>,
    ends: Mutex<BTreeMap<String, BTreeMap<i32, PartitionEnd>>>,
    /// Nobody will answer: give everything away at once.
    closing: AtomicBool,
    reporter: Reporter,
}

impl Inlet {
    fn push(&self, turn: Turn) {
        lock(&self.turns).push_back(turn);
    }

    /// The oldest change that was not handed out yet.
    pub(super) fn next_turn(&self) -> Option<Turn> {
        lock(&self.turns).pop_front()
    }

    /// From now on partitions are given away as soon as they are wanted back.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Records of a partition behind `position`, as far as the last statistics know; `None` as
    /// long as the end of the partition was not seen.
    pub(super) fn lag(&self, topic: &str, partition: i32, position: Option<i64>) -> Option<i64> {
        lock(&self.ends).get(topic)?.get(&partition)?.lag(position)
    }
}

impl ClientContext for Inlet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        Reporter::line("consumer", level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reporter.fault("consumer", &error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Statistics>(statistics) {
            Ok(Statistics { topics }) => {
                let ends = topics.into_iter().map(|(name, topic)| (name, topic.partitions));
                *lock(&self.ends) = ends.collect();
            }
            Err(error) => tracing::debug!(%error, "statistics of librdkafka do not parse"),
        }
    }
}

impl ConsumerContext for Inlet {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: Code,
        partitions: &mut TopicPartitionList,
    ) {
        let nothing = partitions.count() == 0;
        let at_once = match what {
            Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.push(Turn::Assigned(places(partitions)));
                (nothing || self.is_closing()).then(|| assign(consumer, partitions))
            }
            _ if self.is_closing() || nothing || consumer.assignment_lost() => {
                self.push(Turn::Lost(places(partitions)));
                Some(unassign(consumer, partitions))
            }
            _ => {
                self.push(Turn::Revoking(places(partitions)));
                None
            }
        };
        if let Some(Err(error)) = at_once {
            self.reporter.fault("consumer", &error, "rebalance");
        }
    }
}

/// Answers an assignment: begins to read partitions at the offsets of the list.
pub(super) fn assign(
    consumer: &BaseConsumer<Inlet>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(partitions),
    }
}

/// Answers a revocation.
pub(super) fn unassign(
    consumer: &BaseConsumer<Inlet>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The few of librdkafka's statistics that are read.
#[derive(Debug, Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: BTreeMap<String, TopicStatistics>,
}

#[derive(Debug, Deserialize)]
struct TopicStatistics {
    partitions: BTreeMap<i32, PartitionEnd>,
}

/// Where a partition ends and how far it was fetched. Negative offsets mean "unknown".
#[derive(Debug, Deserialize)]
struct PartitionEnd {
    hi_offset: i64,
    ls_offset: i64,
    next_offset: i64,
    fetchq_cnt: i64,
}

impl PartitionEnd {
    fn lag(&self, position: Option<i64>) -> Option<i64> {
        // Up to the last stable offset, since open transactions are not read.
        let end = if self.ls_offset >= 0 { self.ls_offset } else { self.hi_offset };
        if end < 0 {
            return None;
        }
        // The marker of a transaction has an offset but is never handed out: a position can stay
        // one short of the end although all was read.
        if self.next_offset >= end && self.fetchq_cnt == 0 {
            return Some(0);
        }
        let position = position.unwrap_or(self.next_offset.max(0) - self.fetchq_cnt);
        Some((end - position).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_counted_to_the_last_stable_offset() {
        #[rustfmt::skip]
        let cases = [
            // what it shows                     hi    ls  next queue position    lag
            ("end not seen yet",              -1001,   -1,    0,    0, None,      None),
            ("behind",                          100,  100,  100,   40, Some(60),  Some(40)),
            ("open transactions do not count",  100,   90,   90,    5, Some(80),  Some(10)),
            ("a marker at the end",             100,  100,  100,    0, Some(99),  Some(0)),
            ("nothing consumed yet",            100,  100,   50,   10, None,      Some(60)),
            ("older than the position",         100,  100,   99,    0, Some(120), Some(0)),
        ];
        for (what, hi_offset, ls_offset, next_offset, fetchq_cnt, position, lag) in cases {
            let end = PartitionEnd { hi_offset, ls_offset, next_offset, fetchq_cnt };
            assert_eq!(end.lag(position), lag, "{what}");
        }
    }

    #[test]
    fn statistics_are_read_by_topic_and_partition() {
        let inlet = Inlet::default();
        inlet.stats_raw(
            br#"{"name":"x","topics":{"t":{"age":1,"partitions":{
                "0":{"hi_offset":9,"ls_offset":9,"next_offset":4,"fetchq_cnt":1,"msgs":7},
                "-1":{"hi_offset":-1001,"ls_offset":-1001,"next_offset":-1001,"fetchq_cnt":0}}}}}"#,
        );
        assert_eq!(inlet.lag("t", 0, Some(3)), Some(6));
        assert_eq!(inlet.lag("t", 1, Some(3)), None);
        assert_eq!(inlet.lag("u", 0, Some(3)), None);
    }
}
