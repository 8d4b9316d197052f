//! Laws that hold for every stream of records.

use std::collections::BTreeSet;
use std::sync::Arc;

use latentd::alert::DetectorKind;
use latentd::engine::{Shard, StreamSpec};
use latentd::model::{Scope, TrainMax, Variant};
use latentd::record::{
    AlertChange, AlertRecord, EventTime, Millis, Outbox, Placement, RecordRef, Step,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Owned, bits, run, spec};

/// Records of three series, mostly in order, some late, repeated, missing or far off.
fn record_stream(channels: usize) -> impl Strategy<Value = Vec<Owned>> {
    let value = prop_oneof![8 => -3.0_f64..3.0, 1 => Just(f64::NAN), 1 => Just(60.0)];
    let record = (0..3_u8, -4_000_i64..400, prop::collection::vec(value, channels));
    prop::collection::vec(record, 1..400).prop_map(|records| {
        let owned = records.into_iter().enumerate().map(|(i, (key, jitter, values))| Owned {
            key: format!("s{key}"),
            time: 1_700_000_000_000 + 400 * i as i64 + jitter,
            values,
        });
        owned.collect()
    })
}

fn split_at_each<'a>(records: &'a [Owned], cuts: &[Index]) -> Vec<&'a [Owned]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(records.len())).collect();
    at.extend([0, records.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &records[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Where the broker happens to cut the stream into batches must not change one output bit.
    ///
    /// Guards the rule that all state changes follow from records and watermarks, never from
    /// calls. A failure here usually means work was moved from "row closed" to "settle".
    #[test]
    fn outputs_do_not_depend_on_batch_boundaries(
        records in record_stream(2),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        seed in any::<u64>(),
        shared in any::<bool>(),
        variant in proptest::sample::select(&Variant::ALL[..]),
    ) {
        let mut spec = spec(if shared { Scope::Shard } else { Scope::Series }, 2, seed);
        spec.model.variant = variant;
        let uncut = run(&spec, [records.as_slice()]);
        let chopped = run(&spec, split_at_each(&records, &cuts));
        prop_assert_eq!(bits(&uncut), bits(&chopped));
    }

    /// Every record is placed, late, a duplicate or refused, and the counts say so.
    #[test]
    fn no_record_is_lost_from_the_counts(records in record_stream(1)) {
        let mut shard = Shard::new(Arc::new(spec(Scope::Shard, 1, 1)), 0);
        let mut out = Outbox::default();
        let mut seen = [0_u64; 3];
        for (offset, record) in records.iter().enumerate() {
            let time = EventTime::from_millis(record.time);
            let record = RecordRef { key: &record.key, time, values: &record.values, offset: offset as i64 };
            match shard.push(record, time, &mut out) {
                Placement::Placed => seen[0] += 1,
                Placement::Late => seen[1] += 1,
                Placement::Duplicate | Placement::Replaced => seen[2] += 1,
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(out.facts.records, records.len() as u64);
        prop_assert_eq!([out.facts.late, out.facts.duplicates], [seen[1], seen[2]]);
    }
}

/// A plant-like wave with a small fast ripple, one series.
fn wave(rows: usize) -> Vec<Owned> {
    let record = |i: usize| {
        let phase = i as f64 / 24.0 * std::f64::consts::TAU;
        let ripple = ((i * 7919) % 101) as f64 / 101.0 - 0.5;
        Owned {
            key: "wave".into(),
            time: 1_000 * i as i64,
            values: vec![phase.sin() + 0.1 * ripple, phase.cos() - 0.1 * ripple],
        }
    };
    (0..rows).map(record).collect()
}

#[test]
fn other_seeds_give_other_weights_and_equal_seeds_equal_bits() {
    let records = wave(300);
    let of = |seed| bits(&run(&spec(Scope::Series, 2, seed), [records.as_slice()]));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

/// Equal indices are equal parts of the code, and of the weights of one version only so many.
#[test]
fn a_quantised_code_is_told_by_its_indices() {
    let mut spec = spec(Scope::Series, 2, 1);
    spec.model.variant = Variant::VqVae;
    let out = run(&spec, [wave(900).as_slice()]);
    let told: Vec<_> = out.features.iter().filter(|f| !f.vectors.is_empty()).collect();
    assert!(told.len() > 400, "{} of {}", told.len(), out.features.len());
    let mut book = std::collections::BTreeMap::new();
    for feature in &told {
        let part = feature.z.len() / feature.vectors.len();
        for (index, part) in feature.vectors.iter().zip(feature.z.chunks_exact(part)) {
            let known = book.entry((feature.model_version, *index)).or_insert(part);
            assert_eq!(*known, part);
        }
    }
    let indices: std::collections::BTreeSet<u32> = book.keys().map(|(_, index)| *index).collect();
    assert!(indices.len() > 2, "{indices:?}");
    assert!(
        run(&self::spec(Scope::Series, 2, 1), [wave(300).as_slice()])
            .features
            .iter()
            .all(|feature| feature.vectors.is_empty())
    );
}

#[test]
fn a_stuck_sensor_opens_one_alert_that_names_it_and_is_not_learned() {
    let mut records = wave(1_500);
    for record in &mut records[1_000..1_030] {
        record.values[1] = 4.0;
    }
    let out = run(&spec(Scope::Series, 2, 1), [records.as_slice()]);
    let near = |time: EventTime| (1_000_000..1_040_000).contains(&time.as_millis());
    let opened: Vec<_> = out.alerts.iter().filter(|a| a.change == AlertChange::Opened).collect();
    let found = opened.iter().find(|a| near(a.starts_at)).expect("the fault is found");
    assert_eq!(found.top[0].channel, 1);
    assert!(found.top[0].y > found.top[0].upper, "{:?}", found.top[0]);
    let closed = out.alerts.iter().filter(|a| a.change == AlertChange::Closed);
    assert!(closed.clone().any(|a| a.alert_id == found.alert_id && a.ends_at.is_some()));
    assert!(out.facts.windows_quarantined >= 30, "{}", out.facts.windows_quarantined);
    let false_alarms = opened.len() - opened.iter().filter(|a| near(a.starts_at)).count();
    // The budget promises 2 per 1,000 rows.
    assert!(false_alarms <= 4, "{false_alarms}");
}

/// Rows of [`wave`] a minute apart.
fn minutes(rows: usize) -> Vec<Owned> {
    let mut records = wave(rows);
    records.iter_mut().for_each(|record| record.time *= 60);
    records
}

fn minute_spec(accept_after: u32) -> StreamSpec {
    let mut spec = spec(Scope::Series, 2, 1);
    spec.rows.step = Step::Grid(Millis::new(60_000));
    spec.rows.max_out_of_order = Millis::new(60_000);
    (spec.model.warmup, spec.alert.accept_after) = (300, accept_after);
    // Two false alarms a day would be too many to tell apart what this is about.
    spec.alert.budget.per = Millis::new(7 * 86_400_000);
    spec
}

/// With 20 steps an hour, a stream of a row a minute takes those and no more.
#[test]
fn training_is_bounded_in_event_time() {
    let mut spec = minute_spec(720);
    spec.model.train_every = 1;
    let free = run(&spec, [minutes(2_400).as_slice()]);
    spec.model.train_max = TrainMax { steps: 20, per: Millis::new(3_600_000) };
    let bounded = run(&spec, [minutes(2_400).as_slice()]);
    assert_eq!(free.facts.refreshes_held, 0);
    assert!(bounded.facts.refreshes_held > 600, "{}", bounded.facts.refreshes_held);
    // 300 of the warm-up, 20 at once, then 35 hours.
    let steps = bounded.facts.train_steps;
    assert!((960..=1_040).contains(&steps), "{steps} of {}", free.facts.train_steps);
}

/// A fault that lasts is not learned, neither by the network nor by scaler or calibration.
#[test]
fn a_sensor_stuck_for_six_hours_fires_for_six_hours() {
    let mut records = minutes(2_400);
    for record in &mut records[1_500..1_860] {
        record.values[1] = 4.0;
    }
    let out = run(&minute_spec(720), [records.as_slice()]);
    let within = |time: EventTime| (1_500..1_860).contains(&(time.as_millis() / 60_000));
    let firing = out.rows.iter().filter(|row| within(row.time) && row.firing).count();
    assert!(firing >= 358, "firing for {firing} of 360 minutes");
    let opened = |a: &&AlertRecord| a.change == AlertChange::Opened && within(a.starts_at);
    assert_eq!(out.alerts.iter().filter(opened).count(), 1);
    // An hour after its end it is calm again.
    let after = out.rows.iter().filter(|row| row.time.as_millis() / 60_000 > 1_920);
    let still = after.clone().filter(|row| row.firing).count();
    assert!(still < after.count() / 10, "{still}");
}

/// What lasts for `accept_after` rows is a new normal: learned anew, then judged as strictly as ever.
#[test]
fn a_new_set_point_is_absorbed_once_it_is_accepted() {
    let mut records = minutes(3_600);
    for record in &mut records[1_500..] {
        record.values[1] += 3.0;
    }
    // A fault in the new normal.
    for record in &mut records[3_000..3_030] {
        record.values[0] = -3.0;
    }
    let out = run(&minute_spec(120), [records.as_slice()]);
    let minute = |time: EventTime| time.as_millis() / 60_000;
    let first = out.alerts.iter().find(|a| minute(a.starts_at) >= 1_500).expect("the change");
    let accepted = out.alerts.iter().find(|a| a.alert_id == first.alert_id && a.ends_at.is_some());
    let accepted = minute(accepted.and_then(|a| a.ends_at).expect("accepted"));
    assert!((1_600..1_640).contains(&accepted), "{accepted}");
    // Within a warm-up of 300 windows it is judged again, and not unusual any more.
    let judged: Vec<_> =
        out.rows.iter().filter(|row| (accepted + 310..3_000).contains(&minute(row.time))).collect();
    assert!(judged.iter().all(|row| !row.warming));
    let firing = judged.iter().filter(|row| row.firing).count();
    assert!(firing < judged.len() / 50, "{firing} of {}", judged.len());
    let found = |a: &&AlertRecord| (3_000..3_035).contains(&minute(a.starts_at));
    assert!(out.alerts.iter().any(|a| found(&a)), "a fault in the new normal is found");
    // Its features are in no space of before, and in one of their own as soon as that is fixed.
    let spaces = |of: &dyn Fn(i64) -> bool| -> BTreeSet<&str> {
        let features = out.features.iter().filter(|f| of(minute(f.window.end)));
        features.map(|f| &*f.latent_space_id).collect()
    };
    let [before, after] = [spaces(&|end| end < accepted), spaces(&|end| end > accepted)];
    assert_eq!((before.len(), after.len()), (2, 2), "{before:?} {after:?}");
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
}

#[test]
fn a_constant_series_never_raises() {
    let records: Vec<Owned> = (0..3_000)
        .map(|i| Owned { key: "flat".into(), time: 1_000 * i, values: vec![21.5] })
        .collect();
    for scope in [Scope::Series, Scope::Shard] {
        let out = run(&spec(scope, 1, 1), [records.as_slice()]);
        assert_eq!(out.alerts, []);
        assert!(out.facts.windows_scored > 2_900);
    }
}

#[test]
fn a_record_ahead_of_the_allowed_clock_does_not_drag_the_watermark() {
    let mut spec = spec(Scope::Shard, 1, 1);
    spec.rows.ahead_max = latentd::record::Millis::new(60_000);
    let mut shard = Shard::new(Arc::new(spec), 0);
    let mut out = Outbox::default();
    let mut push = |time: i64, log: i64| {
        let record =
            RecordRef { key: "a", time: EventTime::from_millis(time), values: &[1.0], offset: 0 };
        shard.push(record, EventTime::from_millis(log), &mut out)
    };
    assert_eq!(push(10_000, 10_000), Placement::Placed);
    assert_eq!(push(900_000, 11_000), Placement::Ahead);
    assert_eq!(push(11_000, 11_000), Placement::Placed);
}

#[test]
fn a_new_series_over_the_limit_is_refused_and_counted() {
    let mut spec = spec(Scope::Shard, 1, 1);
    spec.series_max = 2;
    let records: Vec<Owned> = (0..9)
        .map(|i| Owned { key: format!("s{}", i % 3), time: 1_000 * i, values: vec![1.0] })
        .collect();
    assert_eq!(run(&spec, [records.as_slice()]).facts.series_refused, 3);
}

/// A series that warms up tells how many rows it still needs, and keeps its word.
#[test]
fn a_warm_up_ends_when_it_was_said_to() {
    for spec in [spec(Scope::Shard, 2, 1), with_detectors(2), with_detectors(1)] {
        let mut shard = Shard::new(Arc::new(spec.clone()), 0);
        let mut out = Outbox { keep_rows: true, ..Outbox::default() };
        let mut said = None;
        for i in 0..500_i64 {
            let time = EventTime::from_millis(1_000 * i);
            let wave = (i as f64 / 7.0).sin();
            let values = vec![wave; spec.channels.len()];
            shard.push(RecordRef { key: "a", time, values: &values, offset: i }, time, &mut out);
            shard.settle(&mut out);
            let status = shard.series_statuses(10).remove(0);
            let Some(warming) = status.warming.filter(|_| status.rows > 8) else { continue };
            let end = warming.until.expect("a grid");
            assert_eq!(*said.get_or_insert(end), end, "row {i}: {warming:?}");
            assert!((0.0..=1.0).contains(&warming.done), "{warming:?}");
        }
        // The last row that was still part of the warm-up ends where it was said that it would.
        let last = out.rows.iter().rfind(|row| row.warming).expect("a warm-up");
        let end = last.time + Millis::new(2_000);
        assert_eq!(said, Some(end), "{} channels", spec.channels.len());
    }
}

/// Looking at a series changes nothing, and shows the rows that a replay would.
#[test]
fn rows_are_told_of_series_that_are_shown_and_of_no_others() {
    let (spec, records) = (spec(Scope::Series, 2, 3), two_waves(400));
    let whole = run(&spec, [records.as_slice()]);
    let mut shard = Shard::new(Arc::new(spec), 0);
    let mut out = Outbox::default();
    shard.show_rows(true, &mut |_| true);
    for (offset, record) in records.iter().enumerate() {
        let (time, values) = (EventTime::from_millis(record.time), &record.values);
        let offset = offset as i64;
        shard.push(RecordRef { key: &record.key, time, values, offset }, time, &mut out);
        if offset == 100 {
            shard.settle(&mut out);
            shard.show_rows(false, &mut |key| &**key == "a");
        }
    }
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    let of = |out: &Outbox, key: &str| -> Vec<String> {
        // Until something is expected, only those that are shown tell their values.
        let rows = out.rows.iter().filter(|row| &*row.entity == key && !row.warming);
        rows.map(|row| format!("{row:?}")).collect()
    };
    assert_eq!(of(&out, "a"), of(&whole, "a"));
    assert!(of(&out, "a").len() > 100 && of(&whole, "b").len() > 100 && of(&out, "b").len() < 10);
    let first = out.rows.first().expect("a row");
    assert!(first.warming && first.channels[0].y == records[0].values[0], "{first:?}");
    let results = |out: &Outbox| bits(&Outbox { rows: vec![], keep_rows: false, ..out.clone() });
    assert_eq!(results(&out), results(&whole));
}

fn with_detectors(channels: usize) -> StreamSpec {
    let mut spec = spec(Scope::Series, channels, 1);
    spec.alert.detector = DetectorKind::Auto;
    spec
}

/// `rows` records of the series `a` and `b` in turn.
fn two_waves(rows: i64) -> Vec<Owned> {
    let record = |i: i64| Owned {
        key: if i % 2 == 0 { "a" } else { "b" }.to_owned(),
        time: 1_000 * (i / 2),
        values: vec![(i as f64 / 9.0).sin(), (i as f64 / 9.0).cos()],
    };
    (0..rows).map(record).collect()
}
