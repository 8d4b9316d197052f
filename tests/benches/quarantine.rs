//! What quarantine is worth: `cargo bench --bench quarantine`.
//!
//! The ten NAB files with the longest labelled stretch, one pass, default settings, and the same with
//! `alert.detector = "network"`: area under the ROC curve of `surprise` over the rows behind the first
//! 15 % (a) as it is: nothing is learned while an alert is open; (b) alerts never open, so that faults
//! are learned as everything else; (c) frozen: behind the 15 % nothing is learned at all, neither by
//! networks and detectors nor by scalers and calibration. Prints markdown tables. Data:
//! `../shared/data/nab`; without it nothing is measured.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use latentd::alert::{Entities, Maintenance, Switches, When};
use latentd::config::Layers;
use latentd::engine::{Shard, StreamSpec};
use latentd::grade::{Graded, events, roc_auc};
use latentd::record::{EventTime, Outbox, RecordRef};

#[allow(dead_code, reason = "other benches use the rest")]
mod data;

/// Files that are measured.
const FILES: usize = 10;
/// Length of a row in milliseconds.
const STEP: i64 = 300_000;

struct File {
    name: String,
    values: Vec<f64>,
    /// With the labels, and scores of nothing.
    rows: Vec<Graded>,
}

impl File {
    fn read(root: &Path, name: &str, windows: &[[String; 2]]) -> Self {
        let mut reader = data::table(&root.join("data").join(format!("{name}.gz")));
        let mut file = Self { name: name.to_owned(), values: Vec::new(), rows: Vec::new() };
        for (i, record) in reader.records().enumerate() {
            let record = record.expect("a row");
            // Times of one format compare as text.
            let inside =
                |[from, to]: &[String; 2]| from[..19] <= record[0] && record[0] <= to[..19];
            let label = windows.iter().any(inside);
            file.values.push(record[1].parse().unwrap_or(f64::NAN));
            file.rows.push(Graded { time: time(i), score: 0.0, alerts: 0, label });
        }
        file
    }

    /// Rows of the longest labelled stretch.
    fn longest(&self) -> usize {
        events(&self.rows).iter().map(|e| e.last - e.first + 1).max().unwrap_or(0)
    }

    /// First row that is graded.
    fn first(&self) -> usize {
        self.rows.len() * 15 / 100
    }
}

fn time(row: usize) -> EventTime {
    EventTime::from_millis(STEP * row as i64)
}

fn spec(detector: &str) -> StreamSpec {
    let stream = serde_json::json!({
        "name": "bench", "topics": ["bench"], "channel": [{ "name": "value" }], "step": "5m",
        "max_out_of_order": "0s", "alert": { "detector": detector },
    });
    let settings = Layers::new().table(serde_json::json!({ "stream": [stream] }));
    settings.settings().expect("usable settings").stream[0].spec(1)
}

/// The three ways to learn of a file.
fn ways(detector: &str, file: &File) -> [StreamSpec; 3] {
    let as_is = spec(detector);
    let mut everything = spec(detector);
    everything.alert.min_dev_from_expected = f64::MAX;
    let mut frozen = spec(detector);
    frozen.maintenance = vec![Maintenance {
        name: Arc::from("frozen"),
        entities: Entities::default(),
        when: When::Once { from: time(file.first()), until: EventTime::from_millis(i64::MAX) },
        switches: Switches { learn: false, ..Switches::ON },
    }];
    [as_is, everything, frozen]
}

/// Area under the ROC curve of the surprise over the graded rows.
fn area(spec: StreamSpec, file: &File) -> f64 {
    let mut shard = Shard::new(Arc::new(spec), 0);
    let mut out = Outbox { keep_rows: true, ..Outbox::default() };
    for (i, value) in file.values.iter().enumerate() {
        let record =
            RecordRef { key: "series", time: time(i), values: &[*value], offset: i as i64 };
        shard.push(record, time(i), &mut out);
    }
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    // The first rows have no window yet, and no score.
    let behind = file.rows.len() - out.rows.len();
    let scored = out.rows.iter().zip(&file.rows[behind..]);
    let graded = scored.map(|(row, truth)| Graded { score: row.surprise, ..*truth });
    let graded: Vec<Graded> = graded.filter(|row| row.time >= time(file.first())).collect();
    roc_auc(&graded).unwrap_or(f64::NAN)
}

fn table(files: &[File], detector: &str) {
    println!(
        "\n| `alert.detector = \"{detector}\"` | longest stretch, rows | as it is | everything is learned | frozen |"
    );
    println!("|---|---|---|---|---|");
    let mut means = [0.0; 3];
    for file in files {
        let areas = ways(detector, file).map(|spec| area(spec, file));
        means.iter_mut().zip(areas).for_each(|(mean, area)| *mean += area / files.len() as f64);
        let [a, b, c] = areas;
        println!("| {} | {} | {a:.3} | {b:.3} | {c:.3} |", file.name, file.longest());
    }
    println!("| mean | | {:.3} | {:.3} | {:.3} |", means[0], means[1], means[2]);
}

fn main() {
    let Some(root) = data::root().map(|root| root.join("nab")) else { return };
    let text = std::fs::read_to_string(root.join("labels/combined_windows.json")).expect("labels");
    let windows: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(&text).expect("JSON");
    let mut files: Vec<File> =
        windows.iter().map(|(name, windows)| File::read(&root, name, windows)).collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.longest()));
    files.truncate(FILES);
    for detector in ["auto", "network"] {
        table(&files, detector);
    }
}
