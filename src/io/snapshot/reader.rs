//! From records back to a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::error::StateError;
use super::manifest::{FORMAT, JournalEntry, Manifest};
use super::writer::{SnapshotWriter, chunk_key};
use crate::io::OutMessage;
use crate::record::hex;

/// Longest snapshot that is unpacked.
const BYTES_MAX: usize = 1 << 30;

/// Folds the records of one partition of a state topic, in order, into what they say about one
/// input partition. Records about other input partitions are passed over.
#[derive(Debug, Clone)]
pub struct SnapshotReader {
    writer: SnapshotWriter,
    prefix: String,
    /// The newest value of each key, with its offset.
    records: BTreeMap<String, (i64, Vec<u8>)>,
    /// Older snapshots are wanted, too.
    all: bool,
}

/// What is stored of an input partition.
#[derive(Debug)]
pub enum Stored {
    /// A snapshot.
    State(Box<Recovered>),
    /// None, and where to write the first.
    Nothing(SnapshotWriter),
}

/// A snapshot and what happened since.
#[derive(Debug)]
pub struct Recovered {
    /// What describes it.
    pub manifest: Manifest,
    /// The snapshot.
    pub bytes: Vec<u8>,
    /// In the order in which it happened.
    pub journal: Vec<JournalEntry>,
    /// Goes on after it.
    pub writer: SnapshotWriter,
}

/// What all manifests have.
#[derive(Deserialize)]
struct Labelled {
    format: u32,
}

impl SnapshotReader {
    /// For partition `partition` of the input `topic`.
    pub fn new(state_topic: &str, stream: &str, topic: &str, partition: i32) -> Self {
        Self {
            writer: SnapshotWriter::new(state_topic, stream, topic, partition),
            prefix: format!("{topic}/{partition}/"),
            records: BTreeMap::new(),
            all: false,
        }
    }

    /// The same, and older snapshots that are kept do not go from memory: see
    /// [`SnapshotReader::older`].
    pub fn of_all(self) -> Self {
        Self { all: true, ..self }
    }

    /// Takes the next record.
    pub fn take(&mut self, key: &[u8], payload: Option<&[u8]>, offset: i64) {
        // Keys that are no text are not ours.
        let Ok(key) = std::str::from_utf8(key) else { return };
        if !key.starts_with(&self.prefix) {
            return;
        }
        match payload {
            Some(payload) => drop(self.records.insert(key.to_owned(), (offset, payload.to_vec()))),
            None => drop(self.records.remove(key)),
        }
        if !self.all && key == self.writer.manifest_key() {
            self.forget_older();
        }
    }

    /// Lets go of the bytes of all chunks that are not of the newest manifest.
    fn forget_older(&mut self) {
        let key = self.writer.manifest_key();
        let newest = self.records.get(&key);
        let Some(manifest) = newest.and_then(|(_, v)| serde_json::from_slice::<Manifest>(v).ok())
        else {
            return;
        };
        let chunks = format!("{}chunk/", self.prefix);
        let of_it = format!("{chunks}{}/", manifest.sequence);
        let all = self.records.range_mut(chunks.clone()..);
        let all = all.take_while(|(key, _)| key.starts_with(&chunks));
        all.filter(|(key, _)| !key.starts_with(&of_it)).for_each(|(_, (_, v))| *v = Vec::new());
    }

    /// The newest snapshot before that of sequence `until` which is kept, whole, and `fits`; with what
    /// happened from it to that one without a record. Only of a reader
    /// [`of_all`](SnapshotReader::of_all).
    pub fn older(&self, until: u64, fits: impl Fn(&Manifest) -> bool) -> Option<Recovered> {
        let prefix = format!("{}/", self.writer.manifest_key());
        let kept = self.records.range(prefix.clone()..);
        let kept = kept.take_while(|(key, _)| key.starts_with(&prefix));
        let mut manifests: Vec<(&String, Manifest)> = kept
            .filter_map(|(key, (_, value))| Some((key, serde_json::from_slice(value).ok()?)))
            .filter(|(_, m): &(_, Manifest)| m.format <= FORMAT && m.sequence < until && fits(m))
            .collect();
        manifests.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.sequence));
        manifests.into_iter().find_map(|(key, manifest)| {
            let bytes = self.unpack(&manifest, key).ok()?;
            let journal = self.journals(manifest.sequence..until).ok()?;
            Some(Recovered { manifest, bytes, journal, writer: self.writer.clone() })
        })
    }

    /// The journals of several snapshots, one after the other.
    fn journals(&self, of: Range<u64>) -> Result<Vec<JournalEntry>, StateError> {
        let prefix = format!("{}journal/", self.prefix);
        let keys = self.records.range(prefix.clone()..).map(|(key, _)| key);
        let keys = keys.take_while(|key| key.starts_with(&prefix));
        let sequence = |key: &String| key[prefix.len()..].split('/').next()?.parse().ok();
        let there: BTreeSet<u64> = keys.filter_map(sequence).filter(|s| of.contains(s)).collect();
        let journals: Result<Vec<_>, _> = there.into_iter().map(|s| self.journal(s)).collect();
        Ok(journals?.concat())
    }

    /// Tombstones for everything that is stored, and a writer that begins anew behind it.
    pub fn reset(mut self) -> (SnapshotWriter, Vec<OutMessage>) {
        self.remember_keys();
        let tombstones = self.writer.tombstones();
        (self.writer, tombstones)
    }

    /// Puts the snapshot together.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the records do not make one.
    pub fn finish(mut self) -> Result<Stored, StateError> {
        self.remember_keys();
        let key = self.writer.manifest_key();
        let Some((offset, value)) = self.records.get(&key) else {
            return Ok(Stored::Nothing(self.writer));
        };
        // First of all: the other fields are those of its format.
        let Labelled { format } = self.parse(&key, *offset, value)?;
        if format > FORMAT {
            return Err(StateError::Newer { place: self.place(), key, format, known: FORMAT });
        }
        let manifest: Manifest = self.parse(&key, *offset, value)?;
        let bytes = self.unpack(&manifest, &key)?;
        let journal = self.journal(manifest.sequence)?;
        // Not that of the rests of a later one: the journal belongs to the manifest.
        self.writer.sequence = manifest.sequence;
        self.writer.entries = journal.len() as u64;
        let recovered = Recovered { manifest, bytes, journal, writer: self.writer };
        Ok(Stored::State(Box::new(recovered)))
    }

    /// Tells the writer which keys there are, leftovers of a crash included: the next snapshot
    /// removes them.
    fn remember_keys(&mut self) {
        let manifest = self.writer.manifest_key();
        for key in self.records.keys().filter(|key| **key != manifest) {
            let mut parts = key[self.prefix.len()..].split('/').skip(1);
            let sequence = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
            self.writer.sequence = self.writer.sequence.max(sequence);
            self.writer.live.insert(key.clone());
        }
    }

    fn unpack(&self, manifest: &Manifest, key: &str) -> Result<Vec<u8>, StateError> {
        let damaged = |detail: String| StateError::Damaged {
            place: self.place(),
            key: key.to_owned(),
            detail,
        };
        let mut compressed = Vec::new();
        for number in 0..manifest.chunks as u64 {
            compressed.extend_from_slice(self.value(&self.key(
                "chunk",
                manifest.sequence,
                number,
            ))?);
        }
        if hex(&Sha256::digest(&compressed)) != manifest.sha256 {
            return Err(damaged("the checksum differs".to_owned()));
        }
        if manifest.bytes > BYTES_MAX {
            return Err(damaged(format!("{} bytes, at most {BYTES_MAX}", manifest.bytes)));
        }
        // Before memory is taken on the word of one of them.
        match zstd::zstd_safe::get_frame_content_size(&compressed) {
            Ok(Some(bytes)) if bytes == manifest.bytes as u64 => {}
            other => return Err(damaged(format!("{other:?} bytes, not {}", manifest.bytes))),
        }
        let bytes = zstd::bulk::decompress(&compressed, manifest.bytes);
        let bytes = bytes.map_err(|error| damaged(error.to_string()))?;
        if bytes.len() != manifest.bytes {
            return Err(damaged(format!("{} bytes instead of {}", bytes.len(), manifest.bytes)));
        }
        Ok(bytes)
    }

    /// The entries since the snapshot: from 0 on, without a gap.
    fn journal(&self, sequence: u64) -> Result<Vec<JournalEntry>, StateError> {
        let prefix = format!("{}journal/{sequence}/", self.prefix);
        let count = self.records.keys().filter(|key| key.starts_with(&prefix)).count() as u64;
        let entry = |number| {
            let key = self.key("journal", sequence, number);
            let (offset, value) = self.records.get(&key).ok_or_else(|| self.missing(&key))?;
            self.parse(&key, *offset, value)
        };
        (0..count).map(entry).collect()
    }

    fn key(&self, kind: &str, sequence: u64, number: u64) -> String {
        chunk_key(&self.writer.topic, self.writer.partition, kind, sequence, number)
    }

    fn value(&self, key: &str) -> Result<&[u8], StateError> {
        let found = self.records.get(key).map(|(_, value)| value.as_slice());
        found.ok_or_else(|| self.missing(key))
    }

    fn missing(&self, key: &str) -> StateError {
        StateError::Missing { place: self.place(), key: key.to_owned() }
    }

    fn parse<T: DeserializeOwned>(
        &self,
        key: &str,
        offset: i64,
        value: &[u8],
    ) -> Result<T, StateError> {
        serde_json::from_slice(value).map_err(|error| StateError::Record {
            place: self.place(),
            offset,
            key: key.to_owned(),
            detail: error.to_string(),
        })
    }

    fn place(&self) -> String {
        format!("{}/{}", self.writer.state_topic, self.writer.partition)
    }
}
