//! How the parts of a batch leave: in one transaction, or one after the other.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::commit::{Commits, to_list};
use super::inlet::Inlet;
use super::outlet::Outlet;
use super::settings;
use super::transaction::Transactions;
use crate::io::{DeliverError, Delivery, IoError, KafkaParams, OutMessage, Part, Place};

/// The producer side of a log.
pub(super) enum Sender {
    /// In one transaction.
    ExactlyOnce(Transactions),
    /// Outputs, then positions, then state.
    AtLeastOnce(InTurn),
}

impl Sender {
    pub(super) fn open(params: &KafkaParams, worker: usize) -> Result<Self, IoError> {
        Ok(match params.delivery {
            Delivery::ExactlyOnce => {
                let config = settings::transactional_producer(params, worker)?;
                let timeout = params.transaction_timeout.to_duration();
                Self::ExactlyOnce(Transactions::open(config, timeout)?)
            }
            Delivery::AtLeastOnce => Self::AtLeastOnce(InTurn {
                outlet: Outlet::open(settings::producer(params)?)?,
                commits: Commits::default(),
                state: Vec::new(),
            }),
        })
    }

    /// Delivers all parts or none; positions only of partitions that are owned.
    pub(super) fn deliver(
        &mut self,
        consumer: &BaseConsumer<Inlet>,
        owned: &BTreeSet<Place>,
        parts: &[Part],
    ) -> Result<(), DeliverError> {
        match self {
            Self::ExactlyOnce(transactions) => deliver_once(transactions, consumer, parts),
            Self::AtLeastOnce(in_turn) => in_turn.deliver(consumer, owned, parts),
        }
    }

    /// Ends what a former life of this producer left open.
    pub(super) fn prepare(&mut self) -> Result<(), IoError> {
        match self {
            Self::ExactlyOnce(transactions) => transactions.prepare().map_err(plain),
            Self::AtLeastOnce(_) => Ok(()),
        }
    }

    /// Whether positions wait to be committed again.
    pub(super) fn is_due(&self) -> bool {
        matches!(self, Self::AtLeastOnce(in_turn) if in_turn.commits.is_due())
    }

    /// Drops what is still to be said about partitions of others.
    pub(super) fn forget(&mut self, places: &[Place]) {
        if let Self::AtLeastOnce(in_turn) = self {
            places.iter().for_each(|place| in_turn.commits.forget(place));
            in_turn.state.retain(|(of, _)| !places.contains(of));
        }
    }
}

fn plain(error: DeliverError) -> IoError {
    match error {
        DeliverError::Again(e) | DeliverError::Lost(e) | DeliverError::Stop(e) => e,
    }
}

fn positions(parts: &[Part]) -> BTreeMap<Place, i64> {
    let position = |part: &Part| Some(((part.topic.clone(), part.partition), part.next_offset?));
    parts.iter().filter_map(position).collect()
}

/// All in one transaction.
fn deliver_once(
    transactions: &mut Transactions,
    consumer: &BaseConsumer<Inlet>,
    parts: &[Part],
) -> Result<(), DeliverError> {
    // Fetched anew for each transaction: it changes with the generation of the group.
    let Some(group) = consumer.group_metadata() else {
        return Err(DeliverError::Lost(IoError::Client("no member of the group".into())));
    };
    let offsets = to_list(&positions(parts)).map_err(DeliverError::Stop)?;
    let all = parts.iter().flat_map(|part| part.outputs.iter().chain(&part.state));
    let all: Vec<&OutMessage> = all.collect();
    if all.is_empty() && offsets.count() == 0 {
        return Ok(());
    }
    transactions.run(all.into_iter(), &offsets, &group)
}

/// A producer without transactions, and what waits for the commit of positions.
pub(super) struct InTurn {
    outlet: Outlet,
    commits: Commits,
    /// A stored state must not be ahead of the committed position.
    state: Vec<(Place, Vec<OutMessage>)>,
}

impl InTurn {
    /// Outputs, positions, state: a crash in between repeats outputs, and loses none.
    fn deliver(
        &mut self,
        consumer: &BaseConsumer<Inlet>,
        owned: &BTreeSet<Place>,
        parts: &[Part],
    ) -> Result<(), DeliverError> {
        self.outlet.renew_if_dead().map_err(DeliverError::Stop)?;
        let outputs: Vec<&OutMessage> = parts.iter().flat_map(|part| &part.outputs).collect();
        self.outlet.write_all(outputs.into_iter())?;
        for (place, next) in positions(parts).into_iter().filter(|(place, _)| owned.contains(place))
        {
            self.commits.note(place, next);
        }
        let described = parts.iter().filter(|part| !part.state.is_empty());
        self.state.extend(described.map(|p| ((p.topic.clone(), p.partition), p.state.clone())));
        if self.commits.commit(consumer).map_err(DeliverError::Stop)? {
            let waiting: Vec<&OutMessage> = self.state.iter().flat_map(|(_, of)| of).collect();
            self.outlet.write_all(waiting.into_iter())?;
            self.state.clear();
        }
        Ok(())
    }

    /// Commits what is pending.
    pub(super) fn finish(&mut self, consumer: &BaseConsumer<Inlet>) -> Result<(), IoError> {
        self.deliver(consumer, &BTreeSet::new(), &[]).map_err(plain)
    }
}
