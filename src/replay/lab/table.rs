//! Figures as cells, for a terminal and for a page.

use std::fmt::Write as _;

use super::Outcome;
use crate::grade::Figures;

/// Series that a table names, at most.
const NAMED_MAX: usize = 500;
/// A cell for what has no answer.
pub(super) const NONE: &str = "–";

/// A table with a title and a line of explanation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    pub title: String,
    pub note: String,
    pub header: Vec<String>,
    /// Rows as long as the header; the first cell is text, the others are numbers or short words.
    pub rows: Vec<Vec<String>>,
    /// The last row is about all others.
    pub total: bool,
}

impl Table {
    /// The figures of each series and of all; with two outcomes side by side.
    pub fn of(first: &Outcome, second: Option<&Outcome>) -> Vec<Self> {
        let mut tables = Vec::new();
        if let Some(second) = second {
            tables.push(Self::side_by_side(first, second));
        }
        for outcome in std::iter::once(first).chain(second) {
            let title = if second.is_some() { outcome.name.as_str() } else { "Figures" };
            tables.push(Self::figures(title, outcome));
        }
        tables
    }

    fn figures(title: &str, outcome: &Outcome) -> Self {
        let labelled = outcome.lab.is_labelled();
        let cells = |name: &str, figures: &Figures, known: bool| {
            std::iter::once(name.to_owned())
                .chain(
                    columns(figures, known)
                        .into_iter()
                        .filter(|c| labelled || c.rate)
                        .map(|c| c.cell),
                )
                .collect::<Vec<_>>()
        };
        let names = columns(&Figures::default(), false);
        let header = names.iter().filter(|c| labelled || c.rate).map(|c| c.name.to_owned());
        let series = outcome.lab.series.iter().zip(&outcome.figures);
        let mut rows: Vec<_> = series
            .take(NAMED_MAX)
            .map(|(series, figures)| cells(&series.name, figures, series.labelled))
            .collect();
        let hidden = outcome.figures.len().saturating_sub(NAMED_MAX);
        let all = Figures::overall(&outcome.figures);
        let total = 1 < outcome.figures.len();
        if total {
            rows.push(cells("all", &all, labelled));
        }
        let note = notes(labelled, all.unjudged, hidden);
        let header = std::iter::once("series".to_owned()).chain(header).collect();
        Self { title: title.into(), note, header, rows, total }
    }

    fn side_by_side(first: &Outcome, second: &Outcome) -> Self {
        let known = first.lab.is_labelled();
        let both = [first, second].map(|o| columns(&Figures::overall(&o.figures), known));
        let [a, b] = both;
        let rows = a.into_iter().zip(b).filter(|(a, _)| known || a.rate);
        Self {
            title: "All series, side by side".into(),
            header: vec!["figure".into(), first.name.clone(), second.name.clone()],
            rows: rows.map(|(a, b)| vec![a.name.to_owned(), a.cell, b.cell]).collect(),
            ..Self::default()
        }
    }

    /// For a terminal: columns under each other, numbers to the right.
    pub fn text(&self) -> String {
        let width = |c: usize| {
            let cells = std::iter::once(&self.header).chain(&self.rows).map(|row| &row[c]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let mut text = format!("\n{}\n", self.title);
        for row in std::iter::once(&self.header).chain(&self.rows) {
            for (c, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = match c {
                    0 => write!(text, "{cell:<width$}"),
                    _ => write!(text, "  {cell:>width$}"),
                };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        if !self.note.is_empty() {
            let _ = writeln!(text, "{}", self.note);
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// What the figures are of.
fn notes(labelled: bool, unjudged: usize, hidden: usize) -> String {
    let mut notes = Vec::new();
    if labelled {
        notes.push(
            "AUC and VUS of all series are means; alerts, events and delays are counted together. \
             Delay is the median in rows."
                .to_owned(),
        );
    }
    if 0 < unjudged {
        let why = "late, or second ones of their row";
        notes.push(format!("{unjudged} rows were not judged ({why}): they are in no figure."));
    }
    if 0 < hidden {
        notes.push(format!("{hidden} more series are in `all` only."));
    }
    notes.join(" ")
}

struct Cell {
    name: &'static str,
    cell: String,
    /// Has an answer without labels, too.
    rate: bool,
}

/// The figures in the order in which they are read; without labels only what needs none.
fn columns(figures: &Figures, labelled: bool) -> Vec<Cell> {
    let events = &figures.events;
    let ratio = |value: Option<f64>| value.map_or(NONE.into(), |v| format!("{v:.3}"));
    let decimal = |value: Option<f64>| value.map_or(NONE.into(), |v| format!("{v:.1}"));
    let ucr = figures.ucr.map_or(NONE.into(), |(hits, asked)| format!("{hits}/{asked}"));
    let precision = events.precision().filter(|_| labelled);
    let known = |cell: String| if labelled { cell } else { NONE.into() };
    let rate = |name, cell| Cell { name, cell, rate: true };
    let graded = |name, cell| Cell { name, cell: known(cell), rate: false };
    vec![
        rate("rows", figures.rows.to_string()),
        graded("labelled", figures.labelled.to_string()),
        graded("AUC-PR", ratio(figures.auc_pr)),
        graded("VUS-PR", ratio(figures.vus_pr)),
        graded("AUC-ROC", ratio(figures.roc_auc)),
        graded("found", format!("{}/{}", events.found, events.events)),
        rate("alerts", figures.alerts.to_string()),
        graded("precision", ratio(precision)),
        graded("recall", ratio(events.recall())),
        graded("F1", ratio(events.f1())),
        graded("delay", decimal(events.median_delay())),
        rate("a week", decimal(figures.alerts_per_week())),
        rate("budget", decimal(figures.budget_per_week())),
        graded("UCR", ucr),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_numbers_to_the_right() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        let table = Table {
            title: "Figures".into(),
            header: row("series", "F1"),
            rows: vec![row("pump", "0.123"), row("long-name", "–")],
            ..Table::default()
        };
        let text = "\nFigures\nseries        F1\npump       0.123\nlong-name      –";
        assert_eq!(table.text(), text);
    }

    #[test]
    fn what_no_figure_is_of_is_told() {
        assert_eq!(notes(false, 0, 0), "");
        let told = "7 rows were not judged (late, or second ones of their row): they are in no figure. \
             2 more series are in `all` only.";
        assert_eq!(notes(false, 7, 2), told);
        assert!(notes(true, 1, 0).starts_with("AUC and VUS"));
    }

    #[test]
    fn without_labels_there_are_rates_only() {
        let shown = |labelled| -> Vec<String> {
            let all = columns(&Figures::default(), labelled).into_iter();
            all.filter(|c| c.cell != NONE).map(|c| c.name.to_owned()).collect()
        };
        assert_eq!(shown(false), ["rows", "alerts"]);
        assert_eq!(shown(true), ["rows", "labelled", "found", "alerts"]);
    }
}
