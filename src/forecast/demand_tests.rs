//! Demand that is rare, and values that are absurd.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::forecaster_tests::{demand, errors, observe, params};
use super::{ForecastParams, Link, NonNegative};
use crate::record::ForecastSource;

fn chance(t: usize) -> f64 {
    if (9..17).contains(&(t % 24)) { 0.7 } else { 0.02 }
}

/// Demand by day, none at most hours of the night.
fn rare(rows: usize, size: impl Fn(&mut Xoshiro256PlusPlus) -> f64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
    (0..rows).map(|t| if rng.gen_bool(chance(t)) { size(&mut rng) } else { 0.0 }).collect()
}

/// Sums over all forecasts from row 1,500 on.
#[derive(Default)]
struct Sums {
    n: f64,
    /// Forecasts called after the hurdle.
    hurdles: f64,
    off_p_zero: f64,
    square: f64,
    naive_square: f64,
    said: f64,
    truth: f64,
}

fn sums(params: &ForecastParams, values: &[f64]) -> Sums {
    let mut sums = Sums::default();
    let rows = values.len();
    observe(params, values, |t, set| {
        for point in set.points.iter().filter(|p| t > 1_500 && t + (p.horizon as usize) < rows) {
            let j = t + point.horizon as usize;
            let before = j - 168 * (point.horizon as usize).div_ceil(168);
            let p_zero = point.p_zero.map_or(f64::NAN, |p| (p - (1.0 - chance(j))).abs());
            sums.off_p_zero += p_zero;
            sums.square += (point.yhat - values[j]).powi(2);
            sums.naive_square += (values[before] - values[j]).powi(2);
            sums.hurdles += f64::from(u8::from(point.source == ForecastSource::Hurdle));
            (sums.said, sums.truth) = (sums.said + point.yhat, sums.truth + values[j]);
            sums.n += 1.0;
        }
    });
    sums
}

/// All hours of a day ahead, and a few: each horizon must meet all hours of the day.
#[test]
fn intermittent_demand_has_a_probability_of_zero() {
    let values = rare(3_000, |rng| f64::from(rng.gen_range(1_u8..8)));
    let day: Vec<u32> = (1..=24).collect();
    for horizons in [&[1, 12, 24][..], &day] {
        let Sums { n, hurdles, off_p_zero, square, naive_square, .. } =
            sums(&params(horizons, &[24, 168]), &values);
        let off = off_p_zero / n;
        assert!(off < 0.1, "{horizons:?}: probabilities are off by {off}");
        assert!(square < 0.7 * naive_square, "{horizons:?}: {} {}", square / n, naive_square / n);
        assert!(hurdles > 0.95 * n, "{horizons:?}: {hurdles} of {n}");
    }
}

/// A chance times a logarithm is no expected logarithm.
#[test]
fn rare_demand_is_as_much_as_it_is_on_either_scale() {
    let values = rare(3_000, |rng| f64::from(rng.gen_range(40_u8..60)));
    for link in [Link::Identity, Link::Log1p] {
        let params = ForecastParams { link, ..params(&[1, 12, 24], &[24, 168]) };
        let Sums { said, truth, square, naive_square, .. } = sums(&params, &values);
        assert!((said / truth - 1.0).abs() < 0.1, "{link:?}: {} of the demand", said / truth);
        assert!(square < 0.7 * naive_square, "{link:?}: {square} {naive_square}");
    }
}

/// Zeros of a flow in both directions are not its absence.
#[test]
fn a_flow_that_may_be_negative_is_no_rare_demand() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let flow = |t: usize, rng: &mut Xoshiro256PlusPlus| match t % 24 {
        0..4 => -10.0 + rng.gen_range(-1.0..1.0),
        4..16 => 0.0,
        _ => 10.0 + rng.gen_range(-1.0..1.0),
    };
    let values: Vec<f64> = (0..2_400).map(|t| flow(t, &mut rng)).collect();
    let Sums { hurdles, square, n, .. } = sums(&params(&[1, 12, 24], &[24, 168]), &values);
    assert!(hurdles == 0.0 && square / n < 4.0, "{hurdles} {}", square / n);
}

/// One reading is forgotten in a few weeks, whatever it was.
#[test]
fn an_absurd_value_does_not_spoil_a_series() {
    let values = demand(3_000, 7);
    for link in [Link::Identity, Link::Log1p] {
        let params = ForecastParams { link, ..params(&[1, 6, 24], &[24, 168]) };
        let [clean, _] = errors(&params, &values, 168, 1_900);
        for absurd in [1e9, -1e9, 1e60, f64::MAX, f64::INFINITY] {
            let mut values = values.clone();
            values[1_500] = absurd;
            let [spoilt, _] = errors(&params, &values, 168, 1_900);
            assert!(spoilt < 1.05 * clean, "{link:?}, {absurd}: {spoilt} {clean}");
        }
    }
}

/// What looks absurd and stays is the new normal.
#[test]
fn a_new_level_is_reached() {
    let mut values = demand(2_700, 7);
    values[1_500..].iter_mut().for_each(|y| *y *= 1_000.0);
    let [ours, naive] = errors(&params(&[1, 6, 24], &[24, 168]), &values, 168, 2_200);
    assert!(ours < 1.1 * naive, "{ours} {naive}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes: points and bounds are finite, bounds are nested, counts stay counts, weights
    /// are a distribution.
    #[test]
    fn forecasts_are_sound_whatever_comes(
        rows in proptest::collection::vec(
            prop_oneof![
                4 => 0.0..100.0_f64,
                2 => Just(0.0),
                1 => Just(f64::NAN),
                1 => prop_oneof![Just(1e9), Just(1e99), Just(1e154), Just(1.797e308), Just(-1e200)],
                1 => Just(f64::INFINITY),
            ],
            1..400,
        ),
        log in any::<bool>(),
        long in any::<bool>(),
    ) {
        let link = if log { Link::Log1p } else { Link::Identity };
        let seasons: &[u32] = if long { &[6, 24] } else { &[6] };
        let non_negative = NonNegative::Always;
        let params = ForecastParams { link, non_negative, ..params(&[1, 7, 30], seasons) };
        let forecaster = observe(&params, &rows, |_, set| {
            for point in &set.points {
                let [narrow, wide] = [point.intervals[0], point.intervals[1]];
                assert!(point.yhat.is_finite() && 0.0 <= point.yhat, "{point:?}");
                assert!(0.0 <= wide.lower && wide.upper.is_finite(), "{point:?}");
                assert!(wide.lower <= narrow.lower && narrow.upper <= wide.upper, "{point:?}");
                assert!(narrow.lower <= narrow.upper, "{point:?}");
            }
            let sum: f64 = set.weights.iter().map(|(_, weight)| weight).sum();
            assert!(sum.abs() < 1e-9 || (sum - 1.0).abs() < 1e-9, "{:?}", set.weights);
        });
        prop_assert!(forecaster.state_bytes() < 1 << 20);
    }
}
