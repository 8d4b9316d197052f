//! Files through `replay`: what is written, what is refused, and the same numbers as from Kafka.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use latentd::model::Variant;
use latentd::replay::{self, ReplayArgs, ReplayError, ReplaySummary};
use tempfile::TempDir;

use crate::broker::client::kcat;
use crate::broker::process::{Latentd, create_outputs, settings};
use crate::broker::shared;

const SCORES: &str = "series,timestamp,surprise,anomaly_score,raised,firing,warming";
const FORECASTS: &str =
    "series,channel,issued_at,target_at,horizon,yhat,lower_80,upper_80,lower_95,upper_95,source";

/// `rows` minutes of a daily wave with noise and a fault at two thirds, without a header.
fn minutes(rows: usize) -> Vec<String> {
    let value = |i: usize| {
        let noise = ((i * 7_919 + 13) % 101) as f64 / 101.0;
        let fault = if (rows * 2 / 3..rows * 2 / 3 + 5).contains(&i) { 30.0 } else { 0.0 };
        10.0 * (i as f64 / 60.0).sin() + noise + fault
    };
    (0..rows).map(|i| format!("{},{:.4},{}", 1_700_000_040 + i * 60, value(i), i % 2)).collect()
}

fn write(folder: &TempDir, name: &str, header: &str, lines: &[String]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).expect("written");
    path
}

fn read(path: Option<&PathBuf>) -> Vec<String> {
    let text = std::fs::read_to_string(path.expect("asked for")).expect("written");
    text.lines().map(str::to_owned).collect()
}

fn arguments(folder: &TempDir, files: &[&Path]) -> ReplayArgs {
    let out = |name: &str| Some(folder.path().join(name));
    ReplayArgs {
        files: files.iter().map(|path| path.to_path_buf()).collect(),
        scores: out("scores.csv"),
        alerts: out("alerts.jsonl"),
        ..ReplayArgs::default()
    }
}

fn run(args: &ReplayArgs) -> Result<ReplaySummary, ReplayError> {
    replay::run(args, &BTreeMap::new())
}

#[test]
fn each_input_row_has_its_line_and_each_alert_its_raise() {
    let folder = TempDir::new().expect("a folder");
    let mut lines = minutes(1_200);
    lines[700] = lines[699].clone();
    // Far behind the disorder that a sample of the file shows.
    let late = lines[10].clone();
    lines.insert(900, late);
    let file = write(&folder, "pump.csv", "timestamp,pressure,label", &lines);
    let mut args = arguments(&folder, &[&file]);
    let config = folder.path().join("c.toml");
    let stream = "[[stream]]\nname = 'pumps'\ntopics = ['in']\nchannel = [{ name = 'pressure' }]\n";
    std::fs::write(&config, format!("{stream}max_out_of_order = '1m'\n")).expect("written");
    args.config = Some(config);
    let summary = run(&args).expect("a good file");
    assert_eq!((summary.records, summary.duplicates, summary.late), (1_201, 1, 1));
    let scores = read(args.scores.as_ref());
    assert_eq!((scores[0].as_str(), scores.len()), (SCORES, 1_202));
    for (line, input) in scores[1..].iter().zip(&lines) {
        let time = input.split(',').next().expect("a time");
        assert!(line.starts_with(&format!("pump,{time},")), "{line} is not {input}");
    }
    assert!(scores[701].ends_with(",,,,,") && scores[901].ends_with(",,,,,"), "double, late");
    let column = |at: usize| -> Vec<f64> {
        let cell = |line: &String| line.split(',').nth(at).and_then(|c| c.parse().ok());
        scores[1..].iter().filter_map(cell).collect()
    };
    assert_eq!(column(2).len(), 1_199);
    let raised = column(4).iter().sum::<f64>();
    let opened = read(args.alerts.as_ref()).iter().filter(|l| l.contains(r#""opened""#)).count();
    assert_eq!((raised, opened as u64), (opened as f64, summary.alerts));
    let fault = &scores[801..806];
    assert!(fault.iter().any(|line| line.split(',').nth(4) == Some("1")), "{fault:?}");
}

/// Whoever has monthly figures has few of them, and no budget of days.
#[test]
fn rows_of_a_month_are_read_without_a_configuration() {
    let folder = TempDir::new().expect("a folder");
    let line = |i: i64| format!("{},{}", 1_600_000_000 + i * 30 * 86_400, 100 + i % 12);
    let lines: Vec<String> = (0..80).map(line).collect();
    let file = write(&folder, "months.csv", "timestamp,units", &lines);
    let mut args = arguments(&folder, &[&file]);
    args.forecasts = Some(folder.path().join("forecasts.csv"));
    let summary = run(&args).expect("a good file");
    assert_eq!(summary.records, 80);
    assert!(read(args.forecasts.as_ref()).len() > 80);
}

/// `--variant` runs each member of the family on the file; all of them find the fault, each by
/// scores of its own.
#[test]
fn each_variant_finds_the_fault() {
    let mut seen: Vec<(Variant, Vec<String>)> = Vec::new();
    for variant in Variant::ALL {
        let folder = TempDir::new().expect("a folder");
        let file = write(&folder, "wave.csv", "timestamp,value,label", &minutes(1_500));
        let mut args = arguments(&folder, &[&file]);
        args.features = Some(folder.path().join("features.csv"));
        args.variant = Some(variant);
        let summary = run(&args).expect("a good file");
        assert_eq!(summary.windows, 1_485, "{variant:?}");
        let scores = read(args.scores.as_ref());
        let fault = scores[1_001..1_010].iter().any(|line| line.split(',').nth(4) == Some("1"));
        assert!(fault, "{variant:?}: {:?}", &scores[1_000..1_008]);
        let features = read(args.features.as_ref());
        let last = if variant == Variant::Stacked { ",z_7,next_0" } else { ",z_6,z_7" };
        assert!(features[0].ends_with(last), "{}", features[0]);
        let cells = features[0].split(',').count();
        assert!(features.iter().all(|line| line.split(',').count() == cells), "{variant:?}");
        // With one hidden layer they differ by what only one of them has, and in training alone.
        let same = seen.iter().find(|(_, other)| scores[900..] == other[900..]);
        assert!(same.is_none(), "{variant:?} scores as {:?}", same.map(|(other, _)| other));
        seen.push((variant, scores));
    }
}

/// Whoever configures a detector keeps it; whoever does not, asks for the variant's own scores.
#[test]
fn a_variant_judges_unless_the_configuration_says_who_does() {
    let folder = TempDir::new().expect("a folder");
    let file = write(&folder, "wave.csv", "timestamp,value,label", &minutes(800));
    let config = folder.path().join("c.toml");
    let stream = "[[stream]]\nname = 'a'\ntopics = ['a']\nchannel = [{ name = 'value' }]\n";
    let scores = |alert: &str, variant: Option<Variant>| {
        std::fs::write(&config, format!("{stream}{alert}")).expect("written");
        let config = Some(config.clone());
        let args = ReplayArgs { config, variant, ..arguments(&folder, &[&file]) };
        run(&args).expect("a good file");
        read(args.scores.as_ref())
    };
    let vae = Some(Variant::Vae);
    assert_ne!(scores("", vae), scores("", None));
    assert_eq!(scores("", vae), scores("alert = { detector = 'network' }", vae));
    assert_eq!(scores("alert = { detector = 'auto' }", vae), scores("", None));
}

#[test]
fn forecasts_and_features_have_a_line_per_horizon_and_window() {
    let folder = TempDir::new().expect("a folder");
    let file = write(&folder, "shop.csv", "timestamp,units,label", &minutes(400));
    let mut args = arguments(&folder, &[&file]);
    args.forecasts = Some(folder.path().join("forecasts.csv"));
    args.features = Some(folder.path().join("features.csv"));
    args.horizons = Some("1..3,10".parse().expect("a list"));
    args.season = Some("60".parse().expect("a list"));
    let summary = run(&args).expect("a good file");
    let forecasts = read(args.forecasts.as_ref());
    assert_eq!(forecasts[0], FORECASTS);
    assert_eq!(forecasts.len() as u64, 1 + 4 * summary.forecasts);
    let last: Vec<&str> = forecasts[forecasts.len() - 1].split(',').collect();
    assert_eq!((last[0], last[1], last[4]), ("shop", "units", "10"));
    let bounds: Vec<f64> = last[5..10].iter().map(|c| c.parse().expect("a number")).collect();
    let [yhat, low, high, lower, higher] = bounds[..] else { panic!("{last:?}") };
    assert!(lower <= low && low <= yhat && yhat <= high && high <= higher, "{last:?}");
    let features = read(args.features.as_ref());
    assert_eq!(features.len() as u64, 1 + summary.windows);
    assert!(features[0].ends_with(",z_6,z_7"), "{}", features[0]);
}

#[test]
fn files_are_series_of_their_own_and_do_not_hear_of_each_other() {
    let folder = TempDir::new().expect("a folder");
    let lines = minutes(600);
    let [a, b] = ["a.csv", "b.csv"].map(|name| write(&folder, name, "timestamp,x,label", &lines));
    let one = arguments(&folder, &[&b]);
    run(&one).expect("a good file");
    let alone = read(one.scores.as_ref());
    let both = arguments(&folder, &[&a, &b]);
    let summary = run(&both).expect("good files");
    assert_eq!((summary.files, summary.series, summary.records), (2, 2, 1_200));
    assert_eq!(read(both.scores.as_ref())[601..], alone[1..]);
}

#[test]
fn an_entity_column_makes_all_files_one_log() {
    let folder = TempDir::new().expect("a folder");
    let rows: Vec<String> = minutes(300)
        .iter()
        .flat_map(|line| ["north", "south"].map(|site| format!("{line},{site}")))
        .collect();
    let whole = write(&folder, "whole.csv", "timestamp,x,label,site", &rows);
    let [first, second] = [("first.csv", &rows[..250]), ("second.csv", &rows[250..])]
        .map(|(name, rows)| write(&folder, name, "timestamp,x,label,site", rows));
    let scores = |files: &[&Path]| {
        let args = ReplayArgs { entity: Some("site".into()), ..arguments(&folder, files) };
        assert_eq!(run(&args).expect("good files").series, 2);
        read(args.scores.as_ref())
    };
    assert_eq!(scores(&[&whole]), scores(&[&first, &second]));
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let folder = TempDir::new().expect("a folder");
    let mut lines = minutes(50);
    lines[20] = "1700001240,broken,0".into();
    let file = write(&folder, "bad.csv", "timestamp,x,label", &lines);
    let config = folder.path().join("c.toml");
    let stream = |name: &str, channel: &str| {
        format!(
            "[[stream]]\nname = '{name}'\ntopics = ['{name}']\nchannel = [{{ name = '{channel}' }}]\n"
        )
    };
    std::fs::write(&config, stream("a", "x") + &stream("b", "y")).expect("written");
    let configured = |stream: Option<&str>| ReplayArgs {
        config: Some(config.clone()),
        stream: stream.map(str::to_owned),
        ..arguments(&folder, &[&file])
    };
    let same = ReplayArgs { scores: Some(file.clone()), ..configured(Some("a")) };
    #[rustfmt::skip]
    let cases = [
        (configured(Some("a")), "bad.csv:22: column `x` is `broken`, expected a finite number or nothing"),
        (configured(Some("b")), "bad.csv:1: there is a column for none of the channels y"),
        (configured(Some("c")), "there is no stream `c`: the configuration has a, b"),
        (configured(None),      "name one stream by --stream: the configuration has a, b"),
        (same,                  "bad.csv is an input, too"),
        // Without a configuration a column with a word is no channel, and nothing is left.
        (arguments(&folder, &[&file]), "bad.csv:1: no column holds numbers: line 22 of `x` is `broken`"),
    ];
    for (args, expected) in cases {
        let fault = run(&args).expect_err(expected).to_string();
        assert!(fault.ends_with(expected), "{fault}");
    }
    assert_eq!(read(Some(&file))[21], lines[20], "the input is as it was");
}

#[test]
fn outputs_are_looked_at_before_anything_is_replayed() {
    let folder = TempDir::new().expect("a folder");
    let file = write(&folder, "pump.csv", "timestamp,x,label", &minutes(200));
    let out = |name: &str| Some(folder.path().join(name));
    let plain = ReplayArgs { files: vec![file], ..ReplayArgs::default() };
    let twice = ReplayArgs { scores: out("a.csv"), alerts: out("./a.csv"), ..plain.clone() };
    let report = ReplayArgs { report: out("nope/r.html"), scores: out("b.csv"), ..plain };
    for (args, expected) in [(twice, "a.csv is the file of two outputs"), (report, "nope/r.html")] {
        let fault = run(&args).expect_err(expected).to_string();
        assert!(fault.ends_with(expected), "{fault}");
    }
    assert!(!folder.path().join("a.csv").exists() && !folder.path().join("b.csv").exists());
}

#[test]
fn a_fault_of_a_configuration_names_its_file_before_the_replay() {
    let folder = TempDir::new().expect("a folder");
    let file = write(&folder, "pump.csv", "timestamp,x,label", &minutes(200));
    let stream = "[[stream]]\nname = 'a'\ntopics = ['a']\nchannel = [{ name = 'x' }]\n";
    let config = |name: &str, more: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{stream}{more}")).expect("written");
        path
    };
    let args = ReplayArgs {
        config: Some(config("good.toml", "")),
        against: Some(config("other.toml", "series_max = 0\n")),
        ..arguments(&folder, &[&file])
    };
    let fault = run(&args).expect_err("no series");
    let told = fault.to_string();
    assert!(fault.is_config() && told.contains("other.toml: settings are not usable: "), "{told}");
    assert!(!folder.path().join("scores.csv").exists(), "nothing was replayed");
}

/// Minutes of a clock that is up to 0.4 s early or late are minutes, one row each.
#[test]
fn a_clock_that_jitters_leaves_no_row_empty() {
    let folder = TempDir::new().expect("a folder");
    let time = |row: i64| 1_700_000_040_000 + row * 60_000 + (row * 7_919 + 13) % 801 - 400;
    let lines: Vec<String> = (0..400).map(|row| format!("{},{}", time(row), row % 7)).collect();
    let file = write(&folder, "pump.csv", "timestamp,x", &lines);
    let args = arguments(&folder, &[&file]);
    let summary = run(&args).expect("a good file");
    assert_eq!((summary.rows, summary.gap_rows), (400, 0), "{summary}");
    let scores = read(args.scores.as_ref());
    assert!(scores[1].starts_with("pump,1700000039613,"), "times are as they were: {}", scores[1]);
}

/// Whoever gives more channels than a detector can have is told what judges them.
#[test]
fn channels_that_are_too_many_are_told() {
    let folder = TempDir::new().expect("a folder");
    let names: Vec<String> = (0..513).map(|i| format!("c{i}")).collect();
    let line = |row: i64| format!("{}{}", 1_700_000_000 + 60 * row, ",1".repeat(513));
    let lines: Vec<String> = (0..3).map(line).collect();
    let file = write(&folder, "wide.csv", &format!("timestamp,{}", names.join(",")), &lines);
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_latentd"))
        .args([Path::new("replay"), &file])
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&out.stderr);
    let expected =
        "of its channels 513 are too many for detectors: the errors of the network judge";
    assert!(out.status.success() && told.contains(expected), "{told}");
}

/// The claim on which every backtest rests.
#[test]
fn the_same_rows_through_kafka_and_through_replay_have_the_same_scores_bit_for_bit() {
    let (broker, name) = (shared(), "replayed");
    broker.create_topic("in.replayed", 1);
    create_outputs(broker, name);
    let stream = r#"
        [[stream]]
        name = "pumps"
        topics = ["in.replayed"]
        timestamp = { from = "field", field = "/ts", format = "epoch_s" }
        entity = { from = "field", field = "/site/id" }
        step = "1m"
        max_out_of_order = "2m"
        idle_timeout = "1h"
        channel = [{ name = "pressure", field = "/p" }, { name = "flow" }]
        window = { length = 6 }
        model = { hidden = [10], latent = 3, warmup = 100, scope = "shard" }
    "#;
    let lines: Vec<String> = minutes(700)
        .iter()
        .enumerate()
        .flat_map(|(i, line)| {
            let (time, rest) = line.split_once(',').expect("a time");
            let value: f64 = rest.split(',').next().and_then(|v| v.parse().ok()).expect("a value");
            // One flow is not measured: an empty cell there, null here.
            let flow = if i == 300 { String::new() } else { format!("{:.3}", 50.0 - value) };
            ["n", "s"].map(|site| format!("{time},{site},{value},{flow}"))
        })
        .collect();
    let mut json = String::new();
    for line in &lines {
        let cells: Vec<&str> = line.split(',').collect();
        let flow = if cells[3].is_empty() { "null" } else { cells[3] };
        writeln!(
            json,
            r#"{{"ts":{},"site":{{"id":"{}"}},"p":{},"flow":{flow}}}"#,
            cells[0], cells[1], cells[2]
        )
        .expect("memory");
    }
    let text = settings(broker, name, stream);
    let daemon = Latentd::start(&text);
    kcat(broker, &["-P", "-t", "in.replayed"], &json);
    // The watermark stands two minutes behind the last row, and no silence moves it on.
    let windows = 2 * (700 - 5 - 3);
    let limit = std::time::Duration::from_secs(60);
    let features = broker.read_until("features.replayed", limit, |seen| seen.len() == windows);
    assert_eq!(daemon.terminate().0.code(), Some(0));

    let folder = TempDir::new().expect("a folder");
    let file = write(&folder, "pumps.csv", "ts,site.id,p,flow", &lines);
    let config = folder.path().join("c.toml");
    std::fs::write(&config, text).expect("written");
    let args = ReplayArgs {
        config: Some(config),
        features: Some(folder.path().join("features.csv")),
        ..arguments(&folder, &[&file])
    };
    run(&args).expect("a good file");
    let of_kafka = features.iter().map(|record| {
        let body: serde_json::Value = serde_json::from_str(record.text()).expect("JSON");
        let text = |key: &str| body[key].as_str().expect("text").to_owned();
        let bits = |key: &str| body[key].as_f64().expect("a number").to_bits();
        let key = (text("entity"), text("window_end"));
        (key, [bits("surprise"), bits("anomaly_score"), bits("reconstruction_error")])
    });
    let replayed = read(args.features.as_ref());
    let of_replay = replayed[1..].iter().map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let bits = |at: usize| cells[at].parse::<f64>().expect("a number").to_bits();
        ((cells[0].to_owned(), cells[2].to_owned()), [bits(4), bits(5), bits(6)])
    });
    let of_kafka: BTreeMap<_, _> = of_kafka.collect();
    let mut of_replay: BTreeMap<_, _> = of_replay.collect();
    assert_eq!((of_kafka.len(), of_replay.len()), (windows, windows + 6));
    of_replay.retain(|key, _| of_kafka.contains_key(key));
    assert_eq!(of_kafka, of_replay);
    let scored = of_replay.values().filter(|bits| f64::from_bits(bits[1]) > 0.0).count();
    assert!(scored > 300, "only {scored} windows were unusual enough to compare");
}
