//! What the records of the state topic say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::io::Notice;
use crate::record::EventTime;

/// The format that is written.
pub(super) const FORMAT: u32 = 1;

/// Describes one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the records of the state topic.
    pub format: u32,
    /// Stream.
    pub stream: String,
    /// Input topic.
    pub topic: String,
    /// Input partition.
    pub partition: i32,
    /// The snapshot is that of all records before this offset.
    pub next_offset: i64,
    /// Counts the snapshots of the partition.
    pub sequence: u64,
    /// Number of chunks.
    pub chunks: usize,
    /// Length of the snapshot.
    pub bytes: usize,
    /// Length of all chunks together.
    pub compressed_bytes: usize,
    /// SHA-256 of the chunks, one after the other, in hex.
    pub sha256: String,
    /// What shapes the state: readable keys and values of the configuration.
    pub fingerprint: BTreeMap<String, String>,
    /// Version of the latentd that wrote it.
    pub written_by: String,
}

/// Something that happened to a shard without a record of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// It happened before the record of this offset, and after all records before.
    pub next_offset: i64,
    /// What happened.
    #[serde(flatten)]
    pub kind: JournalKind,
}

/// What may happen without a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JournalKind {
    /// Silence closed the rows that end until then.
    CloseUntil {
        /// Event time, in milliseconds since 1970.
        #[serde(rename = "time_ms")]
        time: EventTime,
    },
    /// What people wanted was put into effect.
    Notice {
        /// What they wanted.
        notice: Notice,
    },
}
