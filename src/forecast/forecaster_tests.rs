use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::record::{Fraction, Positive};

fn params(horizons: &[u32], seasons: &[u32]) -> ForecastParams {
    ForecastParams {
        targets: vec![0],
        horizons: horizons.to_vec(),
        seasons: seasons.to_vec(),
        every: 1,
        ridge: Positive::try_from(1.0).expect("above 0"),
        memory: Positive::try_from(4_000.0).expect("above 0"),
        levels: [0.8, 0.95].map(|l| Fraction::try_from(l).expect("in (0, 1)")).to_vec(),
        non_negative: NonNegative::Auto,
    }
}

/// Daily wave, a slow level, autocorrelated noise.
fn demand(rows: usize, seed: u64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut noise = 0.0;
    (0..rows)
        .map(|t| {
            noise = 0.8 * noise + rng.gen_range(-6.0..6.0);
            let phase = t as f64 / 24.0 * std::f64::consts::TAU;
            100.0 + 40.0 * phase.sin() + noise
        })
        .collect()
}

/// Mean absolute error at `h` of the published forecast and of the daily naive, from row 400.
fn errors(values: &[f64], h: usize) -> (f64, f64) {
    let mut forecaster = Forecaster::new(&params(&[h as u32], &[24]), 0);
    let (mut ours, mut naive, mut n) = (0.0, 0.0, 0.0);
    for t in 0..values.len() - h {
        forecaster.observe(values[t], None);
        let said = forecaster.forecast().expect("a value was seen").points[0].yhat;
        if t > 400 {
            ours += (values[t + h] - said).abs();
            naive += (values[t + h] - values[t + h - 24 * h.div_ceil(24)]).abs();
            n += 1.0;
        }
    }
    (ours / n, naive / n)
}

#[test]
fn a_seasonal_series_is_forecast_better_than_by_its_season() {
    let values = demand(3_000, 1);
    for h in [1, 6, 24] {
        let (ours, naive) = errors(&values, h);
        assert!(ours < 0.9 * naive, "horizon {h}: {ours} against {naive}");
    }
}

#[test]
fn a_forecast_depends_on_the_past_only() {
    let values = demand(800, 2);
    let mut changed = values.clone();
    changed[500..].iter_mut().for_each(|v| *v *= -3.0);
    let run = |values: &[f64]| {
        let mut forecaster = Forecaster::new(&params(&[1, 12], &[24]), 0);
        let said = values[..500].iter().map(|y| {
            forecaster.observe(*y, None);
            forecaster.forecast()
        });
        said.collect::<Vec<_>>()
    };
    assert_eq!(run(&values), run(&changed));
}

#[test]
fn published_intervals_cover_as_often_as_they_say() {
    let values = demand(6_000, 3);
    let mut forecaster = Forecaster::new(&params(&[3], &[24]), 0);
    let mut said: Vec<Vec<Interval>> = Vec::new();
    let (mut hits, mut n) = ([0.0; 2], 0.0);
    for (t, y) in values.iter().enumerate() {
        if t > 1_000 {
            n += 1.0;
            let bounds = &said[t - 3];
            hits.iter_mut().zip(bounds).for_each(|(hit, i)| {
                *hit += f64::from(u8::from(i.lower <= *y && *y <= i.upper));
            });
        }
        forecaster.observe(*y, None);
        said.push(forecaster.forecast().expect("seen").points[0].intervals.clone());
    }
    assert!((0.77..0.83).contains(&(hits[0] / n)), "{}", hits[0] / n);
    assert!((0.93..0.97).contains(&(hits[1] / n)), "{}", hits[1] / n);
}

#[test]
fn a_series_without_pattern_gets_a_naive_forecast_by_name() {
    let mut forecaster = Forecaster::new(&params(&[1], &[24]), 0);
    assert_eq!(forecaster.forecast(), None);
    forecaster.observe(5.0, None);
    let set = forecaster.forecast().expect("one value is enough");
    assert_eq!((set.points[0].yhat, set.points[0].source), (5.0, ForecastSource::SeasonalNaive));
    assert_eq!(set.skill, None);
}

proptest! {
    /// Whatever comes in, counts stay counts, intervals are nested, and nothing is NaN.
    #[test]
    fn forecasts_are_finite_ordered_and_not_negative(
        values in proptest::collection::vec(prop_oneof![3 => 0.0_f64..50.0, 1 => Just(f64::NAN), 1 => Just(0.0)], 1..300),
    ) {
        let mut forecaster = Forecaster::new(&params(&[1, 2, 7], &[4, 8]), 2);
        for (i, y) in values.iter().enumerate() {
            forecaster.observe(*y, Some(&[i as f32, -1.0]));
            let Some(set) = forecaster.forecast() else { continue };
            for point in set.points {
                let [inner, outer] = [point.intervals[0], point.intervals[1]];
                prop_assert!(0.0 <= outer.lower && outer.lower <= inner.lower);
                prop_assert!(inner.lower <= point.yhat && point.yhat <= inner.upper);
                prop_assert!(inner.upper <= outer.upper && outer.upper.is_finite());
            }
        }
        let bound = forecaster.state_bytes();
        prop_assert!(bound < 40_000, "{}", bound);
    }
}
