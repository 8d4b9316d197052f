//! Parts of the detector as the prototype has them: `tests/it/golden/multivariate.py`, which also says
//! where they differ on purpose.

use serde_json::Value;

use super::Tuning;
use super::evidence::{Blocks, join};
use super::period::PeriodFinder;
use super::relation::Relation;
use super::scale::Scale;
use super::track::{Learned, Track};

const GOLDEN: &str = include_str!("../../../tests/it/golden/multivariate.json");

fn golden(pointer: &str) -> Vec<f64> {
    let all: Value = serde_json::from_str(GOLDEN).unwrap();
    match all.pointer(pointer).expect(pointer) {
        Value::Array(list) => list.iter().map(|x| x.as_f64().expect(pointer)).collect(),
        one => vec![one.as_f64().expect(pointer)],
    }
}

fn assert_close(values: &[f64], pointer: &str, tolerance: f64) {
    let expected = golden(pointer);
    assert_eq!(values.len(), expected.len(), "{pointer}");
    for (value, expected) in values.iter().zip(&expected) {
        let distance = (value - expected).abs() / expected.abs().max(1.0);
        assert!(distance < tolerance, "{pointer}: {value} is not {expected}");
    }
}

/// The rows of the script, `(n, 3)` or more.
fn cell(i: usize, j: usize) -> f64 {
    ((i * 331 + j * 97 + i * i % 89) % 797) as f64 / 797.0 - 0.5
}

#[test]
fn a_scale_is_that_of_the_prototype() {
    let of = |i: usize| {
        let spike = if i == 7 { 1000.0 } else { cell(i, 3) };
        [cell(i, 0), (8.0 * cell(i, 1)).floor(), 3.5, spike, cell(i, 4)]
    };
    let rows: Vec<f64> = (0..300).flat_map(of).collect();
    let scale = Scale::fit(&rows, 5);
    let each = |what: &dyn Fn(usize) -> f64| (0..5).map(what).collect::<Vec<f64>>();
    assert_close(&each(&|j| scale.mean(j)), "/scale/mean", 1e-12);
    assert_close(&each(&|j| scale.sd(j)), "/scale/sd", 1e-12);
}

#[test]
fn a_track_and_its_calibration_are_those_of_the_prototype() {
    let tuning = Tuning { slow_rows: 1e12, ..Tuning::default() };
    let mut scale = Scale::around_zero(3, 1e-9);
    (0..3).for_each(|j| scale.assume(j, 0.01));
    let mut track = Track::new(tuning.raw[0], &scale, 3, 1e12);
    // From here on the unit is so small that nothing is added to a variance.
    (0..3).for_each(|j| scale.assume(j, 0.0));
    let mut blocks = Blocks::known(0.0, 1.0, 1e12);
    let at = [0, 50, 299, 300, 303, 400, 639];
    let mut scores = Vec::new();
    for i in 0..640 {
        let shift = if i >= 300 { 2.0 } else { 0.0 };
        track.push(&[cell(i, 0) + shift, cell(i, 1), cell(i, 2)]);
        let score = track.score(&scale, &[true; 3], None);
        if at.contains(&i) {
            scores.push(score);
        }
        blocks.learn(score, 1.0, &tuning);
        track.learn(&scale, Learned { seen: &[true; 3], weight: 1.0, bin: None }, &tuning);
    }
    assert_close(&scores, "/track/score", 1e-6);
    assert_close(&[0, 1, 2].map(|j| track.base(j)), "/track/base", 1e-6);
    assert_close(&[0, 1, 2].map(|j| track.variance(j)), "/track/variance", 1e-6);
    let (mean, spread) = blocks.moments();
    assert_close(&[mean], "/track/block_mean", 1e-6);
    assert_close(&[spread], "/track/block_spread", 1e-6);
}

#[test]
fn statistics_are_joined_as_in_the_prototype() {
    let tuning = Tuning { kappa: 1.0, ..Tuning::default() };
    let one = |parts: &[(f64, f64)]| join(parts.iter().copied(), &tuning);
    let joined = [
        one(&[(2.0, 0.0), (1.0, 0.0)]),
        one(&[(2.0, -1.0), (1.0, 3.0)]),
        one(&[(1.0, 2.0), (2.0, 9.0), (0.01, 4.0)]),
    ];
    assert_close(&joined, "/join", 1e-12);
}

#[test]
fn a_period_is_that_of_the_prototype_to_a_row() {
    for (k, length) in [120.0, 288.0].into_iter().enumerate() {
        let mut finder = PeriodFinder::new(3);
        for i in 0..1_600 {
            let wave = |j: usize| {
                (std::f64::consts::TAU * i as f64 / length + j as f64).sin() + 0.5 * cell(i, j)
            };
            finder.observe((0..3).map(wave));
        }
        let expected = golden("/period")[k];
        let found = finder.period().expect("a wave has a period");
        assert!((found - expected).abs() <= 1.0, "{found} is not {expected}");
    }
}

#[test]
fn relations_are_the_ridge_regression_of_numpy() {
    let tuning = Tuning::default();
    let mut relation = Relation::new(3);
    for i in 0..500 {
        let first = cell(i, 0);
        relation.see(&[first, -first + 0.1 * cell(i, 1), cell(i, 2)]);
        relation.learn(1.0, &tuning);
    }
    relation.refit();
    let mut residual = Vec::new();
    relation.residual(&mut residual);
    assert_close(&residual, "/relation", 1e-9);
}
