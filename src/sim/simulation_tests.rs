use std::collections::BTreeMap;

use super::super::params::DAY;
use super::super::{DAY_PROFILE, FaultKind, SENSORS, WEEK_PROFILE};
use super::*;

fn params(days: i64) -> SimParams {
    SimParams { span: Millis::new(days * DAY), ..SimParams::default() }
}

fn records(seed: u64, params: SimParams) -> Vec<SimRecord> {
    Simulation::new(seed, params).collect()
}

fn plant_only(days: i64) -> SimParams {
    SimParams { shops: 0, ..params(days) }
}

#[test]
fn equal_seeds_give_equal_records_and_other_seeds_others() {
    assert_eq!(records(3, params(1)), records(3, params(1)));
    assert_ne!(records(3, params(1)), records(4, params(1)));
}

#[test]
fn records_come_in_event_time_order_and_in_the_promised_number() {
    let simulation = Simulation::new(1, params(2));
    let total = simulation.records_total();
    let records: Vec<SimRecord> = simulation.collect();
    assert_eq!(total, 2 * (6 * 1_440 + 12 * 24));
    assert_eq!(records.len() as u64, total);
    assert!(records.is_sorted_by_key(|record| record.time));
}

#[test]
fn a_shorter_span_is_the_beginning_of_a_longer_one() {
    let long = Simulation::new(5, plant_only(12));
    let short = Simulation::new(5, plant_only(9));
    assert!(!short.faults().is_empty());
    for fault in short.faults() {
        assert!(long.faults().contains(fault), "{fault:?}");
    }
    assert!(short.take(50_000).eq(long.take(50_000)));
}

#[test]
fn a_fault_alters_the_sensors_it_names_while_it_lasts_and_nothing_else() {
    let faulty = Simulation::new(2, plant_only(21));
    let faults = faulty.faults().to_vec();
    let calm = SimParams { with_faults: false, ..plant_only(21) };
    let mut altered = vec![0_u64; faults.len()];
    for (got, want) in faulty.zip(Simulation::new(2, calm)) {
        for ((name, value), (_, expected)) in got.values.iter().zip(&want.values) {
            if value == expected {
                continue;
            }
            let hit = faults.iter().position(|fault| {
                fault.entity == got.entity
                    && fault.start <= got.time
                    && got.time < fault.end
                    && fault.sensors.contains(name)
            });
            altered[hit.expect("only a fault alters a value")] += 1;
        }
    }
    for (fault, altered) in faults.iter().zip(altered) {
        let minutes = (fault.end - fault.start).get() / MINUTE;
        let cells = minutes as u64 * fault.sensors.len() as u64;
        assert!(10 * altered >= 9 * cells, "{altered} of {cells}: {fault:?}");
    }
}

#[test]
fn faults_wait_for_the_warm_up_leave_time_to_recover_and_show_every_kind() {
    let params = plant_only(56);
    let simulation = Simulation::new(9, params.clone());
    let mut by_machine: BTreeMap<&str, Vec<&Fault>> = BTreeMap::new();
    for fault in simulation.faults() {
        by_machine.entry(&fault.entity).or_default().push(fault);
    }
    assert_eq!(by_machine.len(), 6);
    for faults in by_machine.values() {
        assert!(params.start + params.warmup <= faults[0].start);
        for pair in faults.windows(2) {
            assert!(pair[0].end + params.recovery <= pair[1].start);
        }
        for kind in FaultKind::ALL {
            assert!(faults.iter().any(|fault| fault.kind == kind), "{kind}");
        }
        assert!(faults.iter().all(|fault| fault.end < params.start + params.span));
    }
}

#[test]
fn a_stuck_sensor_repeats_its_last_calm_value() {
    let simulation = Simulation::new(2, plant_only(28));
    let fault = simulation.faults().iter().find(|f| f.kind == FaultKind::Stuck).cloned();
    let fault = fault.expect("every kind comes within 28 days");
    let sensor = SENSORS.iter().position(|name| *name == fault.sensors[0]).expect("a sensor");
    let of_machine = simulation.filter(|record| record.entity == fault.entity);
    let before = fault.start - Millis::new(MINUTE);
    let values: Vec<f64> = of_machine
        .skip_while(|record| record.time < before)
        .take_while(|record| record.time < fault.end)
        .map(|record| record.values[sensor].1)
        .collect();
    assert!(values.len() > 100);
    assert!(values.iter().all(|value| *value == values[0]));
}

#[test]
fn the_sensors_of_a_calm_machine_follow_one_load() {
    let calm = SimParams { machines: 1, with_faults: false, ..plant_only(14) };
    let rows: Vec<Vec<f64>> =
        records(1, calm).iter().map(|r| r.values.iter().map(|(_, v)| *v).collect()).collect();
    let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<f64>>();
    let load = column(0);
    for (sensor, least) in [(1, 0.7), (2, 0.8), (3, 0.9), (4, 0.9)] {
        let r = correlation(&load, &column(sensor));
        assert!(r.abs() > least, "{}: {r}", SENSORS[sensor]);
    }
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| f(*a - mx, *b - my)).sum();
    let (xy, xx, yy): (f64, f64, f64) =
        (sum(&|a, b| a * b), sum(&|a, _| a * a), sum(&|_, b| b * b));
    xy / (xx * yy).sqrt()
}

#[test]
fn profiles_have_mean_one() {
    assert!((DAY_PROFILE.iter().sum::<f64>() - 24.0).abs() < 1e-9);
    assert!((WEEK_PROFILE.iter().sum::<f64>() - 7.0).abs() < 1e-9);
}

#[test]
fn demand_is_counted_in_whole_units_with_the_week_in_its_sums() {
    let shops = SimParams { machines: 0, ..params(52 * 7) };
    let mut by_day = [0.0_f64; 7];
    let mut of_shop: BTreeMap<SeriesKey, (f64, u32, u32)> = BTreeMap::new();
    for record in records(1, shops.clone()) {
        let units = record.values[0].1;
        assert!(units >= 0.0 && units.fract() == 0.0, "{units}");
        by_day[((record.time - shops.start).get() / DAY % 7) as usize] += units;
        let shop = of_shop.entry(record.entity).or_default();
        shop.0 += units;
        shop.1 += u32::from(units == 0.0);
        shop.2 += 1;
    }
    let total: f64 = by_day.iter().sum();
    for (sold, factor) in by_day.iter().zip(WEEK_PROFILE) {
        let share = sold / total * 7.0;
        assert!((share / factor - 1.0).abs() < 0.12, "{share} for {factor}");
    }
    let zeros = |(_, zeros, hours): &(f64, u32, u32)| f64::from(*zeros) / f64::from(*hours);
    let intermittent = of_shop.values().filter(|shop| zeros(shop) > 0.6).count();
    assert_eq!((of_shop.len(), intermittent), (12, 3));
}
