//! All members of the family side by side: `cargo bench --bench variants`.
//!
//! Time: a 64-32-8-32-64 network, one core, per window: forward in batches of 32 and alone, and a
//! training step of 32 windows (PCA: a fit to 1,024 windows, shared out to the 256 until the next).
//! Accuracy: rows are judged by the network's errors (`alert.detector = "network"`), one pass, scored before
//! learned, all else as it is by default but for a budget of an alert in 1,800 rows: mean area under the
//! precision-recall curve, and F1 of alerts that open, over the 34 SKAB experiments and two servers of
//! ASD; part of the squared error that the latent code takes from a forecast of ETTh1's oil temperature, 6
//! hours ahead, by its newest value (ridge regressions). PCA (`pca`) sees the same windows and has the same
//! calibration and alerts. Prints a markdown table. Data: `../shared/data`; without it only time is
//! measured.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use latentd::config::Layers;
use latentd::engine::{Shard, StreamSpec};
use latentd::grade::{Figures, Graded, Terms};
use latentd::model::{
    Activation, InPlace, Learner, ModelParams, Role, Scope, Variant, WindowShape, Workspace,
};
use latentd::record::{EventTime, Outbox, RecordRef};
use linfa_linalg::cholesky::SolveCInplace;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

#[allow(dead_code, reason = "other benches use the rest")]
mod data;
mod pca;

/// The bound of training in event time is off.
const NOW: EventTime = EventTime::from_millis(0);

/// A row of the table.
struct Member {
    name: &'static str,
    variant: Variant,
    /// The optimum of a linear network is the subspace of PCA.
    linear: bool,
}

const MEMBERS: [Member; 8] = [
    Member { name: "linear autoencoder", variant: Variant::Undercomplete, linear: true },
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
        learner.offer(window.view(), targets, Role::Train);
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

/// Microseconds per window of PCA with as many latents: projected and put together again in batches
/// and alone, and fitted. Best of 5.
fn times_of_pca() -> [f64; 3] {
    let (memory, params) = (1_024, ModelParams::default());
    let mut control = pca::Pca::new(64, params.latent, memory);
    for i in 0..memory {
        control.learn(Array1::from_shape_fn(64, |j| ((i * 13 + j * j) as f64 * 0.37).sin()));
    }
    control.fit();
    let windows = |rows| Array2::from_shape_fn((rows, 64), |(i, j)| ((i * 7 + j) as f64).sin());
    let [batch, alone] = [windows(32), windows(1)];
    let mut best = [f64::INFINITY; 3];
    for _ in 0..5 {
        let forward = |windows: &Array2<f64>, times: usize| {
            let pass = || drop(std::hint::black_box(control.reconstruct(&control.codes(windows))));
            seconds(|| (0..times).for_each(|_| pass())) / (windows.nrows() * times) as f64
        };
        let [batch, alone] = [forward(&batch, 1_000), forward(&alone, 10_000)];
        let fit = seconds(|| control.fit()) / pca::FIT_EVERY as f64;
        best.iter_mut().zip([batch, alone, fit]).for_each(|(b, now)| *b = b.min(1e6 * now));
    }
    best
}

/// Rows of values, and whether each is labelled.
type File = Vec<(Vec<f64>, bool)>;

fn spec(member: &Member, file: &File, features: bool) -> StreamSpec {
    let channels = file.first().map_or(0, |(values, _)| values.len());
    let channels: Vec<_> =
        (0..channels).map(|c| serde_json::json!({ "name": format!("c{c}") })).collect();
    let stream = serde_json::json!({
        "name": "bench", "topics": ["bench"], "channel": channels, "step": "1s",
        "max_out_of_order": "0s", "features": { "every": u32::from(features) },
        "alert": { "detector": "network", "budget": { "alerts": 1.0, "per": "30m" } },
    });
    let settings = Layers::new().table(serde_json::json!({ "stream": [stream] }));
    let settings = settings.settings().expect("usable settings");
    StreamSpec { model: member.model(), ..settings.stream[0].spec(1) }
}

/// What was said of the rows behind the first window: score, whether an alert opened; and codes.
struct Said {
    rows: Vec<(f64, bool)>,
    codes: Vec<Vec<f64>>,
}

impl Said {
    fn by(member: &Member, file: &File, features: bool) -> Self {
        let mut shard = Shard::new(Arc::new(spec(member, file, features)), 0);
        let mut out = Outbox { keep_rows: true, ..Outbox::default() };
        for (i, (values, _)) in file.iter().enumerate() {
            let time = EventTime::from_millis(1_000 * i as i64);
            let record = RecordRef { key: "series", time, values, offset: i as i64 };
            shard.push(record, time, &mut out);
        }
        shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
        let code = |z: &[f32]| z.iter().map(|z| f64::from(*z)).collect();
        Self {
            rows: out.rows.iter().map(|row| (row.anomaly_score, row.raised)).collect(),
            codes: out.features.iter().map(|record| code(&record.z)).collect(),
        }
    }

    fn by_pca(file: &File) -> Self {
        let said = pca::run(&spec(&MEMBERS[0], file, false), file);
        Self {
            rows: said.iter().map(|row| (row.score, row.raised)).collect(),
            codes: said.into_iter().map(|row| row.code).collect(),
        }
    }

    fn figures(&self, file: &File) -> Figures {
        let behind = file.len() - self.rows.len();
        let rows = self.rows.iter().zip(&file[behind..]).enumerate();
        let graded = rows.map(|(i, ((score, raised), (_, label)))| Graded {
            time: EventTime::from_millis(1_000 * i as i64),
            score: *score,
            alerts: u32::from(*raised),
            label: *label,
        });
        let rows: Vec<Graded> = graded.collect();
        Figures::of(&rows, 0, &Terms { train: None, slack: 0, reach: 1, budget: 1.0 })
    }
}

/// Mean area under the curve, and F1 of alerts over all files.
fn detection(say: &dyn Fn(&File) -> Said, files: &[File]) -> [f64; 2] {
    let figures: Vec<Figures> = files.iter().map(|file| say(file).figures(file)).collect();
    let all = Figures::overall(&figures);
    [all.auc_pr.unwrap_or(f64::NAN), all.events.f1().unwrap_or(f64::NAN)]
}

/// Blocks of the cross-validation.
const BLOCKS: usize = 10;

/// Part of the squared error that the code takes from a forecast of the last channel `ahead` rows on
/// by its newest value: both ridge regressions, each tenth of the file judged by fits to the others.
fn forecastability(said: &Said, file: &File, ahead: usize) -> f64 {
    let codes = &said.codes;
    let first = file.len() - codes.len();
    let n = (codes.len() - ahead) / BLOCKS * BLOCKS;
    let k = codes[0].len();
    let value = |i: usize| *file[first + i].0.last().expect("a channel");
    let mut x = Array2::<f64>::ones((n, k + 2));
    for (i, (mut row, code)) in x.rows_mut().into_iter().zip(codes).enumerate() {
        row[1] = value(i);
        row.iter_mut().skip(2).zip(code).for_each(|(x, z)| *x = *z);
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

/// The labelled files of a folder; all files of one without labels.
fn files(root: &Path, folder: &str, labelled: bool) -> Vec<File> {
    let all = data::files(root, folder).into_iter().map(|(path, _)| data::rows(&path));
    all.filter(|file: &File| !labelled || file.iter().any(|(_, label)| *label)).collect()
}

/// A row of the table.
fn row(
    name: &str,
    [batch, alone, train]: [f64; 3],
    [skab, asd, ett]: &[Vec<File>; 3],
    say: &dyn Fn(&File, bool) -> Said,
) {
    let of = |files: &[File]| match files {
        [] => "- | -".to_owned(),
        files => {
            let [area, f1] = detection(&|file| say(file, false), files);
            format!("{area:.3} | {f1:.3}")
        }
    };
    let (skab, asd) = (of(skab), of(asd));
    let gain = ett.first().map(|file| forecastability(&say(file, true), file, 6));
    let gain = gain.map_or("-".to_owned(), |gain| format!("{gain:.3}"));
    println!("| {name} | {batch:.2} | {alone:.2} | {train:.2} | {skab} | {asd} | {gain} |");
}

fn main() {
    let data = data::root().map_or([const { Vec::new() }; 3], |root| {
        [("skab", true), ("asd", true), ("ett", false)].map(|(f, labels)| files(&root, f, labels))
    });
    println!(
        "| variant | forward, batch of 32 | forward alone | training step | SKAB AUC-PR | SKAB F1 | ASD AUC-PR | ASD F1 | latent gain, 6 h |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    row("PCA", times_of_pca(), &data, &|file, _| Said::by_pca(file));
    for member in &MEMBERS {
        row(member.name, times(member), &data, &|file, codes| Said::by(member, file, codes));
    }
}
