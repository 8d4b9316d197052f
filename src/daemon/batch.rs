//! The outputs of one batch: values, so that a failed delivery can be tried again.

use std::collections::BTreeMap;

use crate::io::{OutMessage, Position};

/// What one batch has to deliver.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Results and dead letters, by partition in the order in which they were made.
    pub outputs: Vec<OutMessage>,
    /// Where to go on, for each partition that was read.
    pub positions: Vec<Position>,
    /// Stream and reason of each dead letter.
    pub dead: Vec<(usize, &'static str)>,
    /// Smallest Kafka time by stream, in milliseconds.
    pub oldest_ms: BTreeMap<usize, i64>,
}

impl Batch {
    /// Whether there is nothing to write and nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.positions.is_empty()
    }

    pub fn note_oldest(&mut self, stream: usize, time_ms: Option<i64>) {
        if let Some(time) = time_ms {
            let oldest = self.oldest_ms.entry(stream).or_insert(time);
            *oldest = (*oldest).min(time);
        }
    }

    /// Number of outputs by topic.
    pub fn by_topic(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for output in &self.outputs {
            *counts.entry(output.topic.as_str()).or_default() += 1;
        }
        counts
    }
}
