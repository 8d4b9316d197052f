//! What may be configured about demand forecasts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Calendar;
use crate::record::{Fraction, Positive};

/// Horizons, seasons, experts. Horizons, seasons and spans are counted in rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastParams {
    /// Indexes of the target channels.
    pub targets: Vec<usize>,
    /// Indexes of channels whose past is an input beside that of the target.
    pub exogenous: Vec<usize>,
    /// Indexes of channels whose values are announced before they come.
    pub known: Vec<usize>,
    /// Rows ahead, ascending, from 1; at least one.
    pub horizons: Vec<u32>,
    /// Season lengths in rows, ascending; empty to find them in the data.
    pub seasons: Vec<u32>,
    /// A forecast every this many rows.
    pub every: u32,
    /// Penalty on each feature that all horizons share, in units of one observation.
    pub ridge: Positive,
    /// How the weights of the linear experts are found.
    pub head: Head,
    /// Rows after which an observation counts half in the linear experts.
    pub half_life: Positive,
    /// Most rows a series keeps: the memory that the latent expert learns from.
    pub memory: usize,
    /// Coverage levels of the intervals, ascending.
    pub levels: Vec<Fraction>,
    /// Scale on which everything is modelled.
    pub link: Link,
    /// Whether forecasts stay at or above 0.
    pub non_negative: NonNegative,
    /// The network of the latent expert.
    pub latent: LatentParams,
    /// All series of a shard share one network.
    pub shared: bool,
    /// Local time, days off and the length of a row.
    pub calendar: Calendar,
}

impl ForecastParams {
    /// One target with the defaults of the configuration; `horizons` and `seasons` in rows.
    pub fn new(horizons: Vec<u32>, seasons: Vec<u32>, calendar: Calendar) -> Self {
        let positive = |x: f64| Positive::try_from(x).expect("a literal above 0");
        let level = |x: f64| Fraction::try_from(x).expect("a literal between 0 and 1");
        let day = calendar.day_rows().unwrap_or(24) as f64;
        Self {
            targets: vec![0],
            exogenous: Vec::new(),
            known: Vec::new(),
            horizons,
            seasons,
            every: 1,
            ridge: positive(100.0),
            head: Head::Ridge,
            half_life: positive((364.0 * day).max(1.0)),
            memory: 10_080,
            levels: vec![level(0.8), level(0.95)],
            link: Link::Identity,
            non_negative: NonNegative::Auto,
            latent: LatentParams { refresh: 1, windows_max: 10_080, ..LatentParams::default() },
            shared: false,
            calendar,
        }
    }
}

/// The network whose code is an input of the latent expert: a stacked autoencoder with a linear
/// layer on top of its code that says the future.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatentParams {
    /// Whether there is such an expert.
    pub enabled: bool,
    /// Width of the code.
    #[schemars(range(min = 1, max = 256))]
    pub width: usize,
    /// Width of the hidden layer.
    #[schemars(range(min = 1, max = 1024))]
    pub hidden: usize,
    /// Weight of the error of the reconstructed window in the loss.
    #[schemars(range(min = 0.0))]
    pub w_rec: f64,
    /// Weight of the error of the forecast in the loss.
    #[schemars(range(min = 0.0))]
    pub w_fc: f64,
    /// Training steps a season.
    #[schemars(range(min = 1, max = 1024))]
    pub steps: u32,
    /// Windows in a training step.
    #[schemars(range(min = 1, max = 1024))]
    pub batch: usize,
    /// Step size of AdamW.
    pub learning_rate: Positive,
    /// Decay of the weights per step and unit of learning rate.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Share of the inputs that is hidden in training.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub dropout: f64,
    /// A second expert: two networks trained on alternate blocks, each head fitted on the blocks
    /// that its network has not seen. Not with a shared network.
    pub cross_fitted: bool,
    /// Seasons from one version of the network to the next; in settings 0 for 1, or 7 where a shard
    /// shares the network.
    #[schemars(range(min = 0, max = 366))]
    pub refresh: u32,
    /// Most windows that are encoded anew for a new version; in settings 0 for 10,080, or 672 where a
    /// shard shares the network.
    #[schemars(range(min = 0, max = 1_048_576))]
    pub windows_max: usize,
}

/// The values of `config/default.toml`; a test compares them.
impl Default for LatentParams {
    fn default() -> Self {
        let positive = |x: f64| Positive::try_from(x).expect("a literal above 0");
        Self {
            enabled: true,
            width: 16,
            hidden: 64,
            w_rec: 0.0,
            w_fc: 1.0,
            steps: 6,
            batch: 64,
            learning_rate: positive(0.002),
            weight_decay: 0.1,
            dropout: 0.5,
            cross_fitted: false,
            refresh: 0,
            windows_max: 0,
        }
    }
}

/// How the weights of the skip expert are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// Ridge regression, exact, over all the past.
    Ridge,
    /// Elastic net by coordinate descent, over the newest rows: few features remain.
    ElasticNet,
}

/// Logarithm of more than any value that is taken: bounds stay finite.
const LOG_MAX: f64 = 240.0;

/// Scale on which levels, errors and weights live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// That of the channel.
    Identity,
    /// `ln(1 + y)`: for counts whose spread grows with their size. Values below 0 count as 0.
    Log1p,
}

impl Link {
    /// From the channel's unit to the modelled scale; keeps NaN.
    pub(super) fn apply(self, y: f64) -> f64 {
        match self {
            Self::Identity => y,
            Self::Log1p => {
                if y.is_nan() {
                    y
                } else {
                    y.max(0.0).ln_1p()
                }
            }
        }
    }

    /// And back; keeps NaN.
    pub(super) fn invert(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            // Not `min`: NaN must stay what it is.
            Self::Log1p if x > LOG_MAX => LOG_MAX.exp_m1(),
            Self::Log1p => x.exp_m1(),
        }
    }
}

/// When forecasts are kept at or above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonNegative {
    /// While no negative value of the series has been seen.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
