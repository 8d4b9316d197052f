//! Coverage-guided fuzzing (libFuzzer) of everything that reads bytes of others. `tests/fuzz/run`
//! builds it with coverage; `LATENTD_FUZZ` names the target.
//!
//! | target | what it feeds |
//! |---|---|
//! | `message` | lines as Kafka messages through the decoder into a shard, with every kind of time stamp |
//! | `notice` | verdicts and announcements |
//! | `stored` | records of the state topic: manifest, chunks, journal |
//! | `shard` | a byte that picks one of [`STREAMS`], and the bytes of a snapshot; what can be restored must go on and be saved again |
//! | `csv` | a file for `latentd replay`, packed or not |
//! | `settings` | a configuration as TOML, YAML and JSON |

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::{env, fs};

use latentd::config::{Layers, Settings, TextFormat};
use latentd::engine::{Shard, StreamSpec};
use latentd::io::snapshot::{SnapshotReader, SnapshotWriter};
use latentd::io::{Decoder, InputParams, MessageRef, TimestampFormat, TimestampSource};
use latentd::io::{control, feedback};
use latentd::record::{EventTime, Outbox, RecordRef};
use latentd::replay::{ReplayArgs, ReplayError};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_767_225_600_000;
/// The first is that of the other targets. Variants, and forecasts, have state of their own.
const STREAMS: &str = r#"
[[stream]]
name = "press"
topics = ["in"]
timestamp = { from = "field", field = "/ts", format = "epoch_ms" }
entity = { from = "field", field = "/machine" }
channel = [{ name = "x" }, { name = "y", data_range = [-10.0, 10.0] }]
step = "1s"
window = { length = 4 }
model = { hidden = [4], latent = 2, warmup = 24, batch = 4 }
series_max = 4

[[stream]]
name = "shop"
topics = ["shop"]
channel = [{ name = "x" }, { name = "y" }]
step = "1s"
window = { length = 4 }
model = { scope = "shard", hidden = [4], latent = 2, warmup = 24, batch = 4 }
forecast = { targets = ["x"], exogenous = ["y"], horizons = ["1s", "3s"], seasons = ["8s"], latent = { width = 2, hidden = 4 } }

[[stream]]
name = "vae"
topics = ["vae"]
channel = [{ name = "x" }, { name = "y" }]
step = "1s"
window = { length = 4 }
model = { variant = "vae", hidden = [4], latent = 2, warmup = 24, batch = 4 }

[[stream]]
name = "book"
topics = ["book"]
channel = [{ name = "x" }, { name = "y" }]
step = "1s"
window = { length = 4 }
model = { variant = "vq_vae", scope = "shard", hidden = [4], latent = 2, warmup = 24, batch = 4, vq_vae = { groups = 1, codes = 4 } }

[[stream]]
name = "stack"
topics = ["stack"]
channel = [{ name = "x" }, { name = "y" }]
step = "1s"
window = { length = 4 }
model = { variant = "stacked", scope = "shard", hidden = [6, 4], latent = 2, warmup = 24, batch = 4, stacked = { pretrain_steps = 2 } }
"#;

fuzz_target!(init: seed(), |data: &[u8]| {
    match target() {
        "message" => message(data),
        "notice" => notice(data),
        "stored" => stored(data),
        "shard" => shard(data),
        "csv" => csv(data),
        "settings" => settings(data),
        other => panic!("LATENTD_FUZZ = {other}: no such target"),
    }
});

fn target() -> &'static str {
    static TARGET: OnceLock<String> = OnceLock::new();
    TARGET.get_or_init(|| env::var("LATENTD_FUZZ").expect("LATENTD_FUZZ names the target"))
}

fn checked() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| Settings::from_text(STREAMS, &BTreeMap::new()).expect("checked"))
}

fn specs() -> &'static [Arc<StreamSpec>] {
    static SPECS: OnceLock<Vec<Arc<StreamSpec>>> = OnceLock::new();
    SPECS.get_or_init(|| checked().stream.iter().map(|s| Arc::new(s.spec(1))).collect())
}

fn spec() -> Arc<StreamSpec> {
    Arc::clone(&specs()[0])
}

fn as_message(payload: &[u8], offset: i64) -> MessageRef<'_> {
    MessageRef {
        topic: "in",
        partition: 0,
        offset,
        timestamp_ms: Some(NOW),
        key: Some(b"press-07"),
        payload: Some(payload),
        headers: &[],
    }
}

fn message(data: &[u8]) {
    let (format, lines) = data.split_first().unwrap_or((&0, data));
    let formats = [
        TimestampFormat::EpochMs,
        TimestampFormat::Rfc3339,
        TimestampFormat::EpochS,
        TimestampFormat::EpochUs,
        TimestampFormat::EpochNs,
    ];
    let format = formats[usize::from(*format) % formats.len()];
    let timestamp = TimestampSource::Field { field: "/ts".into(), format };
    let params = InputParams { timestamp, ..checked().stream[0].input(1 << 16) };
    let mut decoder = Decoder::new(&params).expect("the pointers are checked");
    let (mut shard, mut outbox) = (Shard::new(spec(), 0), Outbox::default());
    for (offset, line) in (0..).zip(lines.split(|byte| *byte == b'\n')) {
        if let Ok(record) = decoder.decode(&as_message(line, offset)) {
            assert_eq!(record.values.len(), 2);
            shard.push(record, EventTime::from_millis(NOW), &mut outbox);
        }
    }
    shard.settle(&mut outbox);
}

fn notice(data: &[u8]) {
    let told = |result: Result<_, String>| {
        if let Err(fault) = result {
            assert!(fault.starts_with("in/0@7: "), "without its place: {fault}");
        }
    };
    told(feedback(&as_message(data, 7)).map(drop));
    told(control(&as_message(data, 7)).map(drop));
}

/// Records as `key \0 payload \0\0`, the numbers of their offsets.
fn stored(data: &[u8]) {
    let new = || SnapshotReader::new("state", "press", "in", 0);
    let (mut reader, mut all) = (new(), new().of_all());
    let mut rest = data;
    for offset in 0..64 {
        let Some((key, value, next)) = take_record(rest) else { break };
        let tombstone = value.is_empty();
        reader.take(key, (!tombstone).then_some(value), offset);
        all.take(key, (!tombstone).then_some(value), offset);
        rest = next;
    }
    // An error is an answer, too.
    let _ = (reader.finish(), all.older(u64::MAX, |_| true));
}

/// Lengths before the parts: a key of up to 255 bytes, a payload of up to 65,535.
fn take_record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (key_len, rest) = data.split_first()?;
    let (key, rest) = rest.split_at_checked(usize::from(*key_len))?;
    let (value_len, rest) = rest.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*value_len)))?;
    Some((key, value, rest))
}

fn shard(data: &[u8]) {
    let Some((pick, bytes)) = data.split_first() else { return };
    let spec = &specs()[usize::from(*pick) % specs().len()];
    let Ok(mut shard) = Shard::restore(Arc::clone(spec), 0, bytes) else { return };
    feed(&mut shard, 40);
    assert!(Shard::restore(Arc::clone(spec), 0, &shard.save()).is_ok());
}

/// An error is an answer, too, if it names its place in the file, or the key of the settings that the
/// file has led to.
fn csv(data: &[u8]) {
    let path = env::temp_dir().join(format!("latentd-fuzz-{}.csv", std::process::id()));
    fs::write(&path, data).expect("a writable folder");
    let (files, nowhere) = (vec![path.clone()], Some("/dev/null".into()));
    let args = ReplayArgs { files, scores: nowhere, slack: 16, ..ReplayArgs::default() };
    if let Err(error) = latentd::replay::run(&args, &BTreeMap::new()) {
        let of_settings = matches!(error, ReplayError::Settings(_) | ReplayError::Config(_));
        let placed = error.to_string().contains(&path.display().to_string());
        assert!(placed || of_settings, "without its place: {error}");
    }
}

fn feed(shard: &mut Shard, rows: i64) {
    let mut outbox = Outbox::default();
    for i in 0..rows {
        let time = EventTime::from_millis(NOW + 1_000 * i);
        let values = [(i as f64 / 3.0).sin(), if i % 9 == 8 { f64::NAN } else { 0.5 }];
        let record = RecordRef { key: "m1", time, values: &values, offset: i };
        shard.push(record, time, &mut outbox);
    }
    shard.settle(&mut outbox);
}

fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // As a request to check a configuration brings it.
    for format in [TextFormat::Toml, TextFormat::Yaml, TextFormat::Json] {
        if let Ok(layers) = Layers::new().text(text, format, "fuzz") {
            let _ = layers.settings();
        }
    }
}

/// Writes a first corpus of valid inputs to the folder `LATENTD_FUZZ_SEEDS`.
fn seed() {
    let Ok(folder) = env::var("LATENTD_FUZZ_SEEDS") else { return };
    let write = |name: &str, bytes: &[u8]| {
        fs::write(Path::new(&folder).join(name), bytes).expect("a writable folder");
    };
    match target() {
        "message" => {
            let line = |i: i64| {
                format!(
                    "{{\"ts\":{},\"machine\":\"m{}\",\"x\":1.5,\"y\":null}}",
                    NOW + i * 1_000,
                    i % 3
                )
            };
            let lines: Vec<String> = (0..40).map(line).collect();
            write("rows", format!("\0{}", lines.join("\n")).as_bytes());
            write(
                "text",
                b"\x01{\"ts\":\"2026-01-01T00:00:00+01:00\",\"machine\":7,\"x\":\"2\",\"y\":1e3}",
            );
        }
        "notice" => {
            write("verdict", br#"{"alert_id":"a-1","verdict":"new_normal","by":"ann"}"#);
            write("window", br#"{"kind":"maintenance","id":"l","entities":["p*"],"from":"2026-11-20T10:00:00Z","until":"2026-11-20T12:00:00+01:00"}"#);
        }
        "shard" => {
            for (pick, spec) in (0..).zip(specs()) {
                let mut shard = Shard::new(Arc::clone(spec), 0);
                let saved = |shard: &mut Shard| [&[pick], shard.save().as_slice()].concat();
                write(&format!("empty-{}", spec.name), &saved(&mut shard));
                feed(&mut shard, 60);
                write(&format!("warm-{}", spec.name), &saved(&mut shard));
            }
        }
        "csv" => {
            let row = |i: i64| format!("{};{}.5;x\n", NOW / 1_000 + 60 * i, i % 7);
            let rows: String = (0..200).map(row).collect();
            write("rows", format!("timestamp;value;label\n{rows}").as_bytes());
            write("text", b"time,a,label\n2026-01-01 00:00:00,1,0\n2026-01-01 00:01:00,\"2\",1\n");
        }
        "stored" => {
            let mut shard = Shard::new(spec(), 0);
            let mut writer = SnapshotWriter::new("state", "press", "in", 0);
            writer.keep(2);
            let records = writer.snapshot(7, &shard.save(), &shard.fingerprint());
            let mut bytes = Vec::new();
            for record in records {
                let (key, value) =
                    (record.key.unwrap_or_default(), record.payload.unwrap_or_default());
                bytes.push(key.len() as u8);
                bytes.extend_from_slice(&key);
                bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
                bytes.extend_from_slice(&value);
            }
            write("snapshot", &bytes);
        }
        _ => {
            write("stream", STREAMS.as_bytes());
            write("default", include_bytes!("../../config/default.toml"));
            write("yaml", b"seed: &n 7\nkafka: {brokers: [\"a:1\"]}\nstream:\n- {name: a, topics: [t], channel: [{name: x}], series_max: *n}\n");
            write("table", br#"{"kafka":{"brokers":["a:1"]},"stream":[{"name":"a","topics":["t"],"channel":[{"name":"x"}]}]}"#);
        }
    }
}
