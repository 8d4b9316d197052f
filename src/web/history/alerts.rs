//! The newest alerts, with the rows around each.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::rings::{Cell, Ring};
use crate::record::{
    AlertChange, AlertKind, AlertRecord, EventTime, OpenAlert, RowScore, SeriesKey, Severity,
};

/// Alerts that are kept.
pub const ALERTS_MAX: usize = 500;
/// Rows of an alert, those before it included.
const ROWS_MAX: usize = 256;
/// Rows before an alert.
const BEFORE_MAX: usize = 160;
/// Rows after its end.
const AFTER_MAX: usize = 16;
/// Channels of an alert.
const CHANNELS_MAX: usize = 6;

/// A row of an alert: the cells of its top channels.
#[derive(Debug, Clone, PartialEq)]
pub struct TracePoint {
    /// Start of the row.
    pub time: EventTime,
    /// In the order of [`AlertEntry::channels`].
    pub cells: Vec<Cell>,
}

/// What is known of an alert.
#[derive(Debug, Clone)]
pub struct AlertEntry {
    /// Its id.
    pub alert_id: String,
    /// Number of the stream.
    pub stream: usize,
    /// Series.
    pub entity: SeriesKey,
    /// What it is about.
    pub kind: AlertKind,
    /// Worst so far.
    pub severity: Severity,
    /// The newest change; `None` if only the state of its series tells that it is open.
    pub change: Option<AlertChange>,
    /// When it opened.
    pub starts_at: EventTime,
    /// When it ended.
    pub ends_at: Option<EventTime>,
    /// Highest score in its records; NaN if the first of them is not known.
    pub anomaly_score: f64,
    /// The record with which it opened, or was suppressed, as JSON.
    pub opened: Option<Arc<str>>,
    /// The newest record, as JSON.
    pub newest: Option<Arc<str>>,
    /// Its top channels, by index.
    pub channels: Vec<usize>,
    /// Rows around it, oldest first.
    pub trace: Vec<TracePoint>,
    after: usize,
    /// Topic and number of the partition of its series.
    place: Place,
    /// The state of its series did not tell of it at the last look.
    missed: bool,
}

/// Topic and number of a partition.
pub type Place = (String, i32);

impl AlertEntry {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        matches!(self.change, None | Some(AlertChange::Opened | AlertChange::Updated))
    }

    /// An alert of which only the state of its series tells.
    fn untold(stream: usize, place: &Place, open: &OpenAlert) -> Self {
        Self {
            alert_id: open.alert_id.clone(),
            stream,
            entity: open.entity.clone(),
            kind: open.kind,
            severity: open.severity,
            change: None,
            starts_at: open.starts_at,
            ends_at: None,
            anomaly_score: f64::NAN,
            opened: None,
            newest: None,
            channels: Vec::new(),
            trace: Vec::new(),
            after: 0,
            place: place.clone(),
            missed: false,
        }
    }

    fn new(stream: usize, place: Place, record: &AlertRecord) -> Self {
        Self {
            alert_id: record.alert_id.clone(),
            stream,
            entity: record.entity.clone(),
            kind: record.kind,
            severity: record.severity,
            change: Some(record.change),
            starts_at: record.starts_at,
            ends_at: None,
            anomaly_score: f64::NAN,
            opened: None,
            newest: None,
            channels: record.top.iter().take(CHANNELS_MAX).map(|part| part.channel).collect(),
            trace: Vec::new(),
            after: 0,
            place,
            missed: false,
        }
    }

    fn take(&mut self, record: &AlertRecord, body: Arc<str>, ring: Option<&Ring>) {
        self.change = Some(record.change);
        self.severity = record.severity;
        self.ends_at = record.ends_at;
        if record.change.begins() {
            self.opened = Some(Arc::clone(&body));
        }
        if self.opened.is_some() {
            self.anomaly_score = self.anomaly_score.max(record.anomaly_score);
        }
        self.newest = Some(body);
        if let (true, Some(ring)) = (self.trace.is_empty(), ring) {
            let rows = ring.newest(BEFORE_MAX);
            self.trace = rows.map(|(row, cells)| self.point(row.time, &cells)).collect();
        }
    }

    fn point(&self, time: EventTime, cells: &[Cell]) -> TracePoint {
        let of = |channel: &usize| cells.get(*channel).copied();
        TracePoint { time, cells: self.channels.iter().filter_map(of).collect() }
    }

    /// Takes a row of its series; tells whether it wants more.
    fn follow(&mut self, row: &RowScore) -> bool {
        if self.ends_at.is_some() {
            self.after += 1;
        }
        let cell = |channel: &usize| {
            let part = row.channels.iter().find(|part| part.channel == *channel);
            part.map_or(
                Cell { y: f32::NAN, yhat: f32::NAN, lower: f32::NAN, upper: f32::NAN },
                |part| Cell {
                    y: part.y as f32,
                    yhat: part.yhat as f32,
                    lower: part.lower as f32,
                    upper: part.upper as f32,
                },
            )
        };
        let cells = self.channels.iter().map(cell).collect();
        self.trace.push(TracePoint { time: row.time, cells });
        self.trace.len() < ROWS_MAX && self.after < AFTER_MAX
    }
}

/// The newest alerts, oldest first.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    entries: VecDeque<AlertEntry>,
    /// Alerts that still take rows: number of the stream, series, id.
    following: Vec<(usize, SeriesKey, String)>,
}

impl Alerts {
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &AlertEntry> {
        self.entries.iter()
    }

    pub(super) fn take(
        &mut self,
        (stream, place): (usize, (&str, i32)),
        record: &AlertRecord,
        body: Arc<str>,
        ring: Option<&Ring>,
    ) {
        let id = &record.alert_id;
        if !self.entries.iter().any(|entry| entry.alert_id == *id) {
            let place = (place.0.to_owned(), place.1);
            self.add(AlertEntry::new(stream, place, record));
            self.following.push((stream, record.entity.clone(), id.clone()));
        }
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.alert_id == *id) {
            entry.take(record, body, ring);
        }
    }

    fn add(&mut self, entry: AlertEntry) {
        if self.entries.len() >= ALERTS_MAX {
            // The oldest that is over; if all are open, one that has nothing to show, or the oldest.
            let over = self.entries.iter().position(|entry| !entry.is_open());
            let over = over.or_else(|| self.entries.iter().position(|e| e.change.is_none()));
            let over = over.unwrap_or(0);
            if let Some(gone) = self.entries.remove(over) {
                self.following.retain(|(_, _, id)| *id != gone.alert_id);
            }
        }
        self.entries.push_back(entry);
    }

    /// Gives a row to the alerts of its series.
    pub(super) fn follow(&mut self, stream: usize, row: &RowScore) {
        if self.following.is_empty() {
            return;
        }
        let Self { entries, following } = self;
        following.retain(|(of, entity, id)| {
            if *of != stream || *entity != row.entity {
                return true;
            }
            let entry = entries.iter_mut().rev().find(|entry| entry.alert_id == *id);
            entry.is_some_and(|entry| entry.follow(row))
        });
    }

    /// Brings in line with what the state of the series of some partitions tells: alerts of an
    /// earlier life of the process are open, too, if there is room beside what was told; those that
    /// are open no longer, ended where nobody saw it.
    pub(super) fn align(&mut self, stream: usize, partitions: &[(Place, Vec<OpenAlert>)]) {
        let known: FxHashSet<String> = self.ids(stream).map(str::to_owned).collect();
        for (place, open) in partitions {
            for alert in open.iter().filter(|alert| !known.contains(&alert.alert_id)) {
                if self.entries.len() < ALERTS_MAX || self.entries.iter().any(|e| !e.is_open()) {
                    self.add(AlertEntry::untold(stream, place, alert));
                }
            }
        }
        let open: FxHashMap<&Place, FxHashSet<&str>> = partitions
            .iter()
            .map(|(place, open)| (place, open.iter().map(|alert| &*alert.alert_id).collect()))
            .collect();
        self.entries.retain_mut(|entry| {
            let of_these = entry.stream == stream && entry.is_open();
            let Some(open) = open.get(&entry.place).filter(|_| of_these) else { return true };
            let missed = !open.contains(&*entry.alert_id);
            // A change that was told may be one look ahead of the state.
            let gone = missed && (entry.missed || entry.change.is_none());
            entry.missed = missed;
            !gone
        });
    }

    /// Forgets the open alerts of a partition that moved away: another process tells how they end.
    pub(super) fn left(&mut self, stream: usize, place: (&str, i32)) {
        self.entries.retain(|entry| {
            let (topic, partition) = &entry.place;
            entry.stream != stream || (&**topic, *partition) != place || !entry.is_open()
        });
    }

    fn ids(&self, stream: usize) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(move |e| e.stream == stream).map(|e| &*e.alert_id)
    }
}
