//! Series as people have them: late starts, slips, returns, holidays, walks.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::forecaster_tests::{demand, observe, params};
use super::{Calendar, ForecastParams};
use crate::record::{ForecastSource, Millis};

/// Mean absolute error, share inside of the narrower interval, and its widest width, of the forecasts
/// for rows that are `wanted`.
fn figures(
    params: &ForecastParams,
    values: &[f64],
    wanted: impl Fn(usize) -> bool,
) -> (f64, f64, f64) {
    let (mut n, mut error, mut inside, mut widest) = (0.0, 0.0, 0.0, 0.0_f64);
    observe(params, values, |t, set| {
        for point in &set.points {
            let j = t + point.horizon as usize;
            let Some(y) = values.get(j).filter(|_| wanted(j)) else { continue };
            let interval = point.intervals[0];
            assert!(interval.lower <= interval.upper, "{interval:?}");
            if point.source != ForecastSource::Hurdle {
                assert!((interval.lower..=interval.upper).contains(&point.yhat), "{point:?}");
            }
            n += 1.0;
            error += (point.yhat - y).abs();
            inside += f64::from(u8::from(interval.lower <= *y && *y <= interval.upper));
            widest = widest.max(interval.upper - interval.lower);
        }
    });
    (error / n, inside / n, widest)
}

#[test]
fn intervals_are_of_use_soon_after_a_quiet_start() {
    let late: Vec<f64> = demand(2_600, 3)
        .iter()
        .enumerate()
        .map(|(t, y)| if t < 1_000 { 7.0 } else { *y })
        .collect();
    let (_, inside, widest) = figures(&params(&[1, 24], &[24, 168]), &late, |j| j > 1_600);
    assert!((0.72..0.9).contains(&inside), "{inside}");
    assert!(widest < 200.0, "{widest}");
}

#[test]
fn a_walk_is_told_by_its_last_value() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut y = 1_000.0;
    let walk: Vec<f64> = (0..2_000)
        .map(|_| {
            y += rng.gen_range(-1.0..1.0);
            y
        })
        .collect();
    let (error, ..) = figures(&params(&[1, 6], &[24, 168]), &walk, |j| j > 1_000);
    let naive = [1, 6].map(|h| {
        let errors = (1_001..2_000).map(|j: usize| (walk[j] - walk[j - h]).abs());
        errors.sum::<f64>() / 999.0
    });
    assert!(error < 1.03 * 0.5 * (naive[0] + naive[1]), "{error} against {naive:?}");
}

#[test]
fn an_absurd_value_among_the_first_is_not_felt_for_weeks() {
    let good = demand(1_400, 4);
    for (at, value) in [(0, 1e6), (3, 1e6), (12, -1e5)] {
        let mut bad = good.clone();
        bad[at] = value;
        let params = params(&[1, 24], &[24, 168]);
        let [clean, slipped] = [&good, &bad].map(|values| figures(&params, values, |j| j > 500));
        assert!(slipped.0 < 1.1 * clean.0, "row {at}: {slipped:?}, {clean:?}");
        assert!(slipped.2 < 2.0 * clean.2, "row {at}: {slipped:?}, {clean:?}");
    }
}

#[test]
fn one_return_does_not_make_sales_flows() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    let sale = |_| if rng.gen_bool(0.15) { f64::from(rng.gen_range(1_u8..6)) } else { 0.0 };
    let mut sales: Vec<f64> = (0..1_600).map(sale).collect();
    sales[300] = -1.0;
    let (mut hurdles, mut n) = (0, 0);
    observe(&params(&[1, 24], &[24, 168]), &sales, |t, set| {
        for point in set.points.iter().filter(|_| t > 1_200) {
            assert!(point.yhat >= 0.0 && point.intervals.iter().all(|i| i.lower >= 0.0));
            hurdles += u32::from(point.source == ForecastSource::Hurdle);
            n += 1;
        }
    });
    assert!(2 * hurdles > n, "{hurdles} of {n}");
}

/// Shops are closed on Sundays and holidays: it is known how a Sunday is.
#[test]
fn a_holiday_is_like_a_sunday_and_spoils_no_weekday() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let holidays = [45, 60, 73, 80, 93, 101, 116];
    // 1970-01-01 is a Thursday.
    let rests = |day: usize| holidays.contains(&day) || (day + 3) % 7 == 6;
    let values: Vec<f64> = (0..24 * 130)
        .map(|t| {
            let open = (8..20).contains(&(t % 24)) && !rests(t / 24);
            rng.gen_range(-3.0..3.0) + if open { 100.0 } else { 10.0 }
        })
        .collect();
    let plain = params(&[12, 24], &[24, 168]);
    let dates = holidays.map(|day| {
        jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day as i64))
    });
    let calendar = Calendar::new(jiff::tz::TimeZone::UTC, dates, Millis::new(3_600_000));
    let told = ForecastParams { calendar, ..plain.clone() };
    let of = |params: &ForecastParams, days: &dyn Fn(usize) -> bool| {
        figures(params, &values, |j| j > 24 * 44 && days(j / 24)).0
    };
    let on = |day: usize| holidays.contains(&day);
    let week_after = |day: usize| day >= 7 && holidays.contains(&(day - 7)) && !on(day);
    let [without, with] = [&plain, &told].map(|params| of(params, &on));
    assert!(with < 0.5 * without, "on holidays: {with} with the list, {without} without");
    let [without, with] = [&plain, &told].map(|params| of(params, &week_after));
    assert!(with < 1.05 * without, "a week later: {with} with the list, {without} without");
}
