//! Positions without transactions: committed after the outputs, again and again if need be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::inlet::Inlet;
use crate::io::IoError;
use crate::io::log::Place;

/// Attempts of one commit while the coordinator moves or loads.
const ATTEMPTS: u32 = 5;
/// Between two attempts, and until a commit is tried again later.
const PAUSE: Duration = Duration::from_millis(200);

/// Positions that are delivered, but not committed yet.
#[derive(Debug, Default)]
pub(super) struct Commits {
    pending: BTreeMap<Place, i64>,
    again: Option<Instant>,
}

impl Commits {
    pub(super) fn note(&mut self, place: Place, next_offset: i64) {
        self.pending.insert(place, next_offset);
    }

    pub(super) fn forget(&mut self, place: &Place) {
        self.pending.remove(place);
    }

    pub(super) fn is_due(&self) -> bool {
        self.again.is_some_and(|due| Instant::now() >= due)
    }

    /// Commits what is pending; returns whether nothing is left. Retriable faults and lost
    /// ownership are no errors: outputs are written, the positions are tried again later or are
    /// no longer ours to commit.
    pub(super) fn commit(&mut self, consumer: &BaseConsumer<Inlet>) -> Result<bool, IoError> {
        if self.pending.is_empty() {
            return Ok(true);
        }
        let list = to_list(&self.pending)?;
        self.again = None;
        for attempt in 1..=ATTEMPTS {
            let Err(error) = consumer.commit(&list, CommitMode::Sync) else { break };
            match error.rdkafka_error_code().map_or(Verdict::Fatal, verdict) {
                Verdict::Done => break,
                Verdict::Again if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
                Verdict::Again | Verdict::Later => {
                    tracing::warn!(%error, "positions are not committed yet, trying again");
                    self.again = Some(Instant::now() + PAUSE);
                    return Ok(false);
                }
                Verdict::Fatal => return Err(broker("commit", &error)),
            }
        }
        self.pending.clear();
        Ok(true)
    }
}

/// What the answer to a commit means.
enum Verdict {
    Done,
    Again,
    Later,
    Fatal,
}

fn verdict(code: RDKafkaErrorCode) -> Verdict {
    use RDKafkaErrorCode as Code;
    match code {
        Code::NoOffset => Verdict::Done,
        Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::WaitingForCoordinator
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator => Verdict::Again,
        // A rebalance is under way; only `poll` can finish it.
        Code::RebalanceInProgress | Code::AssignmentLost => Verdict::Later,
        code if of_another_life(code) => Verdict::Later,
        _ => Verdict::Fatal,
    }
}

/// Whether the group knows this member no more as it was when it took its partitions.
pub(super) fn of_another_life(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::IllegalGeneration | Code::UnknownMemberId | Code::StaleMemberEpoch)
}

pub(super) fn broker(operation: &'static str, error: &KafkaError) -> IoError {
    IoError::Broker { operation, detail: error.to_string() }
}

/// Positions as the client wants them.
pub(super) fn to_list<'a>(
    positions: impl IntoIterator<Item = (&'a Place, &'a i64)>,
) -> Result<TopicPartitionList, IoError> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), next) in positions {
        list.add_partition_offset(topic, *partition, Offset::Offset(*next))
            .map_err(|error| broker("commit", &error))?;
    }
    Ok(list)
}
