//! One owned input partition: its shard, and what the batch at hand has done to it.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Shard, ShardStatus, StreamSpec};
use crate::io::{MessageRef, OutMessage};
use crate::record::{EventTime, Millis, Outbox, Placement, RecordRef};

/// A dead letter on its way, with the `reason` label of its metrics.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DeadLetter {
    pub reason: &'static str,
    pub message: OutMessage,
}

/// An owned partition.
#[derive(Debug)]
pub(super) struct Partition {
    shard: Shard,
    pub outbox: Outbox,
    pub dead: Vec<DeadLetter>,
    /// Offset of the next record; `None` before the first.
    pub next_offset: Option<i64>,
    /// Records and bytes read in this batch.
    pub records: u64,
    pub bytes: u64,
    /// Smallest Kafka time of this batch.
    pub oldest_ms: Option<i64>,
    pub lag: Option<i64>,
    silence: Silence,
}

/// How long nothing came, and where event time stood when that began.
#[derive(Debug)]
struct Silence {
    since: Duration,
    watermark: Option<EventTime>,
    closing: bool,
}

impl Silence {
    fn begin(now: Duration) -> Self {
        Self { since: now, watermark: None, closing: false }
    }
}

impl Partition {
    pub fn new(spec: Arc<StreamSpec>, partition: i32, now: Duration) -> Self {
        Self {
            shard: Shard::new(spec, partition),
            outbox: Outbox::default(),
            dead: Vec::new(),
            next_offset: None,
            records: 0,
            bytes: 0,
            oldest_ms: None,
            lag: None,
            silence: Silence::begin(now),
        }
    }

    /// Notes that a message was read, whatever becomes of it.
    pub fn note(&mut self, message: &MessageRef<'_>) {
        let length = |part: Option<&[u8]>| part.map_or(0, |bytes| bytes.len() as u64);
        self.next_offset = Some(message.offset + 1);
        self.records += 1;
        self.bytes += length(message.key) + length(message.payload);
        self.oldest_ms = self.oldest_ms.into_iter().chain(message.timestamp_ms).min();
    }

    /// Gives a record to the shard. Without a Kafka time nothing can be ahead of it.
    pub fn push(&mut self, record: RecordRef<'_>, log_ms: Option<i64>) -> Placement {
        let log_time = log_ms.map_or(record.time, EventTime::from_millis);
        self.shard.push(record, log_time, &mut self.outbox)
    }

    /// Ends the batch: scores what is closed. `now` is the steady clock.
    pub fn settle(&mut self, now: Duration) {
        if self.records > 0 {
            self.silence = Silence::begin(now);
            self.shard.settle(&mut self.outbox);
        }
    }

    /// Closes rows by silence: once nothing came for `timeout` and nothing waits to be read,
    /// event time goes on as fast as the clock, from where the last records left it.
    ///
    /// It goes on only while a row is open, so that a record after a long silence is late only
    /// if a row it belongs to was closed.
    pub fn close_idle(&mut self, timeout: Millis, now: Duration) {
        let silent = now.saturating_sub(self.silence.since);
        self.silence.closing = false;
        if self.lag != Some(0) || self.records > 0 || silent < timeout.to_duration() {
            return;
        }
        let status = self.shard.status();
        let Some(began) = self.silence.watermark.or(status.watermark) else { return };
        self.silence.watermark = Some(began);
        if status.open_rows > 0 {
            self.silence.closing = true;
            let silent = i64::try_from(silent.as_millis()).unwrap_or(i64::MAX);
            self.shard.close_until(began + Millis::new(silent), &mut self.outbox);
        }
    }

    /// Silence moves the watermark.
    pub fn is_idle(&self) -> bool {
        self.silence.closing
    }

    pub fn status(&self) -> ShardStatus {
        self.shard.status()
    }

    /// Forgets the batch after its outputs were taken.
    pub fn begin_batch(&mut self) {
        self.outbox.clear();
        self.dead.clear();
        self.records = 0;
        self.bytes = 0;
        self.oldest_ms = None;
    }
}
