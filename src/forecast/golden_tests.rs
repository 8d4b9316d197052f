//! The numbers of the prototype's formulas in numpy: `tests/it/golden/forecast.py`.

use serde_json::Value;

use super::features::View;
use super::interval::Bands;
use super::mix::Mix;
use super::target::Target;
use super::{Calendar, ForecastParams, LatentParams, Link, NonNegative, Scratch};
use crate::record::{EventTime, Millis};

const M: usize = 12;
const LONG: usize = 84;
const HORIZONS: usize = 12;
const ROWS: usize = 700;
/// The newest refresh before the origin, and the origin.
const REFRESH: usize = 600;
const ORIGIN: usize = 605;
const STEP_MS: i64 = 7_200_000;

fn golden() -> Value {
    let text = include_str!("../../tests/it/golden/forecast.json");
    serde_json::from_str(text).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn assert_close(what: &str, got: &[f64], wanted: &[f64], within: f64) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    for (i, (a, b)) in got.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= within * b.abs().max(1.0), "{what}[{i}]: {a}, expected {b}");
    }
}

fn value(t: usize) -> f64 {
    let t = t as f64;
    let wobble = (0.37 * t).sin() * (0.011 * t * t).cos() + 0.5 * (1.9 * t).sin();
    let share = if t % LONG as f64 >= 60.0 { 0.4 } else { 1.0 };
    let season = (std::f64::consts::TAU * t / M as f64).sin();
    50.0 + 10.0 * season * share + 3.0 * (t / 90.0).sin() + 2.0 * wobble
}

fn params() -> ForecastParams {
    let seasons = vec![M as u32, LONG as u32];
    let horizons = (1..=HORIZONS as u32).collect();
    ForecastParams {
        non_negative: NonNegative::Never,
        latent: LatentParams { enabled: false, ..LatentParams::default() },
        ..ForecastParams::new(horizons, seasons, Calendar::utc(Millis::new(STEP_MS)))
    }
}

/// A target that has seen the rows up to the origin.
fn target(params: &ForecastParams) -> Target {
    let mut target = Target::new(params, &params.seasons, 0);
    let mut scratch = Scratch::default();
    for t in 0..=ORIGIN.min(ROWS) {
        let time = EventTime::from_millis(t as i64 * STEP_MS);
        target.observe(params, (time, value(t), &[]), (&|_, _| f64::NAN, None), &mut scratch);
    }
    target
}

#[test]
fn rows_and_features_are_those_of_the_prototype() {
    let (golden, params) = (golden(), params());
    let target = target(&params);
    let (design, history) = (&target.design, &target.history);
    for (t, wanted) in golden["rows"].as_object().expect("a table") {
        let t: usize = t.parse().expect("a row");
        let got =
            [history.level(t), history.scale(t), history.profile(1, t), history.profile(0, t)];
        assert_close("row", &got, &numbers(wanted), 1e-9);
    }
    let view = View { design, history, t: ORIGIN };
    let (mut few, mut clock, mut own) = (Vec::new(), Vec::new(), Vec::new());
    view.few(&mut few);
    view.clock(|x| clock.push(x));
    view.future(&mut own);
    assert_close("few", &few, &numbers(&golden["few"]), 1e-9);
    assert_close("clock", &clock, &numbers(&golden["clock"]), 1e-9);
    assert_close("own", &own, &numbers(&golden["own"]), 1e-9);
}

#[test]
fn experts_say_what_those_of_the_prototype_say() {
    let (golden, params) = (golden(), params());
    let target = target(&params);
    assert_eq!((REFRESH - target.design.first_origin()) % M, 0, "a refresh");
    let origin = target.origins.back().expect("an origin");
    let mut said: Vec<&[f64]> = origin.said.chunks_exact(HORIZONS).collect();
    // The prototype has no expert that repeats the last value.
    assert_eq!(said.remove(target.design.seasons.len()), [origin.last; HORIZONS]);
    let wanted = |key: &str| match golden[key][0].is_array() {
        true => golden[key].as_array().expect("lists").iter().map(numbers).collect(),
        false => vec![numbers(&golden[key])],
    };
    let keys = ["seasonal", "usual", "skip", "lags"];
    let all: Vec<(&str, Vec<f64>)> =
        keys.into_iter().flat_map(|key| wanted(key).into_iter().map(move |w| (key, w))).collect();
    assert_eq!(said.len(), all.len() + 1, "and the hurdle, which says nothing");
    for (said, (key, wanted)) in said.iter().zip(&all) {
        assert_close(key, said, wanted, 1e-6);
    }
}

#[test]
fn weights_are_those_of_the_prototype() {
    let golden = golden();
    let mut mix = Mix::new(3, 2, 4);
    for i in 0..50 {
        mix.fade();
        for k in 0..3 {
            for h in 0..2 {
                let more = if k == 1 { 0.3 * h as f64 } else { 0.0 };
                let error = (f64::from(i) * 0.7 + k as f64).sin() * (1.0 + 0.1 * k as f64 + more);
                mix.learn(k, h, error.abs());
            }
        }
    }
    let wanted: Vec<f64> =
        golden["mix"].as_array().expect("lists").iter().flat_map(numbers).collect();
    assert_close("mix", &mix.weights(&[1.0; 6]), &wanted, 1e-9);
}

#[test]
fn bounds_are_those_of_the_prototype() {
    let mut bands = Bands::new(&[0.8, 0.95], 1, 1, 24);
    let bounds = |bands: &Bands| -> Vec<f64> {
        let scale = bands.scale(0, 0).unwrap_or(1.0);
        bands.offsets(0).iter().map(|q| q * scale).collect()
    };
    for i in 0..300 {
        let i = f64::from(i);
        let said = bounds(&bands);
        let truth = 3.0 * (i * 1.3).sin() + (i * 0.17).sin();
        bands.learn((0, 24, 0), (truth, 0.0, &said), (Link::Identity, f64::INFINITY));
    }
    // The first quantiles are an approximation within 4.5e-4.
    assert_close("bounds", &bounds(&bands), &numbers(&golden()["quantiles"]), 2e-3);
}
