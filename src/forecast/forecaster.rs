//! One target channel of one series: observe rows, forecast the next ones.

use std::collections::VecDeque;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::head::RidgeHead;
use super::history::{History, Norm};
use super::interval::Bands;
use super::profile::Profile;
use super::skill::Contest;
use super::{ForecastParams, NonNegative};
use crate::record::{ForecastSource, Interval, Skill};

/// Features besides the latent code and the seasons: intercept, three last values, their mean.
const BASE_FEATURES: usize = 5;
/// Features per season: its naive, its profile, two deviations of the newest rows from it.
const SEASON_FEATURES: usize = 4;
/// Heads wait for this many observations per feature.
const OBSERVATIONS_PER_FEATURE: u64 = 2;

/// One horizon of a forecast, without times.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Rows ahead.
    pub horizon: u32,
    /// Point forecast in the channel's unit.
    pub yhat: f64,
    /// By rising level.
    pub intervals: Vec<Interval>,
    /// Which model is published.
    pub source: ForecastSource,
}

/// A forecast of all horizons.
#[derive(Debug, Clone, PartialEq)]
pub struct PointSet {
    /// One entry per horizon, ascending.
    pub points: Vec<Point>,
    /// Of the ridge over all horizons; `None` until it could be checked.
    pub skill: Option<Skill>,
    /// Realised coverage per level, `(level, coverage)`; empty until checked.
    pub coverage: Vec<(f64, f64)>,
}

/// The forecaster of one target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forecaster {
    params: ForecastParams,
    history: History,
    /// One per season, in the order of `seasons`.
    profiles: Vec<Profile>,
    lanes: Vec<Lane>,
    /// What was said at the origins whose targets are still to come, newest last.
    origins: VecDeque<Origin>,
    z: Vec<f64>,
    rows: u64,
}

/// What was known and said at one row.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Origin {
    norm: Norm,
    said: Vec<Said>,
}

/// What was said for one horizon: candidates as in [`Contest`], and the published interval.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Said {
    features: Array1<f64>,
    candidates: Vec<f64>,
    published: f64,
    bounds: Vec<(f64, f64)>,
}

/// Everything that belongs to one horizon.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lane {
    horizon: usize,
    head: RidgeHead,
    bands: Bands,
    contest: Contest,
}

impl Origin {
    fn fits(&self, of: &Forecaster, features: usize) -> bool {
        let (candidates, levels) = (of.params.seasons.len() + 2, of.params.levels.len());
        let sound = |said: &Said| {
            said.features.len() == features
                && said.candidates.len() == candidates
                && said.bounds.len() == levels
        };
        self.said.len() == of.lanes.len() && self.said.iter().all(sound)
    }
}

impl Lane {
    fn adopt(self, fresh: &Self) -> Option<Self> {
        (self.horizon == fresh.horizon).then_some(Self {
            horizon: self.horizon,
            head: self.head.adopt(&fresh.head)?,
            bands: self.bands.adopt(&fresh.bands)?,
            contest: self.contest.adopt(&fresh.contest)?,
        })
    }
}

impl Forecaster {
    /// A forecaster for codes of `latent` values.
    pub fn new(params: &ForecastParams, latent: usize) -> Self {
        let longest = params.seasons.last().map_or(1, |s| *s as usize);
        let reach = params.horizons.last().map_or(1, |h| *h as usize);
        let memory = (14.0 * longest as f64).min(params.memory.get()).max(64.0);
        let features = BASE_FEATURES + latent + SEASON_FEATURES * params.seasons.len();
        let lane = |h: &u32| Lane {
            horizon: *h as usize,
            head: RidgeHead::new(features, params.ridge.get(), params.memory.get()),
            bands: Bands::new(params.levels.iter().map(|l| l.get()), memory),
            contest: Contest::new(params.seasons.len(), memory),
        };
        Self {
            history: History::new(longest.max(reach) + longest + 3, longest),
            profiles: params.seasons.iter().map(|s| Profile::new(*s as usize)).collect(),
            lanes: params.horizons.iter().map(lane).collect(),
            origins: VecDeque::new(),
            z: vec![0.0; latent],
            rows: 0,
            params: params.clone(),
        }
    }

    /// What this forecaster knows, under the settings of `fresh`; `None` if its shapes are others.
    pub fn adopt(self, fresh: Self) -> Option<Self> {
        let features = fresh.feature_count();
        let reach = fresh.params.horizons.last().map_or(1, |h| *h as usize);
        let sound = self.origins.iter().all(|origin| origin.fits(&fresh, features))
            && self.origins.len() <= reach
            && self.z.len() == fresh.z.len();
        sound.then_some(())?;
        let pairs = self.profiles.into_iter().zip(&fresh.profiles);
        let profiles: Vec<Profile> = pairs.map(|(p, f)| p.adopt(f)).collect::<Option<_>>()?;
        let pairs = self.lanes.into_iter().zip(&fresh.lanes);
        let lanes: Vec<Lane> = pairs.map(|(lane, f)| lane.adopt(f)).collect::<Option<_>>()?;
        let whole = profiles.len() == fresh.profiles.len() && lanes.len() == fresh.lanes.len();
        whole.then_some(())?;
        Some(Self {
            history: self.history.adopt(&fresh.history)?,
            profiles,
            lanes,
            origins: self.origins,
            z: self.z,
            rows: self.rows,
            params: fresh.params,
        })
    }

    /// Takes the next closed row: `y` is NaN if missing, `z` is the newest code `(k,)` if there is
    /// a new one.
    pub fn observe(&mut self, y: f64, z: Option<&[f32]>) {
        self.rows += 1;
        if !y.is_nan() {
            self.check_and_learn(y);
        }
        if let Some(z) = z {
            self.z.iter_mut().zip(z).for_each(|(old, new)| *old = f64::from(*new).clamp(-6.0, 6.0));
        }
        self.history.push(y);
        let deviation = y - self.history.norm().level;
        self.profiles.iter_mut().for_each(|profile| profile.push(deviation));
        self.refit_one_in_turn();
        self.remember_origin();
    }

    /// What comes next; `None` before the first observed value.
    pub fn forecast(&self) -> Option<PointSet> {
        let origin = self.origins.back()?;
        let points = origin.said.iter().zip(&self.lanes).map(|(said, lane)| Point {
            horizon: lane.horizon as u32,
            yhat: said.published,
            intervals: lane
                .bands
                .coverage()
                .zip(&said.bounds)
                .map(|((level, _), (lower, upper))| Interval {
                    level,
                    lower: *lower,
                    upper: *upper,
                })
                .collect(),
            source: lane.source(),
        });
        Some(PointSet { points: points.collect(), skill: self.skill(), coverage: self.coverage() })
    }

    /// Bytes of state that grow with seasons, horizons and features.
    pub fn state_bytes(&self) -> usize {
        let lanes = self.lanes.iter().map(|lane| {
            lane.head.state_bytes() + lane.bands.state_bytes() + lane.contest.state_bytes()
        });
        let features = self.feature_count();
        let said = size_of::<Said>()
            + 8 * (features + self.params.seasons.len() + 2)
            + 16 * self.params.levels.len();
        let origin = size_of::<Origin>() + self.lanes.len() * said;
        let reach = self.params.horizons.last().map_or(0, |h| *h as usize);
        let profiles: usize = self.profiles.iter().map(Profile::state_bytes).sum();
        self.history.state_bytes() + profiles + lanes.sum::<usize>() + reach * origin
    }

    fn feature_count(&self) -> usize {
        BASE_FEATURES + self.z.len() + SEASON_FEATURES * self.params.seasons.len()
    }

    /// Scores what was said for this row, then teaches each head its pair.
    fn check_and_learn(&mut self, y: f64) {
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            let Some(at) = self.origins.len().checked_sub(lane.horizon) else { continue };
            let Some(origin) = self.origins.get(at) else { continue };
            let said = &origin.said[i];
            lane.contest.learn(said.candidates.iter().map(|c| (y - c).abs()));
            let covered = said.bounds.iter().map(|(lower, upper)| *lower <= y && y <= *upper);
            lane.bands.learn(y - said.published, covered);
            lane.head.learn(said.features.view(), origin.norm.apply(y));
        }
    }

    /// Solves one head a row, so that no row pays for all.
    fn refit_one_in_turn(&mut self) {
        let needed = OBSERVATIONS_PER_FEATURE * self.feature_count() as u64;
        let longest = self.params.seasons.last().map_or(1, |s| u64::from(*s));
        let turn = (self.rows % self.lanes.len().max(1) as u64) as usize;
        if let Some(lane) = self.lanes.get_mut(turn)
            && lane.head.observations() >= needed.max(longest)
        {
            lane.head.refit();
        }
    }

    fn remember_origin(&mut self) {
        if self.history.observed() == 0 {
            return;
        }
        let norm = self.history.norm();
        let shared = self.shared_features(norm);
        let said = self.lanes.iter().map(|lane| self.say(lane, norm, &shared)).collect();
        let reach = self.params.horizons.last().map_or(0, |h| *h as usize);
        if self.origins.len() == reach {
            self.origins.pop_front();
        }
        self.origins.push_back(Origin { norm, said });
    }

    fn shared_features(&self, norm: Norm) -> Vec<f64> {
        let back = |rows| self.history.back(rows).map_or(0.0, |v| norm.apply(v));
        let mut features = vec![1.0, back(0), back(1), back(2)];
        features.push((back(0) + back(1) + back(2)) / 3.0);
        features.extend(&self.z);
        let scaled = |d: f64| (d / norm.scale).clamp(-6.0, 6.0);
        features.extend(self.profiles.iter().flat_map(|p| p.newest().map(scaled)));
        features
    }

    fn say(&self, lane: &Lane, norm: Norm, shared: &[f64]) -> Said {
        let last = self.history.back(0).unwrap_or(norm.level);
        let seasons = self.params.seasons.iter();
        let naives: Vec<f64> = seasons
            .map(|s| self.history.seasonal(*s as usize, lane.horizon).unwrap_or(last))
            .collect();
        let usual = self.profiles.iter().zip(&naives).map(|(profile, naive)| {
            profile.ahead(lane.horizon).map_or(*naive, |deviation| norm.level + deviation)
        });
        let seasonal = naives.iter().copied().chain(usual).map(|v| norm.apply(v));
        let features: Array1<f64> = shared.iter().copied().chain(seasonal).collect();
        let ridge = lane.head.predict(features.view());
        let mut candidates =
            vec![ridge.map_or(f64::NAN, |r| norm.invert(r.clamp(-8.0, 8.0))), last];
        candidates.extend(naives);
        candidates.iter_mut().for_each(|c| *c = self.floor(*c));
        let published = candidates[lane.published()];
        let bounds = lane.bands.offsets().map(|(_, lower, upper)| {
            (self.floor(published + lower), self.floor(published + upper))
        });
        let bounds = bounds.collect();
        Said { features, candidates, published, bounds }
    }

    /// Counts never go below zero. Keeps NaN.
    fn floor(&self, value: f64) -> f64 {
        let at_zero = match self.params.non_negative {
            NonNegative::Always => true,
            NonNegative::Never => false,
            NonNegative::Auto => self.history.lowest() >= 0.0,
        };
        if at_zero && value < 0.0 { 0.0 } else { value }
    }

    fn skill(&self) -> Option<Skill> {
        let mut sums = [0.0; 3];
        let mut windows = 0;
        for lane in &self.lanes {
            let errors = lane.contest.mean_errors()?;
            sums.iter_mut().zip(errors).for_each(|(sum, e)| *sum += e);
            windows = lane.contest.count().max(windows);
        }
        let over = |baseline: f64| if baseline > 0.0 { 1.0 - sums[0] / baseline } else { 0.0 };
        Some(Skill { last_value: over(sums[1]), seasonal_naive: over(sums[2]), windows })
    }

    fn coverage(&self) -> Vec<(f64, f64)> {
        if self.lanes.iter().all(|lane| lane.contest.count() == 0) {
            return Vec::new();
        }
        let lanes = self.lanes.len() as f64;
        let levels = self.params.levels.iter().enumerate().map(|(i, level)| {
            let sum: f64 = self
                .lanes
                .iter()
                .filter_map(|lane| lane.bands.coverage().nth(i))
                .map(|c| c.1)
                .sum();
            (level.get(), sum / lanes)
        });
        levels.collect()
    }
}

impl Lane {
    /// Index of the published candidate.
    fn published(&self) -> usize {
        if self.contest.ridge_is_published() { 0 } else { self.contest.best_naive() }
    }

    fn source(&self) -> ForecastSource {
        match self.published() {
            0 => ForecastSource::LatentRidge,
            1 => ForecastSource::LastValue,
            _ => ForecastSource::SeasonalNaive,
        }
    }
}

#[cfg(test)]
#[path = "forecaster_tests.rs"]
mod tests;
