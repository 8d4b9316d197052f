//! What quarantine is worth: `cargo bench --bench quarantine`.
//!
//! The ten NAB files with the longest labelled stretch, default settings, one pass: mean area under
//! the ROC curve of the anomaly score, over rows after the warm-up, (a) as it is: nothing learns
//! while an alert fires; (b) alerts never open, so that everything is learned; (c) training stops
//! after the warm-up. Data: `../shared/data/nab`; without it nothing is measured.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use latentd::config::Layers;
use latentd::engine::{Shard, StreamSpec};
use latentd::model::TrainMax;
use latentd::record::{EventTime, Millis, Outbox, RecordRef};

struct File {
    name: String,
    values: Vec<f64>,
    labels: Vec<bool>,
}

fn read(root: &Path, name: &str, windows: &[[String; 2]]) -> File {
    let mut text = String::new();
    let path = root.join("data").join(format!("{name}.gz"));
    let file = std::fs::File::open(path).expect("a readable file");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut file = File { name: name.to_owned(), values: Vec::new(), labels: Vec::new() };
    for record in reader.records() {
        let record = record.expect("a row");
        // Times of one format compare as text.
        let inside = |[from, to]: &[String; 2]| from[..19] <= record[0] && record[0] <= to[..19];
        file.values.push(record[1].parse().unwrap_or(f64::NAN));
        file.labels.push(windows.iter().any(inside));
    }
    file
}

fn spec() -> StreamSpec {
    let stream = serde_json::json!({
        "name": "bench", "topics": ["bench"], "channel": [{ "name": "value" }], "step": "5m",
        "max_out_of_order": "0s", "alert": { "detector": "network" },
    });
    let settings = Layers::new().table(serde_json::json!({ "stream": [stream] }));
    settings.settings().expect("usable settings").stream[0].spec(1)
}

/// Area under the ROC curve of the anomaly score over rows after the warm-up.
fn area(spec: &StreamSpec, file: &File) -> f64 {
    let mut shard = Shard::new(Arc::new(spec.clone()), 0);
    let mut out = Outbox { keep_rows: true, ..Outbox::default() };
    for (i, value) in file.values.iter().enumerate() {
        let time = EventTime::from_millis(300_000 * i as i64);
        let record = RecordRef { key: "series", time, values: &[*value], offset: i as i64 };
        shard.push(record, time, &mut out);
    }
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    let rows = out.rows.iter().zip(&file.labels).filter(|(row, _)| !row.warming);
    let mut rows: Vec<(f64, bool)> = rows.map(|(row, label)| (row.surprise, *label)).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Mann and Whitney: ranks of the labelled rows; equal scores share their ranks.
    let (mut sum, mut labelled, mut i) = (0.0, 0.0, 0);
    while i < rows.len() {
        let end = (i..rows.len()).find(|j| rows[*j].0 != rows[i].0).unwrap_or(rows.len());
        let hits = rows[i..end].iter().filter(|(_, label)| *label).count() as f64;
        sum += hits * (i + 1 + end) as f64 / 2.0;
        labelled += hits;
        i = end;
    }
    let calm = rows.len() as f64 - labelled;
    (sum - labelled * (labelled + 1.0) / 2.0) / (labelled * calm)
}

fn longest(file: &File) -> usize {
    file.labels.split(|label| !label).map(<[bool]>::len).max().unwrap_or(0)
}

fn main() {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/nab");
    let Ok(text) = std::fs::read_to_string(root.join("labels/combined_windows.json")) else {
        println!("no ../shared/data/nab: nothing is measured");
        return;
    };
    let windows: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(&text).expect("JSON");
    let mut files: Vec<File> = windows.iter().map(|(name, w)| read(&root, name, w)).collect();
    files.sort_by_key(|file| std::cmp::Reverse(longest(file)));
    files.truncate(10);
    let as_is = spec();
    let mut everything = spec();
    everything.alert.min_dev_from_expected = f64::MAX;
    let mut frozen = spec();
    frozen.model.train_max = TrainMax { steps: 1, per: Millis::new(i64::MAX / 4) };
    println!(
        "| file | longest stretch | quarantine | no quarantine | frozen |\n|---|---|---|---|---|"
    );
    let mut means = [0.0; 3];
    for file in &files {
        let areas = [&as_is, &everything, &frozen].map(|spec| area(spec, file));
        means.iter_mut().zip(areas).for_each(|(mean, area)| *mean += area / files.len() as f64);
        let [a, b, c] = areas;
        println!("| {} | {} | {a:.3} | {b:.3} | {c:.3} |", file.name, longest(file));
    }
    println!("| mean | | {:.3} | {:.3} | {:.3} |", means[0], means[1], means[2]);
}
