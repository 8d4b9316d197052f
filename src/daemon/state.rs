//! `latentd state`: looks at stored state, and proves that it is what the input makes of it.

use std::sync::Arc;

use super::DaemonError;
use super::rerun::Rerun;
use super::stream::{Stream, streams_of};
use crate::config::Settings;
use crate::io::snapshot::{Manifest, Recovered, SnapshotReader, StateError, Stored};
use crate::io::{Bounds, IoError, PartitionReader, Place};
use crate::model::{InPlace, Trainer};
use crate::record::Outbox;

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

fn read(
    reader: &mut PartitionReader,
    stream: &Stream,
    place: Place,
) -> Result<StoredState, IoError> {
    let folded = SnapshotReader::new(&stream.state_topic, &stream.name, &place.0, place.1);
    let (newest, fault) = match fold(reader, stream, &place, folded)?.finish() {
        Ok(Stored::State(recovered)) => (Some(*recovered), None),
        Ok(Stored::Nothing(_)) => (None, None),
        Err(fault) => (None, Some(fault)),
    };
    let committed = reader.committed(&place)?;
    Ok(StoredState { stream: stream.name.to_string(), place, committed, newest, fault })
}

/// See [`SnapshotReader::older`].
pub(super) fn kept(
    reader: &mut PartitionReader,
    stream: &Stream,
    place: &Place,
    until: u64,
    fits: impl Fn(&Manifest) -> bool,
) -> Result<Option<Recovered>, DaemonError> {
    let all = SnapshotReader::new(&stream.state_topic, &stream.name, &place.0, place.1).of_all();
    let all = fold(reader, stream, place, all).map_err(DaemonError::StateTopics)?;
    Ok(all.older(until, fits))
}

/// Reads what is stored of a partition.
fn fold(
    reader: &mut PartitionReader,
    stream: &Stream,
    place: &Place,
    mut folded: SnapshotReader,
) -> Result<SnapshotReader, IoError> {
    if reader.partitions(&stream.state_topic)? > usize::try_from(place.1).unwrap_or(0) {
        reader.read(&stream.state_topic, place.1, None, &mut |record| {
            folded.take(record.key.unwrap_or_default(), record.payload, record.offset);
            true
        })?;
    }
    Ok(folded)
}

/// Replays the input of a partition from the snapshot before the newest one, or from the first
/// record, and compares.
///
/// # Errors
///
/// [`DaemonError`] if the broker does not answer, or the settings cannot work.
pub fn verify(settings: &Settings, state: StoredState) -> Result<Verdict, DaemonError> {
    let unknown = |why: &str| Ok(Verdict::Unknown(why.to_owned()));
    let Some(newest) = state.newest else { return unknown("nothing is stored") };
    let mut streams = streams_of(settings, &in_place())?;
    let Some(stream) = streams.iter_mut().find(|stream| *stream.name == *state.stream) else {
        return unknown("the configuration has no such stream");
    };
    let mut reader = PartitionReader::open(&settings.kafka).map_err(DaemonError::Connect)?;
    let Bounds { low, .. } = reader.bounds(&state.place).map_err(DaemonError::Poll)?;
    let Manifest { sequence, next_offset: to, .. } = newest.manifest;
    let before = kept(&mut reader, stream, &state.place, sequence, |_| true)?;
    let mut again = match Rerun::begin(stream, state.place.1, before, low) {
        Ok(again) => again,
        Err(why) => return Ok(Verdict::Unknown(why)),
    };
    let mut forget = |out: &mut Outbox| {
        out.clear();
        true
    };
    again.run((&mut reader, stream), &state.place, Some(to), &mut forget)?;
    let from = again.from;
    Ok(match again.state_bytes() == newest.bytes {
        true => Verdict::Same { from, to },
        false if again.blind && sequence > 1 => {
            return unknown("no older snapshot is kept, nor what silence and people did before");
        }
        false => Verdict::Different { from, to },
    })
}

pub(super) fn in_place() -> Arc<dyn Trainer> {
    Arc::new(InPlace)
}
