//! A log in memory: partitions, consumer groups and committed positions, for tests of the daemon
//! that no timing of a real broker could show.
//!
//! [`MemoryBroker`] is the cluster, [`MemoryLog`] one member of a group on it. A partition has
//! one owner at a time: a new member gets it when the old owner has polled and let it go.

mod broker;
mod member;

#[cfg(test)]
mod tests;

pub use broker::{DeliverFault, MemoryBroker, StoredRecord};
pub use member::MemoryLog;
