//! One series of a replay: its rows, its alerts, and which row each alert belongs to.

use std::sync::Arc;

use super::super::scores::{Line, Numbers};
use super::trace::Trace;
use crate::grade::Graded;
use crate::record::{AlertChange, AlertKind, AlertRecord, EventTime, Millis, SeriesKey, Severity};

pub(super) const WEEK_MS: f64 = 7.0 * 24.0 * 3_600_000.0;

/// What is kept of a series.
pub(super) struct Series {
    pub name: SeriesKey,
    pub channels: Arc<[Arc<str>]>,
    /// Alerts a week that the budget allows.
    pub budget: f64,
    /// Length of a row, 0 if each record is one.
    pub row: Millis,
    /// Input rows.
    pub lines: usize,
    /// Input rows with what was said and what is true, if there are labels.
    pub rows: Vec<Graded>,
    pub labelled: bool,
    /// First and last event time.
    pub span: Option<(EventTime, EventTime)>,
    /// In the order in which they opened.
    pub notes: Vec<Note>,
    /// Notes whose row has not come yet.
    pub(super) waiting: Vec<usize>,
    pub trace: Option<Trace>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    id: String,
    pub kind: AlertKind,
    /// Number of the input row of the series on which it opened; the number of rows if it opened
    /// after the last.
    pub row: u64,
    pub opened: EventTime,
    pub closed: Option<EventTime>,
    /// Highest anomaly score so far.
    pub worst: f64,
    pub critical: bool,
    /// Channels with the largest shares when it opened: name, observed, lower, upper, share.
    pub top: Vec<(Arc<str>, f64, f64, f64, f64)>,
}

impl Series {
    /// Nothing yet.
    pub fn new(name: &SeriesKey, channels: Arc<[Arc<str>]>) -> Self {
        Self {
            name: Arc::clone(name),
            channels,
            budget: 0.0,
            row: Millis::ZERO,
            lines: 0,
            rows: Vec::new(),
            labelled: false,
            span: None,
            notes: Vec::new(),
            waiting: Vec::new(),
            trace: None,
        }
    }

    /// Weeks of event time.
    pub fn weeks(&self) -> f64 {
        self.span.map_or(0.0, |(first, last)| (last - first).get() as f64 / WEEK_MS)
    }

    /// Anomalies that opened behind the first `train` rows: the alerts that the budget is for.
    pub fn anomalies(&self, train: usize) -> usize {
        let counts = |note: &&Note| note.kind == AlertKind::Anomaly && train as u64 <= note.row;
        self.notes.iter().filter(counts).count()
    }

    /// A change of an alert.
    pub fn hear(&mut self, record: &AlertRecord) {
        let critical = record.severity == Severity::Critical;
        if record.change == AlertChange::Opened {
            let name = |channel: usize| self.channels.get(channel).cloned().unwrap_or_default();
            let top = record.top.iter();
            self.waiting.push(self.notes.len());
            self.notes.push(Note {
                id: record.alert_id.clone(),
                kind: record.kind,
                row: self.lines as u64,
                opened: record.starts_at,
                closed: None,
                worst: record.anomaly_score,
                critical,
                top: top.map(|c| (name(c.channel), c.y, c.lower, c.upper, c.share)).collect(),
            });
            return;
        }
        let known = self.notes.iter_mut().rev().find(|note| note.id == record.alert_id);
        if let Some(note) = known {
            note.worst = note.worst.max(record.anomaly_score);
            note.critical |= critical;
            note.closed = record.ends_at;
        }
    }

    /// An input row with its numbers.
    pub fn line(&mut self, line: &Line, ungraded: bool) {
        let time = line.time;
        let (score, raised) = match line.numbers {
            Numbers::Known { surprise, raised, .. } => (surprise, raised),
            Numbers::Waiting | Numbers::None => (0.0, false),
        };
        let raised = self.place(time, raised) || raised;
        self.labelled |= line.label.is_some();
        let label = line.label.unwrap_or(false);
        if ungraded || line.label.is_some() {
            self.rows.push(Graded { time, score, raised, label });
        }
        if let (true, Some(trace)) = (label, &mut self.trace) {
            trace.label(time);
        }
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
        self.lines += 1;
    }

    /// Gives the row at hand to the alerts that opened on it: one anomaly if the row says so, and
    /// alerts of other kinds by time, since rows do not tell of them. Returns whether there are any.
    fn place(&mut self, time: EventTime, mut raised: bool) -> bool {
        let Self { notes, waiting, row, lines, .. } = self;
        let before = waiting.len();
        waiting.retain(|at| {
            let note = &mut notes[*at];
            // An alert opens at the end of its row.
            let begun = note.opened - *row <= time;
            let is_here = match note.kind {
                AlertKind::Anomaly => begun && std::mem::take(&mut raised),
                _ => begun,
            };
            note.row = *lines as u64 + u64::from(!is_here);
            !is_here
        });
        waiting.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Evidence, WindowSpan};

    fn opened(kind: AlertKind, second: i64) -> AlertRecord {
        let at = EventTime::from_millis(1_000 * second);
        AlertRecord {
            alert_id: format!("{kind:?} {second}"),
            sequence: 0,
            change: AlertChange::Opened,
            reason: None,
            kind,
            severity: Severity::Warning,
            direction: None,
            entity: Arc::from("s"),
            starts_at: at,
            ends_at: None,
            window: WindowSpan { start: at, end: at, completeness: 1.0 },
            surprise: f64::NAN,
            p_value: f64::NAN,
            anomaly_score: 1.0,
            threshold: f64::NAN,
            top: Vec::new(),
            model_version: 0,
            evidence: Evidence { partition: 0, from_offset: 0, to_offset: 0 },
            cause: None,
            p_true: None,
        }
    }

    #[test]
    fn alerts_of_all_kinds_find_their_rows() {
        let mut series =
            Series { row: Millis::new(1_000), ..Series::new(&Arc::from("s"), [].into()) };
        // Of one settlement: an anomaly on second 7, values out of range on 3 and 7, silence at 40.
        for (kind, second) in [
            (AlertKind::OutOfRange, 4),
            (AlertKind::OutOfRange, 8),
            (AlertKind::Anomaly, 8),
            (AlertKind::Stale, 40),
        ] {
            series.hear(&opened(kind, second));
        }
        for second in 0..10 {
            let line = Line::scored("s", EventTime::from_millis(1_000 * second + 300), second == 7);
            series.line(&line, true);
        }
        let rows: Vec<u64> = series.notes.iter().map(|note| note.row).collect();
        assert_eq!(rows, [3, 7, 7, 10], "the silence is behind the last row");
        let raised = |row: &&Graded| row.raised;
        assert_eq!(series.rows.iter().filter(raised).count(), 2);
        assert_eq!((series.anomalies(0), series.anomalies(8)), (1, 0));
    }
}
