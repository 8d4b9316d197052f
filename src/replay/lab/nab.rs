//! The Numenta Anomaly Benchmark, all of it, with one configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::ProgressBar;

use super::super::run::{Run, once};
use super::super::{ReplayArgs, ReplayError, ReplaySummary};
use super::Lab;
use super::table::Table;
use crate::grade::{Corpus, Graded, Profile, Swept, Window};
use crate::io::{TimestampFormat, timestamp};
use crate::record::EventTime;
use crate::telemetry::say;

/// Published scores from here on are rows on which an alert opened.
const RAISED: f64 = 0.5;

/// A data file and its labelled windows.
struct File {
    /// Folder and name, as in the labels.
    name: String,
    path: PathBuf,
    windows: Vec<Window>,
}

/// Replays each file as a series of its own with its own time step, and prints the scores.
///
/// # Errors
///
/// [`ReplayError`] if the labels or a file cannot be used.
pub(in super::super) fn run(
    args: &ReplayArgs,
    folder: &Path,
    env: &BTreeMap<String, String>,
) -> Result<ReplaySummary, ReplayError> {
    let files = files(folder)?;
    let replayed = replay_all(args, env, &files)?;
    let mut summary = ReplaySummary::default();
    let mut all = Corpus::default();
    let mut folders: BTreeMap<&str, Corpus> = BTreeMap::new();
    for (file, (seen, rows)) in files.iter().zip(&replayed) {
        summary.merge(seen);
        let times: Vec<EventTime> = rows.iter().map(|row| row.time).collect();
        let scores: Vec<f64> = rows.iter().map(published).collect();
        let folder = file.name.split('/').next().unwrap_or_default();
        for corpus in [&mut all, folders.entry(folder).or_default()] {
            corpus.add(&file.name, &times, &scores, &file.windows)?;
        }
    }
    say(&swept_table(&all, &folders).text());
    say(&raised_table(&all, &folders).text());
    Ok(summary)
}

/// The score of a row by which NAB ranks: rows on which an alert opened come before all others.
fn published(row: &Graded) -> f64 {
    let q = row.score / (1.0 + row.score);
    if 0 < row.alerts { RAISED + 0.5 * q } else { 0.49 * q }
}

/// What the labels name, in their order.
fn files(folder: &Path) -> Result<Vec<File>, ReplayError> {
    let path = folder.join("labels").join("combined_windows.json");
    let fault = |source| ReplayError::File { path: path.clone(), source };
    let text = std::fs::read_to_string(&path).map_err(fault)?;
    let wrong = |why: String| ReplayError::Windows { path: path.clone(), why };
    let named: BTreeMap<String, Vec<[String; 2]>> =
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let time = |text: &String| {
        let time = timestamp::parse(text, TimestampFormat::Rfc3339);
        time.ok_or_else(|| wrong(format!("`{text}` is no time")))
    };
    let mut files = Vec::new();
    for (name, windows) in named {
        let plain = folder.join("data").join(&name);
        let packed = folder.join("data").join(format!("{name}.gz"));
        let windows = windows.iter().map(|[a, b]| Ok(Window { from: time(a)?, to: time(b)? }));
        files.push(File {
            windows: windows.collect::<Result<_, ReplayError>>()?,
            path: if plain.exists() { plain } else { packed },
            name,
        });
    }
    Ok(files)
}

/// Replays on all cores; which thread takes which file changes nothing.
fn replay_all(
    args: &ReplayArgs,
    env: &BTreeMap<String, String>,
    files: &[File],
) -> Result<Vec<(ReplaySummary, Vec<Graded>)>, ReplayError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let (next, progress) = (AtomicUsize::new(0), ProgressBar::new(files.len() as u64));
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(at) else { return done };
            let rows = replay(args, env, file);
            let failed = rows.is_err();
            done.push((at, rows));
            progress.inc(1);
            if failed {
                return done;
            }
        }
    };
    let mut done = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().map_err(|_| ReplayError::Lost));
        joined.collect::<Result<Vec<_>, _>>()
    })?
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    progress.finish_and_clear();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, rows)| rows).collect()
}

fn replay(
    args: &ReplayArgs,
    env: &BTreeMap<String, String>,
    file: &File,
) -> Result<(ReplaySummary, Vec<Graded>), ReplayError> {
    let args = ReplayArgs { files: vec![file.path.clone()], ..args.clone() };
    let lab = Some(Lab::of_all_rows());
    let Run { summary, lab } = once(&args, env, &ProgressBar::hidden(), lab)?;
    let rows = lab.into_iter().flat_map(|lab| lab.series).flat_map(|series| series.rows).collect();
    Ok((summary, rows))
}

/// Folders, then all of them.
fn rows<'c>(
    all: &'c Corpus,
    folders: &'c BTreeMap<&str, Corpus>,
    cells: impl Fn(&'c Corpus) -> Vec<String>,
) -> Vec<Vec<String>> {
    let named = folders.iter().map(|(name, corpus)| (*name, corpus)).chain([("all", all)]);
    named.map(|(name, corpus)| [vec![name.to_owned()], cells(corpus)].concat()).collect()
}

fn header(more: &[&str]) -> Vec<String> {
    let profiles = Profile::ALL.iter().map(|profile| profile.name);
    ["folder"].into_iter().chain(profiles).chain(more.iter().copied()).map(str::to_owned).collect()
}

fn number(score: Option<f64>) -> String {
    score.map_or("–".into(), |score| format!("{score:.2}"))
}

/// As NAB tells it: the best threshold of the whole corpus, for each profile.
fn swept_table(all: &Corpus, folders: &BTreeMap<&str, Corpus>) -> Table {
    let silent = Swept { score: 0.0, threshold: f64::INFINITY };
    let best = Profile::ALL.map(|profile| all.sweep(&profile).unwrap_or(silent));
    let cells = |corpus: &Corpus| {
        let scores = Profile::ALL.iter().zip(&best);
        scores.map(|(profile, swept)| number(corpus.at(profile, swept.threshold))).collect()
    };
    let [a, b, c] = best.map(|swept| format!("{:.4}", swept.threshold));
    Table {
        title: "NAB, the best threshold for the corpus in hindsight".into(),
        note: format!(
            "Thresholds {a}, {b}, {c} of the published score: 0.5 and above is an alert."
        ),
        header: header(&[]),
        rows: rows(all, folders, cells),
        total: true,
    }
}

/// What an operator would have seen: alerts and nothing else.
fn raised_table(all: &Corpus, folders: &BTreeMap<&str, Corpus>) -> Table {
    let cells = |corpus: &Corpus| {
        let scores = Profile::ALL.iter().map(|profile| number(corpus.at(profile, RAISED)));
        let seen = corpus.detected(RAISED);
        let counts = [format!("{}/{}", seen.found, seen.windows), seen.false_rows.to_string()];
        scores.chain(counts).collect()
    };
    Table {
        title: "NAB, alerts only".into(),
        note:
            "Windows found, and alerts outside of windows; the first 15 % of a file do not count."
                .into(),
        header: header(&["found", "false alerts"]),
        rows: rows(all, folders, cells),
        total: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_come_before_everything_else() {
        let row = |score, alerts| {
            published(&Graded { time: EventTime::from_millis(0), score, alerts, label: false })
        };
        let scores = [row(0.0, 0), row(0.9, 0), row(1e9, 0), row(0.0, 1)];
        assert!(scores.is_sorted() && scores[2] < RAISED && scores[3] == RAISED);
        assert!(row(2.0, 1) < row(3.0, 2) && row(1e9, 1) <= 1.0);
    }
}
