//! The outputs of one batch: values, so that a failed delivery can be tried again.

use std::collections::BTreeMap;

use crate::io::{Part, Place};
use crate::record::AlertRecord;

/// What one batch has to deliver.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// By partition, in the order of topics and numbers.
    parts: Vec<Part>,
    /// One for each part.
    notes: Vec<Note>,
}

/// What a part is not delivered with, but judged by.
#[derive(Debug)]
pub(super) struct Note {
    /// Of the ownership under which the part was made.
    pub epoch: u64,
    pub stream: usize,
    /// Reason of each dead letter.
    pub dead: Vec<&'static str>,
    /// Smallest Kafka time, in milliseconds.
    pub oldest_ms: Option<i64>,
    /// The part holds a snapshot.
    pub saved: bool,
    /// Changes of alerts, told once they are committed.
    pub alerts: Vec<AlertRecord>,
}

impl Batch {
    /// Adds a part, if it has anything to write or to commit.
    pub fn push(&mut self, part: Part, note: Note) {
        let Part { next_offset, outputs, state, .. } = &part;
        if next_offset.is_some() || !outputs.is_empty() || !state.is_empty() {
            self.parts.push(part);
            self.notes.push(note);
        }
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Drops the parts of which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&Part, &Note) -> bool) {
        let pairs =
            std::mem::take(&mut self.parts).into_iter().zip(std::mem::take(&mut self.notes));
        (self.parts, self.notes) = pairs.filter(|(part, note)| keep(part, note)).unzip();
    }

    /// Partitions that are stored with it.
    pub fn saved(&self) -> impl Iterator<Item = Place> {
        let both = self.parts.iter().zip(&self.notes).filter(|(_, note)| note.saved);
        both.map(|(part, _)| (part.topic.clone(), part.partition))
    }

    /// Whether there is nothing to write and nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Results and dead letters, without state.
    pub fn outputs(&self) -> usize {
        self.parts.iter().map(|part| part.outputs.len()).sum()
    }

    /// Smallest Kafka time by stream, in milliseconds.
    pub fn oldest_ms(&self) -> BTreeMap<usize, i64> {
        let mut oldest = BTreeMap::new();
        for (stream, time) in self.notes.iter().filter_map(|n| Some((n.stream, n.oldest_ms?))) {
            let of_stream = oldest.entry(stream).or_insert(time);
            *of_stream = (*of_stream).min(time);
        }
        oldest
    }

    /// Number of outputs and of state records by topic.
    pub fn by_topic(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for record in self.parts.iter().flat_map(|part| part.outputs.iter().chain(&part.state)) {
            *counts.entry(record.topic.as_str()).or_default() += 1;
        }
        counts
    }

    /// Bytes of state.
    pub fn state_bytes(&self) -> u64 {
        let records = self.parts.iter().flat_map(|part| &part.state);
        records.map(|record| record.payload.as_ref().map_or(0, Vec::len) as u64).sum()
    }
}
