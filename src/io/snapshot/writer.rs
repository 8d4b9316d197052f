//! From a snapshot to records.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::manifest::{FORMAT, JournalEntry, Manifest};
use crate::io::OutMessage;
use crate::record::hex;

/// Longest chunk, well below what brokers take by default.
const CHUNK_BYTES_MAX: usize = 512 * 1_024;
/// zstd level: higher ones cost a pause, and gain little on numbers.
const LEVEL: i32 = 1;
/// More would be older than any log.
const RUNGS_MAX: u32 = 32;

/// Writes the state of one input partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotWriter {
    pub(super) state_topic: String,
    pub(super) stream: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// Of the newest snapshot; 0 if there is none.
    pub(super) sequence: u64,
    /// Journal entries since.
    pub(super) entries: u64,
    /// Keys of everything that is there but the manifest of the newest snapshot.
    pub(super) live: BTreeSet<String>,
    /// How many powers of two older snapshots are kept at, see [`SnapshotWriter::keep`].
    rungs: u32,
}

impl SnapshotWriter {
    /// For a partition of which nothing is stored.
    pub fn new(state_topic: &str, stream: &str, topic: &str, partition: i32) -> Self {
        Self {
            state_topic: state_topic.to_owned(),
            stream: stream.to_owned(),
            topic: topic.to_owned(),
            partition,
            sequence: 0,
            entries: 0,
            live: BTreeSet::new(),
            rungs: 0,
        }
    }

    /// Keeps older snapshots from now on: of the multiples of 1, 2, 4, ... `2^(rungs - 1)` the
    /// newest two. They reach back at least `2^(rungs - 1)` snapshots, lie the closer the newer they
    /// are, and are at most as many as there are rungs: of two multiples of a power one is the
    /// newest of the next. With 0 none is kept.
    pub fn keep(&mut self, rungs: u32) {
        self.rungs = rungs.min(RUNGS_MAX);
    }

    /// Records that replace the newest snapshot by one of all records before `next_offset`, and
    /// remove what is not kept any longer.
    pub fn snapshot(
        &mut self,
        next_offset: i64,
        bytes: &[u8],
        fingerprint: &BTreeMap<String, String>,
    ) -> Vec<OutMessage> {
        self.sequence += 1;
        self.entries = 0;
        let compressed = zstd::bulk::compress(bytes, LEVEL)
            .expect("a buffer of the bound that zstd itself computes takes all bytes");
        let chunks: Vec<&[u8]> = compressed.chunks(CHUNK_BYTES_MAX).collect();
        let manifest = Manifest {
            format: FORMAT,
            stream: self.stream.clone(),
            topic: self.topic.clone(),
            partition: self.partition,
            next_offset,
            sequence: self.sequence,
            chunks: chunks.len(),
            bytes: bytes.len(),
            compressed_bytes: compressed.len(),
            sha256: hex(&Sha256::digest(&compressed)),
            fingerprint: fingerprint.clone(),
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let keys: Vec<String> = (0..chunks.len()).map(|i| self.key("chunk", i as u64)).collect();
        let mut records: Vec<OutMessage> =
            keys.iter().zip(&chunks).map(|(key, chunk)| self.record(key, Some(chunk))).collect();
        let manifest = json(&manifest);
        records.push(self.record(&self.manifest_key(), Some(&manifest)));
        let mut fresh: BTreeSet<String> = keys.into_iter().collect();
        if self.rungs > 0 {
            // After the other: what has no manifest of its own yet is not one of the older ones.
            let own = self.kept_key(self.sequence);
            records.push(self.record(&own, Some(&manifest)));
            fresh.insert(own);
        }
        let (kept, old) = self.live.iter().partition::<Vec<_>, _>(|key| self.is_kept(key));
        // Rests of a snapshot that was cut off may have the keys of this one.
        let old = old.into_iter().filter(|key| !fresh.contains(*key));
        records.extend(old.map(|key| self.record(key, None)));
        fresh.extend(kept.into_iter().cloned());
        self.live = fresh;
        records
    }

    /// Whether a key is of an older snapshot that is kept, or of the journal since the oldest.
    fn is_kept(&self, key: &str) -> bool {
        let mut parts = key.rsplit('/');
        let is_journal = parts.clone().nth(2) == Some("journal");
        // Keys end in KIND/SEQUENCE/NUMBER, or in manifest/SEQUENCE.
        let is_manifest = parts.clone().nth(1) == Some("manifest");
        let sequence = parts.nth(usize::from(!is_manifest)).and_then(|part| part.parse().ok());
        // Counted from 0, which is a multiple of all: the first stays until others reach as far back.
        let number = sequence.and_then(|sequence: u64| sequence.checked_sub(1));
        let newest = self.sequence.saturating_sub(1);
        let Some(number) = number.filter(|number| *number < newest) else { return false };
        let newest_two = |rung: u32| (newest >> rung) - (number >> rung) <= 1;
        let is_on = |rung: u32| number.trailing_zeros() >= rung && newest_two(rung);
        match is_journal {
            // The highest rung reaches back the longest.
            true => self.rungs.checked_sub(1).is_some_and(newest_two),
            false => (0..self.rungs).any(is_on),
        }
    }

    /// A record of something that happened after the newest snapshot.
    pub fn journal(&mut self, entry: JournalEntry) -> OutMessage {
        let key = self.key("journal", self.entries);
        self.entries += 1;
        let record = self.record(&key, Some(&json(&entry)));
        self.live.insert(key);
        record
    }

    /// Tombstones for everything that is stored.
    pub(super) fn tombstones(&mut self) -> Vec<OutMessage> {
        let live = std::mem::take(&mut self.live);
        // The manifest first: without it the rest is nothing.
        let keys = std::iter::once(self.manifest_key()).chain(live);
        keys.map(|key| self.record(&key, None)).collect()
    }

    pub(super) fn manifest_key(&self) -> String {
        format!("{}/{}/manifest", self.topic, self.partition)
    }

    /// Key under which the manifest of a snapshot stays when a newer one takes its place.
    pub(super) fn kept_key(&self, sequence: u64) -> String {
        format!("{}/{sequence}", self.manifest_key())
    }

    fn key(&self, kind: &str, number: u64) -> String {
        chunk_key(&self.topic, self.partition, kind, self.sequence, number)
    }

    fn record(&self, key: &str, payload: Option<&[u8]>) -> OutMessage {
        OutMessage {
            topic: self.state_topic.clone(),
            partition: Some(self.partition),
            key: Some(key.into()),
            payload: payload.map(Into::into),
            headers: Vec::new(),
        }
    }
}

pub(super) fn chunk_key(
    topic: &str,
    partition: i32,
    kind: &str,
    sequence: u64,
    number: u64,
) -> String {
    format!("{topic}/{partition}/{kind}/{sequence}/{number}")
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a Vec takes every byte and all keys are strings")
}
