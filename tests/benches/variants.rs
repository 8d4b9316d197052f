//! All members of the family side by side: `cargo bench --bench variants`.
//!
//! Time: a 64-32-8-32-64 network, one core, per window: forward in batches of 32 and alone, and a
//! training step of 32 windows. Accuracy, default settings but for a budget of an alert in 1,800 rows, one pass, scored before learned: mean
//! area under the precision-recall curve and F1 of raised alerts over the 34 SKAB experiments and
//! two servers of ASD; part of the squared error that the latent code takes from a forecast of
//! ETTh1's oil temperature, 6 hours ahead, by its newest value (ridge regressions). Data: `../shared/data`; without it only time is measured.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use latentd::config::Layers;
use latentd::engine::{Shard, StreamSpec};
use latentd::model::{
    Activation, InPlace, Learner, ModelParams, Scope, Variant, WindowShape, Workspace,
};
use latentd::record::{EventTime, Outbox, RecordRef};
use linfa_linalg::cholesky::SolveCInplace;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

/// The bound of training in event time is off.
const NOW: latentd::record::EventTime = latentd::record::EventTime::from_millis(0);

/// A row of the table.
struct Member {
    name: &'static str,
    variant: Variant,
    /// PCA by another name: the optimum of a linear network is its subspace.
    linear: bool,
}

const MEMBERS: [Member; 8] = [
    Member { name: "linear (PCA subspace)", variant: Variant::Undercomplete, linear: true },
    Member { name: "undercomplete", variant: Variant::Undercomplete, linear: false },
    Member { name: "deep", variant: Variant::Deep, linear: false },
    Member { name: "stacked", variant: Variant::Stacked, linear: false },
    Member { name: "sparse", variant: Variant::Sparse, linear: false },
    Member { name: "denoising", variant: Variant::Denoising, linear: false },
    Member { name: "vae", variant: Variant::Vae, linear: false },
    Member { name: "vq_vae", variant: Variant::VqVae, linear: false },
];

impl Member {
    fn model(&self) -> ModelParams {
        let hidden = match (self.linear, self.variant) {
            (true, _) => vec![],
            (_, Variant::Deep) => vec![64, 32],
            _ => vec![32],
        };
        let activation = if self.linear { Activation::Identity } else { Activation::Tanh };
        ModelParams { variant: self.variant, hidden, activation, ..ModelParams::default() }
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// Microseconds per window: forward in batches, forward alone, training. Best of 5.
fn times(member: &Member) -> [f64; 3] {
    let mut params = ModelParams { scope: Scope::Shard, refresh_steps: 64, ..member.model() };
    params.gate.every = 0;
    let shape = WindowShape { rows: 64, channels: 1 };
    let mut learner = Learner::new(&params, shape, 1, Arc::from("bench"));
    let mut space = Workspace::new(learner.network(), 256);
    for i in 0..256 {
        let wave = |j: usize| ((i * 13 + j) as f32 * 0.37).sin();
        space.window_mut(i).iter_mut().enumerate().for_each(|(j, cell)| *cell = wave(j));
        let window = space.windows(256).row(i).to_owned();
        let targets = if learner.head().is_some() { &[0.5][..] } else { &[] };
        learner.offer(window.view(), targets, true);
    }
    (0..20).for_each(|_| _ = learner.refresh(&InPlace, &mut space, NOW));
    let mut best = [f64::INFINITY; 3];
    for _ in 0..5 {
        let mut forward = |rows: usize, times: usize| {
            seconds(|| (0..times).for_each(|_| learner.network().reconstruct(&mut space, rows)))
                / (rows * times) as f64
        };
        let [batch, alone] = [forward(32, 1_000), forward(1, 10_000)];
        let train =
            seconds(|| (0..20).for_each(|_| _ = learner.refresh(&InPlace, &mut space, NOW)));
        let now = [batch, alone, train / (20.0 * 64.0 * 32.0)];
        best.iter_mut().zip(now).for_each(|(best, now)| *best = best.min(1e6 * now));
    }
    best
}

/// A labelled file: a row of values, its label.
struct File {
    channels: Vec<String>,
    rows: Vec<Vec<f64>>,
    labels: Vec<bool>,
}

fn read(path: &Path) -> File {
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("a readable file");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let is_value = |name: &str| name != "timestamp" && !name.starts_with("label");
    let columns: Vec<usize> = (0..header.len()).filter(|i| is_value(&header[*i])).collect();
    let label = header.iter().position(|name| name == "label");
    let mut file = File {
        channels: columns.iter().map(|i| header[*i].to_owned()).collect(),
        rows: Vec::new(),
        labels: Vec::new(),
    };
    for record in reader.records() {
        let record = record.expect("a row");
        file.rows.push(columns.iter().map(|i| record[*i].parse().unwrap_or(f64::NAN)).collect());
        file.labels.push(label.is_some_and(|i| record[i].starts_with('1')));
    }
    file
}

fn spec(member: &Member, file: &File, features: bool) -> StreamSpec {
    let channels: Vec<_> =
        file.channels.iter().map(|name| serde_json::json!({ "name": name })).collect();
    let stream = serde_json::json!({
        "name": "bench", "topics": ["bench"], "channel": channels, "step": "1s",
        "max_out_of_order": "0s", "alert": { "detector": "network", "budget": { "alerts": 1.0, "per": "30m" } }, "features": { "every": u32::from(features) },
    });
    let settings = Layers::new().table(serde_json::json!({ "stream": [stream] }));
    let settings = settings.settings().expect("usable settings");
    StreamSpec { model: member.model(), ..settings.stream[0].spec(1) }
}

fn run(member: &Member, file: &File, features: bool) -> Outbox {
    let mut shard = Shard::new(Arc::new(spec(member, file, features)), 0);
    let mut out = Outbox { keep_rows: true, ..Outbox::default() };
    for (i, values) in file.rows.iter().enumerate() {
        let time = EventTime::from_millis(1_000 * i as i64);
        let record = RecordRef { key: "series", time, values, offset: i as i64 };
        shard.push(record, time, &mut out);
    }
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    out
}

/// Area under the precision-recall curve: mean precision at each labelled row, by descending score.
fn average_precision(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let (mut hits, mut sum) = (0.0, 0.0);
    for (rank, i) in order.into_iter().enumerate() {
        if labels[i] {
            hits += 1.0;
            sum += hits / (rank + 1) as f64;
        }
    }
    sum / f64::max(hits, 1.0)
}

/// Labelled stretches that a raised alert falls into, alerts outside, stretches missed.
fn events(raised: &[bool], labels: &[bool]) -> [usize; 3] {
    let (mut found, mut missed, mut i) = (0, 0, 0);
    while i < labels.len() {
        if !labels[i] {
            i += 1;
            continue;
        }
        let end = (i..labels.len()).find(|j| !labels[*j]).unwrap_or(labels.len());
        if raised[i..end].contains(&true) {
            found += 1
        } else {
            missed += 1
        }
        i = end;
    }
    let false_alarms = raised.iter().zip(labels).filter(|(raised, label)| **raised && !**label);
    [found, false_alarms.count(), missed]
}

/// Mean area under the curve, and F1 of alerts over all files.
fn detection(member: &Member, files: &[File]) -> [f64; 2] {
    let (mut areas, mut counts) = (Vec::new(), [0; 3]);
    for file in files {
        let out = run(member, file, false);
        let scores: Vec<f64> = out.rows.iter().map(|row| row.anomaly_score).collect();
        let raised: Vec<bool> = out.rows.iter().map(|row| row.raised).collect();
        areas.push(average_precision(&scores, &file.labels[..scores.len()]));
        let these = events(&raised, &file.labels[..raised.len()]);
        counts.iter_mut().zip(these).for_each(|(sum, n)| *sum += n);
    }
    let [found, false_alarms, missed] = counts.map(|n| n as f64);
    [
        areas.iter().sum::<f64>() / areas.len() as f64,
        2.0 * found / (2.0 * found + false_alarms + missed),
    ]
}

/// Blocks of the cross-validation.
const BLOCKS: usize = 10;

/// Part of the squared error that the code takes from a forecast of the last channel `ahead` rows on
/// by its newest value: both ridge regressions, each tenth of the file judged by fits to the others.
fn forecastability(member: &Member, file: &File, ahead: usize) -> f64 {
    let out = run(member, file, true);
    let first = file.rows.len() - out.features.len();
    let n = (out.features.len() - ahead) / BLOCKS * BLOCKS;
    let k = out.features[0].z.len();
    let value = |i: usize| *file.rows[first + i].last().expect("a channel");
    let mut x = Array2::<f64>::ones((n, k + 2));
    for (i, (mut row, record)) in x.rows_mut().into_iter().zip(&out.features).enumerate() {
        row[1] = value(i);
        row.iter_mut().skip(2).zip(&record.z).for_each(|(x, z)| *x = f64::from(*z));
    }
    let y: Array1<f64> = (0..n).map(|i| value(i + ahead)).collect();
    1.0 - squares(x.view(), &y) / squares(x.slice(s![.., ..2]), &y)
}

/// Squared errors of a cross-validated ridge regression.
fn squares(x: ArrayView2<'_, f64>, y: &Array1<f64>) -> f64 {
    let (n, k) = x.dim();
    let gram_of = |x: ArrayView2<'_, f64>| -> Array2<f64> { x.t().dot(&x) };
    let (gram, right): (_, Array1<f64>) = (gram_of(x), x.t().dot(y));
    let of_block = |block: usize| {
        let span = block * n / BLOCKS..(block + 1) * n / BLOCKS;
        let (x, y) = (x.slice(s![span.clone(), ..]), y.slice(s![span]));
        let mut gram: Array2<f64> = &gram - &gram_of(x) + Array2::<f64>::eye(k);
        let right: Array1<f64> = &right - &x.t().dot(&y);
        let weights = gram.solvec_into(right.insert_axis(Axis(1))).expect("positive definite");
        let error: Array1<f64> = x.dot(&weights.column(0)) - y;
        error.mapv(|e| e * e).sum()
    };
    (0..BLOCKS).map(of_block).sum()
}

fn files(folders: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let of = |folder: &&str| std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = folders.iter().flat_map(of).map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(".csv.gz"));
    paths.sort();
    paths
}

fn main() {
    let skab: Vec<File> =
        files(&["skab/valve1", "skab/valve2", "skab/other"]).iter().map(|p| read(p)).collect();
    let asd: Vec<File> = files(&["asd"]).iter().map(|p| read(p)).collect();
    let ett = files(&["ett"]).first().map(|p| read(p));
    if skab.is_empty() || asd.is_empty() {
        println!("no ../shared/data: accuracy is not measured");
    }
    println!(
        "| variant | forward us | alone us | training us | SKAB AUC-PR | SKAB F1 | ASD AUC-PR | ASD F1 | latent gain, 6 h |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for member in &MEMBERS {
        let [batch, alone, train] = times(member);
        let of = |files: &[File]| match files {
            [] => "- | -".to_owned(),
            files => {
                let [area, f1] = detection(member, files);
                format!("{area:.3} | {f1:.3}")
            }
        };
        let (skab, asd) = (of(&skab), of(&asd));
        let r2 = ett.as_ref().map(|file| forecastability(member, file, 6));
        let r2 = r2.map_or("-".to_owned(), |r2| format!("{r2:.3}"));
        println!(
            "| {} | {batch:.2} | {alone:.2} | {train:.2} | {skab} | {asd} | {r2} |",
            member.name
        );
    }
}
