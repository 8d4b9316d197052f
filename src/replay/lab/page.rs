//! The report: one HTML file that asks for nothing else.
//!
//! Sections in order: figures, what changed against another configuration, alerts, plots by series.
//! A section is a function that returns HTML; every text that comes from data goes through
//! [`chart::escape`].

use std::fmt::Write as _;
use std::path::Path;

use super::super::{ReplayArgs, ReplayError, ReplaySummary};
use super::Outcome;
use super::change::Change;
use super::forecasts;
use super::plot;
use super::series::{Note, Series};
use super::table::Table;
use super::trace::Trace;
use crate::chart::{self, Mark, SCORE_MAX, Size, escape};
use crate::notify::measured;

const STYLE: &str = include_str!("page.css");
/// Series with plots, at most.
const PLOTTED_MAX: usize = 12;
/// Channels of a series with plots, at most.
const CHANNELS_MAX: usize = 3;
/// Alerts that the table names, at most.
const ALERTS_MAX: usize = 300;
/// Pictures for a screen and for a phone, by the height of what they show.
const SIZES: [(&str, Size, Size); 2] = [
    (
        "wide",
        Size { width: 1_120, height: 200, ticks: 9 },
        Size { width: 1_120, height: 120, ticks: 9 },
    ),
    (
        "slim",
        Size { width: 370, height: 170, ticks: 3 },
        Size { width: 370, height: 110, ticks: 3 },
    ),
];
/// Writes the report.
///
/// # Errors
///
/// [`ReplayError`] if a plot cannot be drawn or the file not written.
pub(super) fn write(
    path: &Path,
    args: &ReplayArgs,
    outcome: &Outcome,
    change: Option<&Change<'_>>,
    tables: &[Table],
    summary: &ReplaySummary,
) -> Result<(), ReplayError> {
    let mut body = head(args, summary);
    let total = change.map(Change::table);
    for table in tables.iter().chain(&total) {
        body += &html(table, table.title.starts_with("Alerts"));
    }
    body += &html(&alerts(outcome), true);
    body += &forecast_plots(outcome)?;
    body += &plots(outcome, change)?;
    let names: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>latentd replay {0}</title>\n<style>\n{1}{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(&names.join(" ").chars().take(100).collect::<String>()),
        chart::css(),
    );
    std::fs::write(path, page).map_err(|source| ReplayError::File { path: path.into(), source })
}

fn head(args: &ReplayArgs, summary: &ReplaySummary) -> String {
    let config = args.config.as_ref().map_or("Default settings".into(), |path| {
        let against = args.against.as_ref();
        let other = against.map_or(String::new(), |other| format!(" against {}", other.display()));
        format!("{}{other}", path.display())
    });
    format!(
        "<h1>latentd replay</h1>\n<p>{}. {}, latentd {}.</p>\n",
        escape(&summary.to_string()),
        escape(&config),
        env!("CARGO_PKG_VERSION"),
    )
}

fn html(table: &Table, words: bool) -> String {
    let mut text = format!("<h2>{}</h2>\n", escape(&table.title));
    if !table.note.is_empty() {
        let _ = writeln!(text, "<p>{}</p>", escape(&table.note));
    }
    if table.rows.is_empty() {
        return text;
    }
    let cells = |tag: &str, row: &[String]| -> String {
        row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect()
    };
    let class = if words { " class=\"words\"" } else { "" };
    let _ = write!(
        text,
        "<div class=\"scroll\"><table{class}>\n<tr>{}</tr>\n",
        cells("th", &table.header)
    );
    for (i, row) in table.rows.iter().enumerate() {
        let last = table.total && i + 1 == table.rows.len();
        let class = if last { " class=\"total\"" } else { "" };
        let _ = writeln!(text, "<tr{class}>{}</tr>", cells("td", row));
    }
    text + "</table></div>\n"
}

fn alerts(outcome: &Outcome) -> Table {
    let all = outcome.lab.series.iter().flat_map(|s| s.notes.iter().map(move |note| (s, note)));
    let count = all.clone().count();
    let row = |(series, note): (&Series, &Note)| {
        let closed = note.closed.map_or("open".into(), |time| time.to_string());
        let severity = if note.critical { "critical" } else { "warning" };
        let part = |(name, y, lower, upper, share): &(_, f64, f64, f64, f64)| {
            format!("{name} {} ({:.0} %)", measured(*y, *lower, *upper), 100.0 * share)
        };
        let why: Vec<String> = note.top.iter().take(CHANNELS_MAX).map(part).collect();
        vec![
            series.name.to_string(),
            note.kind.word().into(),
            note.opened.to_string(),
            closed,
            format!("{:.2}", note.worst),
            severity.into(),
            why.join("; "),
        ]
    };
    let note = match count {
        0 => "No alert opened.".to_owned(),
        1..=ALERTS_MAX => String::new(),
        _ => format!("The first {ALERTS_MAX} of {count}."),
    };
    Table {
        title: "Alerts".into(),
        note,
        header: ["series", "kind", "opened", "closed", "worst score", "severity", "why"]
            .map(str::to_owned)
            .to_vec(),
        rows: all.take(ALERTS_MAX).map(row).collect(),
        total: false,
    }
}

/// Series with alerts or labels first.
fn plots(outcome: &Outcome, change: Option<&Change<'_>>) -> Result<String, ReplayError> {
    let series = &outcome.lab.series;
    let mut shown: Vec<(&Series, &Trace)> =
        series.iter().filter_map(|s| s.trace.as_ref().map(|trace| (s, trace))).collect();
    shown.sort_by_key(|(s, trace)| {
        s.notes.is_empty() && !trace.columns.iter().any(|column| column.label)
    });
    shown.truncate(PLOTTED_MAX);
    let mut text = String::from("<h2>Series</h2>\n");
    if shown.len() < series.len() {
        let _ = writeln!(
            text,
            "<p>{} of {} series are drawn; those with alerts or labels come first.</p>",
            shown.len(),
            series.len()
        );
    }
    text += &legend(change.is_some());
    for (series, trace) in shown {
        text += &section(series, trace, change)?;
    }
    Ok(text)
}

/// The newest forecasts of some series.
fn forecast_plots(outcome: &Outcome) -> Result<String, ReplayError> {
    let mut text = String::new();
    for (channel, entity, picture) in outcome.lab.ledger.pictures() {
        if text.is_empty() {
            text += "<h2>Forecasts against the truth</h2>\n";
            text += &entries(&forecasts::LEGEND);
        }
        let caption = format!("{channel} of {entity}");
        text += &figure(&caption, |tall, _| forecasts::picture(picture, tall))?;
    }
    Ok(text)
}

fn entries(entries: &[(&str, &str)]) -> String {
    let entry = |(colour, what): &(&str, &str)| {
        format!("<li><i style=\"background: var(--{colour})\"></i>{what}</li>")
    };
    format!("<ul class=\"legend\">{}</ul>\n", entries.iter().map(entry).collect::<String>())
}

fn legend(other: bool) -> String {
    let all = [
        ("series", "observed"),
        ("band", "expected (about 99 % of calm rows)"),
        ("label", "labelled as anomalous"),
        ("alert", "alert opened; at the foot while it was open"),
        ("score", "surprise, and anomaly score with the threshold, 1"),
        ("other", "the same of the other configuration, at the head"),
    ];
    let shown = if other { 6 } else { 5 };
    entries(&all[..shown])
}

fn section(
    series: &Series,
    trace: &Trace,
    change: Option<&Change<'_>>,
) -> Result<String, ReplayError> {
    let mark = |other| move |note: &Note| Mark { opened: note.opened, closed: note.closed, other };
    let mut marks: Vec<Mark> = series.notes.iter().map(mark(false)).collect();
    marks.extend(change.map_or(&[][..], |change| change.others(series)).iter().map(mark(true)));
    let channels = channels(series);
    let hidden = series.channels.len() - channels.len();
    let more = match hidden {
        0 => String::new(),
        _ => format!(" {hidden} of {} channels are not drawn.", series.channels.len()),
    };
    let mut text = format!(
        "<h2>{}</h2>\n<p>{} rows, {} alerts.{more}</p>\n",
        escape(&series.name),
        series.lines,
        series.notes.len(),
    );
    for at in channels {
        let name = series.channels.get(at).map_or("", |name| name);
        text += &figure(name, |tall, _| plot::channel(trace, at, &marks, tall))?;
    }
    let caption = format!("surprise, which ranks rows (above {SCORE_MAX} cut)");
    text += &figure(&caption, |_, flat| plot::surprise(trace, &marks, flat))?;
    let caption = format!("anomaly score, which raises alerts (above {SCORE_MAX} cut)");
    text += &figure(&caption, |_, flat| plot::score(trace, &marks, flat))?;
    Ok(text)
}

/// The channels that had the largest part in alerts, in their order.
fn channels(series: &Series) -> Vec<usize> {
    let share = |channel: usize| -> f64 {
        let parts = series.notes.iter().flat_map(|note| &note.top);
        parts.filter(|part| part.0 == series.channels[channel]).map(|part| part.4).sum()
    };
    let mut ranked: Vec<(usize, f64)> =
        (0..series.channels.len()).map(|channel| (channel, share(channel))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut drawn: Vec<usize> = ranked.into_iter().take(CHANNELS_MAX).map(|(c, _)| c).collect();
    drawn.sort_unstable();
    drawn
}

/// A picture in both widths.
fn figure(
    caption: &str,
    draw: impl Fn(Size, Size) -> Result<String, ReplayError>,
) -> Result<String, ReplayError> {
    let mut text = format!("<figure><figcaption>{}</figcaption>\n", escape(caption));
    for (class, tall, flat) in SIZES {
        let _ = writeln!(text, "<div class=\"{class}\">{}</div>", draw(tall, flat)?);
    }
    Ok(text + "</figure>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        let table = Table {
            title: "<b>".into(),
            header: vec!["a&b".into()],
            rows: vec![vec!["<script>alert('x')</script>".into()]],
            ..Table::default()
        };
        let page = html(&table, false);
        assert!(page.contains("<h2>&lt;b&gt;</h2>") && page.contains("<th>a&amp;b</th>"), "{page}");
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(&#39;x"), "{page}");
    }
}
