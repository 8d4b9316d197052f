//! What is kept of a replay.

use std::sync::Arc;

use indicatif::ProgressBar;
use rustc_hash::FxHashMap;

use super::super::layout::LABEL;
use super::super::scores::Line;
use super::super::table::Table;
use super::super::{ReplayArgs, ReplayError};
use super::ledger::Ledger;
use super::series::Series;
use super::trace::Trace;
use crate::alert::Budget;
use crate::engine::StreamSpec;
use crate::grade::WEEK_MS;
use crate::record::{EventTime, Millis, Outbox, SeriesKey, Step};

/// Series of which a trace is kept, at most.
const TRACES_MAX: usize = 24;

/// Listens to a replay.
pub(in super::super) struct Lab {
    /// In the order of their first row.
    pub(super) series: Vec<Series>,
    index: FxHashMap<SeriesKey, usize>,
    /// Rows are kept even if they have no label or were not judged.
    all: bool,
    /// Rows at the beginning of each series that no figure is of.
    train: usize,
    plots: bool,
    quiet: bool,
    /// Of the log that is read.
    channels: Arc<[Arc<str>]>,
    step: Millis,
    /// Length of a row, 0 if each record is one.
    row: Millis,
    budget: f64,
    /// Forecasts and what came true of them.
    pub(super) ledger: Ledger,
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
        Ok(wanted.then(|| Self {
            plots: args.report.is_some(),
            quiet: args.report.is_some() || args.against.is_some(),
            ledger: Ledger::new(args.train_rows, args.report.is_some()),
            train: args.train_rows.unwrap_or(0),
            all: false,
            ..Self::of_all_rows()
        }))
    }

    /// A listener that keeps all rows and lets nothing be printed.
    pub fn of_all_rows() -> Self {
        Self {
            series: Vec::new(),
            index: FxHashMap::default(),
            all: true,
            train: 0,
            plots: false,
            quiet: true,
            channels: Arc::from([]),
            step: Millis::new(1),
            row: Millis::ZERO,
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
        (self.step, self.row) = match spec.rows.step {
            Step::Grid(step) => (step, step),
            Step::Event => (Millis::new(1), Millis::ZERO),
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
        self.series[at].line(line, self.all);
    }

    fn at(&mut self, name: &str) -> usize {
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        let name: SeriesKey = Arc::from(name);
        let traced = self.plots && self.series.len() < TRACES_MAX;
        let trace = traced.then(|| Trace::new(self.channels.len(), self.step));
        let channels = Arc::clone(&self.channels);
        let Self { budget, row, train, .. } = *self;
        let series = Series { budget, row, train, trace, ..Series::new(&name, channels) };
        self.series.push(series);
        self.index.insert(name, self.series.len() - 1);
        self.series.len() - 1
    }
}
