//! Size of a snapshot, and the pause it costs: `cargo bench --bench snapshot`.
//!
//! 1,000 and 10,000 series of 4 channels share one 64-32-8-32-64 network (windows of 16 rows).
//! A pause is what the worker does between two batches: save, compress, cut into records.

use std::sync::Arc;
use std::time::Instant;

use latentd::config::Settings;
use latentd::engine::{Shard, StreamSpec};
use latentd::io::snapshot::{SnapshotReader, SnapshotWriter, Stored};
use latentd::record::{EventTime, Outbox, RecordRef};

const STREAM: &str = r#"
[[stream]]
name = "bench"
topics = ["bench"]
step = "1s"
max_out_of_order = "1s"
channel = [{ name = "a" }, { name = "b" }, { name = "c" }, { name = "d" }]
window = { length = 16 }
model = { scope = "shard", hidden = [32], latent = 8, train_every = 32, warmup_train_every = 32 }
"#;
const ROUNDS: usize = 50;

fn trained(spec: &Arc<StreamSpec>, series: usize) -> Shard {
    let mut shard = Shard::new(Arc::clone(spec), 0);
    let mut out = Outbox::default();
    for row in 0..40_usize {
        for s in 0..series {
            let wave = |c: usize| ((row + s * 7 + c) as f64 / 9.0).sin() + (s % 13) as f64 * 0.01;
            let values = [wave(0), wave(1), wave(2), wave(3)];
            let time = EventTime::from_millis(1_000 * row as i64);
            let key = format!("sensor-{s:05}");
            let offset = (row * series + s) as i64;
            shard.push(RecordRef { key: &key, time, values: &values, offset }, time, &mut out);
        }
        shard.settle(&mut out);
        out.clear();
    }
    shard
}

fn quantile(times: &mut [f64], q: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * q).round() as usize]
}

fn main() {
    let settings = Settings::from_text(STREAM, &std::collections::BTreeMap::new());
    let spec = Arc::new(settings.unwrap_or_else(|e| panic!("{e}")).stream[0].spec(1));
    for series in [1_000, 10_000] {
        let mut shard = trained(&spec, series);
        let fingerprint = shard.fingerprint();
        let mut writer = SnapshotWriter::new("state", "bench", "bench", 0);
        let (mut pauses, mut records) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let start = Instant::now();
            records = writer.snapshot(1, &shard.save(), &fingerprint);
            pauses.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let stored: usize = records.iter().map(|r| r.payload.as_ref().map_or(0, Vec::len)).sum();
        let mut restores = Vec::new();
        for _ in 0..5 {
            let start = Instant::now();
            let mut reader = SnapshotReader::new("state", "bench", "bench", 0);
            for (offset, record) in records.iter().enumerate() {
                let key = record.key.as_deref().unwrap_or_default();
                reader.take(key, record.payload.as_deref(), offset as i64);
            }
            let Ok(Stored::State(state)) = reader.finish() else { panic!("its own records") };
            let restored = Shard::restore(Arc::clone(&spec), 0, &state.bytes);
            assert!(restored.is_ok());
            restores.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let bytes = shard.save().len();
        println!(
            "{series} series: {bytes} bytes ({} a series), {stored} stored; pause p50 {:.1} ms, \
             p99 {:.1} ms; restore {:.1} ms",
            bytes / series,
            quantile(&mut pauses, 0.5),
            quantile(&mut pauses, 0.99),
            quantile(&mut restores, 0.5),
        );
    }
}
