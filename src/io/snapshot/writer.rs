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
    /// Keys of chunks and journal entries that are there.
    pub(super) live: BTreeSet<String>,
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
        }
    }

    /// Records that replace the stored state by a snapshot of all records before `next_offset`.
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
        records.push(self.record(&self.manifest_key(), Some(&json(&manifest))));
        // Rests of a snapshot that was cut off may have the keys of this one.
        let old = self.live.iter().filter(|key| !keys.contains(key));
        records.extend(old.map(|key| self.record(key, None)));
        self.live = keys.into_iter().collect();
        records
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
