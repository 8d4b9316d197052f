//! What the daemon shows: written by the pipeline, read by the handlers.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::engine::{SeriesStatus, ShardStatus};

/// Why the daemon is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NotReady {
    /// The group has not handed out partitions yet.
    #[default]
    Unassigned,
    /// The first batch after the assignment is still on its way.
    FirstBatch,
    /// State is restored, or records are read again to complete it.
    Restoring {
        /// Number of partitions.
        partitions: usize,
    },
    /// Outputs are not acknowledged.
    Undelivered {
        /// Attempts so far.
        attempts: u32,
        /// What the last one said.
        detail: String,
    },
    /// The daemon is shutting down.
    Stopping,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unassigned => write!(f, "no partitions assigned yet"),
            Self::FirstBatch => write!(f, "the first batch is not delivered yet"),
            Self::Restoring { partitions } => {
                write!(f, "the state of {partitions} partitions is being restored")
            }
            Self::Undelivered { attempts, detail } => {
                write!(f, "outputs are not acknowledged after {attempts} attempts: {detail}")
            }
            Self::Stopping => write!(f, "shutting down"),
        }
    }
}

/// One input partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Its shard.
    pub shard: ShardStatus,
    /// Offset of the next record to read; `None` before the first record.
    pub next_offset: Option<i64>,
    /// Records between the position and the end, if known.
    pub lag: Option<i64>,
    /// Age of the newest record read, in seconds, if known; 0 once the end is reached.
    pub lag_seconds: Option<f64>,
    /// Bytes of the newest snapshot in the state topic.
    pub stored_bytes: u64,
    /// The same before compression.
    pub state_bytes: u64,
    /// Silence, not records, moves the watermark.
    pub idle: bool,
    /// Records read per second of late.
    pub records_per_sec: f64,
    /// Its series; of very many only the first.
    pub listed: Arc<[SeriesStatus]>,
}

/// One stream and the partitions that this process owns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamStatus {
    /// Name.
    pub name: String,
    /// Input topics.
    pub topics: Vec<String>,
    /// Channel names.
    pub channels: Vec<String>,
    /// Which autoencoder learns: `model.variant`.
    pub model: &'static str,
    /// By topic and partition.
    pub partitions: Vec<PartitionStatus>,
}

/// Everything the handlers may show.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// `None` when ready.
    pub not_ready: Option<NotReady>,
    /// Set while the pipeline makes no progress: how long, in words.
    pub stalled: Option<String>,
    /// In the order of the configuration.
    pub streams: Vec<StreamStatus>,
}

/// A [`Status`] shared between the pipeline and the handlers.
#[derive(Debug, Clone)]
pub struct SharedStatus(Arc<RwLock<Status>>);

impl SharedStatus {
    /// Shares `status`.
    pub fn new(status: Status) -> Self {
        Self(Arc::new(RwLock::new(status)))
    }

    /// Looks at the status.
    ///
    /// A status is whole after each assignment, so a panic elsewhere does not make it unreadable.
    pub fn read<R>(&self, look: impl FnOnce(&Status) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the status.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
