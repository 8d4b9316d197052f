//! What was said at a row, and what is told of it.

use serde::{Deserialize, Serialize};

use crate::record::{
    Coverage, ForecastSource, GroupCoverage, GroupSkill, HorizonGroup, Interval, Skill, raw,
};

/// Everything said at one origin, on the scale of the link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// Of each expert, `(experts, horizons)`; NaN where one said nothing.
    #[serde(with = "raw::f64s")]
    pub said: Vec<f64>,
    /// Of the mix, `(horizons,)`.
    #[serde(with = "raw::f64s")]
    pub mixed: Vec<f64>,
    /// What was published, `(horizons,)`.
    #[serde(with = "raw::f64s")]
    pub point: Vec<f64>,
    /// Ascending bounds, `(horizons, taus)`.
    #[serde(with = "raw::f64s")]
    pub bounds: Vec<f64>,
    /// Probability of zero, `(horizons,)`; empty unless demand is intermittent.
    #[serde(with = "raw::f64s")]
    pub p_zero: Vec<f64>,
    /// Mean weight of each expert over the horizons.
    #[serde(with = "raw::f64s")]
    pub weights: Vec<f64>,
    /// Where each point is from.
    pub sources: Vec<ForecastSource>,
    /// The newest value.
    pub last: f64,
}

impl Origin {
    /// Whether it has `experts`, `horizons` and `taus`.
    pub(super) fn fits(&self, experts: usize, horizons: usize, taus: usize) -> bool {
        self.said.len() == experts * horizons
            && self.mixed.len() == horizons
            && self.point.len() == horizons
            && self.sources.len() == horizons
            && self.bounds.len() == horizons * taus
            && (self.p_zero.is_empty() || self.p_zero.len() == horizons)
    }

    /// One at which nothing was said.
    pub(super) fn silent(experts: usize, horizons: usize, taus: usize) -> Self {
        let nothing = |n: usize| vec![f64::NAN; n];
        Self {
            said: nothing(experts * horizons),
            mixed: nothing(horizons),
            point: nothing(horizons),
            bounds: nothing(horizons * taus),
            p_zero: Vec::new(),
            weights: vec![0.0; experts],
            sources: vec![ForecastSource::LastValue; horizons],
            last: f64::NAN,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.last.is_nan()
    }

    /// The naive forecast of a season at horizon index `k` of `horizons`; of a shorter season, or the
    /// last value, while it has no past.
    pub(super) fn naive(&self, season: usize, k: usize, horizons: usize) -> f64 {
        let shorter = (0..=season).rev().map(|s| self.said[s * horizons + k]);
        shorter.into_iter().find(|y| !y.is_nan()).unwrap_or(self.last)
    }
}

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
    /// Probability that nothing is wanted, where demand is intermittent.
    pub p_zero: Option<f64>,
    /// Group of the horizon, for skill.
    pub group: HorizonGroup,
}

/// A forecast of all horizons.
#[derive(Debug, Clone, PartialEq)]
pub struct PointSet {
    /// One entry per horizon, ascending.
    pub points: Vec<Point>,
    /// Of the mix over all horizons; `None` until it could be checked.
    pub skill: Option<Skill>,
    /// The same by group of horizons; empty until checked.
    pub group_skill: Vec<GroupSkill>,
    /// By rising level; empty until checked.
    pub coverage: Vec<Coverage>,
    /// By group of horizons and rising level; empty while too few were checked.
    pub group_coverage: Vec<GroupCoverage>,
    /// Mean weight of each expert in the mix, by name; those of one name added up.
    pub weights: Vec<(&'static str, f64)>,
    /// Season lengths in rows; empty if there is none.
    pub seasons: Vec<u32>,
    /// Training steps behind the network of the latent expert.
    pub model_version: u64,
}
