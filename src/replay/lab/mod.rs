//! The laboratory: what a replay is worth, as figures, as a page with plots, and against another
//! configuration.
//!
//! Start with [`Lab`], which listens to a replay. `series` keeps rows and alerts of a series, `trace`
//! its curves in bounded memory, `ledger` keeps forecasts until they come true, `forecasts` tells what became of them, `table`
//! brings figures into cells, `change` compares two replays, `plot` draws, `page` puts
//! everything into one HTML file. `nab` runs the Numenta Anomaly Benchmark.

mod change;
mod collect;
mod forecasts;
mod ledger;
mod nab;
mod page;
mod plot;
mod series;
mod table;
mod trace;

pub(super) use collect::Lab;
pub(super) use nab::run as nab;

use std::path::Path;

use super::{ReplayArgs, ReplayError, ReplaySummary};
use crate::grade::{Figures, Terms};
use crate::telemetry::say;
use change::Change;
use series::Series;
use table::Table;

/// Longest buffer of the volume under the precision-recall surface, in rows.
const REACH: usize = 100;

/// The arguments of a replay of the same files with another configuration, which only the
/// laboratory hears.
pub(super) fn silent(args: &ReplayArgs, config: &Path) -> ReplayArgs {
    ReplayArgs {
        config: Some(config.to_owned()),
        scores: None,
        alerts: None,
        forecasts: None,
        features: None,
        report: None,
        ..args.clone()
    }
}

/// One configuration and what came of it.
struct Outcome {
    /// What the configuration is called in tables.
    name: String,
    lab: Lab,
    /// By series.
    figures: Vec<Figures>,
}

impl Outcome {
    fn new(args: &ReplayArgs, config: Option<&Path>, lab: Lab) -> Self {
        let figures = lab.series.iter().map(|series| figures(series, args)).collect();
        let name = config.map_or("defaults".into(), |path| path.display().to_string());
        Self { name, lab, figures }
    }
}

/// The figures of a series behind its train part; without labels only counts and rates.
fn figures(series: &Series, args: &ReplayArgs) -> Figures {
    let terms = Terms {
        // The rows of the train part are not kept.
        train: args.train_rows.filter(|rows| 0 < *rows).map(|_| 0),
        slack: args.slack,
        reach: REACH,
        budget: series.budget,
    };
    let weeks = series.watched.weeks();
    let graded = match series.labelled {
        true => Figures::of(&series.rows, series.behind(), &terms),
        false => Figures::default(),
    };
    Figures {
        rows: series.judged,
        unjudged: series.unjudged,
        alerts: series.alerts(),
        anomalies: series.anomalies(),
        weeks,
        allowed: weeks * series.budget,
        ..graded
    }
}

/// Prints figures and changes, and writes the report.
///
/// # Errors
///
/// [`ReplayError`] if the report cannot be drawn or written.
pub(super) fn publish(
    args: &ReplayArgs,
    lab: Lab,
    other: Option<Lab>,
    summary: &ReplaySummary,
) -> Result<(), ReplayError> {
    let first = Outcome::new(args, args.config.as_deref(), lab);
    let second = other.map(|lab| Outcome::new(args, args.against.as_deref(), lab));
    let mut tables = Table::of(&first, second.as_ref());
    let change = second.as_ref().map(|second| Change::of(&first, second, args.slack as u64));
    if first.lab.is_labelled() || second.is_some() {
        tables.iter().for_each(|table| say(&table.text()));
    }
    if let Some(change) = &change {
        say(&change.table().text());
    }
    let both = std::iter::once(&first).chain(&second);
    let forecasts: Vec<Table> = both
        .filter_map(|outcome| {
            let table = forecasts::table(&outcome.lab.ledger)?;
            let title = match &second {
                Some(_) => format!("{} of {}", table.title, outcome.name),
                None => table.title.clone(),
            };
            Some(Table { title, ..table })
        })
        .collect();
    forecasts.iter().for_each(|table| say(&table.text()));
    tables.extend(forecasts);
    match &args.report {
        Some(path) => page::write(path, args, &first, change.as_ref(), &tables, summary),
        None => Ok(()),
    }
}
