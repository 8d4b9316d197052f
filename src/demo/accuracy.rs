//! Forecasts against the truth: mean absolute scaled error and coverage, horizon by horizon.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::record::SeriesKey;

/// One point forecast as it was read back from its topic, in rows since the start.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenPoint {
    /// Shop.
    pub entity: SeriesKey,
    /// Rows ahead, from 1.
    pub horizon: u32,
    /// Row that was forecast.
    pub row: usize,
    /// Forecast.
    pub yhat: f64,
    /// Lower and upper bound of the narrowest interval.
    pub bounds: Option<(f64, f64)>,
}

/// The demand that came true, per series, one value a row since the start.
pub type Demand = HashMap<SeriesKey, Vec<f64>>;

/// Accuracy at one horizon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HorizonScore {
    /// Rows ahead.
    pub horizon: u32,
    /// Points that could be checked.
    pub points: u64,
    /// Mean absolute scaled error of the published forecasts.
    pub mase: f64,
    /// The same for the best seasonal naive, on the same points.
    pub naive_mase: f64,
    /// Share of checked points inside their interval.
    pub coverage: f64,
}

/// What the errors of one series are measured against.
#[derive(Debug, Clone, Copy)]
struct Naive {
    season: usize,
    scale: f64,
}

#[derive(Debug, Default)]
struct Sums {
    points: u64,
    model: f64,
    naive: f64,
    bounded: u64,
    covered: u64,
}

/// Scores forecasts per horizon.
///
/// The error of a point is `|y - yhat| / s`, where `s` is the mean of `|y[t] - y[t - m]|` over the
/// whole series and `m` is the season that makes `s` smallest (Hyndman and Koehler, 2006). The
/// naive of a point is the newest value a whole number of seasons `m` before it that was known
/// when the forecast was made. Points without truth, and series with `s = 0`, are left out.
pub fn score_forecasts(
    points: &[SeenPoint],
    demand: &Demand,
    seasons: &[usize],
) -> Vec<HorizonScore> {
    let naives: HashMap<&SeriesKey, Naive> =
        demand.iter().filter_map(|(key, y)| Some((key, best_naive(y, seasons)?))).collect();
    let mut sums: BTreeMap<u32, Sums> = BTreeMap::new();
    for point in points {
        let (Some(y), Some(naive)) = (demand.get(&point.entity), naives.get(&point.entity)) else {
            continue;
        };
        let lag = naive.season * (point.horizon.max(1) as usize).div_ceil(naive.season);
        let before = point.row.checked_sub(lag).map(|row| y.get(row));
        let (Some(truth), Some(Some(before))) = (y.get(point.row), before) else { continue };
        let sums = sums.entry(point.horizon).or_default();
        sums.points += 1;
        sums.model += (truth - point.yhat).abs() / naive.scale;
        sums.naive += (truth - before).abs() / naive.scale;
        if let Some((lower, upper)) = point.bounds {
            sums.bounded += 1;
            sums.covered += u64::from(lower <= *truth && *truth <= upper);
        }
    }
    sums.into_iter().map(|(horizon, sums)| sums.score(horizon)).collect()
}

/// The season with the smallest mean absolute seasonal difference, over rows that all have.
fn best_naive(y: &[f64], seasons: &[usize]) -> Option<Naive> {
    let longest = seasons.iter().copied().max()?;
    let rows = longest..y.len();
    let of = |season: &usize| {
        let sum: f64 = rows.clone().map(|t| (y[t] - y[t - season]).abs()).sum();
        Naive { season: *season, scale: sum / rows.len() as f64 }
    };
    let usable = |naive: &Naive| 0.0 < naive.scale && naive.scale < f64::INFINITY;
    seasons.iter().map(of).filter(usable).min_by(|a, b| a.scale.total_cmp(&b.scale))
}

impl Sums {
    fn score(&self, horizon: u32) -> HorizonScore {
        let points = self.points as f64;
        HorizonScore {
            horizon,
            points: self.points,
            mase: self.model / points,
            naive_mase: self.naive / points,
            coverage: self.covered as f64 / self.bounded.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(horizon: u32, row: usize, yhat: f64, bounds: (f64, f64)) -> SeenPoint {
        SeenPoint { entity: "shop".into(), horizon, row, yhat, bounds: Some(bounds) }
    }

    fn demand(y: &[f64]) -> Demand {
        Demand::from([("shop".into(), y.to_vec())])
    }

    #[test]
    fn errors_are_measured_in_those_of_the_better_season() {
        // Seasonal differences from row 4 on: of 2 |6-2|, |4-4|, |2-6|, |8-4| = mean 3;
        // of 4 |6-0|, |4-4|, |2-2|, |8-4| = mean 2.5. So m = 4 and s = 2.5.
        let demand = demand(&[0.0, 4.0, 2.0, 4.0, 6.0, 4.0, 2.0, 8.0]);
        let points = [
            point(1, 4, 5.0, (5.5, 7.0)), // |6-5| = 1, naive |6-0| = 6, inside
            point(1, 7, 4.0, (0.0, 7.0)), // |8-4| = 4, naive |8-4| = 4, outside
            point(5, 7, 8.0, (8.0, 8.0)), // the naive known 5 rows before lies 8 rows back: none
        ];
        let scores = score_forecasts(&points, &demand, &[2, 4]);
        let want =
            HorizonScore { horizon: 1, points: 2, mase: 1.0, naive_mase: 2.0, coverage: 0.5 };
        assert_eq!(scores, [want]);
    }

    #[test]
    fn points_without_truth_and_constant_series_are_left_out() {
        let late = point(1, 99, 1.0, (0.0, 2.0));
        assert_eq!(score_forecasts(&[late], &demand(&[0.0, 1.0, 5.0, 2.0]), &[1]), []);
        let flat = point(1, 3, 1.0, (0.0, 2.0));
        assert_eq!(score_forecasts(&[flat], &demand(&[1.0; 6]), &[1]), []);
        let short = point(1, 3, 1.0, (0.0, 2.0));
        assert_eq!(score_forecasts(&[short], &demand(&[1.0, 2.0]), &[24]), []);
        let stranger = SeenPoint { entity: "other".into(), ..point(1, 3, 1.0, (0.0, 2.0)) };
        assert_eq!(score_forecasts(&[stranger], &demand(&[0.0, 1.0, 5.0, 2.0]), &[1]), []);
    }

    #[test]
    fn horizons_come_in_ascending_order() {
        let demand = demand(&[0.0, 1.0, 0.0, 2.0, 0.0, 3.0]);
        let points = [point(3, 5, 3.0, (0.0, 9.0)), point(1, 5, 2.0, (0.0, 1.0))];
        let scores = score_forecasts(&points, &demand, &[2]);
        let horizons: Vec<u32> = scores.iter().map(|score| score.horizon).collect();
        assert_eq!(horizons, [1, 3]);
        assert_eq!((scores[1].mase, scores[1].coverage), (0.0, 1.0));
    }
}
