//! Rows a second of `replay`, and its memory: `cargo bench --bench replay`.
//!
//! 1,000 series in `shard` scope from one CSV file, a 64-32-8-32-64 network at stride 1; then one
//! million rows of one channel as a user would start it, without a configuration.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use latentd::replay::{self, ReplayArgs};

const CONFIG: &str = r#"
[[stream]]
name = "bench"
topics = ["bench"]
timestamp = { from = "field", field = "/timestamp", format = "epoch_s" }
entity = { from = "field", field = "/machine" }
step = "1m"
channel = [{ name = "value" }]
window = { length = 64 }
model = { scope = "shard", hidden = [32], latent = 8, train_every = 32, warmup_train_every = 32 }
"#;

fn wave(row: usize, series: usize) -> f64 {
    let noise = ((row * 1_009 + series * 7_919) % 997) as f64 / 997.0;
    (row as f64 / 60.0 + series as f64).sin() + 0.1 * noise
}

fn write(path: &Path, rows: usize, series: usize) {
    let mut out = BufWriter::new(File::create(path).expect("a writable folder"));
    writeln!(out, "timestamp,machine,value").expect("a disk");
    for row in 0..rows {
        for s in 0..series {
            let time = 1_700_000_000 + 60 * row;
            writeln!(out, "{time},m{s},{:.4}", wave(row, s)).expect("a disk");
        }
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|v| v.parse().ok()).unwrap_or(0)
}

fn run(what: &str, args: &ReplayArgs) {
    let start = Instant::now();
    let summary = replay::run(args, &BTreeMap::new()).expect("a good file");
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {summary}; {:.0} rows/s, peak {:.0} MiB",
        summary.records as f64 / seconds,
        peak_kib() as f64 / 1_024.0
    );
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("latentd.toml"), CONFIG).expect("a disk");
    write(&path("one.csv"), 1_000_000, 1);
    write(&path("many.csv"), 500, 1_000);
    let scores = Some(path("scores.csv"));
    let one = ReplayArgs { files: vec![path("one.csv")], scores, ..ReplayArgs::default() };
    run("1 series with scores", &one);
    let many = ReplayArgs {
        files: vec![path("many.csv")],
        config: Some(path("latentd.toml")),
        alerts: Some(path("alerts.jsonl")),
        ..ReplayArgs::default()
    };
    run("1,000 series with alerts", &many);
    let many = ReplayArgs { scores: Some(path("scores.csv")), ..many };
    run("1,000 series with alerts and scores", &many);
}
