//! What is kept of a replay.

use std::sync::Arc;

use indicatif::ProgressBar;
use rustc_hash::FxHashMap;

use super::super::layout::LABEL;
use super::super::scores::{Line, Numbers};
use super::super::table::Table;
use super::super::{ReplayArgs, ReplayError};
use super::ledger::Ledger;
use super::trace::Trace;
use crate::alert::Budget;
use crate::engine::StreamSpec;
use crate::grade::Graded;
use crate::record::{
    AlertChange, AlertRecord, EventTime, Millis, Outbox, SeriesKey, Severity, Step,
};

/// Series of which a trace is kept, at most.
const TRACES_MAX: usize = 24;
const WEEK_MS: f64 = 7.0 * 24.0 * 3_600_000.0;

/// Listens to a replay.
pub(in super::super) struct Lab {
    /// In the order of their first row.
    pub(super) series: Vec<Series>,
    index: FxHashMap<SeriesKey, usize>,
    /// Rows are kept even if they have no label.
    ungraded: bool,
    plots: bool,
    quiet: bool,
    /// Of the log that is read.
    channels: Arc<[Arc<str>]>,
    step: Millis,
    budget: f64,
    /// Forecasts and what came true of them.
    pub(super) ledger: Ledger,
}

/// What is kept of a series.
pub(super) struct Series {
    pub name: SeriesKey,
    pub channels: Arc<[Arc<str>]>,
    /// Alerts a week that the budget allows.
    pub budget: f64,
    /// Input rows.
    pub lines: usize,
    /// Input rows with what was said and what is true, if there are labels.
    pub rows: Vec<Graded>,
    pub labelled: bool,
    /// First and last event time.
    pub span: Option<(EventTime, EventTime)>,
    /// In the order in which they opened.
    pub notes: Vec<Note>,
    /// Notes whose row is known.
    placed: usize,
    pub trace: Option<Trace>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    id: String,
    /// Number of the input row of the series on which it opened.
    pub row: u64,
    pub opened: EventTime,
    pub closed: Option<EventTime>,
    /// Highest anomaly score so far.
    pub worst: f64,
    pub critical: bool,
    /// Channels with the largest shares when it opened: name, observed, lower, upper, share.
    pub top: Vec<(Arc<str>, f64, f64, f64, f64)>,
}

impl Lab {
    /// A listener, if the arguments or the labels of the files ask for one.
    pub fn wanted(args: &ReplayArgs) -> Result<Option<Self>, ReplayError> {
        let label = args.label.as_deref().unwrap_or(LABEL);
        let mut wanted =
            args.report.is_some() || args.against.is_some() || args.forecasts.is_some();
        for file in &args.files {
            wanted |= Table::open(file, &ProgressBar::hidden())?.column(label).is_some();
        }
        Ok(wanted
            .then(|| Self {
                plots: args.report.is_some(),
                quiet: args.report.is_some() || args.against.is_some(),
                ledger: Ledger::new(args.train_rows, args.report.is_some()),
                ..Self::of_all_rows()
            })
            .map(|lab| Self { ungraded: false, ..lab }))
    }

    /// A listener that keeps all rows and lets nothing be printed.
    pub fn of_all_rows() -> Self {
        Self {
            series: Vec::new(),
            index: FxHashMap::default(),
            ungraded: true,
            plots: false,
            quiet: true,
            channels: Arc::from([]),
            step: Millis::new(1),
            budget: 0.0,
            ledger: Ledger::default(),
        }
    }

    /// Whether alerts are told elsewhere.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a series has labels.
    pub fn is_labelled(&self) -> bool {
        self.series.iter().any(|series| series.labelled)
    }

    /// The next rows come from a log of these channels.
    pub fn begin(&mut self, spec: &StreamSpec, budget: Budget) {
        self.ledger.begin(spec);
        self.channels = Arc::from(&spec.channels[..]);
        self.step = match spec.rows.step {
            Step::Grid(step) => step,
            Step::Event => Millis::new(1),
        };
        self.budget = budget.alerts.get() / (budget.per.get() as f64 / WEEK_MS);
    }

    /// An input row before it is scored; NaN is a missing value.
    pub fn input(&mut self, series: &str, time: EventTime, values: &[f64]) {
        if self.plots {
            let at = self.at(series);
            if let Some(trace) = &mut self.series[at].trace {
                trace.values(time, values);
            }
        }
    }

    /// What the engine has said; the lines of these rows come after.
    pub fn take(&mut self, outbox: &Outbox) {
        self.ledger.take(outbox);
        for record in &outbox.alerts {
            let at = self.at(&record.entity);
            self.series[at].hear(record);
        }
        if self.plots {
            for row in &outbox.rows {
                let at = self.at(&row.entity);
                if let Some(trace) = &mut self.series[at].trace {
                    trace.score(row);
                }
            }
        }
    }

    /// An input row with its numbers.
    pub fn line(&mut self, line: &Line) {
        let at = self.at(&line.series);
        let ungraded = self.ungraded;
        self.series[at].line(line, ungraded);
    }

    fn at(&mut self, name: &str) -> usize {
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        let name: SeriesKey = Arc::from(name);
        let traced = self.plots && self.series.len() < TRACES_MAX;
        self.series.push(Series {
            name: Arc::clone(&name),
            channels: Arc::clone(&self.channels),
            budget: self.budget,
            lines: 0,
            rows: Vec::new(),
            labelled: false,
            span: None,
            notes: Vec::new(),
            placed: 0,
            trace: traced.then(|| Trace::new(self.channels.len(), self.step)),
        });
        self.index.insert(name, self.series.len() - 1);
        self.series.len() - 1
    }
}

impl Series {
    /// Weeks of event time.
    pub fn weeks(&self) -> f64 {
        self.span.map_or(0.0, |(first, last)| (last - first).get() as f64 / WEEK_MS)
    }

    fn hear(&mut self, record: &AlertRecord) {
        let critical = record.severity == Severity::Critical;
        if record.change == AlertChange::Opened {
            let name = |channel: usize| self.channels.get(channel).cloned().unwrap_or_default();
            let top = record.top.iter();
            self.notes.push(Note {
                id: record.alert_id.clone(),
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

    fn line(&mut self, line: &Line, ungraded: bool) {
        let time = line.time;
        let (score, raised) = match line.numbers {
            Numbers::Known { surprise, raised, .. } => (surprise, raised),
            Numbers::Waiting | Numbers::None => (0.0, false),
        };
        // An alert opens at the end of its row, which is not before any time in it.
        while raised && self.placed < self.notes.len() {
            self.notes[self.placed].row = self.lines as u64;
            self.placed += 1;
            if time <= self.notes[self.placed - 1].opened {
                break;
            }
        }
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
}
