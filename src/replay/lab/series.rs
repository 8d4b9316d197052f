//! One series of a replay: its rows, its alerts, and which row each alert belongs to.

use std::sync::Arc;

use super::super::scores::{Line, Numbers};
use super::trace::Trace;
use crate::grade::{Graded, Watched};
use crate::record::{AlertChange, AlertKind, AlertRecord, EventTime, Millis, SeriesKey, Severity};

/// What is kept of a series.
pub(super) struct Series {
    pub name: SeriesKey,
    pub channels: Arc<[Arc<str>]>,
    /// Alerts a week that the budget allows.
    pub budget: f64,
    /// Length of a row, 0 if each record is one.
    pub row: Millis,
    /// Input rows at the beginning that no figure is of.
    pub train: usize,
    /// Input rows.
    pub lines: usize,
    /// Rows that were judged, with what was said and what is true, if there are labels.
    pub rows: Vec<Graded>,
    pub labelled: bool,
    /// Rows behind the train part that were judged.
    pub judged: usize,
    /// Rows behind it that were not: late, or second ones of their row.
    pub unjudged: usize,
    /// Time of those that were.
    pub watched: Watched,
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
            train: 0,
            lines: 0,
            rows: Vec::new(),
            labelled: false,
            judged: 0,
            unjudged: 0,
            watched: Watched::default(),
            notes: Vec::new(),
            waiting: Vec::new(),
            trace: None,
        }
    }

    /// Alerts of all kinds behind the train part.
    pub fn alerts(&self) -> usize {
        self.opened().count()
    }

    /// Anomalies behind the train part: the alerts that the budget is for.
    pub fn anomalies(&self) -> usize {
        self.opened().filter(|note| note.kind == AlertKind::Anomaly).count()
    }

    /// Alerts that opened after the last row that was judged.
    pub fn behind(&self) -> u32 {
        if self.train <= self.lines { self.waiting.len() as u32 } else { 0 }
    }

    fn opened(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| self.train as u64 <= note.row)
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

    /// An input row with its numbers. With `all`, those without a verdict or label are kept, too.
    pub fn line(&mut self, line: &Line, all: bool) {
        let time = line.time;
        let label = line.label.unwrap_or(false);
        self.labelled |= line.label.is_some();
        if let (true, Some(trace)) = (label, &mut self.trace) {
            trace.label(time);
        }
        let verdict = match line.numbers {
            Numbers::Known { surprise, raised, .. } => Some((surprise, raised)),
            Numbers::Waiting | Numbers::None => None,
        };
        let opened = verdict.map(|(_, raised)| self.place(time, raised));
        let is_graded = self.train <= self.lines;
        self.lines += 1;
        if is_graded && verdict.is_some() {
            self.judged += 1;
            self.watched.add(time);
        }
        self.unjudged += usize::from(is_graded && verdict.is_none());
        if all || (is_graded && verdict.is_some() && line.label.is_some()) {
            let (score, _) = verdict.unwrap_or_default();
            self.rows.push(Graded { time, score, alerts: opened.unwrap_or(0), label });
        }
    }

    /// Gives the row at hand to the alerts that opened on it: one anomaly if the row says so, and
    /// alerts of other kinds by time, since rows do not tell of them. Returns how many there are.
    fn place(&mut self, time: EventTime, raised: bool) -> u32 {
        let Self { notes, waiting, row, lines, .. } = self;
        let (before, mut anomaly) = (waiting.len(), raised);
        waiting.retain(|at| {
            let note = &mut notes[*at];
            // An alert opens at the end of its row.
            let begun = note.opened - *row <= time;
            let is_here = match note.kind {
                AlertKind::Anomaly => begun && std::mem::take(&mut anomaly),
                _ => begun,
            };
            note.row = *lines as u64 + u64::from(!is_here);
            !is_here
        });
        (before - waiting.len()) as u32 + u32::from(anomaly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::WEEK_MS;
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
            let time = EventTime::from_millis(1_000 * second + 300);
            series.line(&Line::scored("s", time, second == 7), true);
        }
        let rows: Vec<u64> = series.notes.iter().map(|note| note.row).collect();
        assert_eq!(rows, [3, 7, 7, 10], "the silence is behind the last row");
        let alerts: Vec<u32> = series.rows.iter().map(|row| row.alerts).collect();
        assert_eq!(alerts, [0, 0, 0, 1, 0, 0, 0, 2, 0, 0]);
        assert_eq!((series.alerts(), series.anomalies(), series.behind()), (4, 1, 1));
        series.train = 8;
        assert_eq!((series.alerts(), series.anomalies(), series.behind()), (1, 0, 1));
    }

    #[test]
    fn rows_without_a_verdict_and_those_of_the_train_part_are_in_no_figure() {
        let mut series = Series { train: 4, ..Series::new(&Arc::from("s"), [].into()) };
        let week = WEEK_MS as i64;
        for row in 0..8 {
            let time = EventTime::from_millis(row * week);
            let mut line = Line::scored("s", time, row == 6);
            line.label = Some(row == 6);
            series.line(&line, false);
            // A second one of its row, with a time of long ago.
            let mut line = Line::scored("s", EventTime::from_millis(-1_000 * week), false);
            (line.numbers, line.label) = (Numbers::None, Some(true));
            series.line(&line, false);
        }
        assert_eq!((series.judged, series.unjudged, series.lines), (6, 6, 16));
        assert_eq!(series.watched.weeks(), 5.0);
        let labels: Vec<bool> = series.rows.iter().map(|row| row.label).collect();
        assert_eq!(labels, [false, false, false, false, true, false]);
    }
}
