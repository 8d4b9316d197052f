//! Parts of the detector against the prototype of its design: `tests/it/golden/univariate.py`,
//! which also says what is not compared and why.

use serde_json::Value;

use super::calibration::{BlockMax, Ratio};
use super::clock::Clock;
use super::cycle::Cycle;
use super::errors::{Errors, Residuals};
use super::normal::Normal;
use super::period;
use super::short::Told;
use super::tail::LogTail;

const GOLDEN: &str = include_str!("../../../tests/it/golden/univariate.json");
const STEP_MS: i64 = 300_000;
/// Records before the prototype's network tells anything.
const BLIND: usize = 31;

/// Rows of numbers, lists in them laid out flat.
fn golden(name: &str) -> Vec<Vec<f64>> {
    fn flat(value: &Value, to: &mut Vec<f64>) {
        match value.as_array() {
            Some(values) => values.iter().for_each(|value| flat(value, to)),
            None => to.push(value.as_f64().expect("a number")),
        }
    }
    let all: Value = serde_json::from_str(GOLDEN).unwrap();
    let rows = all[name].as_array().expect(name).iter().map(|row| {
        let mut numbers = Vec::new();
        flat(row, &mut numbers);
        numbers
    });
    let rows: Vec<Vec<f64>> = rows.collect();
    assert!(rows.len() >= 6, "{name} holds {} rows", rows.len());
    rows
}

fn assert_close(value: f64, expected: f64, tolerance: f64, what: &str) {
    let distance = (value - expected).abs() / expected.abs().max(1.0);
    assert!(distance < tolerance, "{what}: {value} is not {expected}");
}

/// Calls `at` for the records of `rows`, the first number of each, among all that `step` makes.
fn follow<T>(rows: &[Vec<f64>], mut step: impl FnMut(usize) -> T, at: impl Fn(&[f64], T)) {
    let mut rows = rows.iter().peekable();
    for i in 0.. {
        let made = step(i);
        let Some(row) = rows.peek() else { return };
        if row[0] as usize == i {
            at(row, made);
            rows.next();
        }
    }
}

fn noise(i: usize) -> f64 {
    let h = (i as u32).wrapping_mul(2_654_435_761);
    let h = (h ^ (h >> 15)).wrapping_mul(2_246_822_519);
    f64::from(h ^ (h >> 13)) / 4_294_967_296.0
}

fn value(i: usize) -> f64 {
    let spike = if i % 500 == 499 { 15.0 } else { 0.0 };
    50.0 + 10.0 * (i as f64 * std::f64::consts::TAU / 288.0).sin() + 4.0 * noise(i) + spike
}

fn error(i: usize) -> f64 {
    -(1.0 - noise(i + 7)).ln()
}

#[test]
fn scaled_values_and_contexts_are_those_of_the_prototype() {
    let (mut normal, mut clock) = (Normal::default(), Clock::default());
    let step = |i: usize| {
        let (time, value) = (i as i64 * STEP_MS, value(i));
        let x = normal.scale(value);
        clock.observe(time, x);
        normal.learn(value);
        (x, clock.context(time))
    };
    follow(&golden("stream"), step, |row, (x, context)| {
        assert_close(x, row[1], 1e-6, &format!("record {}", row[0]));
        for (k, told) in context.into_iter().enumerate() {
            let what = format!("context {k} of record {}", row[0]);
            assert_close(f64::from(told), row[2 + k], 1e-5, &what);
        }
    });
}

#[test]
fn heights_of_single_records_are_those_of_the_prototype() {
    let (mut normal, mut errors) = (Normal::default(), Errors::new());
    let step = |i: usize| {
        let value = value(i);
        let residual = if i < BLIND { 0.0 } else { value - normal.unscale(0.0) };
        let told = Told { one_step: residual, blind: residual };
        let residuals = Residuals { newest: told, averaged: told, step: 0.0 };
        let (_, [heights, _]) = errors.judge(residuals, value, i as i64 * STEP_MS, true);
        errors.learn(STEP_MS as f64 / 1e3);
        normal.learn(value);
        heights
    };
    follow(&golden("stream"), step, |row, heights| {
        let told = [heights.mean_4, heights.mean_16, heights.one_step];
        for (k, told) in told.into_iter().enumerate() {
            assert_close(told, row[8 + k], 1e-5, &format!("height {k} of record {}", row[0]));
        }
    });
}

#[test]
fn ratios_and_block_maxima_are_those_of_the_prototype() {
    let (mut ratio, mut blocks) = (Ratio::new(400.0), BlockMax::default());
    let step = |i: usize| {
        let told = (ratio.of(error(i)), blocks.of(error(i)));
        ratio.learn(error(i));
        blocks.learn(error(i));
        told
    };
    follow(&golden("calibration"), step, |row, (ratio, height)| {
        assert_close(ratio, row[1], 1e-9, &format!("ratio of error {}", row[0]));
        // Maxima are stored as f32.
        assert_close(height, row[2], 1e-6, &format!("height of error {}", row[0]));
    });
}

#[test]
fn in_the_bulk_rarities_are_about_those_of_sorted_errors() {
    let mut tail = LogTail::default();
    let step = |i: usize| {
        let told = tail.rarity(error(i));
        tail.learn(error(i));
        told
    };
    follow(&golden("rarities"), step, |row, rarity| {
        assert_close(rarity, row[1], 0.06, &format!("rarity of error {}", row[0]));
    });
}

#[test]
fn periods_are_those_of_the_prototype() {
    for row in golden("periods") {
        let (period, n) = (row[0], row[1] as usize);
        let wave = |i: usize| {
            let turn = i as f64 * std::f64::consts::TAU / period;
            turn.sin() + 0.3 * (2.0 * turn).sin() + 0.5 * noise(i) + 0.001 * i as f64
        };
        let x: Vec<f64> = (0..n).map(|i| if period > 0.0 { wave(i) } else { noise(i) }).collect();
        let found = period::find_period(&x).unwrap_or(0);
        assert_eq!(found, row[2] as usize, "period {period} in {n} records");
    }
}

#[test]
fn told_periods_are_judged_as_by_the_prototype() {
    let told = |point: usize, row: usize, i: usize| {
        let (point, row, at) = (point as f64, row as f64, i as f64);
        let mean = ((point - 63.0 + at) * 0.2).sin() + 0.1 * (row + at).cos();
        let log_variance = -2.0 + 0.5 * (at + row).sin();
        (if i < 64 { mean } else { log_variance }) as f32
    };
    let mut cycle = Cycle::new(1, 1);
    let mut held = 0.0;
    let step = |point: usize| {
        cycle.push(((point as f64 * 0.2).sin() + 0.2 * noise(point)) as f32);
        if point >= 63 {
            let outputs = ndarray::Array2::from_shape_fn((4, 128), |(r, i)| told(point, r, i));
            held = cycle.compare(outputs.view()).unwrap_or(held);
            cycle.learn(true);
        }
        held
    };
    follow(&golden("shape"), step, |row, told| {
        assert_close(told, row[1], 1e-5, &format!("point {}", row[0]));
    });
}
