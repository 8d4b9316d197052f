//! Laws of the detectors with networks of their own, within the engine.

use std::sync::Arc;

use latentd::alert::DetectorKind;
use latentd::engine::{Shard, StreamSpec};
use latentd::model::Scope;
use latentd::record::{
    AlertChange, Decided, EventTime, FaultClass, Feedback, Millis, Outbox, RecordRef, Step, Verdict,
};

use crate::support::{Owned, bits, run, spec};

const CHANNELS: [usize; 2] = [1, 3];

/// Minutes of machines whose sensors follow one load; the last channel is off by `by` within `off`.
fn minutes(channels: usize, rows: usize, off: std::ops::Range<usize>, by: f64) -> Vec<Owned> {
    let noise = |i: usize, c: usize| ((i * 7_919 + c * 104_729) % 1_013) as f64 / 1_013.0 - 0.5;
    let record = |i: usize| {
        let load = (i as f64 / 60.0 * std::f64::consts::TAU).sin();
        let value = |c: usize| {
            let broken = if c + 1 == channels && off.contains(&i) { by } else { 0.0 };
            10.0 * c as f64 + load * (1.0 + c as f64) + 0.3 * noise(i, c) + broken
        };
        Owned {
            key: "m".into(),
            time: 60_000 * i as i64,
            values: (0..channels).map(value).collect(),
        }
    };
    (0..rows).map(record).collect()
}

fn detecting(channels: usize) -> StreamSpec {
    let mut spec = spec(Scope::Series, channels, 1);
    spec.rows.step = Step::Grid(Millis::new(60_000));
    spec.rows.max_out_of_order = Millis::ZERO;
    spec.alert.detector = DetectorKind::Auto;
    spec.alert.accept_after = 720;
    spec.alert.budget.per = Millis::new(7 * 86_400_000);
    assert!(spec.has_detectors());
    spec
}

fn minute(time: EventTime) -> usize {
    (time.as_millis() / 60_000) as usize
}

#[test]
fn batches_and_gaps_and_missing_values_change_no_bit() {
    for channels in CHANNELS {
        let mut records = minutes(channels, 900, 700..720, 6.0);
        records.drain(300..330);
        records.iter_mut().step_by(41).for_each(|record| record.values[0] = f64::NAN);
        let whole = run(&detecting(channels), [records.as_slice()]);
        let cut = run(&detecting(channels), records.chunks(7));
        assert_eq!(bits(&whole), bits(&cut), "{channels} channels");
        assert!(whole.rows.iter().any(|row| row.surprise > 0.0));
    }
}

#[test]
fn a_fault_is_found_named_and_fires_as_long_as_it_lasts() {
    for channels in CHANNELS {
        let records = minutes(channels, 2_400, 1_500..1_860, 12.0);
        let out = run(&detecting(channels), [records.as_slice()]);
        let within = |time: EventTime| (1_500..1_860).contains(&minute(time));
        let opened: Vec<_> =
            out.alerts.iter().filter(|a| a.change == AlertChange::Opened).collect();
        let found = opened.iter().find(|a| within(a.starts_at)).expect("it is found");
        assert!(minute(found.starts_at) <= 1_510, "{}", minute(found.starts_at));
        assert_eq!(found.top[0].channel, channels - 1, "{:?}", found.top);
        if channels > 1 {
            assert_eq!(found.cause, Some(FaultClass::Sensor(channels - 1)));
        }
        let firing = out.rows.iter().filter(|row| within(row.time) && row.firing).count();
        assert!(firing >= 345, "{channels} channels: firing for {firing} of 360 minutes");
        let before = opened.iter().filter(|a| minute(a.starts_at) < 1_500).count();
        assert!(before <= 2, "{channels} channels: {before} false alarms in a day");
        // Six hours after its end it is calm again.
        let late = out.rows.iter().filter(|row| minute(row.time) > 2_220);
        assert_eq!(late.filter(|row| row.firing).count(), 0, "{channels} channels");
    }
}

#[test]
fn a_constant_series_never_raises() {
    for channels in CHANNELS {
        let record =
            |i: i64| Owned { key: "flat".into(), time: 60_000 * i, values: vec![21.5; channels] };
        let records: Vec<Owned> = (0..3_000).map(record).collect();
        let out = run(&detecting(channels), [records.as_slice()]);
        assert_eq!(out.alerts, [], "{channels} channels");
        assert!(out.rows.iter().skip(1_000).all(|row| !row.warming));
    }
}

/// What a network errs by on it is noise of its own, and so is what the last bits of a sum differ by.
#[test]
fn a_constant_never_raises_whatever_it_is_and_whoever_sends_it() {
    for (entity, value) in (0..12).map(|i| (format!("flat{i}"), [0.0, 20.1, -4e9][i % 3])) {
        let record = |i: i64| {
            let bits = [0.0, 1.0, -1.0][(i * i % 7) as usize % 3];
            let value = value * (1.0 + bits * f64::EPSILON);
            Owned { key: entity.clone(), time: 60_000 * i, values: vec![value] }
        };
        let records: Vec<Owned> = (0..6_000).map(record).collect();
        let out = run(&detecting(1), [records.as_slice()]);
        assert_eq!(out.alerts, [], "{entity}: {value}");
        assert!(out.rows.iter().all(|row| row.surprise == 0.0), "{entity}: {value}");
    }
}

/// A shard that was fed some records.
fn fed(spec: &StreamSpec, records: &[Owned], out: &mut Outbox) -> Shard {
    let mut shard = Shard::new(Arc::new(spec.clone()), 0);
    feed(&mut shard, records, 0, out);
    shard
}

fn feed(shard: &mut Shard, records: &[Owned], from: usize, out: &mut Outbox) {
    for (offset, record) in records.iter().enumerate() {
        let time = EventTime::from_millis(record.time);
        let offset = (from + offset) as i64;
        let record = RecordRef { key: &record.key, time, values: &record.values, offset };
        shard.push(record, time, out);
    }
    shard.settle(out);
}

/// Restored in the middle of an alert, quarantine and detector go on as if never stored; a verdict
/// then lives through what was held back.
#[test]
fn a_restart_within_an_alert_and_a_verdict_after_it() {
    for channels in CHANNELS {
        let spec = detecting(channels);
        let records = minutes(channels, 1_800, 1_500..usize::MAX, 12.0);
        let mut out = Outbox { keep_rows: true, ..Outbox::default() };
        let mut shard = fed(&spec, &records[..1_560], &mut out);
        let alert = out.alerts.last().expect("an alert").alert_id.clone();
        let bytes = shard.save();
        let restored = Shard::restore(Arc::new(spec), 0, &bytes).expect("its own bytes");
        let finish = |mut shard: Shard| {
            let mut out = Outbox { keep_rows: true, ..Outbox::default() };
            let feedback =
                Feedback { alert_id: alert.clone(), verdict: Verdict::NewNormal, position: 1 };
            let decided = shard.decide(&feedback, &mut out);
            assert!(matches!(decided, Decided::Applied { .. }), "{decided:?}");
            feed(&mut shard, &records[1_560..], 1_560, &mut out);
            out
        };
        let (first, second) = (finish(shard), finish(restored));
        assert_eq!(bits(&first), bits(&second), "{channels} channels");
        let firing = first.rows.iter().filter(|row| row.firing).count();
        assert!(firing < 24, "{channels} channels: firing for {firing} of 240 minutes");
    }
}
