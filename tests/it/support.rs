//! Streams and records that several tests use.

use std::sync::Arc;

use latentd::alert::{AlertParams, Budget, DetectionDirection, DetectorKind};
use latentd::engine::{Shard, StreamSpec};
use latentd::forecast::{Calendar, ForecastParams, LatentParams};
use latentd::model::{Activation, GateParams, ModelParams, Scope, Variant, VqVaeParams};
use latentd::record::{EventTime, Fraction, Millis, Outbox, Positive, RecordRef, Step};
use latentd::window::{Aggregate, RowParams, WindowParams};

/// A record that owns its parts.
#[derive(Debug, Clone)]
pub struct Owned {
    pub key: String,
    pub time: i64,
    pub values: Vec<f64>,
}

pub fn positive(v: f64) -> Positive {
    Positive::try_from(v).expect("above 0")
}

pub fn fraction(v: f64) -> Fraction {
    Fraction::try_from(v).expect("in (0, 1)")
}

/// A small stream of `channels` channels on a 1 s grid that warms up within 40 windows.
pub fn spec(scope: Scope, channels: usize, seed: u64) -> StreamSpec {
    StreamSpec {
        name: Arc::from("test"),
        channels: (0..channels).map(|c| Arc::from(format!("c{c}"))).collect(),
        rows: RowParams {
            step: Step::Grid(Millis::new(1_000)),
            max_out_of_order: Millis::new(2_000),
            ahead_max: Millis::new(i64::MAX / 4),
            aggregates: vec![Aggregate::Mean; channels],
            open_rows_max: 16,
        },
        window: WindowParams { length: 4, stride: 1, min_completeness: 0.25 },
        model: ModelParams {
            variant: Variant::Undercomplete,
            scope,
            hidden: vec![6],
            latent: 2,
            activation: Activation::Tanh,
            learning_rate: positive(0.005),
            batch: 8,
            train_every: 3,
            warmup_train_every: 1,
            refresh_steps: 2,
            reservoir: 64,
            warmup: 40,
            gate: GateParams { every: 8, holdout: 24, ..GateParams::default() },
            vq_vae: VqVaeParams { codes: 8, groups: 2, ..VqVaeParams::default() },
            ..ModelParams::default()
        },
        alert: AlertParams {
            detector: DetectorKind::Network,
            spend_budget: false,
            budget: Budget { alerts: positive(2.0), per: Millis::new(1_000_000) },
            for_rows: 1,
            keep_firing_for: 3,
            release_ratio: fraction(0.5),
            critical_ratio: positive(2.0),
            accept_after: 50,
            top: 2,
            direction: DetectionDirection::Both,
            min_dev_from_expected: 0.0,
            tail: fraction(0.1),
            memory: positive(1_000.0),
            ..AlertParams::default()
        },
        data_ranges: Vec::new(),
        maintenance: Vec::new(),
        features_every: 2,
        forecast: Some(ForecastParams {
            every: 4,
            exogenous: if channels > 1 { vec![1] } else { Vec::new() },
            half_life: positive(500.0),
            memory: 64,
            shared: scope == Scope::Shard,
            latent: LatentParams {
                width: 2,
                hidden: 4,
                steps: 2,
                batch: 4,
                refresh: 2,
                windows_max: 16,
                ..LatentParams::default()
            },
            ..ForecastParams::new(vec![1, 3], vec![6], Calendar::utc(Millis::new(1_000)))
        }),
        series_max: 100,
        seed,
    }
}

/// Pushes batches into a fresh shard, settling after each, and closes all rows at the end.
pub fn run<'a>(spec: &StreamSpec, batches: impl IntoIterator<Item = &'a [Owned]>) -> Outbox {
    let mut shard = Shard::new(Arc::new(spec.clone()), 0);
    let mut out = Outbox { keep_rows: true, ..Outbox::default() };
    let mut offset = 0;
    for batch in batches {
        for record in batch {
            let time = EventTime::from_millis(record.time);
            let values = &record.values;
            shard.push(RecordRef { key: &record.key, time, values, offset }, time, &mut out);
            offset += 1;
        }
        shard.settle(&mut out);
    }
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    out
}

/// `{:?}` of an outbox: equal text means equal bits, NaN included.
pub fn bits(out: &Outbox) -> String {
    format!("{out:?}")
}
