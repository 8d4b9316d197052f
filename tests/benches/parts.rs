//! The parts a record passes, one by one: `cargo bench --bench parts`.
#![allow(missing_docs)] // criterion_group! makes an undocumented function

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use latentd::detect::Tail;
use latentd::io::{
    Decoder, Encoder, EntitySource, InputParams, MessageRef, Origin, TimestampFormat,
    TimestampSource, TopicNames,
};
use latentd::model::{
    Activation, InPlace, Learner, ModelParams, Role, Scope, Variant, WindowShape, Workspace,
};
use latentd::record::{EventTime, FeatureRecord, Millis, Positive, WindowSpan};

/// The bound of training in event time is off.
const NOW: latentd::record::EventTime = latentd::record::EventTime::from_millis(0);

/// Training steps of a refresh.
const STEPS: u64 = 4;

/// The net of the targets: 64-32-8-32-64.
fn params(batch: usize) -> ModelParams {
    ModelParams {
        variant: Variant::Undercomplete,
        scope: Scope::Shard,
        hidden: vec![32],
        latent: 8,
        activation: Activation::Tanh,
        learning_rate: Positive::try_from(0.002).expect("above 0"),
        batch,
        train_every: 1,
        warmup_train_every: 1,
        refresh_steps: STEPS as u32,
        reservoir: 4_096,
        warmup: 1,
        ..ModelParams::default()
    }
}

fn ready(batch: usize) -> (Learner, Workspace) {
    let mut learner =
        Learner::new(&params(batch), WindowShape { rows: 64, channels: 1 }, 1, Arc::from("bench"));
    let mut space = Workspace::new(learner.network(), batch.max(256));
    for i in 0..256 {
        let wave = |j: usize| ((i * 13 + j) as f32 * 0.37).sin();
        space.window_mut(i).iter_mut().enumerate().for_each(|(j, cell)| *cell = wave(j));
        let window = space.windows(256).row(i).to_owned();
        learner.offer(window.view(), &[], Role::Train);
    }
    (learner, space)
}

fn network(c: &mut Criterion) {
    let mut group = c.benchmark_group("reconstruct 64-32-8-32-64, per window");
    for rows in [1_usize, 8, 32, 256] {
        let (learner, mut space) = ready(32);
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::from_parameter(rows), |b| {
            b.iter(|| learner.network().reconstruct(black_box(&mut space), rows));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("draw + forward + backward + Adam, per window");
    for batch in [8_usize, 32] {
        let (mut learner, mut space) = ready(batch);
        group.throughput(Throughput::Elements(STEPS * batch as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |b| {
            b.iter(|| learner.refresh(&InPlace, black_box(&mut space), NOW));
        });
    }
    group.finish();
}

fn calibration(c: &mut Criterion) {
    let mut tail = Tail::new(0.05, 5_000.0);
    let error = |i: u32| 0.2 + f64::from(i % 977) / 977.0;
    (0..5_000).for_each(|i| tail.learn(error(i)));
    let mut i = 0;
    c.bench_function("p-value and learning of one error", |b| {
        b.iter(|| {
            i += 1;
            let p = tail.p_value(black_box(error(i)));
            tail.learn(error(i));
            p
        });
    });
}

fn input() -> InputParams {
    InputParams {
        stream: "bench".into(),
        timestamp: TimestampSource::Field { field: "/ts".into(), format: TimestampFormat::EpochMs },
        entity: EntitySource::Field { field: "/series".into() },
        fields: vec!["/value".into()],
        channels: vec!["value".into()],
        message_bytes_max: 1 << 20,
        ahead_max: Millis::new(i64::MAX / 4),
    }
}

/// A record of 98 bytes in, a feature record of 8 numbers out.
fn codecs(c: &mut Criterion) {
    let mut decoder = Decoder::new(&input()).expect("a good description");
    let payload = br#"{"series":"sensor-017","ts":1767225600000,"value":21.4375,"unit":"degC","site":"plant-07","q":0}"#;
    let message = MessageRef {
        topic: "in",
        partition: 0,
        offset: 7,
        timestamp_ms: Some(1_767_225_600_000),
        key: Some(b"sensor-017"),
        payload: Some(payload),
        headers: &[],
    };
    c.bench_function("decode one JSON record", |b| {
        b.iter(|| decoder.decode(black_box(&message)).map(|record| record.time).ok());
    });
    let topics =
        ["alerts", "current", "features", "forecasts", "models", "feedback", "control", "dlq"];
    let [alerts, alerts_current, features, forecasts, models, feedback, control, dlq] =
        topics.map(str::to_owned);
    let state = "state".to_owned();
    let topics = TopicNames {
        alerts,
        alerts_current,
        features,
        forecasts,
        models,
        feedback,
        control,
        dlq,
        state,
    };
    let mut encoder = Encoder::new("bench", &["value"], topics, "0");
    let end = EventTime::from_millis(1_767_225_600_000);
    let record = FeatureRecord {
        entity: Arc::from("sensor-017"),
        window: WindowSpan { start: end - Millis::new(64_000), end, completeness: 1.0 },
        z: (0..8).map(|i| (i as f32).sin()).collect(),
        vectors: Vec::new(),
        head: None,
        surprise: 0.731_234,
        anomaly_score: 0.212_345,
        reconstruction_error: 0.001_234_5,
        warming: false,
        model_version: 1_234,
        latent_space_id: Arc::from("0a1b2c3d"),
        offset: 12_345,
    };
    let origin = Origin { topic: "in", partition: 0 };
    c.bench_function("encode one feature record", |b| {
        b.iter(|| encoder.features(black_box(&record), origin));
    });
}

criterion_group!(benches, network, calibration, codecs);
criterion_main!(benches);
