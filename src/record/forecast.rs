//! What the engine says of the future.

use serde::{Deserialize, Serialize};

use super::{EventTime, Millis, SeriesKey};

/// Lower and upper bound at one coverage level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Nominal coverage, for example 0.8.
    pub level: f64,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
}

/// Where a point forecast came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ForecastSource {
    /// The mix of experts.
    Mix,
    /// The mix, for intermittent demand: chance of demand times how much.
    Hurdle,
    /// The value one season ago.
    SeasonalNaive,
    /// The last value.
    LastValue,
}

impl ForecastSource {
    /// The name in payloads, files and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mix => "mix",
            Self::Hurdle => "hurdle",
            Self::SeasonalNaive => "seasonal_naive",
            Self::LastValue => "last_value",
        }
    }
}

/// Horizons that are judged together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HorizonGroup {
    /// Up to a quarter of the shortest season.
    Near,
    /// Up to the shortest season.
    Season,
    /// Beyond it.
    Beyond,
}

impl HorizonGroup {
    /// All of them, ascending.
    pub const ALL: [Self; 3] = [Self::Near, Self::Season, Self::Beyond];

    /// The name in payloads, tables and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Season => "season",
            Self::Beyond => "beyond",
        }
    }
}

/// One horizon of a forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastPoint {
    /// Rows ahead, from 1.
    pub horizon: u32,
    /// Start of the row that is forecast.
    pub target_at: EventTime,
    /// Point forecast in the channel's unit.
    pub yhat: f64,
    /// By rising level; intervals of higher levels contain those of lower ones.
    pub intervals: Vec<Interval>,
    /// Which model is published at this horizon.
    pub source: ForecastSource,
    /// Probability that nothing is wanted, where demand is intermittent.
    pub p_zero: Option<f64>,
    /// Horizons that are judged together.
    pub group: HorizonGroup,
}

/// Live skill: 1 minus the model's mean absolute error over the baseline's; above 0 is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skill {
    /// Against the last value.
    pub last_value: f64,
    /// Against the best seasonal naive; equal to `last_value` without seasons.
    pub seasonal_naive: f64,
    /// Scored forecasts behind the figures, each of one horizon.
    pub windows: u64,
}

/// Live skill of the mix at one group of horizons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupSkill {
    /// Horizons.
    pub group: HorizonGroup,
    /// Against the last value.
    pub last_value: f64,
    /// Against the best seasonal naive; equal to `last_value` without seasons.
    pub seasonal_naive: f64,
}

/// What became of the intervals of one level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Nominal, for example 0.8.
    pub level: f64,
    /// Share of truths inside.
    pub covered: f64,
    /// Mean width in the unit of the channel.
    pub width: f64,
}

/// What became of the intervals of one level at one group of horizons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupCoverage {
    /// Horizons.
    pub group: HorizonGroup,
    /// Nominal, for example 0.8.
    pub level: f64,
    /// Share of truths inside.
    pub covered: f64,
}

/// Seasons that were found in the data of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSeasons {
    /// Series.
    pub entity: SeriesKey,
    /// Index of the channel.
    pub channel: usize,
    /// Lengths in rows, ascending.
    pub seasons: Vec<u32>,
}

/// A forecast of one channel of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastRecord {
    /// Series.
    pub entity: SeriesKey,
    /// Index of the target channel.
    pub channel: usize,
    /// End of the newest row known when the forecast was made (its start for `step = "event"`).
    pub issued_at: EventTime,
    /// Grid step.
    pub step: Millis,
    /// One entry per horizon, ascending.
    pub points: Vec<ForecastPoint>,
    /// Of the mix, over all horizons; `None` until any forecast could be checked.
    pub skill: Option<Skill>,
    /// Of the mix by group of horizons; where it stays below 0 against the seasonal naive, that is
    /// published. Empty until checked.
    pub group_skill: Vec<GroupSkill>,
    /// Per interval level, in the order of `intervals`; empty until checked.
    pub coverage: Vec<Coverage>,
    /// The same by group of horizons; empty until 50 truths and a season of them were seen at a horizon.
    /// For metrics only.
    pub group_coverage: Vec<GroupCoverage>,
    /// Mean weight of each expert in the mix, by name; they sum to 1, or to 0 while no expert could be
    /// judged.
    pub weights: Vec<(&'static str, f64)>,
    /// Number of training steps behind the network of the latent expert.
    pub model_version: u64,
    /// Offset of the last record behind the forecast.
    pub offset: i64,
}
