//! The figures of the forecasts that README tells, on two series that are short enough for a test.

use std::path::Path;

use latentd::forecast::{Calendar, ForecastParams, Forecaster, Row, Scratch};
use latentd::grade::{Checked, ForecastFigures, Scale, Tally};
use latentd::record::{EventTime, Millis};

const HOUR_MS: i64 = 3_600_000;
const DAY: usize = 24;
/// Weeks that are no part of the figures.
const WEEKS: usize = 4;

/// Hourly values; `None` without the data, which are no part of the repository.
fn read(file: &str, column: &str, rows: usize) -> Option<Vec<f64>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(file);
    let file = std::fs::File::open(path).ok()?;
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(file));
    let at = reader.headers().ok()?.iter().position(|name| name == column)?;
    let value = |record: csv::Result<csv::StringRecord>| {
        record.expect("a row")[at].parse().unwrap_or(f64::NAN)
    };
    Some(reader.records().take(rows).map(value).collect())
}

/// A forecast of a day at every row, with the defaults, scored from week 5 on by the daily difference of
/// the whole series.
fn figures(values: &[f64]) -> ForecastFigures {
    let horizons = (1..=DAY as u32).collect();
    let calendar = Calendar::utc(Millis::new(HOUR_MS));
    let params = ForecastParams::new(horizons, vec![24, 168], calendar);
    let (mut forecaster, mut scratch) = (Forecaster::new(&params, 0), Scratch::default());
    let mut tally = Tally::default();
    for (t, y) in values.iter().enumerate() {
        // Both series begin on a day whose weekday is that of 2016-01-01 and of 2016-07-01.
        let time = EventTime::from_millis(FRIDAY_MS + t as i64 * HOUR_MS);
        let row = Row { time, y: *y, exogenous: &[], known: &|_, _| f64::NAN };
        forecaster.observe(&params, &row, None, &mut scratch);
        let set = forecaster.forecast(&params).filter(|_| t >= WEEKS * 7 * DAY);
        for point in set.iter().flat_map(|set| &set.points) {
            let j = t + point.horizon as usize;
            let Some(y) = values.get(j) else { continue };
            let bounds = [0, 1].map(|i| [point.intervals[i].lower, point.intervals[i].upper]);
            let naive = [values[j - DAY], values[j - 7 * DAY]];
            let (group, yhat) = (point.group, point.yhat);
            tally.add(&Checked { group, y: *y, yhat, naive: &naive, bounds });
        }
    }
    let mut scale = Scale::default();
    (DAY..values.len()).for_each(|t| scale.add(values[t], values[t - DAY]));
    tally.figures(&scale).expect("months of data")
}

/// 2016-01-01T00:00:00Z, a Friday.
const FRIDAY_MS: i64 = 1_451_606_400_000;

#[test]
fn the_figures_of_two_series_are_not_worse_than_they_were() {
    #[rustfmt::skip]
    let all = [
        // file                                              column       rows   MASE
        ("electricity/bdg2_two_buildings_hourly.csv.gz",     "building_1", 4_000, 0.4763),
        ("ett/ETTh1.csv.gz",                                 "HUFL",       4_000, 0.8597),
    ];
    for (file, column, rows, reference) in all {
        let Some(values) = read(file, column, rows) else {
            eprintln!("skipped: no data of {file}");
            continue;
        };
        let ForecastFigures { ours, skill, coverage, .. } = figures(&values);
        assert!(ours.mase <= 1.01 * reference, "{column}: MASE {} > {reference}", ours.mase);
        assert!(skill > 0.0, "{column}: {skill}");
        let [c80, c95] = coverage;
        assert!((0.78..0.82).contains(&c80), "{column}: {c80}");
        assert!((0.935..0.96).contains(&c95), "{column}: {c95}");
    }
}
