//! What the detectors find: `cargo bench --bench detection`.
//!
//! Default settings, one pass, each file from its first row on, nothing told beforehand; figures are
//! over the rows behind the train part, where there is one. Ranking (AUC-PR, UCR rule) is by
//! `surprise`, raising by alerts that open, SKAB by rows in which an alert is open. Beside it the
//! z-score of a value against the running mean and deviation of all before it, and that of its
//! difference: the largest over the channels. Data: `../shared/data`; without it nothing is measured.
//! `LATENTD_SEEDS=3` takes the mean of three seeds.

use std::collections::BTreeMap;
use std::path::Path;

use data::{files, table};
use latentd::grade::{Figures, Graded, Terms};
use latentd::record::EventTime;
use latentd::replay::{ReplayArgs, run};

mod data;

/// One line of a score file and what is true of it.
struct Row {
    graded: Graded,
    firing: bool,
    /// Largest z-score of a channel, of its value and of its difference.
    simple: [f64; 2],
}

struct File {
    rows: Vec<Row>,
    train: usize,
}

impl File {
    fn figures(&self, slack: usize, score: impl Fn(&Row) -> f64) -> Figures {
        let graded = |row: &Row| Graded { score: score(row), ..row.graded };
        let rows: Vec<Graded> = self.rows.iter().map(graded).collect();
        let terms = Terms { train: Some(self.train), slack, reach: 1, budget: 2.0 };
        Figures::of(&rows, 0, &terms)
    }
}

/// Running z-scores of values, and of differences.
#[derive(Default)]
struct Running {
    n: f64,
    mean: f64,
    m2: f64,
}

impl Running {
    fn z(&mut self, x: f64) -> f64 {
        let sd = (self.m2 / self.n.max(1.0)).sqrt();
        let z = if sd > 0.0 { ((x - self.mean) / sd).abs() } else { 0.0 };
        self.n += 1.0;
        let step = x - self.mean;
        self.mean += step / self.n;
        self.m2 += step * (x - self.mean);
        z
    }
}

/// Labels and simple scores of the rows of a data file.
fn truth(path: &Path) -> Vec<(bool, [f64; 2])> {
    let mut past: Vec<(Running, Running, f64)> = Vec::new();
    let mut row = |(values, label): (Vec<f64>, bool)| {
        let mut simple = [0.0_f64; 2];
        past.resize_with(values.len(), Default::default);
        for (x, (value, step, last)) in values.into_iter().zip(&mut past) {
            if x.is_finite() {
                simple[0] = simple[0].max(value.z(x));
                simple[1] = simple[1].max(step.z(x - std::mem::replace(last, x)));
            }
        }
        (label, simple)
    };
    data::rows(path).into_iter().map(&mut row).collect()
}

fn replayed(path: &Path, train: usize, seed: u64) -> File {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let scores = folder.path().join("scores.csv");
    let args = ReplayArgs {
        files: vec![path.to_owned()],
        scores: Some(scores.clone()),
        seed: Some(seed),
        ..ReplayArgs::default()
    };
    run(&args, &BTreeMap::new()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut reader = table(&scores);
    let header = reader.headers().expect("a header").clone();
    let at = |name: &str| header.iter().position(|n| n == name).expect("a column");
    let [surprise, raised, firing] = ["surprise", "raised", "firing"].map(at);
    let lines = reader.records().map(|line| line.expect("a line"));
    let rows = lines.zip(truth(path)).enumerate().map(|(i, (line, (label, simple)))| Row {
        graded: Graded {
            time: EventTime::from_millis(i as i64),
            score: line[surprise].parse().unwrap_or(0.0),
            alerts: u32::from(&line[raised] == "1"),
            label,
        },
        firing: &line[firing] == "1",
        simple,
    });
    File { rows: rows.collect(), train }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = values.collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

/// F1, share of calm rows that fire, share of faulty rows that do not, behind the first 400.
fn skab(files: &[File]) -> [f64; 3] {
    let mut counts = [[0.0_f64; 2]; 2];
    for row in files.iter().flat_map(|file| file.rows.iter().skip(400)) {
        counts[usize::from(row.graded.label)][usize::from(row.firing)] += 1.0;
    }
    let [[calm, false_alarm], [missed, found]] = counts;
    let f1 = 2.0 * found / (2.0 * found + false_alarm + missed);
    [f1, false_alarm / (calm + false_alarm), missed / (missed + found)]
}

fn main() {
    let Some(root) = data::root() else { return };
    let seeds = std::env::var("LATENTD_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    println!("{:34} {:>8} {:>8} {:>8}", "", "latentd", "z", "z of diff");
    for (folder, slack) in [("kpi", 5), ("ucr", 16), ("smd", 16), ("asd", 16), ("ur3", 16)] {
        let of_seed = |seed| {
            let all = files(&root, folder).into_iter();
            all.map(|(path, train)| replayed(&path, train, seed)).collect::<Vec<File>>()
        };
        let all: Vec<Vec<File>> = (1..=seeds).map(of_seed).collect();
        let overall = |files: &[File], score: &dyn Fn(&Row) -> f64| {
            Figures::overall(&files.iter().map(|f| f.figures(slack, score)).collect::<Vec<_>>())
        };
        let ours: Vec<Figures> = all.iter().map(|f| overall(f, &|row| row.graded.score)).collect();
        let [z, dz] = [0, 1].map(|i| overall(&all[0], &move |row| row.simple[i]));
        let share = |figures: &Figures| match figures.ucr {
            Some((hits, asked)) if folder == "ucr" => hits as f64 / asked as f64,
            _ => figures.auc_pr.unwrap_or(f64::NAN),
        };
        let what = if folder == "ucr" { "hits" } else { "AUC-PR" };
        let (z, dz) = (share(&z), share(&dz));
        let mine = mean(ours.iter().map(share));
        println!("{:34} {mine:8.3} {z:8.3} {dz:8.3}", format!("{folder}: {what}"));
        let f1 = mean(ours.iter().map(|f| f.events.f1().unwrap_or(0.0)));
        println!("{:34} {f1:8.3}", format!("{folder}: event F1 of alerts"));
        let calm: usize =
            all[0].iter().flat_map(|f| &f.rows[..f.train]).filter(|r| 0 < r.graded.alerts).count();
        let rows: usize = all[0].iter().map(|f| f.train).sum();
        println!("{:34} {calm:8} in {rows} rows", format!("{folder}: alerts in train parts"));
    }
    let mut figures = Vec::new();
    for seed in 1..=seeds {
        let all = files(&root, "skab").into_iter().map(|(path, _)| replayed(&path, 0, seed));
        let faulty: Vec<File> = all.filter(|f| f.rows.iter().any(|r| r.graded.label)).collect();
        figures.push(skab(&faulty));
    }
    for (i, name) in ["F1", "false alarm rate", "missed"].into_iter().enumerate() {
        println!("{:34} {:8.3}", format!("skab: {name}"), mean(figures.iter().map(|f| f[i])));
    }
}
