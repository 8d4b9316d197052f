//! Laws of snapshots: a shard that is saved and restored is the shard that never stopped.

use std::sync::Arc;

use latentd::engine::{Shard, SnapshotError, StreamSpec};
use latentd::forecast::{Calendar, ForecastParams, Link};
use latentd::model::{HeadKind, OptimizerKind, Scope, Variant};
use latentd::record::{Announcement, EventTime, Millis, Outbox, RecordRef, Step};
use proptest::prelude::*;

use crate::support::{Owned, bits, fraction, positive, spec};

/// Records of a few series with gaps, disorder, missing values and a fault.
fn stream(rows: usize, series: usize, channels: usize, seed: u64) -> Vec<Owned> {
    let mut state = seed | 1;
    let mut dice = |sides: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut records = Vec::new();
    for row in 0..rows {
        if dice(40) == 0 {
            continue;
        }
        for s in 0..series {
            let late = dice(3) as i64 * 700;
            let load = (row as f64 / 6.0 + s as f64).sin();
            let fault = if row % 90 > 84 && s == 0 { 9.0 } else { 0.0 };
            let value = |c: usize| load * (c + 1) as f64 + fault;
            let values = (0..channels)
                .map(value)
                .map(|v| if dice(30) == 0 { f64::NAN } else { v + dice(100) as f64 * 1e-3 });
            let values = values.collect();
            records.push(Owned { key: format!("s{s}"), time: row as i64 * 1_000 - late, values });
        }
    }
    records
}

fn push(shard: &mut Shard, records: &[Owned], offset: usize, out: &mut Outbox) {
    for (i, record) in records.iter().enumerate() {
        let time = EventTime::from_millis(record.time);
        let (key, values) = (record.key.as_str(), record.values.as_slice());
        let offset = (offset + i) as i64;
        shard.push(RecordRef { key, time, values, offset }, time, out);
    }
    shard.settle(out);
}

fn outbox() -> Outbox {
    Outbox { keep_rows: true, ..Outbox::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Cut anywhere, save, restore, go on: every output and the last state have the same bits.
    #[test]
    fn a_restored_shard_goes_on_as_if_it_had_never_stopped(
        cut in 0.0_f64..1.0,
        seed in any::<u64>(),
        shared in any::<bool>(),
        grid in any::<bool>(),
        variant in proptest::sample::select(&Variant::ALL[..]),
    ) {
        let mut spec = spec(if shared { Scope::Shard } else { Scope::Series }, 2, seed % 1_000);
        spec.model.variant = variant;
        spec.model.train_max.steps = (seed % 3) as u32 * 400;
        if !grid {
            spec.rows.step = Step::Event;
            spec.forecast = None;
        }
        let spec = Arc::new(spec);
        let records = stream(400, 3, 2, seed);
        let cut = (records.len() as f64 * cut) as usize;
        let mut whole = Shard::new(Arc::clone(&spec), 5);
        let mut before = outbox();
        push(&mut whole, &records[..cut], 0, &mut before);
        let saved = whole.save();
        let mut restored = Shard::restore(Arc::clone(&spec), 5, &saved).expect("its own bytes");
        prop_assert!(restored.save() == saved, "saving again gives the same bytes");
        let [mut a, mut b] = [outbox(), outbox()];
        push(&mut whole, &records[cut..], cut, &mut a);
        push(&mut restored, &records[cut..], cut, &mut b);
        whole.close_until(EventTime::from_millis(i64::MAX / 2), &mut a);
        restored.close_until(EventTime::from_millis(i64::MAX / 2), &mut b);
        prop_assert_eq!(bits(&a), bits(&b));
        prop_assert!(whole.save() == restored.save());
    }

    /// Whatever the bytes are: an error or a shard, never a panic.
    #[test]
    fn damaged_bytes_are_refused_or_harmless(
        seed in any::<u64>(),
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        keep in 0.0_f64..1.0,
    ) {
        let spec = Arc::new(spec(Scope::Shard, 2, 1));
        let mut shard = Shard::new(Arc::clone(&spec), 0);
        push(&mut shard, &stream(60, 2, 2, seed), 0, &mut outbox());
        let saved = shard.save();
        let mut changed = saved.clone();
        for (at, byte) in &flips {
            changed[at.index(saved.len())] = *byte;
        }
        let _ = Shard::restore(Arc::clone(&spec), 0, &changed);
        let cut = (saved.len() as f64 * keep) as usize;
        prop_assert!(Shard::restore(Arc::clone(&spec), 0, &saved[..cut]).is_err());
    }
}

fn trained(spec: &StreamSpec) -> Vec<u8> {
    let mut shard = Shard::new(Arc::new(spec.clone()), 0);
    push(&mut shard, &stream(200, 2, spec.channels.len(), 3), 0, &mut outbox());
    shard.save()
}

fn restore(spec: StreamSpec, bytes: &[u8]) -> Result<Shard, SnapshotError> {
    Shard::restore(Arc::new(spec), 0, bytes)
}

#[test]
fn a_change_that_fits_keeps_the_state_and_one_that_does_not_is_named() {
    for scope in [Scope::Shard, Scope::Series] {
        let base = spec(scope, 2, 1);
        let saved = trained(&base);
        type Change = fn(&mut StreamSpec);
        #[rustfmt::skip]
        let fitting: [(&str, Change); 12] = [
            ("budget",        |s| s.alert.budget.alerts = positive(9.0)),
            ("tail",          |s| s.alert.tail = fraction(0.2)),
            ("memory",        |s| s.alert.memory = positive(77.0)),
            ("learning rate", |s| s.model.learning_rate = positive(0.001)),
            ("pace",          |s| s.model.train_every = 9),
            ("refresh",       |s| s.model.refresh_steps = 5),
            ("loss",          |s| s.model.loss = latentd::model::Loss::Mse),
            ("other variant", |s| s.model.stacked.head = HeadKind::Logistic),
            ("batch",         |s| s.model.batch = 4),
            ("reservoir",     |s| s.model.reservoir = 5),
            ("features",      |s| s.features_every = 7),
            ("ridge",         |s| s.forecast.as_mut().expect("set").ridge = positive(3.0)),
        ];
        for (what, change) in fitting {
            let mut changed = base.clone();
            change(&mut changed);
            let mut shard = restore(changed, &saved).unwrap_or_else(|e| panic!("{what}: {e}"));
            push(&mut shard, &stream(300, 2, 2, 4)[400..], 400, &mut outbox());
        }
        #[rustfmt::skip]
        let unfit: [(&str, Change); 7] = [
            ("`model.latent` was 2 and is 1",       |s| s.model.latent = 1),
            ("`model.hidden` was 6 and is 6,5",     |s| s.model.hidden.push(5)),
            ("`window.length` was 4 and is 5",      |s| s.window.length = 5),
            ("`channel` was c0,c1 and is c0,c9",    |s| s.channels[1] = Arc::from("c9")),
            ("`model.variant` was Undercomplete and is Vae", |s| s.model.variant = Variant::Vae),
            ("`model.optimizer.kind` was not set and is Sgd", |s| s.model.optimizer.kind = OptimizerKind::Sgd),
            ("`seed` was 1 and is 2",               |s| s.seed = 2),
        ];
        for (text, change) in unfit {
            let mut changed = base.clone();
            change(&mut changed);
            let error = restore(changed, &saved).expect_err(text).to_string();
            assert!(
                error.contains(text) && error.contains("of 2 series would be dropped"),
                "{error}"
            );
        }
    }
}

/// A change of the forecasts alone costs forecasters that do not fit, and nothing else.
#[test]
fn forecasts_that_do_not_fit_begin_anew_alone() {
    type Change = fn(&mut ForecastParams);
    let holiday = |p: &mut ForecastParams| {
        let day = jiff::civil::date(1970, 1, 2);
        p.calendar = Calendar::new(jiff::tz::TimeZone::UTC, [day], Millis::new(1_000));
    };
    #[rustfmt::skip]
    let cases: [(&str, Change, usize); 6] = [
        // what               change                              forecasters of 2 series begin anew
        ("as it was",         |_| {},                             0),
        ("the first holiday", holiday,                            4),
        ("a horizon less",    |p| p.horizons = vec![1],           4),
        ("a target less",     |p| _ = p.targets.remove(0),        2),
        ("another order",     |p| p.targets.reverse(),            0),
        ("another scale",     |p| p.link = Link::Log1p,           4),
    ];
    for scope in [Scope::Shard, Scope::Series] {
        let mut base = spec(scope, 2, 1);
        base.forecast.as_mut().expect("set").targets = vec![0, 1];
        let saved = trained(&base);
        let told = |spec: &StreamSpec| {
            let mut shard = restore(spec.clone(), &saved).expect("the rest fits");
            let anew = shard.dropped_forecasts().map_or(0, |dropped| dropped.forecasters);
            let mut out = outbox();
            push(&mut shard, &stream(260, 2, 2, 3)[400..], 400, &mut out);
            // It is a state like any other.
            let again = shard.save();
            assert!(restore(spec.clone(), &again).expect("its own bytes").save() == again);
            (anew, out)
        };
        // Missing values are NaN, which equals nothing.
        let rest = |out: &Outbox| format!("{:?} {:?}", out.rows, out.features);
        let (_, before) = told(&base);
        for (what, change, wanted) in cases {
            let mut changed = base.clone();
            change(changed.forecast.as_mut().expect("set"));
            let (anew, out) = told(&changed);
            assert_eq!(anew, wanted, "{scope:?}, {what}");
            assert!(rest(&out) == rest(&before), "{scope:?}, {what}");
            let said = |out: &Outbox| -> Vec<_> {
                let of = out.forecasts.iter().filter(|record| record.channel == 1);
                of.map(|record| format!("{record:?}")).collect()
            };
            if wanted < 4 {
                assert_eq!(said(&out), said(&before), "{scope:?}, {what}");
            } else {
                assert!(!said(&out).is_empty(), "{what}");
            }
        }
        let mut none = base.clone();
        none.forecast = None;
        let (anew, out) = told(&none);
        assert_eq!((anew, out.forecasts.len()), (4, 0));
        assert!(rest(&out) == rest(&before), "{scope:?}, no forecasts");
        let mut shard = restore(none, &saved).expect("the rest fits");
        let without = shard.save();
        assert!(restore(base, &without).expect("forecasts are new").dropped_forecasts().is_none());
    }
}

/// What was announced lasts over a restart, and is not undone when the topic is read again.
#[test]
fn announced_values_are_kept_in_order_over_a_restart() {
    let mut spec = spec(Scope::Series, 2, 1);
    spec.forecast.as_mut().expect("set").known = vec![1];
    let news = |position, value: f64| Announcement {
        stream: String::new(),
        entity: "s0".to_owned(),
        channel: "c1".to_owned(),
        from: EventTime::from_millis(205_000),
        values: vec![value; 20],
        position,
    };
    let mut shard = Shard::new(Arc::new(spec.clone()), 0);
    push(&mut shard, &stream(200, 2, 2, 3), 0, &mut outbox());
    assert!(shard.apply_announcement(&news(3, 1.0)).changed);
    assert!(shard.apply_announcement(&news(7, 5.0)).changed);
    let saved = shard.save();
    let mut restored = restore(spec, &saved).expect("its own bytes");
    assert!(!restored.apply_announcement(&news(3, 1.0)).changed, "it is older");
    assert!(!restored.apply_announcement(&news(7, 5.0)).changed, "it is the same");
    let old = Announcement { from: EventTime::from_millis(-400_000_000), ..news(9, 2.0) };
    assert!(!restored.apply_announcement(&old).changed, "it is long past");
    let other = Announcement { channel: "c0".to_owned(), ..news(11, 2.0) };
    assert!(!restored.apply_announcement(&other).changed, "nobody asked for it");
    assert!(restored.save() == saved);
}

#[test]
fn other_files_and_newer_formats_are_told_apart() {
    let spec = spec(Scope::Shard, 2, 1);
    let mut saved = trained(&spec);
    let error = |bytes: &[u8]| restore(spec.clone(), bytes).expect_err("refused").to_string();
    assert_eq!(error(b""), "this is no snapshot of latentd");
    assert_eq!(error(b"PK\x03\x04 some zip"), "this is no snapshot of latentd");
    saved[8] = 9;
    assert_eq!(error(&saved), "written by a newer latentd: format 9, this one reads up to 2");
}

/// `state_v1.zst` was written by the first version that could (`LATENTD_BLESS=1 cargo test
/// golden`, with the code of that day) and must be read by every later one.
#[test]
fn the_golden_state_of_format_1_is_read_and_goes_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/state_v1.zst");
    let spec = spec(Scope::Series, 2, 1);
    if std::env::var_os("LATENTD_BLESS").is_some() {
        let packed = zstd::bulk::compress(&trained(&spec), 19).expect("a buffer");
        std::fs::write(path, packed).expect("a writable folder");
    }
    let packed = std::fs::read(path).expect("the golden file");
    let saved = zstd::bulk::decompress(&packed, 1 << 24).expect("zstd");
    let mut shard = restore(spec, &saved).unwrap_or_else(|e| panic!("{e}"));
    let status = shard.status();
    assert_eq!((status.series, status.model_version), (2, 145));
    let mut out = outbox();
    push(&mut shard, &stream(260, 2, 2, 3)[400..], 400, &mut out);
    // Not to the bit: matrix products differ in their last digits between processors.
    let next = out.features.first().expect("features");
    let numbers = [f64::from(next.z[0]), f64::from(next.z[1]), next.reconstruction_error];
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-3 * b.abs().max(1.0);
    assert!(numbers.iter().zip(&GOLDEN).all(close), "{numbers:?}");
    assert_eq!((out.rows.len(), out.facts.features), (80, 40), "{:?}", out.facts);
}

/// Latent code and error of the first window of which the restored shard emits features: what
/// the stored weights say, whatever a later version trains on.
const GOLDEN: [f64; 3] = [-1.262_037_2, 0.061_606_3, 0.072_392_2];
