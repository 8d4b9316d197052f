//! Alerts on single channels, from rows to episodes: streams on which too many or too few opened.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Shard, StreamSpec};
use crate::alert::{AlertParams, Entities, Maintenance, Switches, When};
use crate::model::ModelParams;
use crate::record::{EventTime, Millis, Outbox, RecordRef, Step};
use crate::window::{Aggregate, RowParams, WindowParams};

const MINUTE: i64 = 60_000;

fn spec(step_ms: i64) -> StreamSpec {
    StreamSpec {
        name: Arc::from("press"),
        channels: vec![Arc::from("force")],
        rows: RowParams {
            step: Step::Grid(Millis::new(step_ms)),
            max_out_of_order: Millis::ZERO,
            ahead_max: Millis::new(300_000),
            aggregates: vec![Aggregate::Last],
            open_rows_max: 64,
        },
        window: WindowParams { length: 16, stride: 1, min_completeness: 0.5 },
        model: ModelParams::default(),
        alert: AlertParams::default(),
        data_ranges: Vec::new(),
        maintenance: Vec::new(),
        features_every: 0,
        forecast: None,
        series_max: 1,
        seed: 1,
    }
}

/// Row numbers of episodes, from the row that opened each to the one after it closed.
fn episodes(spec: StreamSpec, values: &[Option<f64>]) -> Vec<std::ops::Range<usize>> {
    let Step::Grid(step) = spec.rows.step else { panic!("a grid") };
    let mut shard = Shard::new(Arc::new(spec), 0);
    let mut out = Outbox { keep_rows: true, ..Outbox::default() };
    for (i, value) in values.iter().enumerate() {
        let time = EventTime::from_millis(i as i64 * step.get());
        let Some(value) = value else { continue };
        let record = RecordRef { key: "7", time, values: &[*value], offset: i as i64 };
        shard.push(record, time, &mut out);
    }
    shard.close_until(EventTime::from_millis(i64::MAX), &mut out);
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for row in &out.rows {
        let at = (row.time.as_millis() / step.get()) as usize;
        match found.last_mut() {
            _ if row.raised => found.push(at..at + 1),
            Some(last) if row.firing => last.end = at + 1,
            _ => {}
        }
    }
    found
}

fn all(values: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
    values.into_iter().map(Some).collect()
}

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()
}

#[test]
fn a_pulse_on_a_constant_is_one_short_alert() {
    for (level, rows) in [(0.0, 1), (7.3, 1), (0.0, 5), (0.0, 40)] {
        let pulse = |i: usize| if (3_000..3_000 + rows).contains(&i) { 1.0 } else { 0.0 };
        let found = episodes(spec(MINUTE), &all((0..5_000).map(|i| level + pulse(i))));
        assert_eq!(found.len(), 1, "{rows} rows over {level}: {found:?}");
        assert_eq!(found[0].start, 3_000);
        assert!(found[0].len() < rows + 90, "{rows} rows over {level}: {found:?}");
    }
}

/// Idle bytes and a backup of an hour every day: an alert ends soon after it, and after a week there are none.
#[test]
fn what_comes_every_day_is_paged_on_the_first_days_only() {
    let calm = noise(12 * 1_440, 3);
    let value = |(i, noise): (usize, &f64)| {
        let backup = i % 1_440 >= 1_380;
        if backup { 1e5 * (1.0 + 0.1 * noise) } else { 1.0 + 0.1 * noise }
    };
    let found = episodes(spec(MINUTE), &all(calm.iter().enumerate().map(value)));
    assert!(found.iter().all(|episode| episode.len() < 150), "{found:?}");
    let late = found.iter().filter(|episode| episode.start >= 8 * 1_440).count();
    assert!(late <= 1, "{found:?}");
}

/// A flag that is set in two rows of a thousand, and a fault of it.
#[test]
fn a_rare_value_spends_no_more_than_the_budget_and_hides_no_fault() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let rows = 14 * 1_440;
    let mut values: Vec<f64> = (0..rows).map(|_| f64::from(rng.gen_bool(0.002))).collect();
    let fault = rows - 500..rows - 440;
    values[fault.clone()].fill(1.0);
    let found = episodes(spec(MINUTE), &all(values));
    let before = found.iter().filter(|episode| episode.end <= fault.start).count();
    // Two a week and two at the start are 6; evidence is loose, by half as many again at most.
    assert!(before <= 9, "{found:?}");
    assert!(found.iter().any(|episode| fault.contains(&episode.start)), "{found:?}");
}

#[test]
fn a_counter_that_only_grows_is_calm_and_one_that_stops_is_not() {
    for whole in [false, true] {
        let rows = 12_000;
        let mut counter: Vec<f64> = noise(rows, 7)
            .into_iter()
            .enumerate()
            .map(|(i, noise)| 1e6 + 0.5 * i as f64 + 0.2 * noise)
            .collect();
        if whole {
            counter.iter_mut().for_each(|v| *v = v.round());
        }
        let stop = rows - 200..rows - 140;
        let stands_at = counter[stop.start];
        counter[stop.clone()].fill(stands_at);
        let found = episodes(spec(5 * MINUTE), &all(counter));
        let before: Vec<_> = found.iter().filter(|e| e.end <= stop.start).collect();
        let firing: usize = before.iter().map(|episode| episode.len()).sum();
        assert!(before.len() <= 8 && firing < rows / 20, "whole numbers {whole}: {found:?}");
        // Of whole numbers, growth is 0 or 1: there it is the leap after the stop that is told.
        let shown = stop.start..stop.end + if whole { 10 } else { 0 };
        let stopped = found.iter().any(|episode| shown.contains(&episode.start));
        assert!(stopped, "the stop at {stop:?}: {found:?}");
    }
}

/// A day of 192 rows; one in thirty is null, and half a day is upside down.
#[test]
fn a_strange_shape_is_found_though_values_are_missing() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    let strange = 5_000..5_096;
    let value = |(i, noise): (usize, f64)| {
        let day = (i as f64 * std::f64::consts::TAU / 192.0).sin();
        let value = if strange.contains(&i) { -day } else { day } + 0.05 * noise;
        Some(if rng.gen_bool(0.03) { f64::NAN } else { value })
    };
    let values: Vec<Option<f64>> = noise(6_000, 9).into_iter().enumerate().map(value).collect();
    let found = episodes(spec(MINUTE), &values);
    assert!(found.iter().any(|e| (4_990..5_190).contains(&e.start)), "{found:?}");
    assert!(found.iter().filter(|e| e.start < strange.start).count() <= 2, "{found:?}");
}

/// While an alert is open a fault is judged by the past of before it, missing row or not.
#[test]
fn a_missing_row_does_not_end_an_alert() {
    let fault = 3_000..3_300;
    let value = |(i, noise): (usize, f64)| Some(noise + if fault.contains(&i) { 8.0 } else { 0.0 });
    let mut values: Vec<Option<f64>> = noise(3_300, 4).into_iter().enumerate().map(value).collect();
    let whole = episodes(spec(MINUTE), &values);
    [3_010, 3_040, 3_041, 3_100].into_iter().for_each(|i| values[i] = None);
    // Records without a value, longer than calm rows end an alert.
    values[3_150..3_190].fill(Some(f64::NAN));
    let broken = episodes(spec(MINUTE), &values);
    let last = |found: &[std::ops::Range<usize>]| found.last().cloned().unwrap_or(0..0);
    assert_eq!(last(&whole), 3_000..3_300, "{whole:?}");
    assert_eq!(last(&broken), last(&whole), "{broken:?}");
}

/// A fault that becomes far worse on the row on which its state would have been taken for normal, and one
/// that does so soon after, have alerts that are open in the worse part.
#[test]
fn what_gets_worse_when_it_would_be_accepted_is_told() {
    for (worse, seed) in [(3_400, 1), (3_401, 2), (3_430, 3), (3_520, 4)] {
        let level = |i: usize| match i {
            3_000.. if i >= worse => 100.0,
            3_000.. => 12.0,
            _ => 0.0,
        };
        let value = |(i, noise): (usize, f64)| Some(noise + level(i));
        let values: Vec<Option<f64>> =
            noise(worse + 60, seed).into_iter().enumerate().map(value).collect();
        let found = episodes(spec(MINUTE), &values);
        assert!(found.iter().any(|e| e.contains(&(worse + 2))), "worse at {worse}: {found:?}");
    }
}

/// Rows that wait for `for` more of their kind are not learned meanwhile.
#[test]
fn a_fault_that_has_to_last_is_told_once_it_has() {
    let mut spec = spec(MINUTE);
    spec.alert.for_rows = 3;
    for seed in 1..=4 {
        let value =
            |(i, n): (usize, f64)| Some(n + if (3_000..3_012).contains(&i) { 15.0 } else { 0.0 });
        let values: Vec<Option<f64>> =
            noise(3_100, seed).into_iter().enumerate().map(value).collect();
        let found = episodes(spec.clone(), &values);
        assert!(found.iter().any(|e| (3_001..3_006).contains(&e.start)), "{found:?}");
    }
}

/// What maintenance did to the errors is not what a fault is held against.
#[test]
fn a_fault_after_maintenance_is_as_rare_as_if_there_had_been_none() {
    let (maintenance, fault) = (2_700..2_820, 3_000..3_060);
    for seed in 1..=4 {
        let high = |i: &usize| maintenance.contains(i) || fault.contains(i);
        let value = |(i, noise): (usize, f64)| noise + if high(&i) { 15.0 } else { 0.0 };
        let values: Vec<f64> = noise(3_200, seed).into_iter().enumerate().map(value).collect();
        let at = |row: i64| EventTime::from_millis(row * MINUTE);
        let mut spec = spec(MINUTE);
        spec.maintenance.push(Maintenance {
            name: Arc::from("oil"),
            entities: Entities::default(),
            when: When::Once { from: at(2_640), until: at(2_880) },
            switches: Switches { score: true, alert: false, learn: false },
        });
        let found = episodes(spec, &all(values));
        assert!(found.iter().any(|e| (3_000..3_003).contains(&e.start)), "{seed}: {found:?}");
    }
}

/// A reading that cannot be, among the very first, must not hide faults later.
#[test]
fn an_absurd_first_reading_does_not_blind() {
    let mut values = noise(2_000, 8);
    values[10] = -9_999.0;
    values[1_900..].iter_mut().for_each(|v| *v += 15.0);
    let found = episodes(spec(MINUTE), &all(values));
    let first = found.iter().find(|episode| episode.start >= 1_900).map(|e| e.start);
    assert!(first.is_some_and(|first| first < 1_903), "{found:?}");
}
