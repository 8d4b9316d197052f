//! Outputs, state and positions as one transaction.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::util::Timeout;

use super::commit::of_another_life;
use super::outlet::Outlet;
use crate::io::{DeliverError, IoError, OutMessage, failpoint};

/// Longest wait of one call into the client; it may be called again.
const CALL: Duration = Duration::from_secs(5);
/// Between two calls of the same function.
const PAUSE: Duration = Duration::from_millis(20);
/// Transactions in a row that the group may refuse. What it has decided is told by the consumer's
/// queue, behind the messages in it, and those are not taken while a batch is undelivered: who
/// waits for the news may wait for ever.
const REFUSALS_MAX: u32 = 3;

/// A transactional producer.
///
/// Whatever its outcome, a transaction leaves no doubt behind: it is committed, or aborted, or
/// the caller is told to drop all that it knows and to read it from the log again.
pub(super) struct Transactions {
    outlet: Outlet,
    /// Of one transaction, from its first record to its end.
    timeout: Duration,
    initialised: bool,
    /// Transactions in a row that the group refused.
    refusals: u32,
}

/// What to do about an error of the transaction API (librdkafka, "Transactional producer").
enum Advice {
    /// Call the same function again.
    Repeat,
    /// Abort, then start over.
    Abort,
    /// The group knows no such member, or only an older one: abort; start over if it was a
    /// rebalance, join anew if it stays so.
    Refused,
    /// This producer is dead.
    Dead,
}

impl Transactions {
    pub(super) fn open(config: ClientConfig, timeout: Duration) -> Result<Self, IoError> {
        Ok(Self { outlet: Outlet::open(config)?, timeout, initialised: false, refusals: 0 })
    }

    /// Makes sure that no transaction of a former life of this producer is open.
    ///
    /// # Errors
    ///
    /// [`DeliverError::Again`] while the broker does not answer.
    pub(super) fn prepare(&mut self) -> Result<(), DeliverError> {
        if self.initialised {
            return Ok(());
        }
        let producer = self.outlet.producer();
        let result = until(Instant::now() + CALL, || producer.init_transactions(CALL));
        if let Err((advice, error)) = result {
            if matches!(advice, Advice::Dead) {
                self.outlet.renew().map_err(DeliverError::Stop)?;
            }
            return Err(DeliverError::Again(fault("begin transactions", &error)));
        }
        self.initialised = true;
        Ok(())
    }

    /// Writes `outputs` and commits `offsets` for the group, both or neither.
    pub(super) fn run<'a>(
        &mut self,
        outputs: impl ExactSizeIterator<Item = &'a OutMessage>,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), DeliverError> {
        self.prepare()?;
        let deadline = Instant::now() + self.timeout;
        failpoint::hit("before_begin");
        if let Err(error) = self.outlet.producer().begin_transaction() {
            return Err(DeliverError::Lost(fault("begin", &error)));
        }
        failpoint::hit("after_begin");
        if let Err(error) = self.outlet.write_all(outputs) {
            self.abort()?;
            return Err(error);
        }
        failpoint::hit("after_produce");
        let producer = self.outlet.producer();
        if offsets.count() > 0 {
            let send = || producer.send_offsets_to_transaction(offsets, group, CALL);
            if let Err((advice, error)) = until(deadline, send) {
                return Err(self.give_up(advice, "send offsets", &error));
            }
        }
        failpoint::hit("after_send_offsets");
        failpoint::soon("during_commit");
        // -1 lets the client use the rest of the time of the transaction.
        match until(deadline, || producer.commit_transaction(Timeout::Never)) {
            Ok(()) => {
                failpoint::hit("after_commit");
                self.refusals = 0;
                Ok(())
            }
            // It may be committed or not: only the log knows.
            Err((Advice::Repeat, error)) => Err(DeliverError::Lost(fault("commit", &error))),
            Err((advice, error)) => Err(self.give_up(advice, "commit", &error)),
        }
    }

    fn give_up(
        &mut self,
        advice: Advice,
        operation: &'static str,
        error: &KafkaError,
    ) -> DeliverError {
        let error = fault(operation, error);
        if matches!(advice, Advice::Dead) {
            return DeliverError::Lost(error);
        }
        if let Err(worse) = self.abort() {
            return worse;
        }
        self.refusals = if matches!(advice, Advice::Refused) { self.refusals + 1 } else { 0 };
        match self.refusals < REFUSALS_MAX {
            true => DeliverError::Again(error),
            false => DeliverError::Lost(error),
        }
    }

    fn abort(&mut self) -> Result<(), DeliverError> {
        // Open reports would make the client refuse to abort.
        self.outlet.purge();
        let producer = self.outlet.producer();
        until(Instant::now() + self.timeout, || producer.abort_transaction(CALL))
            .map_err(|(_, error)| DeliverError::Lost(fault("abort", &error)))
    }
}

/// Calls `work` until it succeeds, fails for good, or its time is over.
fn until(
    deadline: Instant,
    mut work: impl FnMut() -> Result<(), KafkaError>,
) -> Result<(), (Advice, KafkaError)> {
    loop {
        let Err(error) = work() else { return Ok(()) };
        let advice = advice(&error);
        if !matches!(advice, Advice::Repeat) || Instant::now() >= deadline {
            return Err((advice, error));
        }
        std::thread::sleep(PAUSE);
    }
}

fn advice(error: &KafkaError) -> Advice {
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Advice::Dead,
        KafkaError::Transaction(error) if refused_by_group(error.code()) => Advice::Refused,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Advice::Abort,
        KafkaError::Transaction(error) if error.is_retriable() => Advice::Repeat,
        // The flush within a commit ran out of time; the commit may be called again.
        KafkaError::Flush(_) => Advice::Repeat,
        KafkaError::Transaction(error) if error.code() == RDKafkaErrorCode::OperationTimedOut => {
            Advice::Repeat
        }
        // Unknown errors are to be treated as fatal ones.
        KafkaError::Transaction(_) => Advice::Dead,
        _ => Advice::Abort,
    }
}

fn refused_by_group(code: RDKafkaErrorCode) -> bool {
    of_another_life(code) || code == RDKafkaErrorCode::FencedInstanceId
}

fn fault(operation: &'static str, error: &KafkaError) -> IoError {
    let fenced = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fenced);
    let hint = match fenced {
        true => " (is another process of this group running under the same `kafka.instance`?)",
        false => "",
    };
    IoError::Broker { operation, detail: format!("{error}{hint}") }
}
