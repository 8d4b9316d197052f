//! The consumer side: what its callbacks leave behind for the polling thread.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, TopicPartitionList};
use serde::Deserialize;

use super::report::Reporter;

/// Topic and partition.
pub(super) type Place = (String, i32);

/// A change of ownership, in the order in which the group decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    Assigned(Vec<Place>),
    Revoked(Vec<Place>),
}

/// Context of the consumer. Callbacks run inside `poll` on the polling thread; they only write
/// down what happened, so that nothing can wait for anything.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    turns: Mutex<VecDeque<Turn>>,
    ends: Mutex<BTreeMap<String, BTreeMap<i32, PartitionEnd>>>,
    reporter: Reporter,
}

impl Inlet {
    /// The oldest change that was not handed out yet.
    pub(super) fn next_turn(&self) -> Option<Turn> {
        lock(&self.turns).pop_front()
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
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let turn = match rebalance {
            Rebalance::Assign(list) => Turn::Assigned(places(list)),
            Rebalance::Revoke(list) => Turn::Revoked(places(list)),
            Rebalance::Error(error) => {
                self.reporter.fault("consumer", error, "rebalance");
                return;
            }
        };
        lock(&self.turns).push_back(turn);
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
