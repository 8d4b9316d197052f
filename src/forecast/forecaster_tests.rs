use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::forecast::{
    Calendar, ForecastParams, Forecaster, LatentParams, Link, PointSet, Row, Scratch, Shared,
};
use crate::record::{EventTime, ForecastSource, Millis};

const HOUR: i64 = 3_600_000;
const NOTHING: &dyn Fn(usize, EventTime) -> f64 = &|_, _| f64::NAN;

/// Hours, a day and a week, a small network.
pub(super) fn params(horizons: &[u32], seasons: &[u32]) -> ForecastParams {
    let latent = LatentParams {
        width: 4,
        hidden: 8,
        batch: 16,
        refresh: 1,
        windows_max: 256,
        ..LatentParams::default()
    };
    let calendar = Calendar::utc(Millis::new(HOUR));
    ForecastParams {
        latent,
        memory: 1_000,
        ..ForecastParams::new(horizons.to_vec(), seasons.to_vec(), calendar)
    }
}

/// Daily wave, a quiet weekend, autocorrelated noise.
pub(super) fn demand(rows: usize, seed: u64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut noise = 0.0;
    (0..rows)
        .map(|t| {
            noise = 0.8 * noise + rng.gen_range(-6.0..6.0);
            let phase = t as f64 / 24.0 * std::f64::consts::TAU;
            let share = if t % 168 < 120 { 1.0 } else { 0.5 };
            100.0 + 40.0 * share * phase.sin() + noise
        })
        .collect()
}

/// Observes all rows, and hands each forecast to `each`, with the row it was made at.
pub(super) fn observe(
    params: &ForecastParams,
    values: &[f64],
    mut each: impl FnMut(usize, PointSet),
) -> Forecaster {
    let (mut forecaster, mut scratch) = (Forecaster::new(params, 1), Scratch::default());
    for (t, y) in values.iter().enumerate() {
        let row = Row { time: time(t), y: *y, exogenous: &[], known: NOTHING };
        forecaster.observe(params, &row, None, &mut scratch);
        if let Some(set) = forecaster.forecast(params) {
            each(t, set);
        }
    }
    forecaster
}

/// Row 0 begins on a Thursday, at midnight.
fn time(t: usize) -> EventTime {
    EventTime::from_millis(t as i64 * HOUR)
}

/// Mean absolute errors of what was published and of the naive forecast of a season, from row `from`
/// on.
pub(super) fn errors(
    params: &ForecastParams,
    values: &[f64],
    season: usize,
    from: usize,
) -> [f64; 2] {
    let (mut sums, mut n) = ([0.0; 2], 0.0);
    observe(params, values, |t, set| {
        for point in set.points.iter().filter(|_| t >= from) {
            let h = point.horizon as usize;
            let Some(y) = values.get(t + h).filter(|y| !y.is_nan()) else { continue };
            let before = values[t + h - season * h.div_ceil(season)];
            if !before.is_nan() {
                sums[0] += (y - point.yhat).abs();
                sums[1] += (y - before).abs();
                n += 1.0;
            }
        }
    });
    sums.map(|sum| sum / n)
}

#[test]
fn the_mix_beats_the_best_naive_forecast_at_every_reach() {
    let values = demand(2_400, 7);
    for horizons in [&[1, 6, 24][..], &[30, 48], &[170]] {
        let [ours, naive] = errors(&params(horizons, &[24, 168]), &values, 168, 1_000);
        assert!(ours < 0.95 * naive, "{horizons:?}: {ours} {naive}");
    }
}

#[test]
fn one_season_and_none_are_forecast_too() {
    let values = demand(1_600, 3);
    let [ours, naive] = errors(&params(&[1, 5], &[24]), &values, 24, 700);
    assert!(ours < 0.9 * naive, "{ours} {naive}");
    // An autoregression around its mean: the last value is a poor forecast five rows ahead.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let mut x = 0.0;
    let walk: Vec<f64> = (0..3_000)
        .map(|_| {
            x = 0.7 * x + rng.gen_range(-1.0..1.0);
            10.0 + x
        })
        .collect();
    let [ours, last] = errors(&params(&[1, 5], &[]), &walk, 1, 1_500);
    assert!(ours < 0.95 * last, "{ours} {last}");
}

#[test]
fn missing_rows_are_filled_and_do_no_harm() {
    let mut values = demand(2_400, 11);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    values.iter_mut().for_each(|y| *y = if rng.gen_bool(0.15) { f64::NAN } else { *y });
    values[1_500..1_530].fill(f64::NAN);
    let [ours, naive] = errors(&params(&[1, 6, 24], &[24, 168]), &values, 168, 1_000);
    assert!(ours < 0.97 * naive, "{ours} {naive}");
}

#[test]
fn a_restored_forecaster_goes_on_as_if_it_had_never_stopped() {
    let values = demand(700, 4);
    for (what, change) in changes() {
        let mut params = params(&[1, 24], &[24, 168]);
        change(&mut params);
        for cut in [150, 450] {
            let (mut scratch, mut other) = (Scratch::default(), Scratch::default());
            let mut whole = observe(&params, &values[..cut], |_, _| {});
            let saved = rmp_serde::to_vec_named(&whole).expect("it can be written");
            let restored: Forecaster = rmp_serde::from_slice(&saved).expect("and read");
            let mut restored = restored.adopt(&params).expect("its own shape");
            for (t, y) in values.iter().enumerate().skip(cut) {
                let row = Row { time: time(t), y: *y, exogenous: &[], known: NOTHING };
                whole.observe(&params, &row, None, &mut scratch);
                restored.observe(&params, &row, None, &mut other);
                let [a, b] = [&whole, &restored].map(|f| format!("{:?}", f.forecast(&params)));
                assert_eq!(a, b, "{what}, row {t}");
            }
        }
    }
}

type Change = fn(&mut ForecastParams);

fn changes() -> [(&'static str, Change); 6] {
    [
        ("plain", |_| {}),
        ("cross-fitted, reconstructing", |p| {
            (p.latent.cross_fitted, p.latent.w_rec) = (true, 1.0);
        }),
        ("versions last", |p| p.latent.refresh = 3),
        ("logarithms", |p| p.link = Link::Log1p),
        ("elastic net", |p| p.head = crate::forecast::Head::ElasticNet),
        ("seasons found", |p| p.seasons.clear()),
    ]
}

#[test]
fn every_option_forecasts_better_than_the_naive() {
    let values = demand(1_500, 9);
    for (what, change) in changes() {
        let mut params = params(&[1, 12, 24], &[24, 168]);
        change(&mut params);
        let [ours, naive] = errors(&params, &values, 168, 1_000);
        assert!(ours < 0.97 * naive, "{what}: {ours} {naive}");
    }
}

#[test]
fn found_seasons_lead_to_the_forecasts_of_given_ones() {
    let values = demand(1_200, 6);
    let given = params(&[1, 24], &[24, 168]);
    let open = params(&[1, 24], &[]);
    let mut told = Vec::new();
    let (mut forecaster, mut scratch) = (Forecaster::new(&open, 1), Scratch::default());
    for (t, y) in values.iter().enumerate() {
        let row = Row { time: time(t), y: *y, exogenous: &[], known: NOTHING };
        told.extend(forecaster.observe(&open, &row, None, &mut scratch));
    }
    assert_eq!(told.last(), Some(&vec![24, 168]), "{told:?}");
    // Fewer weights were fitted on the way, so that the numbers are not those of given seasons.
    let [found, naive] = errors(&open, &values, 168, 900);
    let [known, _] = errors(&given, &values, 168, 900);
    assert!(found < 1.05 * known && found < 0.95 * naive, "{found} {known} {naive}");
}

#[test]
fn short_series_start_from_the_naive_with_wide_intervals() {
    let values = demand(60, 1);
    observe(&params(&[1, 24], &[24, 168]), &values, |t, set| {
        let point = &set.points[0];
        let [narrow, wide] = [0, 1].map(|i| point.intervals[i].upper - point.intervals[i].lower);
        assert!(narrow > 10.0 && wide > narrow, "row {t}: {narrow} {wide}");
        let (source, yhat) = match t {
            0..23 => (ForecastSource::LastValue, values[t]),
            23..36 => (ForecastSource::SeasonalNaive, values[t - 23]),
            _ => return,
        };
        assert_eq!((point.source, point.yhat), (source, yhat), "row {t}");
    });
}

/// Demand that follows the clock on the wall is known on the days on which the clock moves.
#[test]
fn seasons_follow_local_time() {
    for (begin, offset) in [("2026-01-05T00:00:00Z", 2), ("2026-08-03T00:00:00Z", 1)] {
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("in every database");
        let from: jiff::Timestamp = begin.parse().expect("a time");
        let from = from.as_millisecond();
        let calendar = Calendar::new(zone, [], Millis::new(HOUR));
        let at = |t: usize| EventTime::from_millis(from + t as i64 * HOUR);
        let hour = |t: usize| (calendar.moment(at(t)).day_fraction() * 24.0).round();
        let values: Vec<f64> = (0..24 * 90).map(|t| 100.0 + (hour(t) - 12.0).powi(2)).collect();
        let moves = |t: &usize| calendar.moment(at(*t)).shift == offset;
        let changed = (0..values.len()).find(moves).expect("in March or in October");
        let error = |params: &ForecastParams| {
            let (mut forecaster, mut scratch) = (Forecaster::new(params, 1), Scratch::default());
            let (mut sum, mut n) = (0.0, 0.0);
            for (t, y) in values.iter().enumerate().take(changed + 48) {
                let row = Row { time: at(t), y: *y, exogenous: &[], known: NOTHING };
                forecaster.observe(params, &row, None, &mut scratch);
                for point in forecaster.forecast(params).into_iter().flat_map(|set| set.points) {
                    let j = t + point.horizon as usize;
                    if (changed..changed + 24).contains(&j) {
                        (sum, n) = (sum + (point.yhat - values[j]).abs(), n + 1.0);
                    }
                }
            }
            sum / n
        };
        let utc = params(&[1, 6, 24], &[24, 168]);
        let local = ForecastParams { calendar: calendar.clone(), ..utc.clone() };
        let [utc, local] = [error(&utc), error(&local)];
        assert!(local < 0.4 * utc, "{begin}: {local} {utc}");
    }
}

#[test]
fn holidays_and_announced_values_are_used() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let promoted: Vec<bool> = (0..150).map(|_| rng.gen_bool(0.2)).collect();
    let closed: Vec<bool> = (0..150).map(|day| day % 11 == 5).collect();
    let values: Vec<f64> = demand(150 * 24, 2)
        .iter()
        .enumerate()
        .map(|(t, y)| match (closed[t / 24], promoted[t / 24]) {
            (true, _) => 20.0,
            (false, true) => y + 60.0,
            (false, false) => *y,
        })
        .collect();
    let error = |params: &ForecastParams, known: &dyn Fn(usize, EventTime) -> f64| {
        let (mut forecaster, mut scratch) = (Forecaster::new(params, 1), Scratch::default());
        let (mut sum, mut n) = (0.0, 0.0);
        for (t, y) in values.iter().enumerate() {
            let row = Row { time: time(t), y: *y, exogenous: &[], known };
            forecaster.observe(params, &row, None, &mut scratch);
            for point in forecaster.forecast(params).into_iter().flat_map(|set| set.points) {
                let j = t + point.horizon as usize;
                if t > 1_500 && j < values.len() {
                    (sum, n) = (sum + (point.yhat - values[j]).abs(), n + 1.0);
                }
            }
        }
        sum / n
    };
    let plain = params(&[1, 24], &[24, 168]);
    let days = (0..150).filter(|day| closed[*day]).map(|day| {
        jiff::civil::date(1970, 1, 1)
            .checked_add(jiff::Span::new().days(day as i64))
            .expect("a date")
    });
    let calendar = Calendar::new(jiff::tz::TimeZone::UTC, days, Millis::new(HOUR));
    let holidays = ForecastParams { calendar, ..plain.clone() };
    let both = ForecastParams { known: vec![1], ..holidays.clone() };
    let announced = |_: usize, time: EventTime| {
        let day = (time.as_millis() / HOUR / 24) as usize;
        promoted.get(day).map_or(f64::NAN, |p| f64::from(u8::from(*p)))
    };
    let errors = [error(&plain, NOTHING), error(&holidays, NOTHING), error(&both, &announced)];
    assert!(errors[1] < 0.97 * errors[0] && errors[2] < 0.9 * errors[1], "{errors:?}");
}

#[test]
fn series_of_a_shard_share_a_network() {
    let params = ForecastParams { shared: true, ..params(&[1, 24], &[24, 168]) };
    let mut shared = Shared::new(&params, 5).expect("shared");
    let mut scratch = Scratch::default();
    let all: Vec<Vec<f64>> = (0..4).map(|i| demand(900, i)).collect();
    let mut forecasters: Vec<Forecaster> = (0..4).map(|i| Forecaster::new(&params, i)).collect();
    for t in 0..900 {
        for (forecaster, values) in forecasters.iter_mut().zip(&all) {
            let row = Row { time: time(t), y: values[t], exogenous: &[], known: NOTHING };
            forecaster.observe(&params, &row, Some(&mut shared), &mut scratch);
        }
    }
    for forecaster in &forecasters {
        let set = forecaster.forecast(&params).expect("rows were seen");
        assert!(set.model_version > 0);
        let latent = set.weights.iter().find(|(name, _)| *name == "latent_ridge");
        assert!(latent.expect("an expert").1 > 0.0, "{:?}", set.weights);
    }
    let bytes = rmp_serde::to_vec_named(&shared).expect("it can be written");
    let again: Shared = rmp_serde::from_slice(&bytes).expect("and read");
    assert!(again.adopt(&Shared::new(&params, 5).expect("shared"), &params).is_some());
}

/// After years of silence as much is known as after a few days that end at the same phase.
#[test]
fn a_long_gap_keeps_the_phase_of_given_and_of_found_seasons() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(12);
    let pattern: Vec<f64> = (0..124).map(|_| rng.gen_range(-1.0..1.0)).collect();
    let cases: [&[u32]; 4] = [&[24, 100], &[24, 168], &[24], &[]];
    for seasons in cases {
        let more = if seasons.last() == Some(&100) { 20.0 } else { 0.0 };
        let value = |t: usize| 100.0 + 40.0 * pattern[t % 24] + more * pattern[24 + t % 100];
        let params = params(&[1, 24], seasons);
        let off = |gap: usize| {
            let (mut forecaster, mut scratch) = (Forecaster::new(&params, 1), Scratch::default());
            let (from, mut off) = (1_200 + gap, 0.0);
            for t in (0..1_200).chain(from..from + 24) {
                if t == from {
                    let gap = (gap as u64, time(t));
                    forecaster.pass(&params, gap, NOTHING, None, &mut scratch);
                }
                let row = Row { time: time(t), y: value(t), exogenous: &[], known: NOTHING };
                forecaster.observe(&params, &row, None, &mut scratch);
                for point in forecaster.forecast(&params).expect("rows were seen").points {
                    let error = (point.yhat - value(t + point.horizon as usize)).abs();
                    off += if from <= t { error / 48.0 } else { 0.0 };
                }
            }
            off
        };
        // 4,200 is a multiple of all seasons here.
        let [short, long] = [201, 3 * 4_200 + 201].map(off);
        assert!(long < 1.2 * short + 1.0, "{seasons:?}: {short} {long}");
    }
}

/// A week of minutes is silent: no season of it is forecast, or fitted, row by row.
#[test]
fn a_gap_costs_little_and_what_was_said_in_it_is_not_scored() {
    let params = params(&[1, 24], &[24, 168]);
    let mut forecaster = observe(&params, &demand(700, 3), |_, _| {});
    let skill = forecaster.forecast(&params).expect("rows were seen").skill.expect("checked");
    let mut scratch = Scratch::default();
    forecaster.pass(&params, (1_000_000, time(1_000_700)), NOTHING, None, &mut scratch);
    for t in 1_000_700..1_000_724 {
        let row = Row { time: time(t), y: 100.0, exogenous: &[], known: NOTHING };
        forecaster.observe(&params, &row, None, &mut scratch);
    }
    let after = forecaster.forecast(&params).expect("rows were seen").skill.expect("checked");
    // One row ahead, from the second row after the gap on.
    assert_eq!(after.windows - skill.windows, 23, "{skill:?} {after:?}");
    let bytes = rmp_serde::to_vec_named(&forecaster).expect("it can be written");
    let again: Forecaster = rmp_serde::from_slice(&bytes).expect("and read");
    assert!(again.adopt(&params).is_some());
}
