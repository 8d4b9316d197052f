//! One owned input partition: its shard, and what the batch at hand has done to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::notices::{Refused, catch_up, put_into_effect, replaces};
use super::presence::Presence;
use super::restore::Restored;
use super::stream::Stream;
use crate::engine::{SeriesStatus, Shard, ShardStatus, SnapshotError};
use crate::io::snapshot::{JournalEntry, JournalKind, SnapshotWriter};
use crate::io::{MessageRef, Notice, OutMessage};
use crate::record::{EventTime, Millis, OpenAlert, Outbox, Placement, RecordRef, SeriesKey};

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
    writer: SnapshotWriter,
    stage: Stage,
    /// Of this ownership; the next one has another.
    pub epoch: u64,
    pub outbox: Outbox,
    pub dead: Vec<DeadLetter>,
    /// Records of the state topic: journal entries of this batch.
    pub journal: Vec<OutMessage>,
    /// Offset of the next record; `None` before the first.
    pub next_offset: Option<i64>,
    /// Something has happened since the last snapshot.
    unsaved: bool,
    /// There is no snapshot yet: the first batch brings one, or its position would be committed
    /// without a state.
    fresh: bool,
    /// Steady time of the next snapshot.
    pub snapshot_at: Duration,
    /// Records and bytes read in this batch; replayed ones do not count.
    pub records: u64,
    pub bytes: u64,
    /// Records read again in silence, in this batch.
    pub replayed: u64,
    /// Smallest Kafka time of this batch.
    pub oldest_ms: Option<i64>,
    /// Largest Kafka time so far.
    newest_ms: Option<i64>,
    pub lag: Option<i64>,
    /// Bytes of its newest snapshot in the state topic, and before compression.
    pub snapshot_bytes: [u64; 2],
    silence: Silence,
    /// Which channels its records have.
    pub presence: Presence,
    /// Alerts open in what the former owner has committed, until they are asked for.
    reopened: Option<Vec<OpenAlert>>,
    /// Notices heard so far.
    heard: u64,
    pace: Pace,
}

/// How fast records are read.
#[derive(Debug, Default)]
struct Pace {
    /// Records since the partition was assigned.
    total: u64,
    /// What it was at the last look, and when that was.
    seen: Option<(u64, Duration)>,
    per_sec: f64,
}

impl Pace {
    fn look(&mut self, now: Duration) {
        let (total, at) = self.seen.replace((self.total, now)).unwrap_or((self.total, now));
        let passed = now.saturating_sub(at).as_secs_f64();
        if passed > 0.0 {
            self.per_sec = (self.total - total) as f64 / passed;
        }
    }
}

/// Whether what the shard says is news.
#[derive(Debug)]
enum Stage {
    /// It was said before: up to this offset records are learned from, and nothing is emitted.
    Silent {
        until: i64,
        journal: VecDeque<JournalEntry>,
    },
    Live,
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
    /// A partition whose state is known; `now` is the steady clock.
    pub fn new(restored: Restored, epoch: u64, now: Duration) -> Self {
        let Restored { shard, writer, start, silent_until, journal, state, orphans, fresh, bytes } =
            restored;
        let stage = match silent_until {
            Some(until) => Stage::Silent { until, journal: journal.into() },
            None => Stage::Live,
        };
        let reopened = matches!(stage, Stage::Live).then(|| shard.open_alerts());
        let mut partition = Self {
            shard,
            writer,
            stage,
            epoch,
            outbox: Outbox { alerts: orphans, ..Outbox::default() },
            dead: Vec::new(),
            journal: state,
            next_offset: Some(start),
            unsaved: false,
            fresh,
            snapshot_at: now,
            records: 0,
            bytes: 0,
            replayed: 0,
            oldest_ms: None,
            newest_ms: None,
            lag: None,
            snapshot_bytes: bytes,
            presence: Presence::default(),
            silence: Silence::begin(now),
            reopened,
            heard: 0,
            pace: Pace::default(),
        };
        partition.catch_up(start);
        partition
    }

    /// The alerts that were open when the partition was caught up with, once.
    pub fn take_reopened(&mut self) -> Option<Vec<OpenAlert>> {
        self.reopened.take()
    }

    /// Whether outputs are withheld, since they were delivered in an earlier life.
    pub fn is_silent(&self) -> bool {
        matches!(self.stage, Stage::Silent { .. })
    }

    /// Takes note of a message, whatever becomes of it. Returns whether it is news.
    pub fn note(&mut self, message: &MessageRef<'_>) -> bool {
        self.catch_up(message.offset);
        self.next_offset = Some(message.offset + 1);
        self.unsaved = true;
        self.pace.total += 1;
        if self.is_silent() {
            self.replayed += 1;
            return false;
        }
        let length = |part: Option<&[u8]>| part.map_or(0, |bytes| bytes.len() as u64);
        self.records += 1;
        self.bytes += length(message.key) + length(message.payload);
        self.oldest_ms = self.oldest_ms.into_iter().chain(message.timestamp_ms).min();
        self.newest_ms = self.newest_ms.max(message.timestamp_ms);
        true
    }

    /// Applies what was journalled up to `offset`, and ends the silence there.
    fn catch_up(&mut self, offset: i64) {
        let Stage::Silent { until, journal } = &mut self.stage else { return };
        catch_up(&mut self.shard, journal, offset, &mut self.outbox);
        if *until <= offset {
            self.shard.settle(&mut self.outbox);
            self.outbox.clear();
            self.stage = Stage::Live;
            self.reopened = Some(self.shard.open_alerts());
        }
    }

    /// Gives a record to the shard. Without a Kafka time nothing can be ahead of it.
    pub fn push(&mut self, record: RecordRef<'_>, log_ms: Option<i64>) -> Placement {
        let log_time = log_ms.map_or(record.time, EventTime::from_millis);
        self.shard.push(record, log_time, &mut self.outbox)
    }

    /// Ends the batch: scores what is closed. `now` is the steady clock.
    pub fn settle(&mut self, now: Duration) {
        if self.records + self.replayed > 0 {
            self.silence = Silence::begin(now);
            self.shard.settle(&mut self.outbox);
        }
        if let Some(next) = self.next_offset {
            self.catch_up(next);
        }
        if self.is_silent() {
            self.outbox.clear();
        }
    }

    /// Closes rows by silence: once nothing came for `timeout` and nothing waits to be read,
    /// event time goes on as fast as the clock, from where the last records left it.
    ///
    /// It goes on only while a row is open, so that a record after a long silence is late only
    /// if a row it belongs to was closed. The clock is no part of the log: what it did is
    /// journalled.
    pub fn close_idle(&mut self, timeout: Millis, now: Duration) {
        let silent = now.saturating_sub(self.silence.since);
        self.silence.closing = false;
        let busy = self.records + self.replayed > 0 || self.is_silent();
        if self.lag != Some(0) || busy || silent < timeout.to_duration() {
            return;
        }
        let status = self.shard.status();
        let Some(began) = self.silence.watermark.or(status.watermark) else { return };
        self.silence.watermark = Some(began);
        if status.open_rows == 0 {
            return;
        }
        self.silence.closing = true;
        let silent = i64::try_from(silent.as_millis()).unwrap_or(i64::MAX);
        let time = began + Millis::new(silent);
        let before = self.outbox.facts.rows;
        self.shard.close_until(time, &mut self.outbox);
        // A watermark that closed nothing may be forgotten: the clock moves it again.
        if let (true, Some(next_offset)) = (self.outbox.facts.rows > before, self.next_offset) {
            let entry = JournalEntry { next_offset, kind: JournalKind::CloseUntil { time } };
            self.journal.push(self.writer.journal(entry));
            self.unsaved = true;
        }
    }

    /// Puts into effect what people want, unless the past is not caught up with yet; the first of
    /// `all` is number `first`. People are no part of the log: what they did is journalled.
    pub fn hear(&mut self, all: &VecDeque<Notice>, first: u64, refused: &mut Refused) {
        let Some(next_offset) = self.next_offset.filter(|_| !self.is_silent()) else { return };
        let from = usize::try_from(self.heard.saturating_sub(first)).unwrap_or(usize::MAX);
        for (i, notice) in all.iter().enumerate().skip(from) {
            if all.iter().skip(i + 1).any(|later| replaces(later, notice)) {
                continue;
            }
            let effect = put_into_effect(&mut self.shard, notice, &mut self.outbox);
            refused.note(first + i as u64, notice, effect);
            if effect.has_changed() {
                let kind = JournalKind::Notice { notice: notice.clone() };
                self.journal.push(self.writer.journal(JournalEntry { next_offset, kind }));
                self.unsaved = true;
            }
        }
        self.heard = first + all.len() as u64;
    }

    /// Whether it has heard all notices before number `end`, or knows nothing that they could be about.
    pub fn has_heard(&self, end: u64) -> bool {
        self.heard == end || self.next_offset.is_none()
    }

    /// Age of the newest record read at `now_ms`, in seconds; 0 once the end is reached, `None` while
    /// that is not known.
    pub fn lag_seconds(&self, now_ms: i64) -> Option<f64> {
        match self.lag? {
            0 => Some(0.0),
            _ => Some(now_ms.saturating_sub(self.newest_ms?).max(0) as f64 / 1e3),
        }
    }

    /// Alerts that one period of the budget allows all its series together.
    pub fn alerts_per_period(&self) -> f64 {
        self.shard.alerts_per_period()
    }

    /// Series held.
    pub fn series(&self) -> usize {
        self.shard.series_held()
    }

    /// Networks that score.
    pub fn networks(&self) -> usize {
        self.shard.networks()
    }

    /// Names of the channels of its stream.
    pub fn channels(&self) -> &[Arc<str>] {
        self.shard.channels()
    }

    /// Silence moves the watermark.
    pub fn is_idle(&self) -> bool {
        self.silence.closing
    }

    /// Whether a snapshot would say something new.
    pub fn is_unsaved(&self) -> bool {
        self.unsaved && !self.is_silent()
    }

    /// Whether the batch must not be delivered without a snapshot.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The state of the shard as records of the state topic, stamped with its next offset.
    /// Call after `settle`. `rungs` as in [`SnapshotWriter::keep`].
    pub fn snapshot(&mut self, rungs: u32) -> Vec<OutMessage> {
        let Some(next_offset) = self.next_offset else { return Vec::new() };
        self.unsaved = false;
        self.fresh = false;
        self.writer.keep(rungs);
        let state = self.shard.save();
        let records = self.writer.snapshot(next_offset, &state, &self.shard.fingerprint());
        let stored = records.iter().filter_map(|r| Some(r.payload.as_ref()?.len() as u64)).sum();
        self.snapshot_bytes = [stored, state.len() as u64];
        records
    }

    /// Goes on under other settings that keep the state. Call after `settle`.
    pub fn reshape(&mut self, number: i32, stream: &Stream) -> Result<(), SnapshotError> {
        let bytes = self.shard.save();
        let shard = Shard::restore(Arc::clone(&stream.spec), number, &bytes)?;
        super::restore::tell_dropped_forecasts(&stream.name, number, &shard);
        self.shard = shard.with_trainer(Arc::clone(&stream.trainer));
        Ok(())
    }

    pub fn status(&self) -> ShardStatus {
        self.shard.status()
    }

    /// Its first `most` series.
    pub fn listed(&self, most: usize) -> Arc<[SeriesStatus]> {
        self.shard.series_statuses(most).into()
    }

    /// Alerts open now.
    pub fn open_alerts(&self) -> Vec<OpenAlert> {
        self.shard.open_alerts()
    }

    /// Which rows are told, see [`Shard::show_rows`].
    pub fn show_rows(&mut self, new: bool, wanted: &mut dyn FnMut(&SeriesKey) -> bool) {
        self.shard.show_rows(new, wanted);
    }

    /// Measures the pace since the last look.
    pub fn look(&mut self, now: Duration) {
        self.pace.look(now);
    }

    /// Records per second at the last look.
    pub fn records_per_sec(&self) -> f64 {
        self.pace.per_sec
    }

    /// Forgets the batch after its outputs were taken.
    pub fn begin_batch(&mut self) {
        self.outbox.clear();
        self.dead.clear();
        self.journal.clear();
        self.records = 0;
        self.bytes = 0;
        self.replayed = 0;
        self.oldest_ms = None;
    }
}
