//! `latentd explain`: an alert, the records behind it, and whether they lead to it again.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::DaemonError;
use super::notices::put_into_effect;
use super::state::{StoredState, in_place, read};
use super::stream::{Stream, streams_of};
use crate::config::Settings;
use crate::engine::Shard;
use crate::io::snapshot::{JournalEntry, JournalKind};
use crate::io::{MessageRef, PartitionReader, Place};
use crate::record::{AlertChange, AlertRecord, EventTime, Outbox, RowScore};

/// Rows before the alert that are shown.
const ROWS_MAX: usize = 256;
/// Records between two settlements, as in every replay.
const SETTLE_EVERY: u64 = 1_024;

/// What is known about an alert.
#[derive(Debug)]
pub struct Explained {
    /// The record with which it opened, as it is on the alerts topic.
    pub published: Value,
    /// Names of the stream's channels.
    pub channels: Vec<String>,
    /// The alert as the input leads to it again, or why it cannot be told.
    pub again: Result<Reproduced, String>,
}

/// An alert that the input has led to again.
#[derive(Debug)]
pub struct Reproduced {
    /// Offset of the snapshot from which the input was read again.
    pub from: i64,
    /// The record with which it opened.
    pub alert: AlertRecord,
    /// Rows of its series, oldest first; the alert opened on the last.
    pub rows: Vec<RowScore>,
    /// Whether surprise, threshold, time and evidence are those published, to the last bit.
    pub same: bool,
}

/// Looks an alert up, and reads its input again from the nearest state that is kept.
///
/// # Errors
///
/// [`DaemonError`] if the broker does not answer, or the settings cannot work. `None` if no such
/// alert is on the alerts topic.
pub fn explain(settings: &Settings, alert_id: &str) -> Result<Option<Explained>, DaemonError> {
    let mut reader = PartitionReader::open(&settings.kafka).map_err(DaemonError::Connect)?;
    let Some(published) = published(&mut reader, &settings.topics.alerts, alert_id)? else {
        return Ok(None);
    };
    let mut streams = streams_of(settings, &in_place())?;
    let name = published["stream"].as_str().unwrap_or_default();
    let Some(stream) = streams.iter_mut().find(|stream| &*stream.name == name) else {
        let again = Err(format!("the configuration has no stream `{name}`"));
        return Ok(Some(Explained { published, channels: Vec::new(), again }));
    };
    let channels = stream.spec.channels.iter().map(ToString::to_string).collect();
    let again = reproduce(&mut reader, stream, &published)?;
    Ok(Some(Explained { published, channels, again }))
}

/// The record with which an alert opened.
fn published(
    reader: &mut PartitionReader,
    topic: &str,
    alert_id: &str,
) -> Result<Option<Value>, DaemonError> {
    let mut found = None;
    for partition in 0..reader.partitions(topic).map_err(DaemonError::Poll)? {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let mut each = |message: MessageRef<'_>| {
            if message.key == Some(alert_id.as_bytes())
                && let Some(body) = message.payload
                && let Ok(body) = serde_json::from_slice::<Value>(body)
                && body["change"] == "opened"
            {
                found = Some(body);
            }
            found.is_none()
        };
        reader.read(topic, partition, None, &mut each).map_err(DaemonError::Poll)?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

fn reproduce(
    reader: &mut PartitionReader,
    stream: &mut Stream,
    published: &Value,
) -> Result<Result<Reproduced, String>, DaemonError> {
    let evidence = &published["evidence"];
    let (Some(topic), Some(partition), Some(to)) = (
        evidence["topic"].as_str(),
        evidence["partition"].as_i64().and_then(|p| i32::try_from(p).ok()),
        evidence["to_offset"].as_i64(),
    ) else {
        return Ok(Err("the alert names no evidence".to_owned()));
    };
    let place: Place = (topic.to_owned(), partition);
    let bounds = reader.bounds(&place).map_err(DaemonError::Poll)?;
    let state = read(reader, stream, place.clone()).map_err(DaemonError::StateTopics)?;
    let begin = match nearest(stream, state, partition, to) {
        Some(begin) if begin.from >= bounds.low => begin,
        _ if bounds.low == 0 => Begin {
            shard: Shard::new(Arc::clone(&stream.spec), partition),
            from: 0,
            journal: VecDeque::new(),
        },
        _ => {
            return Ok(Err("no state from before the alert is kept, and its input is gone".into()));
        }
    };
    let from = begin.from;
    let wanted = published["alert_id"].as_str().unwrap_or_default();
    let entity = published["entity"].as_str().unwrap_or_default();
    let mut again = Again { begin, out: Outbox::default(), wanted, entity, rows: VecDeque::new() };
    again.out.keep_rows = true;
    let alert = again.run(reader, stream, &place)?;
    let again = alert.map(|alert| {
        let same = is_same(&alert, published);
        Reproduced { from, same, alert, rows: again.rows.into() }
    });
    let lost = "its input does not lead to it again: another configuration or version, or what silence \
                or people did before it is not kept";
    Ok(again.ok_or_else(|| lost.to_owned()))
}

/// A shard in a state from before the alert.
struct Begin {
    shard: Shard,
    from: i64,
    journal: VecDeque<JournalEntry>,
}

/// The newest state that is kept and does not hold the last record of the evidence yet.
fn nearest(stream: &Stream, state: StoredState, partition: i32, to: i64) -> Option<Begin> {
    let kept = state.newest.into_iter().chain(state.before);
    let recovered = kept.into_iter().find(|recovered| recovered.manifest.next_offset <= to)?;
    let shard = Shard::restore(Arc::clone(&stream.spec), partition, &recovered.bytes).ok()?;
    let (from, journal) = (recovered.manifest.next_offset, recovered.journal.into());
    Some(Begin { shard, from, journal })
}

struct Again<'a> {
    begin: Begin,
    out: Outbox,
    wanted: &'a str,
    entity: &'a str,
    rows: VecDeque<RowScore>,
}

impl Again<'_> {
    /// Reads on until the alert opens.
    fn run(
        &mut self,
        reader: &mut PartitionReader,
        stream: &mut Stream,
        place: &Place,
    ) -> Result<Option<AlertRecord>, DaemonError> {
        let from = Some(self.begin.from);
        let (mut found, mut records) = (None, 0_u64);
        let mut each = |message: MessageRef<'_>| {
            self.catch_up(message.offset);
            if let Ok(record) = stream.decoder.decode(&message) {
                let log_time = message.timestamp_ms.map_or(record.time, EventTime::from_millis);
                self.begin.shard.push(record, log_time, &mut self.out);
            }
            records += 1;
            if records.is_multiple_of(SETTLE_EVERY) {
                self.begin.shard.settle(&mut self.out);
            }
            found = found.take().or_else(|| self.take());
            found.is_none()
        };
        reader.read(&place.0, place.1, from, &mut each).map_err(DaemonError::Poll)?;
        self.catch_up(i64::MAX);
        self.begin.shard.settle(&mut self.out);
        Ok(found.or_else(|| self.take()))
    }

    /// Applies what happened without a record.
    fn catch_up(&mut self, offset: i64) {
        let Begin { shard, journal, .. } = &mut self.begin;
        while let Some(entry) = journal.front().filter(|entry| entry.next_offset <= offset) {
            match &entry.kind {
                JournalKind::CloseUntil { time } => shard.close_until(*time, &mut self.out),
                JournalKind::Notice { notice } => {
                    put_into_effect(shard, notice, &mut self.out);
                }
            }
            journal.pop_front();
        }
    }

    /// Keeps the rows of the series, up to the alert if it has opened.
    fn take(&mut self) -> Option<AlertRecord> {
        let opened =
            |a: &&AlertRecord| a.change == AlertChange::Opened && a.alert_id == self.wanted;
        let found = self.out.alerts.iter().find(opened).cloned();
        for row in self.out.rows.drain(..).filter(|row| &*row.entity == self.entity) {
            let is_last = found.is_some() && row.raised;
            if self.rows.len() >= ROWS_MAX {
                self.rows.pop_front();
            }
            self.rows.push_back(row);
            if is_last {
                break;
            }
        }
        self.out.clear();
        found
    }
}

/// Whether what decides about an alert has the bits that were published.
fn is_same(alert: &AlertRecord, published: &Value) -> bool {
    let number = |name: &str, ours: f64| {
        published[name].as_f64().is_some_and(|theirs| theirs.to_bits() == ours.to_bits())
    };
    number("surprise", alert.surprise)
        && number("threshold", alert.threshold)
        && number("anomaly_score", alert.anomaly_score)
        && published["starts_at"] == alert.starts_at.to_string()
        && published["evidence"]["from_offset"] == alert.evidence.from_offset
        && published["evidence"]["to_offset"] == alert.evidence.to_offset
}
