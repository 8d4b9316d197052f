//! Records a second through one shard, and memory a series: `cargo bench --bench shard`.
//!
//! 1,000 and 10,000 series share one 64-32-8-32-64 network at stride 1, one training step of 32
//! windows every 32 windows. Time is CPU time of this thread's process, best and median of 5.

use std::sync::Arc;
use std::time::Instant;

use latentd::alert::{AlertParams, Budget, DetectionDirection, DetectorKind};
use latentd::engine::{Shard, StreamSpec};
use latentd::model::{Activation, ModelParams, Scope, Variant};
use latentd::record::{EventTime, Fraction, Millis, Outbox, Positive, RecordRef, Step};
use latentd::window::{Aggregate, RowParams, WindowParams};

const RECORDS: usize = 400_000;
const WINDOW: usize = 64;

fn spec() -> StreamSpec {
    let positive = |v| Positive::try_from(v).expect("above 0");
    let fraction = |v| Fraction::try_from(v).expect("in (0, 1)");
    StreamSpec {
        name: Arc::from("bench"),
        channels: vec![Arc::from("value")],
        rows: RowParams {
            step: Step::Grid(Millis::new(1_000)),
            max_out_of_order: Millis::new(1_000),
            ahead_max: Millis::new(i64::MAX / 4),
            aggregates: vec![Aggregate::Last],
            open_rows_max: 64,
        },
        window: WindowParams { length: WINDOW, stride: 1, min_completeness: 0.5 },
        model: ModelParams {
            variant: Variant::Undercomplete,
            scope: Scope::Shard,
            hidden: vec![32],
            latent: 8,
            activation: Activation::Tanh,
            learning_rate: positive(0.002),
            batch: 32,
            train_every: 32,
            warmup_train_every: 32,
            refresh_steps: 4,
            reservoir: 4_096,
            warmup: 300,
            ..ModelParams::default()
        },
        alert: AlertParams {
            budget: Budget { alerts: positive(2.0), per: Millis::new(604_800_000) },
            for_rows: 1,
            keep_firing_for: 8,
            release_ratio: fraction(0.5),
            critical_ratio: positive(2.0),
            accept_after: 288,
            top: 3,
            detector: DetectorKind::Network,
            spend_budget: false,
            direction: DetectionDirection::Both,
            min_dev_from_expected: 0.0,
            tail: fraction(0.05),
            memory: positive(5_000.0),
            ..AlertParams::default()
        },
        data_ranges: Vec::new(),
        maintenance: Vec::new(),
        features_every: 10,
        forecast: None,
        series_max: 1_000_000,
        seed: 1,
    }
}

struct Feed {
    keys: Vec<String>,
    sent: usize,
}

impl Feed {
    fn push(&mut self, shard: &mut Shard, records: usize, out: &mut Outbox) {
        for _ in 0..records {
            let (row, series) = (self.sent / self.keys.len(), self.sent % self.keys.len());
            let time = EventTime::from_millis(1_000 * row as i64);
            let noise = ((self.sent * 7_919) % 1_009) as f64 / 1_009.0;
            let value = (row as f64 / 60.0 + series as f64).sin() + 0.1 * noise;
            let offset = self.sent as i64;
            let record = RecordRef { key: &self.keys[series], time, values: &[value], offset };
            shard.push(record, time, out);
            self.sent += 1;
            if self.sent.is_multiple_of(10_000) {
                shard.settle(out);
                out.clear();
            }
        }
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|v| v.parse().ok()).unwrap_or(0)
}

fn main() {
    // With and without the rows that charts are drawn of.
    for (series, shown) in [(1_000_usize, false), (10_000, false), (1_000, true)] {
        let before = resident_kib();
        let mut shard = Shard::new(Arc::new(spec()), 0);
        shard.show_rows(shown, &mut |_| shown);
        let mut out = Outbox::default();
        let keys = (0..series).map(|i| format!("sensor-{i:05}")).collect();
        let mut feed = Feed { keys, sent: 0 };
        feed.push(&mut shard, series * (WINDOW + 4), &mut out);
        let bytes = (resident_kib().saturating_sub(before)) * 1_024 / series as u64;
        let ring = WINDOW as u64 * (4 + size_of::<latentd::window::RowMark>() as u64);
        let mut runs: Vec<f64> = (0..5)
            .map(|_| {
                let start = Instant::now();
                feed.push(&mut shard, RECORDS, &mut out);
                start.elapsed().as_secs_f64() * 1e9 / RECORDS as f64
            })
            .collect();
        runs.sort_by(f64::total_cmp);
        println!(
            "{series} series{}: {:.0} ns/record median, {:.0} best ({:.0} records/s); \
             {bytes} bytes RSS a series, {ring} of them window buffer",
            if shown { ", all rows told" } else { "" },
            runs[2],
            runs[0],
            1e9 / runs[2]
        );
    }
}
