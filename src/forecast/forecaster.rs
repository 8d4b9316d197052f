//! The forecaster of one target of one series: finds seasons if they are not given, standardises
//! the other channels, and tells what its [`Target`] says.

use serde::{Deserialize, Serialize};

use super::ForecastParams;
use super::experts;
use super::head::Scratch;
use super::origin::{Origin, Point, PointSet};
use super::search::Search;
use super::seasons;
use super::shared::Shared;
use super::skill::{Contest, group_of};
use super::target::{Target, season_rows};
use crate::record::{
    Coverage, EventTime, Fraction, GroupCoverage, GroupSkill, HorizonGroup, Interval, Skill,
};

/// Longest season that is looked for.
const SEASON_MAX: usize = 2_048;
/// Rows whose mean and deviation scale a channel beside the target.
const SCALER_MEMORY: f64 = 10_000.0;
const CLIP: f64 = 6.0;
/// Larger values are missing ones: their squares would not be numbers.
const VALUE_MAX: f64 = 1e100;
/// Values of a channel until a far one is known to be far, and how many deviations that is.
const SCALER_TRUSTED: f64 = 64.0;
const FAR: f64 = 30.0;

/// One closed row.
pub struct Row<'a> {
    /// Start of the row.
    pub time: EventTime,
    /// Value of the target; NaN if missing.
    pub y: f64,
    /// Values of the channels whose past is an input; NaN if missing.
    pub exogenous: &'a [f64],
    /// Announced value of a channel at a time, by its place in the list of known channels; NaN if
    /// nothing was announced.
    pub known: &'a dyn Fn(usize, EventTime) -> f64,
}

impl std::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("time", &self.time).field("y", &self.y).finish_non_exhaustive()
    }
}

/// The forecaster of one target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forecaster {
    seed: u64,
    target: Target,
    /// While seasons are looked for.
    search: Option<Search>,
    /// Of the channels beside the target, then of the announced ones.
    scalers: Vec<Scaler>,
}

/// Running mean and deviation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Scaler {
    count: f64,
    mean: f64,
    square: f64,
}

impl Scaler {
    /// Takes `x`, and gives it in deviations from the mean; 0 if it is NaN.
    fn take(&mut self, x: f64) -> f64 {
        if !is_value(x) {
            return 0.0;
        }
        let deviation = self.deviation();
        let known = self.count >= SCALER_TRUSTED && deviation > 0.0;
        let far = if known { FAR * deviation } else { f64::INFINITY };
        let x = x.clamp(self.mean - far, self.mean + far);
        self.count = (self.count + 1.0).min(SCALER_MEMORY);
        let off = x - self.mean;
        self.mean += off / self.count;
        self.square += (off * (x - self.mean) - self.square) / self.count;
        self.scale(x)
    }

    fn deviation(&self) -> f64 {
        self.square.max(0.0).sqrt()
    }

    fn scale(&self, x: f64) -> f64 {
        let deviation = self.deviation();
        if is_value(x) && deviation > 0.0 {
            ((x - self.mean) / deviation).clamp(-CLIP, CLIP)
        } else {
            0.0
        }
    }
}

/// Neither missing nor absurd beyond any unit.
fn is_value(x: f64) -> bool {
    x.abs() <= VALUE_MAX
}

impl Forecaster {
    /// A forecaster that knows nothing yet. `seed` is that of its networks.
    pub fn new(params: &ForecastParams, seed: u64) -> Self {
        Self {
            seed,
            target: Target::new(params, &params.seasons, seed),
            search: params.seasons.is_empty().then(Search::default),
            scalers: vec![Scaler::default(); params.exogenous.len() + params.known.len()],
        }
    }

    /// What this forecaster knows, under new settings; `None` if its shapes are others.
    pub fn adopt(self, params: &ForecastParams) -> Option<Self> {
        let found = season_rows(&self.target.design);
        let seasons = if params.seasons.is_empty() { &found } else { &params.seasons };
        let fresh = Target::new(params, seasons, self.seed);
        let channels = params.exogenous.len() + params.known.len();
        let whole = self.scalers.len() == channels
            && self.search.as_ref().is_none_or(|search| search.fits(params))
            && (self.search.is_none() || params.seasons.is_empty());
        whole.then_some(())?;
        Some(Self { target: self.target.adopt(fresh, params)?, ..self })
    }

    /// Takes the next closed row. Returns the seasons if they were found in this row.
    pub fn observe(
        &mut self,
        params: &ForecastParams,
        row: &Row<'_>,
        mut shared: Option<&mut Shared>,
        scratch: &mut Scratch,
    ) -> Option<Vec<u32>> {
        if let Some(shared) = shared.as_deref_mut() {
            shared.advance(params, self.target.design.pace, row.time, &mut scratch.bench);
        }
        let (others, announced) = self.scalers.split_at_mut(params.exogenous.len());
        let exogenous: Vec<f64> =
            others.iter_mut().zip(row.exogenous).map(|(scaler, x)| scaler.take(*x)).collect();
        for (channel, scaler) in announced.iter_mut().enumerate() {
            scaler.take((row.known)(channel, row.time));
        }
        let announced = &self.scalers[params.exogenous.len()..];
        let known =
            |channel: usize, time: EventTime| announced[channel].scale((row.known)(channel, time));
        let y = params.link.apply(if is_value(row.y) { row.y } else { f64::NAN });
        self.target.observe(params, (row.time, y, &exogenous), (&known, shared), scratch);
        let search = self.search.as_mut().filter(|_| self.target.history.rows() > 0)?;
        search.push(row.time, y, &exogenous);
        if !search.is_due(self.seed) {
            return None;
        }
        let found = self.search(params, scratch);
        if self.search.as_ref().is_some_and(Search::is_over) {
            self.search = None;
        }
        found
    }

    /// Takes `rows` rows in which nothing was observed; the next row starts at `until`. A long gap is cut
    /// to a few seasons of the same phase.
    pub fn pass(
        &mut self,
        params: &ForecastParams,
        (rows, until): (u64, EventTime),
        known: &dyn Fn(usize, EventTime) -> f64,
        mut shared: Option<&mut Shared>,
        scratch: &mut Scratch,
    ) -> Option<Vec<u32>> {
        let (design, step) = (&self.target.design, params.calendar.step().get());
        let at = |back: u64| {
            let back = i64::try_from(back).unwrap_or(i64::MAX).saturating_mul(step);
            EventTime::from_millis(until.as_millis().saturating_sub(back))
        };
        if rows <= design.pace as u64 {
            let nothing = vec![f64::NAN; params.exogenous.len()];
            let mut found = None;
            for back in (1..=rows).rev() {
                let row = Row { time: at(back), y: f64::NAN, exogenous: &nothing, known };
                found = self.observe(params, &row, shared.as_deref_mut(), scratch).or(found);
            }
            return found;
        }
        let times: Vec<EventTime> = (1..=design.cut(rows)).rev().map(at).collect();
        if let Some(search) = self.search.as_mut().filter(|_| self.target.history.rows() > 0) {
            let exogenous = vec![0.0; params.exogenous.len()];
            times.iter().for_each(|time| search.push(*time, f64::NAN, &exogenous));
        }
        self.target.pass(params, times.into_iter());
        None
    }

    /// Looks for seasons; if others than before are found, begins again with them.
    fn search(&mut self, params: &ForecastParams, scratch: &mut Scratch) -> Option<Vec<u32>> {
        let history = &self.target.history;
        let rows = history.rows() - history.first();
        let values = history.values(history.first(), rows);
        let found = seasons::find(values, SEASON_MAX, params.calendar.day_rows());
        let (before, search) = (season_rows(&self.target.design), self.search.as_ref()?);
        // A longer look sees better; but what needs many rows to be seen again is not taken away.
        if found.len() < before.len() || found == before {
            return None;
        }
        let fresh = Target::new(params, &found, self.seed);
        self.target = search.replay(params, &self.target, fresh, scratch);
        Some(found)
    }

    /// What comes next; `None` before the first observed value.
    pub fn forecast(&self, params: &ForecastParams) -> Option<PointSet> {
        let Target { design, origins, experts, .. } = &self.target;
        let origin = origins.back()?;
        let points = (0..design.horizons.len()).map(|k| self.point(params, origin, k));
        Some(PointSet {
            points: points.collect(),
            skill: self.skill(),
            group_skill: self.group_skill(),
            coverage: self.coverage(params),
            group_coverage: self.group_coverage(params),
            weights: weights(&experts::names(params, design), &origin.weights),
            seasons: season_rows(design),
            model_version: experts.version(),
        })
    }

    fn point(&self, params: &ForecastParams, origin: &Origin, k: usize) -> Point {
        let (design, taus) = (&self.target.design, self.target.bands.taus());
        let bounds = &origin.bounds[k * taus..(k + 1) * taus];
        let levels = params.levels.len();
        let interval = |(i, level): (usize, &Fraction)| Interval {
            level: level.get(),
            lower: params.link.invert(bounds[levels - 1 - i]),
            upper: params.link.invert(bounds[levels + i]),
        };
        Point {
            horizon: design.horizons[k] as u32,
            yhat: params.link.invert(origin.point[k]),
            intervals: params.levels.iter().enumerate().map(interval).collect(),
            source: origin.sources[k],
            p_zero: origin.p_zero.get(k).copied(),
            group: group_of(design, design.horizons[k]),
        }
    }

    /// Over all groups, each by its horizons.
    fn skill(&self) -> Option<Skill> {
        let (mut sums, mut windows) = ([0.0; 3], 0);
        for (group, contest) in HorizonGroup::ALL.into_iter().zip(&self.target.contests) {
            let design = &self.target.design;
            let of = design.horizons.iter().filter(|h| group_of(design, **h) == group).count();
            if of == 0 {
                continue;
            }
            let means = contest.means()?;
            sums.iter_mut().zip(means).for_each(|(sum, e)| *sum += of as f64 * e);
            windows = contest.checked().max(windows);
        }
        let over = |baseline: f64| if baseline > 0.0 { 1.0 - sums[0] / baseline } else { 0.0 };
        Some(Skill { last_value: over(sums[1]), seasonal_naive: over(sums[2]), windows })
    }

    fn group_skill(&self) -> Vec<GroupSkill> {
        let contests = HorizonGroup::ALL.into_iter().zip(&self.target.contests);
        let skill = |(group, contest): (HorizonGroup, &Contest)| {
            let [last_value, seasonal_naive] = contest.skill()?;
            Some(GroupSkill { group, last_value, seasonal_naive })
        };
        contests.filter_map(skill).collect()
    }

    fn coverage(&self, params: &ForecastParams) -> Vec<Coverage> {
        let Some(record) = self.target.bands.record() else { return Vec::new() };
        let levels = params.levels.iter().zip(record);
        let coverage = |(level, (covered, width)): (&Fraction, _)| Coverage {
            level: level.get(),
            covered,
            width,
        };
        levels.map(coverage).collect()
    }

    fn group_coverage(&self, params: &ForecastParams) -> Vec<GroupCoverage> {
        let Target { design, bands, .. } = &self.target;
        let of_group = |group: HorizonGroup| {
            let horizons = design.horizons.iter().enumerate();
            let own = horizons.filter(move |(_, rows)| group_of(design, **rows) == group);
            let shares: Vec<&[f64]> = own.filter_map(|(h, _)| bands.covered_at(h)).collect();
            let level = move |(i, level): (usize, &Fraction)| {
                let sum: f64 = shares.iter().filter_map(|of| of.get(i)).sum();
                let covered = sum / shares.len() as f64;
                (!shares.is_empty()).then_some(GroupCoverage { group, level: level.get(), covered })
            };
            params.levels.iter().enumerate().filter_map(level)
        };
        HorizonGroup::ALL.into_iter().flat_map(of_group).collect()
    }

    /// Bytes of state that grow with seasons, horizons, features and memory.
    pub fn state_bytes(&self) -> usize {
        size_of::<Self>()
            + self.target.state_bytes()
            + self.search.as_ref().map_or(0, Search::state_bytes)
    }
}

/// Weights by name; the last seat is that of the hurdle.
fn weights(names: &[&'static str], by: &[f64]) -> Vec<(&'static str, f64)> {
    let mut weights: Vec<(&'static str, f64)> = Vec::new();
    for (name, weight) in names.iter().copied().chain(["hurdle"]).zip(by) {
        match weights.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += weight,
            None => weights.push((name, *weight)),
        }
    }
    weights
}
