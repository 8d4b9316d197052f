//! The state topic: snapshots of shards and what came from outside the log, as records.
//!
//! A state topic is compacted and has a partition for each partition of the input. What belongs
//! to partition 3 of the input topic `press` lies in partition 3 under these keys:
//!
//! | key | value |
//! |---|---|
//! | `press/3/manifest` | JSON ([`Manifest`]): which chunks make the snapshot, and of which offset it is |
//! | `press/3/chunk/17/0`, `…/1` | the zstd-compressed bytes of snapshot 17, cut into pieces of at most 512 KiB |
//! | `press/3/journal/17/0`, `…/1` | JSON: what happened after snapshot 17 without a record, and at which offset |
//!
//! | `press/3/manifest/17` | the manifest of snapshot 17 again, which stays when `press/3/manifest` is of a newer one |
//!
//! A new snapshot writes its chunks, then its manifest twice, then tombstones for the snapshots that
//! are not kept any longer and for the journals before the oldest that is. Kept are, of each power
//! of two, the newest two multiples ([`SnapshotWriter::keep`]): an alert of an hour or of a day ago
//! has a state from before it, at the price of a dozen snapshots. With exactly-once delivery all
//! of it is one transaction with the offset that the manifest names; without, a crash in between
//! leaves the old manifest and all that it names.
//!
//! Start with [`SnapshotWriter`] and [`SnapshotReader`]; both are values and do no I/O.

mod error;
mod manifest;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use error::StateError;
pub use manifest::{JournalEntry, JournalKind, Manifest};
pub use reader::{Recovered, SnapshotReader, Stored};
pub use writer::SnapshotWriter;
