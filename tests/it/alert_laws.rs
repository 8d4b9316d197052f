//! Laws of alerts in the engine: kinds, maintenance, verdicts, and going on after a restart.

use std::sync::Arc;

use latentd::alert::{
    Entities, FlapLimit, Maintenance, MaintenanceWindow, Planned, SkewLimit, Switches, When,
};
use latentd::engine::{Shard, StreamSpec};
use latentd::model::Scope;
use latentd::record::{
    AlertChange, AlertKind, AlertReason, AlertRecord, Decided, Direction, EventTime, Feedback,
    Millis, Outbox, Placement, RecordRef, Severity, Verdict,
};
use proptest::prelude::*;

use crate::support::{Owned, bits, run, spec};

fn at(second: i64) -> EventTime {
    EventTime::from_millis(1_000 * second)
}

fn value(second: i64, channel: usize) -> f64 {
    let ripple = ((second * 7_919 + channel as i64 * 31) % 101) as f64 / 101.0 - 0.5;
    (second as f64 / 24.0 * std::f64::consts::TAU + channel as f64).sin() + 0.1 * ripple
}

/// A record a second of series `a` and `b`.
fn calm(rows: i64) -> Vec<Owned> {
    let record = |second: i64, key: &str| Owned {
        key: key.into(),
        time: 1_000 * second,
        values: vec![value(second, 0), value(second, 1)],
    };
    (0..rows).flat_map(|second| [record(second, "a"), record(second, "b")]).collect()
}

/// A stream that watches for all kinds.
fn watching() -> StreamSpec {
    let mut spec = spec(Scope::Series, 2, 1);
    spec.alert.stale_after = Millis::new(60_000);
    spec.alert.stuck_after = 20;
    spec.data_ranges = vec![Some([-5.0, 5.0]), None];
    spec
}

fn of_kind(out: &Outbox, kind: AlertKind) -> Vec<&AlertRecord> {
    out.alerts.iter().filter(|alert| alert.kind == kind).collect()
}

fn story(records: &[&AlertRecord]) -> Vec<(AlertChange, i64, u32)> {
    records.iter().map(|a| (a.change, a.window.end.as_millis() / 1_000, a.sequence)).collect()
}

#[test]
fn a_silent_series_is_stale_by_the_time_of_the_others() {
    let mut records = calm(600);
    records.retain(|r| r.key == "b" || !(300..500).contains(&(r.time / 1_000)));
    let out = run(&watching(), [records.as_slice()]);
    let stale = of_kind(&out, AlertKind::Stale);
    use AlertChange::{Closed, Opened, Updated};
    // The last record is of second 299; critical after twice as long.
    assert_eq!(story(&stale), [(Opened, 359, 0), (Updated, 419, 1), (Closed, 500, 2)]);
    assert!(stale.iter().all(|a| &*a.entity == "a" && a.alert_id == stale[0].alert_id));
    assert_eq!((stale[0].severity, stale[1].severity), (Severity::Warning, Severity::Critical));
    assert_eq!((stale[0].window.start, stale[0].starts_at), (at(299), at(359)));
    assert_eq!(stale[2].ends_at, Some(at(500)));
    assert_eq!(out.facts.alerts_opened[AlertKind::Stale as usize], [1, 0]);
}

/// A gap of everything is no silence of anyone, and a record of long ago makes nobody regular.
#[test]
fn a_gap_of_the_whole_partition_makes_nobody_stale() {
    let mut records = calm(900);
    records.retain(|record| !(300..700).contains(&(record.time / 1_000)));
    records.insert(0, Owned { key: "once".into(), time: 0, values: vec![0.0; 2] });
    let out = run(&watching(), [records.as_slice()]);
    assert_eq!(story(&of_kind(&out, AlertKind::Stale)), []);
}

#[test]
fn a_channel_that_moves_is_stuck_and_one_that_never_moved_is_not() {
    let mut records = calm(600);
    for record in &mut records {
        let second = record.time / 1_000;
        if record.key == "a" && (400..450).contains(&second) {
            record.values[1] = 0.25;
        }
        if record.key == "b" {
            record.values[0] = 21.5 / 10.0;
        }
    }
    let out = run(&watching(), [records.as_slice()]);
    let stuck = of_kind(&out, AlertKind::Stuck);
    assert_eq!(stuck.iter().filter(|a| a.change == AlertChange::Opened).count(), 1, "{stuck:?}");
    assert_eq!((&*stuck[0].entity, stuck[0].starts_at), ("a", at(420)));
    assert_eq!((stuck[0].top.len(), stuck[0].top[0].channel), (1, 1));
    assert_eq!(stuck.last().map(|a| a.change), Some(AlertChange::Closed));
}

#[test]
fn a_value_out_of_range_is_told_at_once_and_not_learned() {
    let mut records = calm(400);
    for record in records.iter_mut().filter(|r| r.key == "a" && r.time == 300_000) {
        record.values[0] = 6.0;
    }
    let out = run(&watching(), [records.as_slice()]);
    let range = of_kind(&out, AlertKind::OutOfRange);
    assert_eq!(story(&range), [(AlertChange::Opened, 301, 0), (AlertChange::Closed, 304, 1)]);
    let first = range[0];
    assert_eq!((first.direction, first.top[0].y), (Some(Direction::Above), 6.0));
    assert_eq!((first.top[0].yhat, first.top[0].lower, first.top[0].upper), (5.0, -5.0, 5.0));
    assert_eq!(first.anomaly_score, 1.1);
    assert!(first.p_value.is_nan() && out.facts.windows_quarantined >= 3);
    // Even a series that still warms up.
    records.truncate(20);
    records[18].values[0] = -9.0;
    let out = run(&watching(), [records.as_slice()]);
    assert_eq!(of_kind(&out, AlertKind::OutOfRange)[0].direction, Some(Direction::Below));
}

#[test]
fn a_clock_that_is_late_or_ahead_is_told() {
    for shift in [-20_000, 90_000] {
        let mut spec = watching();
        spec.rows.max_out_of_order = Millis::new(10_000);
        spec.alert.clock_skew = SkewLimit { share: 0.5, ahead: Millis::new(60_000) };
        let mut shard = Shard::new(Arc::new(spec), 0);
        let (mut out, mut late) = (Outbox::default(), 0);
        for (offset, record) in calm(400).iter().enumerate() {
            let wrong = record.key == "a" && (200..300).contains(&(record.time / 1_000));
            let time = EventTime::from_millis(record.time + if wrong { shift } else { 0 });
            let (values, offset) = (record.values.as_slice(), offset as i64);
            let log_time = EventTime::from_millis(record.time);
            let record = RecordRef { key: &record.key, time, values, offset };
            let placement = shard.push(record, log_time, &mut out);
            late += usize::from(record.key == "b" && placement != Placement::Placed);
        }
        shard.settle(&mut out);
        let clock = of_kind(&out, AlertKind::ClockSkew);
        assert_eq!(clock.first().map(|a| a.change), Some(AlertChange::Opened), "{shift}");
        assert!(clock.iter().all(|a| &*a.entity == "a"), "{shift} {clock:?}");
        assert_eq!(late, 0, "{shift}: one wrong clock costs the others nothing");
    }
}

/// Records of the future, all of them: it is the Kafka time that says nothing, and time goes on.
#[test]
fn a_stream_that_is_all_of_the_future_is_closed_row_by_row() {
    let mut spec = watching();
    spec.alert.clock_skew = SkewLimit { share: 0.5, ahead: Millis::new(60_000) };
    let mut shard = Shard::new(Arc::new(spec), 0);
    let mut out = Outbox::default();
    for (offset, record) in calm(400).iter().enumerate() {
        let (key, values) = (record.key.as_str(), record.values.as_slice());
        let time = EventTime::from_millis(record.time);
        let log_time = EventTime::from_millis(record.time - 400_000);
        shard.push(RecordRef { key, time, values, offset: offset as i64 }, log_time, &mut out);
    }
    shard.settle(&mut out);
    assert!(out.facts.rows > 780 && out.facts.late == 0, "{:?}", out.facts);
}

/// What goes on of a kind that is switched off ends: it is not told for ever, and learning goes on.
#[test]
fn what_is_switched_off_ends() {
    let mut spec = watching();
    spec.alert.accept_after = 100_000;
    let mut records = calm(800);
    records.retain(|r| r.key == "b" || r.time < 300_000);
    let open = |out: &Outbox, kind| {
        let of_kind = of_kind(out, kind);
        of_kind.last().is_some_and(|alert| alert.change != AlertChange::Closed)
    };
    for record in records.iter_mut().filter(|r| r.key == "b" && r.time >= 300_000) {
        record.values = vec![7.0, 0.25];
    }
    let mut shard = Shard::new(Arc::new(spec.clone()), 0);
    let mut out = Outbox::default();
    let (before, after): (Vec<_>, Vec<_>) = records.into_iter().partition(|r| r.time < 500_000);
    // The clock of `c` is wrong, and it is not heard of again but once.
    let c = |time| Owned { key: "c".into(), time, values: vec![0.0; 2] };
    push(&mut shard, &before, 0, &mut out);
    for i in 0..40 {
        let (record, log) = (c(490_000 + i * 10), EventTime::from_millis(100_000));
        let time = EventTime::from_millis(record.time);
        let (key, values) = (record.key.as_str(), record.values.as_slice());
        shard.push(RecordRef { key, time, values, offset: 1_000 + i }, log, &mut out);
    }
    shard.settle(&mut out);
    let kinds = [AlertKind::Stale, AlertKind::Stuck, AlertKind::OutOfRange, AlertKind::ClockSkew];
    assert_eq!(kinds.map(|kind| open(&out, kind)), [true; 4]);
    spec.alert.gone_after = Millis::ZERO;
    (spec.alert.stale_after, spec.alert.stuck_after) = (Millis::ZERO, 0);
    spec.data_ranges = vec![None, None];
    spec.alert.clock_skew.share = 0.0;
    for no_ranges in [false, true] {
        if no_ranges {
            spec.data_ranges.clear();
        }
        let saved = shard.save();
        let mut shard = Shard::restore(Arc::new(spec.clone()), 0, &saved).expect("it fits");
        let mut out = out.clone();
        push(&mut shard, &[c(500_000)], 2_000, &mut out);
        push(&mut shard, &after, 2_001, &mut out);
        assert_eq!(kinds.map(|kind| open(&out, kind)), [false; 4], "{no_ranges}");
        let ended = |kind| of_kind(&out, kind).last().map(|alert| (alert.ends_at, alert.reason));
        for kind in kinds {
            let (ends_at, reason) = ended(kind).expect("it was open");
            assert!(ends_at >= Some(at(490)) && ends_at < Some(at(520)), "{kind:?} {ends_at:?}");
            assert_eq!(reason, Some(AlertReason::Calm));
        }
    }
}

/// A machine that is taken out of use in the midst of an alert is not alarming for ever.
#[test]
fn alerts_of_a_series_that_is_gone_end() {
    let mut spec = watching();
    spec.alert.gone_after = Millis::new(100_000);
    let mut records = calm(800);
    records.retain(|r| r.key == "b" || r.time < 310_000);
    records
        .iter_mut()
        .filter(|r| r.key == "a" && r.time >= 300_000)
        .for_each(|r| r.values[0] = 7.0);
    let cut = records.iter().position(|r| r.time == 350_000).expect("within");
    let spec = Arc::new(spec);
    let (mut whole, mut pieces) = (Outbox::default(), Outbox::default());
    let mut shard = Shard::new(Arc::clone(&spec), 0);
    push(&mut shard, &records, 0, &mut whole);
    let range = of_kind(&whole, AlertKind::OutOfRange);
    assert_eq!(story(&range), [(AlertChange::Opened, 301, 0), (AlertChange::Closed, 409, 1)]);
    assert_eq!((range[1].reason, range[1].ends_at), (Some(AlertReason::Gone), Some(at(409))));
    assert_eq!(range[1].window.start, at(309));
    // What it has not sent is another matter.
    let stale = of_kind(&whole, AlertKind::Stale);
    assert!(stale.iter().all(|alert| alert.change != AlertChange::Closed) && !stale.is_empty());
    assert!(of_kind(&whole, AlertKind::Anomaly).iter().all(|a| a.ends_at <= Some(at(409))));
    let open: Vec<_> = shard.open_alerts().into_iter().filter(|a| &*a.entity == "a").collect();
    assert_eq!(open.iter().map(|a| a.kind).collect::<Vec<_>>(), [AlertKind::Stale]);
    // A restart in between changes nothing; a gap of everybody makes nobody gone.
    let mut shard = Shard::new(Arc::clone(&spec), 0);
    push(&mut shard, &records[..cut], 0, &mut pieces);
    let saved = shard.save();
    let mut shard = Shard::restore(Arc::clone(&spec), 0, &saved).expect("its own bytes");
    let mut later: Vec<Owned> = records[cut..].to_vec();
    push(&mut shard, &later, cut, &mut pieces);
    assert_eq!(bits(&whole), bits(&pieces));
    let mut shard = Shard::restore(spec, 0, &saved).expect("its own bytes");
    later.iter_mut().for_each(|record| record.time += 10_000_000);
    let mut out = Outbox::default();
    push(&mut shard, &later[..80], cut, &mut out);
    assert_eq!(of_kind(&out, AlertKind::OutOfRange).len(), 0);
    push(&mut shard, &later[80..], cut + 80, &mut out);
    assert_eq!(of_kind(&out, AlertKind::OutOfRange).len(), 1);
}

/// While nothing may be told of a young series, what is out of range is not learned either.
#[test]
fn a_value_out_of_range_is_not_learned_before_the_delay_is_over() {
    let mut spec = watching();
    spec.alert.new_entity_delay = Millis::new(1_000_000);
    let mut records = calm(400);
    let quarantined = |records: &[Owned]| {
        let out = run(&spec, [records]);
        assert_eq!(of_kind(&out, AlertKind::OutOfRange).len(), 0);
        out.facts.windows_quarantined
    };
    let calm = quarantined(&records);
    records
        .iter_mut()
        .filter(|r| r.key == "a" && r.time == 300_000)
        .for_each(|r| r.values[0] = 99.0);
    assert_eq!(quarantined(&records), calm + 1);
}

/// Verdicts find their alert by its id, over a restart, among many; other texts find none.
#[test]
fn cases_are_found_by_id_after_a_restart() {
    let spec = Arc::new(watching());
    let mut shard = Shard::new(Arc::clone(&spec), 0);
    let mut out = Outbox::default();
    let mut records = calm(400);
    records.iter_mut().filter(|r| r.time == 300_000).for_each(|r| r.values[0] = 6.0);
    push(&mut shard, &records, 0, &mut out);
    let ids: Vec<String> = out
        .alerts
        .iter()
        .filter(|a| a.change == AlertChange::Opened)
        .map(|a| a.alert_id.clone())
        .collect();
    assert!(ids.len() >= 2, "{ids:?}");
    let saved = shard.save();
    let mut shard = Shard::restore(spec, 0, &saved).expect("its own bytes");
    for id in &ids {
        let feedback = |alert_id: &str| Feedback {
            alert_id: alert_id.to_owned(),
            verdict: Verdict::TruePositive,
            position: 1,
        };
        assert_eq!(shard.decide(&feedback(&id.to_uppercase()), &mut out), Decided::Unknown);
        assert_eq!(shard.decide(&feedback(&id[..13]), &mut out), Decided::Unknown);
        assert!(matches!(shard.decide(&feedback(id), &mut out), Decided::Applied { .. }));
        assert_eq!(shard.decide(&feedback(id), &mut out), Decided::Heard);
    }
}

#[test]
fn every_kind_can_be_switched_off() {
    let mut records = calm(600);
    records.retain(|r| r.key == "b" || !(300..500).contains(&(r.time / 1_000)));
    records.iter_mut().filter(|r| r.time > 520_000).for_each(|r| r.values[0] = 99.0);
    let mut spec = watching();
    (spec.alert.stale_after, spec.alert.stuck_after) = (Millis::ZERO, 0);
    spec.data_ranges.clear();
    spec.alert.clock_skew.share = 0.0;
    let out = run(&spec, [records.as_slice()]);
    assert!(!out.alerts.is_empty());
    assert!(out.alerts.iter().all(|alert| alert.kind == AlertKind::Anomaly));
}

/// Records of one series with a fault in the seconds 300 to 340.
fn faulty() -> Vec<Owned> {
    let mut records = calm(600);
    records.retain(|record| record.key == "a");
    let fault = records.iter_mut().filter(|r| (300..340).contains(&(r.time / 1_000)));
    fault.for_each(|record| record.values[1] = 4.0);
    records
}

fn once(from: i64, until: i64, switches: Switches) -> Vec<Maintenance> {
    let (name, entities) = (Arc::from("once"), Entities(vec!["a*".into()]));
    vec![Maintenance {
        name,
        entities,
        when: When::Once { from: at(from), until: at(until) },
        switches,
    }]
}

#[test]
fn maintenance_suppresses_and_learns_nothing_and_scores() {
    let mut spec = watching();
    spec.maintenance = once(290, 350, Switches { score: true, alert: false, learn: false });
    let out = run(&spec, [faulty().as_slice()]);
    let near: Vec<_> = out
        .alerts
        .iter()
        .filter(|a| {
            a.kind == AlertKind::Anomaly && (290..360).contains(&(a.starts_at.as_millis() / 1_000))
        })
        .collect();
    assert!(!near.is_empty());
    for alert in near {
        assert_eq!(alert.change, AlertChange::Suppressed);
        assert_eq!((alert.reason, alert.sequence), (Some(AlertReason::Maintenance), 0));
    }
    assert!(out.facts.alerts_suppressed[0] >= 1);
    // Windows that reach into it are not learned: 60 rows and the 3 before the last is out.
    assert!(out.facts.windows_quarantined >= 63, "{}", out.facts.windows_quarantined);
    let scored = out.rows.iter().filter(|row| (300..340).contains(&(row.time.as_millis() / 1_000)));
    assert!(scored.filter(|row| row.anomaly_score >= 1.0).count() >= 10);
}

#[test]
fn switches_do_one_thing_each() {
    let with = |switches| {
        let mut spec = spec(Scope::Series, 2, 1);
        spec.maintenance = once(290, 350, switches);
        run(&spec, [faulty().as_slice()])
    };
    let on = with(Switches::ON);
    assert_eq!(bits(&on), bits(&run(&spec(Scope::Series, 2, 1), [faulty().as_slice()])));
    let unscored = with(Switches { score: false, ..Switches::ON });
    let within = |out: &Outbox| {
        let rows = out.rows.iter().filter(|r| (293..350).contains(&(r.time.as_millis() / 1_000)));
        rows.map(|row| row.anomaly_score).fold(0.0, f64::max)
    };
    assert_eq!(within(&unscored), 0.0);
    assert!(within(&on) >= 1.0);
    assert_eq!(unscored.facts.windows_scored, on.facts.windows_scored - 63);
    let unlearned = with(Switches { learn: false, ..Switches::ON });
    let opened =
        |out: &Outbox| out.alerts.iter().filter(|a| a.change == AlertChange::Opened).count();
    assert!(opened(&unlearned) >= 1 && unlearned.facts.alerts_suppressed == [0, 0]);
}

#[test]
fn an_announced_window_is_the_same_as_a_configured_one() {
    let switches = Switches { score: true, alert: false, learn: false };
    let mut configured = watching();
    configured.maintenance = once(290, 350, switches);
    let wanted = run(&configured, [faulty().as_slice()]);
    let window = MaintenanceWindow {
        id: "m-1".into(),
        streams: Entities(vec!["te?t".into()]),
        entities: Entities(vec!["a".into()]),
        from: at(290),
        until: at(350),
        switches,
    };
    let mut shard = Shard::new(Arc::new(watching()), 0);
    let mut out = Outbox { keep_rows: true, ..Outbox::default() };
    let other = Entities(vec!["other".into()]);
    let foreign = MaintenanceWindow { streams: other, ..window.clone() };
    assert_eq!(shard.apply_maintenance(foreign), Planned::Unchanged);
    assert_eq!(shard.apply_maintenance(window.clone()), Planned::Changed);
    assert_eq!(shard.apply_maintenance(window), Planned::Unchanged);
    let saved = shard.save();
    let mut shard = Shard::restore(Arc::new(watching()), 0, &saved).expect("its own bytes");
    assert_eq!(shard.plan().windows().count(), 1);
    push(&mut shard, &faulty(), 0, &mut out);
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    assert_eq!(bits(&out), bits(&wanted));
}

#[test]
fn a_late_entity_opens_nothing_before_its_delay_is_over() {
    let mut spec = watching();
    spec.alert.new_entity_delay = Millis::new(310_000);
    let out = run(&spec, [faulty().as_slice()]);
    let first = out.alerts.iter().map(|a| a.starts_at).min();
    assert!(first.is_some_and(|first| first >= at(310)), "{first:?}");
}

#[test]
fn a_verdict_closes_the_alert_with_its_reason_and_nothing_opens_until_it_is_calm() {
    let records = faulty();
    let mut shard = Shard::new(Arc::new(watching()), 0);
    let mut out = Outbox::default();
    push(&mut shard, &records[..320], 0, &mut out);
    let open =
        out.alerts.iter().rfind(|a| a.change != AlertChange::Closed).expect("the fault").clone();
    assert!(shard.close_alert("a-000000000000", AlertReason::Expected, &mut out).is_none());
    out.clear();
    let closed = shard.close_alert(&open.alert_id, AlertReason::FalsePositive, &mut out);
    assert_eq!(closed, Some((0, AlertKind::Anomaly)));
    let record = &out.alerts[0];
    assert_eq!((&record.alert_id, record.change), (&open.alert_id, AlertChange::Closed));
    assert_eq!(
        (record.reason, record.sequence),
        (Some(AlertReason::FalsePositive), open.sequence + 1)
    );
    assert!(record.ends_at.is_some() && shard.status().firing == [0, 0]);
    assert!(shard.close_alert(&open.alert_id, AlertReason::FalsePositive, &mut out).is_none());
    out.clear();
    push(&mut shard, &records[320..345], 320, &mut out);
    assert!(of_kind(&out, AlertKind::Anomaly).is_empty(), "{:?}", out.alerts);
}

fn push(shard: &mut Shard, records: &[Owned], offset: usize, out: &mut Outbox) {
    let log: Vec<i64> = records.iter().map(|record| record.time).collect();
    push_at(shard, (records, &log), offset, out);
}

/// Pushes records that were written at the times `log`.
fn push_at(shard: &mut Shard, (records, log): (&[Owned], &[i64]), offset: usize, out: &mut Outbox) {
    for (i, (record, log)) in records.iter().zip(log).enumerate() {
        let (time, log) = (EventTime::from_millis(record.time), EventTime::from_millis(*log));
        let (key, values) = (record.key.as_str(), record.values.as_slice());
        let offset = (offset + i) as i64;
        shard.push(RecordRef { key, time, values, offset }, log, out);
    }
    shard.settle(out);
}

/// Kafka times of records that were written as the newest of them came.
fn written(records: &[Owned]) -> Vec<i64> {
    let newest = |newest: &mut i64, record: &Owned| {
        *newest = record.time.max(*newest);
        Some(*newest)
    };
    records.iter().scan(i64::MIN, newest).collect()
}

/// Three series with faults of every kind, drawn by `seed`.
fn troubles(rows: i64, seed: u64) -> Vec<Owned> {
    let mut state = seed | 1;
    let mut dice = |sides: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let mut trouble = [(0_u64, 0_i64); 3];
    let mut records = Vec::new();
    for second in 0..rows {
        for (s, trouble) in trouble.iter_mut().enumerate() {
            if trouble.1 <= second {
                *trouble = (dice(9), second + 10 + dice(60) as i64);
            }
            let mut values = vec![value(second, s), value(second, s + 1)];
            let mut time = 1_000 * second;
            match trouble.0 {
                0 => continue,
                1 => values[0] = 0.5,
                2 => values[0] = 7.0,
                3 => time -= 30_000,
                4 => values[1] += 4.0,
                _ => {}
            }
            records.push(Owned { key: format!("s{s}"), time, values });
        }
    }
    records
}

fn troubled(shared: bool, seed: u64) -> StreamSpec {
    let mut spec = watching();
    spec.model.scope = if shared { Scope::Shard } else { Scope::Series };
    spec.alert.stale_after = Millis::new(15_000);
    spec.alert.stuck_after = 8;
    spec.alert.renotify = Millis::new(9_000);
    spec.alert.critical_after = 7;
    spec.alert.flap_limit = FlapLimit { openings: 2, per: Millis::new(120_000) };
    spec.alert.clock_skew.share = 0.3;
    spec.alert.gone_after = Millis::new(20_000);
    spec.alert.new_entity_delay = Millis::new((seed % 3) as i64 * 20_000);
    let switches =
        Switches { score: seed.is_multiple_of(2), alert: false, learn: seed.is_multiple_of(5) };
    spec.maintenance = once(150, 200, switches);
    spec.maintenance[0].entities = Entities(vec!["s1".into()]);
    spec
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Cut anywhere, with batches of any size: the same records, bit for bit.
    #[test]
    fn alerts_of_all_kinds_survive_restarts_and_batches(
        seed in any::<u64>(), shared in any::<bool>(), cuts in prop::collection::vec(0.0_f64..1.0, 0..6),
    ) {
        let spec = Arc::new(troubled(shared, seed));
        let records = troubles(400, seed);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (records.len() as f64 * cut) as usize).collect();
        cuts.extend([0, records.len()]);
        cuts.sort_unstable();
        let outbox = || Outbox { keep_rows: true, ..Outbox::default() };
        let (mut whole, mut pieces) = (outbox(), outbox());
        let mut shard = Shard::new(Arc::clone(&spec), 0);
        let log = written(&records);
        push_at(&mut shard, (&records, &log), 0, &mut whole);
        let last = shard.save();
        let mut shard = Shard::new(Arc::clone(&spec), 0);
        for cut in cuts.windows(2) {
            let of = cut[0]..cut[1];
            push_at(&mut shard, (&records[of.clone()], &log[of]), cut[0], &mut pieces);
            let saved = shard.save();
            shard = Shard::restore(Arc::clone(&spec), 0, &saved).expect("its own bytes");
        }
        prop_assert_eq!(bits(&whole), bits(&pieces));
        prop_assert_eq!(last, shard.save());
    }

    /// Of each series and kind one alert is open at a time; its records are numbered from 0.
    #[test]
    fn one_alert_a_kind_and_series(seed in any::<u64>(), shared in any::<bool>()) {
        let out = run(&troubled(shared, seed), [troubles(400, seed).as_slice()]);
        let mut open = std::collections::BTreeMap::new();
        let mut gone = std::collections::BTreeSet::new();
        for alert in &out.alerts {
            let place = (alert.entity.clone(), alert.kind);
            let known: Option<&(String, u32)> = open.get(&place);
            let next = known.filter(|(id, _)| *id == alert.alert_id).map(|(_, sequence)| sequence + 1);
            prop_assert!(!gone.contains(&alert.alert_id));
            prop_assert_eq!(alert.ends_at.is_some(), alert.change == AlertChange::Closed);
            prop_assert_eq!(alert.reason.is_none(), alert.change == AlertChange::Opened);
            match alert.change {
                AlertChange::Opened => {
                    prop_assert!(known.is_none() && alert.sequence == 0);
                    open.insert(place, (alert.alert_id.clone(), 0));
                }
                AlertChange::Updated => {
                    prop_assert_eq!(Some(alert.sequence), next);
                    open.insert(place, (alert.alert_id.clone(), alert.sequence));
                }
                AlertChange::Closed => {
                    prop_assert_eq!(Some(alert.sequence), next);
                    open.remove(&place);
                    gone.insert(alert.alert_id.clone());
                }
                AlertChange::Suppressed => {
                    prop_assert!(known.is_none() && alert.sequence == 0);
                    gone.insert(alert.alert_id.clone());
                }
            }
        }
    }
}
