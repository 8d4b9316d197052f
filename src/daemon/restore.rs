//! Where an assigned partition begins: its last snapshot, and what was committed since.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::orphans::orphans;
use super::stream::Stream;
use crate::config::MissingOffset;
use crate::engine::{Shard, SnapshotError};
use crate::io::failpoint;
use crate::io::snapshot::{
    JournalEntry, Recovered, SnapshotReader, SnapshotWriter, StateError, Stored,
};
use crate::io::{Bounds, IoError, Log, OffsetReset, OutMessage, Place};
use crate::record::AlertRecord;

/// A shard and where to go on reading.
#[derive(Debug)]
pub(super) struct Restored {
    pub shard: Shard,
    pub writer: SnapshotWriter,
    /// Offset of the first record to read.
    pub start: i64,
    /// Outputs before this offset were delivered in an earlier life.
    pub silent_until: Option<i64>,
    /// What came from outside the log since the snapshot.
    pub journal: Vec<JournalEntry>,
    /// Records of the state topic to be written with the first batch: tombstones of a reset.
    pub state: Vec<OutMessage>,
    /// Closings of alerts that are open in a state that was dropped.
    pub orphans: Vec<AlertRecord>,
    /// No snapshot describes the shard yet.
    pub fresh: bool,
    /// Bytes of the snapshot in the state topic, and before compression, as far as known.
    pub bytes: [u64; 2],
}

/// Why a partition cannot go on from its state.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The broker does not answer; ask again.
    #[error("{place}: {source}")]
    Outside {
        /// Topic and partition.
        place: String,
        /// What it was asked.
        source: IoError,
    },
    /// Another owner has committed meanwhile: the assignment is old, or a commit was still on its
    /// way. Ask again.
    #[error("{place}: the partition has moved on while its state was read")]
    Moved {
        /// Topic and partition.
        place: String,
    },
    /// The state topic holds something that cannot be read.
    #[error("{0}; --reset-state {1} drops the state and learns anew")]
    State(StateError, String),
    /// The snapshot does not fit the configuration, or is none.
    #[error("{place}: {error}; --reset-state {stream} drops the state and learns anew")]
    Snapshot {
        /// Topic and partition.
        place: String,
        /// Stream.
        stream: String,
        /// Why.
        error: SnapshotError,
    },
    /// The state knows records that are not committed: the group was moved back by hand.
    #[error(
        "{place}: the state is that of offset {stamp}, but the group has committed {committed}; \
         move the group forward again, or let --reset-state {stream} drop the state"
    )]
    Ahead {
        /// Topic and partition.
        place: String,
        /// Stream.
        stream: String,
        /// Next offset of the snapshot.
        stamp: i64,
        /// Next offset of the group.
        committed: i64,
    },
    /// Records that were not read, or are needed to rebuild the state, are gone.
    #[error(
        "{place}: offset {wanted} is needed, but the log has {low} to {high}: retention was \
         faster, or the topic was made anew; state.on_missing_offset says how to go on"
    )]
    Gone {
        /// Topic and partition.
        place: String,
        /// Offset.
        wanted: i64,
        /// Oldest offset.
        low: i64,
        /// Next offset.
        high: i64,
    },
}

/// What the configuration says about beginnings.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub reset: OffsetReset,
    pub missing: MissingOffset,
    /// Streams whose state is to be dropped.
    pub dropped: BTreeSet<String>,
    /// Partitions that have a state of this process since: that is kept, when they come back, too.
    pub stored: BTreeSet<Place>,
}

/// Finds out how to go on with a partition.
///
/// The committed offset is asked for first: the state that is read then is at least as new as
/// the last batch that the former owner has committed. `alive` is called with each record of state:
/// there may be many.
pub(super) fn restore(
    log: &mut dyn Log,
    stream: &Stream,
    place: &Place,
    policy: &Policy,
    alive: &dyn Fn(),
) -> Result<Restored, RestoreError> {
    let outside = |source| RestoreError::Outside { place: name(place), source };
    let committed = log.committed(&place.0, place.1).map_err(outside)?;
    let bounds = log.bounds(&place.0, place.1).map_err(outside)?;
    let mut reader = SnapshotReader::new(&stream.state_topic, &stream.name, &place.0, place.1);
    log.read_state(&stream.state_topic, place, &mut |record| {
        alive();
        reader.take(record.key, record.payload, record.offset);
    })
    .map_err(outside)?;
    if policy.dropped.contains(&*stream.name) && !policy.stored.contains(place) {
        let (writer, state) = reader.reset();
        let (topic, of) = (&stream.alerts_current, (&*stream.name, place));
        let orphans = orphans(log, topic, of, alive).map_err(outside)?;
        tracing::warn!(stream = %stream.name, topic = place.0, partition = place.1, "state dropped");
        let start = first_offset(committed, bounds, policy);
        let start = within(place, start, bounds, policy)?;
        return Ok(Restored { state, orphans, ..anew(stream, place, start, writer) });
    }
    failpoint::hit("during_restore");
    let state = |error| RestoreError::State(error, stream.name.to_string());
    let stored = reader.finish().map_err(state)?;
    if let (Stored::State(recovered), Some(before)) = (&stored, committed) {
        let stamp = recovered.manifest.next_offset;
        // A state ahead of what was committed a moment ago: is someone else at work?
        if stamp > before && log.committed(&place.0, place.1).map_err(outside)? >= Some(stamp) {
            return Err(RestoreError::Moved { place: name(place) });
        }
    }
    match stored {
        Stored::State(recovered) => resume(stream, place, committed, bounds, *recovered, policy),
        Stored::Nothing(writer) => {
            if let Some(committed) = committed {
                tracing::warn!(
                    stream = %stream.name, topic = place.0, partition = place.1, committed,
                    "no state is stored for this partition: it is learned anew from here"
                );
            }
            let start = first_offset(committed, bounds, policy);
            let start = within(place, start, bounds, policy)?;
            Ok(anew(stream, place, start, writer))
        }
    }
}

fn first_offset(committed: Option<i64>, bounds: Bounds, policy: &Policy) -> i64 {
    committed.unwrap_or(match policy.reset {
        OffsetReset::Earliest => bounds.low,
        OffsetReset::Latest => bounds.high,
    })
}

fn anew(stream: &Stream, place: &Place, start: i64, writer: SnapshotWriter) -> Restored {
    let shard = Shard::new(Arc::clone(&stream.spec), place.1);
    let shard = shard.with_trainer(Arc::clone(&stream.trainer));
    Restored {
        shard,
        writer,
        start,
        silent_until: None,
        journal: Vec::new(),
        state: Vec::new(),
        orphans: Vec::new(),
        fresh: true,
        bytes: [0; 2],
    }
}

/// From the stamp of a snapshot to the committed offset in silence, then on.
fn resume(
    stream: &Stream,
    place: &Place,
    committed: Option<i64>,
    bounds: Bounds,
    recovered: Recovered,
    policy: &Policy,
) -> Result<Restored, RestoreError> {
    let Recovered { manifest, bytes, journal, writer } = recovered;
    let stamp = manifest.next_offset;
    let stored = [manifest.compressed_bytes as u64, bytes.len() as u64];
    let committed = committed.unwrap_or_else(|| {
        tracing::warn!(
            stream = %stream.name, topic = place.0, partition = place.1, stamp,
            "the group has no committed offset: going on from the state, some outputs may repeat"
        );
        stamp
    });
    if stamp > committed {
        let (place, stream) = (name(place), stream.name.to_string());
        return Err(RestoreError::Ahead { place, stream, stamp, committed });
    }
    let shard = Shard::restore(Arc::clone(&stream.spec), place.1, &bytes).map_err(|error| {
        RestoreError::Snapshot { place: name(place), stream: stream.name.to_string(), error }
    })?;
    let shard = shard.with_trainer(Arc::clone(&stream.trainer));
    tell_dropped_forecasts(&stream.name, place.1, &shard);
    let start = within(place, stamp, bounds, policy)?;
    // What is gone can not be learned again; what is left of the silence is kept.
    let until = within(place, committed, bounds, policy)?;
    let silent_until = (start < until || !journal.is_empty()).then_some(until);
    tracing::info!(
        stream = %stream.name, topic = place.0, partition = place.1, stamp, committed,
        bytes = bytes.len(), "state restored"
    );
    Ok(Restored {
        shard,
        writer,
        start,
        silent_until,
        journal,
        state: Vec::new(),
        orphans: Vec::new(),
        fresh: false,
        bytes: stored,
    })
}

/// `wanted`, or what the policy puts in its place if the log does not have it.
pub(super) fn within(
    place: &Place,
    wanted: i64,
    Bounds { low, high }: Bounds,
    policy: &Policy,
) -> Result<i64, RestoreError> {
    if (low..=high).contains(&wanted) {
        return Ok(wanted);
    }
    let instead = match policy.missing {
        MissingOffset::Fail => {
            return Err(RestoreError::Gone { place: name(place), wanted, low, high });
        }
        MissingOffset::Earliest => low,
        MissingOffset::Latest => high,
    };
    tracing::error!(
        topic = place.0,
        partition = place.1,
        wanted,
        low,
        high,
        instead,
        "records are gone that were not read: going on elsewhere"
    );
    Ok(instead)
}

/// Forecasts that begin anew are told with what has changed.
pub(super) fn tell_dropped_forecasts(stream: &str, partition: i32, shard: &Shard) {
    let Some(dropped) = shard.dropped_forecasts() else { return };
    let changes: Vec<String> = dropped.changes.iter().map(ToString::to_string).collect();
    tracing::warn!(
        stream,
        partition,
        forecasters = dropped.forecasters,
        changes = changes.join(", "),
        "forecasts do not fit the configuration and begin anew; all else of the state goes on"
    );
}

fn name((topic, partition): &Place) -> String {
    format!("{topic}/{partition}")
}
