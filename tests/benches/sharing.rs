//! What one network for all series costs in accuracy, and how much by how few training steps:
//! `cargo bench --bench sharing`.
//!
//! All files of a folder are the series of one shard, their rows one a minute and side by side.
//! Default settings but for `model.scope` and `model.train_every`; CPU time of one core, the
//! challenger, the exams and the refreshes included. Figures as in the bench `detection`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use latentd::config::Settings;
use latentd::engine::{Shard, StreamSpec};
use latentd::grade::{Figures, Graded, Terms};
use latentd::record::{EventTime, Outbox, RecordRef};

mod data;

const MINUTE: i64 = 60_000;

/// A file: its rows, and how many of them are its train part.
type Series = (Vec<(Vec<f64>, bool)>, usize);

fn spec(channels: usize, model: &str) -> Arc<StreamSpec> {
    let names: Vec<String> = (0..channels).map(|i| format!("{{ name = \"c{i}\" }}")).collect();
    let text = format!(
        "[[stream]]\nname = 'sharing'\ntopics = ['in']\nstep = '1m'\nchannel = [{}]\n{model}",
        names.join(", ")
    );
    let settings = Settings::from_text(&text, &BTreeMap::new()).unwrap_or_else(|e| panic!("{e}"));
    Arc::new(settings.stream[0].spec(1))
}

/// Surprise and raise by series and row, and seconds spent.
fn run(all: &[Series], model: &str) -> (Vec<Vec<(f64, bool)>>, f64) {
    let channels = all[0].0[0].0.len();
    let mut shard = Shard::new(spec(channels, model), 0);
    let mut scores: Vec<Vec<(f64, bool)>> =
        all.iter().map(|(rows, _)| vec![(0.0, false); rows.len()]).collect();
    let mut out = Outbox { keep_rows: true, ..Outbox::default() };
    let mut collect = |out: &mut Outbox| {
        for row in out.rows.drain(..) {
            let series: usize = row.entity.parse().expect("an index");
            let at = (row.time.as_millis() / MINUTE) as usize;
            scores[series][at] = (row.surprise, row.raised);
        }
        out.clear();
    };
    let keys: Vec<String> = (0..all.len()).map(|i| i.to_string()).collect();
    let rows = all.iter().map(|(rows, _)| rows.len()).max().unwrap_or(0);
    let start = Instant::now();
    for at in 0..rows {
        let time = EventTime::from_millis(MINUTE * at as i64);
        for ((rows, _), key) in all.iter().zip(&keys) {
            let Some((values, _)) = rows.get(at) else { continue };
            let record = RecordRef { key, time, values, offset: at as i64 };
            shard.push(record, time, &mut out);
        }
        if at % 64 == 63 {
            shard.settle(&mut out);
            collect(&mut out);
        }
    }
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    let seconds = start.elapsed().as_secs_f64();
    collect(&mut out);
    (scores, seconds)
}

fn figures(all: &[Series], scores: &[Vec<(f64, bool)>], slack: usize) -> Figures {
    let of_series = |((rows, train), scores): (&Series, &Vec<(f64, bool)>)| {
        let graded = |(i, ((_, label), (score, raised))): (usize, (&(_, bool), &(f64, bool)))| {
            let time = EventTime::from_millis(MINUTE * i as i64);
            Graded { time, score: *score, alerts: u32::from(*raised), label: *label }
        };
        let graded: Vec<Graded> = rows.iter().zip(scores).enumerate().map(graded).collect();
        Figures::of(&graded, 0, &Terms { train: Some(*train), slack, reach: 1, budget: 2.0 })
    };
    Figures::overall(&all.iter().zip(scores).map(of_series).collect::<Vec<_>>())
}

fn main() {
    let Some(root) = data::root() else { return };
    println!("{:6} {:24} {:>8} {:>9} {:>9}", "data", "model", "AUC-PR", "event F1", "µs/row");
    for (folder, slack) in [("kpi", 5), ("ucr", 16), ("skab", 16), ("smd", 16), ("asd", 16)] {
        let files = data::files(&root, folder).into_iter();
        let mut all: Vec<Series> = files.map(|(path, train)| (data::rows(&path), train)).collect();
        all.retain(|(rows, _)| rows.iter().any(|(_, label)| *label));
        let rows: usize = all.iter().map(|(rows, _)| rows.len()).sum();
        for model in [
            "model = { scope = 'series' }",
            "model = { scope = 'shard' }",
            "model = { scope = 'shard', train_every = 8 }",
            "model = { scope = 'shard', train_every = 32 }",
            "model = { scope = 'shard', train_every = 128 }",
        ] {
            let (scores, seconds) = run(&all, model);
            let figures = figures(&all, &scores, slack);
            let of = model.trim_start_matches("model = { scope = ").trim_end_matches(" }");
            println!(
                "{folder:6} {:24} {:8.3} {:9.3} {:9.1}",
                of.replace('\'', ""),
                figures.auc_pr.unwrap_or(f64::NAN),
                figures.events.f1().unwrap_or(0.0),
                1e6 * seconds / rows as f64
            );
        }
    }
}
