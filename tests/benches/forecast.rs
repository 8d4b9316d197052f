//! What the forecasts are worth, and what they cost: `cargo bench --bench forecast [-- figures m4 shard]`.
//!
//! `figures`: default settings, one pass, a forecast of one season at every row, scored from week 5 on;
//! errors scaled by the daily seasonal difference of the whole series. `m4`: the 48 test hours of 50
//! hourly series of the M4 competition, from the train part alone, beside seasonal naive forecasts and
//! MSTL with ETS, and ETS, of augurs; OWA-style: the mean of both errors relative to the naive
//! one of a day. `shard`: CPU time of a day of hourly series that share a network. Data: `../shared/data`; without
//! it only `shard` is measured.

use std::path::{Path, PathBuf};
use std::time::Instant;

use augurs::ets::AutoETS;
use augurs::mstl::MSTLModel;
use augurs::{Fit, Predict};
use latentd::forecast::{Calendar, ForecastParams, Forecaster, PointSet, Row, Scratch, Shared};
use latentd::grade::{Checked, ForecastFigures, Scale, Tally};
use latentd::record::{EventTime, Millis};

const DAY_MS: i64 = 86_400_000;
const NOTHING: &dyn Fn(usize, EventTime) -> f64 = &|_, _| f64::NAN;

/// A series on a grid of `season` rows a day.
struct Series {
    times: Vec<i64>,
    values: Vec<f64>,
    season: usize,
}

fn read(path: &Path, column: &str, season: usize, rows: usize) -> Option<Series> {
    let file = std::fs::File::open(path).ok()?;
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(file));
    let at = reader.headers().ok()?.iter().position(|name| name == column)?;
    let step = DAY_MS / season as i64;
    let mut series = Series { times: Vec::new(), values: Vec::new(), season };
    for record in reader.records().take(rows) {
        let record = record.expect("a row");
        let text = record[0].trim_end_matches('Z').replace('T', " ");
        let time = match text.parse::<jiff::civil::DateTime>() {
            Ok(time) => {
                let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).expect("a time of this age");
                zoned.timestamp().as_millisecond()
            }
            Err(_) => text.parse::<i64>().expect("a time or an index") * step,
        };
        series.times.push(time);
        series.values.push(record[at].parse().unwrap_or(f64::NAN));
    }
    Some(series)
}

impl Series {
    fn params(&self, horizons: usize) -> ForecastParams {
        let step = Millis::new(DAY_MS / self.season as i64);
        let seasons = vec![self.season as u32, 7 * self.season as u32];
        ForecastParams::new((1..=horizons as u32).collect(), seasons, Calendar::utc(step))
    }

    /// Observes the first `rows` rows.
    fn observe(
        &self,
        params: &ForecastParams,
        rows: usize,
        mut each: impl FnMut(usize, PointSet),
    ) -> Forecaster {
        let (mut forecaster, mut scratch) = (Forecaster::new(params, 0), Scratch::default());
        for (t, (time, y)) in self.times.iter().zip(&self.values).enumerate().take(rows) {
            let time = EventTime::from_millis(*time);
            let row = Row { time, y: *y, exogenous: &[], known: NOTHING };
            forecaster.observe(params, &row, None, &mut scratch);
            if let Some(set) = forecaster.forecast(params) {
                each(t, set);
            }
        }
        forecaster
    }

    fn naive(&self, t: usize, h: usize, season: usize) -> f64 {
        let at = (t + h).checked_sub(season * h.div_ceil(season));
        at.map_or(f64::NAN, |i| self.values[i])
    }

    fn scale(&self, rows: usize) -> Scale {
        let mut scale = Scale::default();
        (self.season..rows).for_each(|t| scale.add(self.values[t], self.values[t - self.season]));
        scale
    }

    fn figures(&self) -> (Option<ForecastFigures>, f64, usize) {
        let (m, mut tally, began) = (self.season, Tally::default(), cpu_seconds());
        let forecaster = self.observe(&self.params(m), self.values.len(), |t, set| {
            for point in set.points.iter().filter(|_| t >= 28 * m) {
                let h = point.horizon as usize;
                let Some(y) = self.values.get(t + h) else { continue };
                let bounds = [0, 1].map(|i| [point.intervals[i].lower, point.intervals[i].upper]);
                let naive = [m, 7 * m].map(|season| self.naive(t, h, season));
                let (group, yhat) = (point.group, point.yhat);
                tally.add(&Checked { group, y: *y, yhat, naive: &naive, bounds });
            }
        });
        let days = self.values.len() as f64 / m as f64;
        let ms = (cpu_seconds() - began) * 1e3 / days;
        (tally.figures(&self.scale(self.values.len())), ms, forecaster.state_bytes())
    }
}

fn figures(root: &Path) {
    #[rustfmt::skip]
    let all = [
        ("taxi", "nab/data/realKnownCause/nyc_taxi.csv.gz", "value", 48, usize::MAX, 0.458),
        ("ETTh1 HUFL", "ett/ETTh1.csv.gz", "HUFL", 24, usize::MAX, 0.892),
        ("ETTh1 OT", "ett/ETTh1.csv.gz", "OT", 24, usize::MAX, 0.732),
        ("bike", "bike/bike_hourly.csv.gz", "users", 24, usize::MAX, 0.643),
        ("MT_200, 2 years", "electricity/mt_200_hourly.csv.gz", "MT_200", 24, 17_520, 0.829),
        ("BDG2", "electricity/bdg2_two_buildings_hourly.csv.gz", "building_1", 24, usize::MAX, 0.491),
    ];
    println!(
        "| series | MASE | prototype | RMSSE | WAPE | skill | in 80 % | in 95 % | ms a day | MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (name, file, column, season, rows, prototype) in all {
        let Some(series) = read(&root.join(file), column, season, rows) else {
            println!("| {name} | skipped: no data |");
            continue;
        };
        let (figures, ms, bytes) = series.figures();
        let ForecastFigures { ours, skill, coverage, .. } = figures.expect("five weeks of data");
        println!(
            "| {name} | {:.4} | {prototype} | {:.3} | {:.1} % | {skill:.3} | {:.1} % | {:.1} % | {ms:.1} | {:.1} |",
            ours.mase,
            ours.rmsse,
            100.0 * ours.wape,
            100.0 * coverage[0],
            100.0 * coverage[1],
            bytes as f64 / 1e6,
        );
    }
}

/// sMAPE and MASE of one series, and seconds of fit and forecast.
struct Entry {
    name: &'static str,
    smape: Vec<f64>,
    mase: Vec<f64>,
    seconds: f64,
}

impl Entry {
    fn new(name: &'static str) -> Self {
        Self { name, smape: Vec::new(), mase: Vec::new(), seconds: 0.0 }
    }

    /// Takes the forecast of a series; one that could not be made is the naive one.
    fn take(&mut self, made: Option<Vec<f64>>, naive: &[f64], truth: &[f64], scale: f64) {
        let said = made.filter(|m| m.iter().all(|y| y.is_finite()));
        let said = said.as_deref().unwrap_or(naive);
        let pairs = || said.iter().zip(truth);
        let n = truth.len() as f64;
        let relative = |(a, b): (&f64, &f64)| 2.0 * (a - b).abs() / (a.abs() + b.abs()).max(1e-12);
        self.smape.push(100.0 * pairs().map(relative).sum::<f64>() / n);
        self.mase.push(pairs().map(|(a, b)| (a - b).abs()).sum::<f64>() / n / scale);
    }
}

fn timed(entry: &mut Entry, make: impl FnOnce() -> Option<Vec<f64>>) -> Option<Vec<f64>> {
    let began = Instant::now();
    let made = make();
    entry.seconds += began.elapsed().as_secs_f64();
    made
}

fn m4(root: &Path) {
    let Ok(folder) = std::fs::read_dir(root.join("m4_hourly")) else {
        return println!("M4: skipped, no data");
    };
    let mut paths: Vec<PathBuf> = folder.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "gz"));
    paths.sort();
    let names = [
        "latentd",
        "seasonal naive, a week",
        "seasonal naive, a day",
        "augurs MSTL + ETS",
        "augurs ETS",
    ];
    let mut entries = names.map(Entry::new);
    let mut refreshes = 0.0;
    for path in &paths {
        let series = read(path, "value", 24, usize::MAX).expect("a series");
        let train = series.values.len() - 48;
        let (past, truth) = series.values.split_at(train);
        let scale = (24..train).map(|t| (past[t] - past[t - 24]).abs()).sum::<f64>();
        let scale = (scale / (train - 24) as f64).max(1e-9);
        let naive = |season| (1..=48).map(|h| series.naive(train - 1, h, season)).collect();
        let [naive, daily]: [Vec<f64>; 2] = [168, 24].map(naive);
        let [ours, plain, plain_day, mstl, ets] = &mut entries;
        let made = timed(ours, || {
            let mut last = None;
            series.observe(&series.params(48), train, |_, set| last = Some(set));
            last.map(|set| set.points.iter().map(|point| point.yhat).collect())
        });
        // The first fit is after a window and a day, 192 rows.
        refreshes += (train as f64 - 192.0).max(0.0) / 24.0;
        ours.take(made, &naive, truth, scale);
        plain.take(None, &naive, truth, scale);
        plain_day.take(Some(daily), &naive, truth, scale);
        let made = timed(mstl, || {
            let trend: Box<dyn augurs::mstl::TrendModel + Sync + Send> =
                Box::new(AutoETS::non_seasonal().into_trend_model());
            let fitted = MSTLModel::new(vec![24, 168], trend).fit(past).ok()?;
            Some(fitted.predict(48, None).ok()?.point)
        });
        mstl.take(made, &naive, truth, scale);
        let made = timed(ets, || {
            let fitted = AutoETS::new(24, "ZZZ").ok()?.fit(past).ok()?;
            Some(fitted.predict(48, None).ok()?.point)
        });
        ets.take(made, &naive, truth, scale);
    }
    println!("\n{} hourly series of M4, 48 hours ahead\n", paths.len());
    println!("| | sMAPE | MASE | OWA-style | ms of a fit and forecast |");
    println!("|---|---|---|---|---|");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let base = [mean(&entries[2].smape), mean(&entries[2].mase)];
    for (i, entry) in entries.iter().enumerate() {
        let (smape, mase) = (mean(&entry.smape), mean(&entry.mase));
        let owa = 0.5 * (smape / base[0] + mase / base[1]);
        // Ours has forecast at every row, and has been fitted every day.
        let fits = if i == 0 { refreshes } else { paths.len() as f64 };
        let ms = 1e3 * entry.seconds / fits;
        println!("| {} | {smape:.2} | {mase:.3} | {owa:.3} | {ms:.1} |", entry.name);
    }
}

/// Seconds of CPU this process has used.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = text.rsplit(") ").next().unwrap_or_default();
    let ticks = rest.split(' ').skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn shard() {
    const SERIES: usize = 500;
    const DAYS: usize = 42;
    println!(
        "\nA day of 10,000 hourly series that share a network (measured on {SERIES}, weeks 5 and 6)\n"
    );
    println!("| horizons | CPU seconds a day, mean | worst day | KB a series |\n|---|---|---|---|");
    for horizons in [vec![1, 6, 24, 48], (1..=24).collect()] {
        let count = horizons.len();
        let calendar = Calendar::utc(Millis::new(DAY_MS / 24));
        let mut params = ForecastParams::new(horizons, vec![24, 168], calendar);
        (params.shared, params.memory) = (true, 2_016);
        (params.latent.refresh, params.latent.windows_max) = (7, 672);
        let mut shared = Shared::new(&params, 1).expect("shared");
        let mut scratch = Scratch::default();
        let mut forecasters: Vec<Forecaster> =
            (0..SERIES).map(|i| Forecaster::new(&params, i as u64 * 7_919)).collect();
        let mut days = Vec::new();
        for day in 0..DAYS {
            let began = cpu_seconds();
            for t in day * 24..(day + 1) * 24 {
                for (i, forecaster) in forecasters.iter_mut().enumerate() {
                    let time = EventTime::from_millis(t as i64 * DAY_MS / 24);
                    let y = demand(t, i);
                    let row = Row { time, y, exogenous: &[], known: NOTHING };
                    forecaster.observe(&params, &row, Some(&mut shared), &mut scratch);
                    std::hint::black_box(forecaster.forecast(&params));
                }
            }
            days.push((cpu_seconds() - began) * 10_000.0 / SERIES as f64);
        }
        let warm = &days[28..];
        let mean = warm.iter().sum::<f64>() / warm.len() as f64;
        let worst = warm.iter().copied().fold(0.0, f64::max);
        let kb = forecasters[0].state_bytes() as f64 / 1e3;
        println!("| {count} | {mean:.1} | {worst:.1} | {kb:.0} |");
    }
}

/// A daily and a weekly wave with noise that needs no generator.
fn demand(t: usize, series: usize) -> f64 {
    let phase = (t % 24) as f64 / 24.0 * std::f64::consts::TAU + series as f64;
    let share = if t / 24 % 7 < 5 { 1.0 } else { 0.5 };
    let noise = ((t * 7_919 + series * 104_729) % 1_009) as f64 / 1_009.0;
    100.0 + 40.0 * share * phase.sin() + 20.0 * noise
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|a| a == part);
    if wanted("figures") {
        figures(&root);
    }
    if wanted("m4") {
        m4(&root);
    }
    if wanted("shard") {
        shard();
    }
}
