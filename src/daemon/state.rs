//! `latentd state`: looks at stored state, and proves that it is what the input makes of it.

use std::sync::Arc;
use std::time::Duration;

use super::DaemonError;
use super::partition::Partition;
use super::restore::Restored;
use super::stream::{Stream, streams_of};
use crate::config::Settings;
use crate::engine::Shard;
use crate::io::snapshot::{Recovered, SnapshotReader, StateError, Stored};
use crate::io::{MessageRef, PartitionReader, Place};
use crate::model::{InPlace, Trainer};

/// Records between two settlements of a check.
const SETTLE_EVERY: u64 = 1_024;

/// What is stored of one input partition.
#[derive(Debug)]
pub struct StoredState {
    /// Stream.
    pub stream: String,
    /// Input topic and partition.
    pub place: Place,
    /// Next offset that the group has committed.
    pub committed: Option<i64>,
    /// The newest snapshot; `None` if there is none.
    pub newest: Option<Recovered>,
    /// The snapshot before it, as far as compaction has left it, with its journal.
    pub before: Option<Recovered>,
    /// Why the records make no state.
    pub fault: Option<StateError>,
}

/// What a check of one partition has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Replaying from there gives the newest snapshot, byte for byte.
    Same {
        /// Offset at which the replay began.
        from: i64,
        /// Offset of the newest snapshot.
        to: i64,
    },
    /// It gives something else: another configuration, or damage.
    Different {
        /// Offset at which the replay began.
        from: i64,
        /// Offset of the newest snapshot.
        to: i64,
    },
    /// There is nothing to replay from.
    Unknown(String),
}

/// Reads the stored state of all partitions of a stream, or of all streams.
///
/// # Errors
///
/// [`DaemonError`] if the broker does not answer, or the settings cannot work.
pub fn stored_states(
    settings: &Settings,
    only: Option<&str>,
) -> Result<Vec<StoredState>, DaemonError> {
    let mut reader = PartitionReader::open(&settings.kafka).map_err(DaemonError::Connect)?;
    let mut states = Vec::new();
    for stream in streams_of(settings, &in_place())?
        .iter()
        .filter(|s| only.is_none_or(|name| name == &*s.name))
    {
        for topic in &stream.topics {
            let count = reader.partitions(topic).map_err(DaemonError::StateTopics)?;
            for partition in 0..i32::try_from(count).unwrap_or(0) {
                let place = (topic.clone(), partition);
                states.push(read(&mut reader, stream, place).map_err(DaemonError::StateTopics)?);
            }
        }
    }
    Ok(states)
}

pub(super) fn read(
    reader: &mut PartitionReader,
    stream: &Stream,
    place: Place,
) -> Result<StoredState, crate::io::IoError> {
    let mut folded = SnapshotReader::new(&stream.state_topic, &stream.name, &place.0, place.1);
    let manifest = format!("{}/{}/manifest", place.0, place.1);
    let mut before = None;
    if reader.partitions(&stream.state_topic)? > usize::try_from(place.1).unwrap_or(0) {
        reader.read(&stream.state_topic, place.1, None, &mut |record| {
            let key = record.key.unwrap_or_default();
            if key == manifest.as_bytes()
                && let Ok(Stored::State(recovered)) = folded.clone().finish()
            {
                before = Some(*recovered);
            }
            folded.take(key, record.payload, record.offset);
            true
        })?;
    }
    let (newest, fault) = match folded.finish() {
        Ok(Stored::State(recovered)) => (Some(*recovered), None),
        Ok(Stored::Nothing(_)) => (None, None),
        Err(fault) => (None, Some(fault)),
    };
    let committed = reader.committed(&place)?;
    Ok(StoredState { stream: stream.name.to_string(), place, committed, newest, before, fault })
}

/// Replays the input of a partition from the snapshot before the newest one, or from the first
/// record, and compares.
///
/// # Errors
///
/// [`DaemonError`] if the broker does not answer, or the settings cannot work.
pub fn verify(settings: &Settings, state: StoredState) -> Result<Verdict, DaemonError> {
    let Some(newest) = state.newest else {
        return Ok(Verdict::Unknown("nothing is stored".to_owned()));
    };
    let mut streams = streams_of(settings, &in_place())?;
    let Some(stream) = streams.iter_mut().find(|stream| *stream.name == *state.stream) else {
        return Ok(Verdict::Unknown("the configuration has no such stream".to_owned()));
    };
    let mut reader = PartitionReader::open(&settings.kafka).map_err(DaemonError::Connect)?;
    let bounds = reader.bounds(&state.place).map_err(DaemonError::Poll)?;
    let to = newest.manifest.next_offset;
    let number = state.place.1;
    let (shard, from, journal) = match state.before {
        Some(before) if before.manifest.next_offset >= bounds.low => {
            let shard = Shard::restore(Arc::clone(&stream.spec), number, &before.bytes);
            let Ok(shard) = shard else {
                return Ok(Verdict::Unknown("the state is of another configuration".to_owned()));
            };
            (shard, before.manifest.next_offset, before.journal)
        }
        _ if bounds.low == 0 => (Shard::new(Arc::clone(&stream.spec), number), 0, Vec::new()),
        _ => {
            let why = "no older snapshot is left, and the first records are gone";
            return Ok(Verdict::Unknown(why.to_owned()));
        }
    };
    let restored = Restored {
        shard,
        writer: newest.writer,
        start: from,
        silent_until: Some(to),
        journal,
        state: Vec::new(),
        fresh: false,
        bytes: [0; 2],
    };
    let replayed = replay(&mut reader, stream, &state.place, restored, to)?;
    let same = replayed == newest.bytes;
    Ok(if same { Verdict::Same { from, to } } else { Verdict::Different { from, to } })
}

/// A check is in no hurry.
pub(super) fn in_place() -> Arc<dyn Trainer> {
    Arc::new(InPlace)
}

/// Feeds the records before `to` to a scratch engine; its state.
fn replay(
    reader: &mut PartitionReader,
    stream: &mut Stream,
    place: &Place,
    restored: Restored,
    to: i64,
) -> Result<Vec<u8>, DaemonError> {
    let from = restored.start;
    let mut partition = Partition::new(restored, 0, Duration::ZERO);
    let mut feed = |message: MessageRef<'_>| {
        if message.offset >= to {
            return false;
        }
        partition.note(&message);
        if let Ok(record) = stream.decoder.decode(&message) {
            partition.push(record, message.timestamp_ms);
        }
        if partition.replayed.is_multiple_of(SETTLE_EVERY) {
            partition.settle(Duration::ZERO);
        }
        message.offset + 1 < to
    };
    if from < to {
        reader.read(&place.0, place.1, Some(from), &mut feed).map_err(DaemonError::Poll)?;
    }
    partition.settle(Duration::ZERO);
    Ok(partition.state_bytes())
}
