//! What may be configured about demand forecasts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Fraction, Positive};

/// Horizons, seasons and the ridge head. Horizons and seasons are counted in rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastParams {
    /// Indexes of the target channels.
    pub targets: Vec<usize>,
    /// Rows ahead, ascending, from 1.
    pub horizons: Vec<u32>,
    /// Season lengths in rows, ascending; empty for none.
    pub seasons: Vec<u32>,
    /// A forecast every this many rows.
    pub every: u32,
    /// Ridge penalty per feature, in units of one standardised observation.
    pub ridge: Positive,
    /// Rows after which an old observation counts half in the ridge.
    pub memory: Positive,
    /// Coverage levels of the intervals, ascending.
    pub levels: Vec<Fraction>,
    /// Forecasts never leave the range of counts: below 0 becomes 0 when no negative value was seen.
    pub non_negative: NonNegative,
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
