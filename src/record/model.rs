//! What happens to models: examinations, and what they led to.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::{EventTime, SeriesKey};

/// How a channel can be at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The newest row alone is off.
    Spike,
    /// All rows since the onset are off by the same.
    Offset,
    /// Rows are off by more and more, up to twice the size.
    Drift,
    /// The value of the onset stays.
    Stuck,
    /// Noise is added.
    Noise,
    /// The values are those of another time: each plausible, the whole not.
    Decorrelated,
}

impl FaultKind {
    /// All of them, in the order of [`Marks::recall`].
    pub const ALL: [Self; 6] =
        [Self::Spike, Self::Offset, Self::Drift, Self::Stuck, Self::Noise, Self::Decorrelated];

    /// Its name in metrics and records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Offset => "offset",
            Self::Drift => "drift",
            Self::Stuck => "stuck",
            Self::Noise => "noise",
            Self::Decorrelated => "decorrelated",
        }
    }
}

/// How a network did in an examination. Shares are of 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Marks {
    /// Share of calm windows above the bar of the network that was there first: the predecessor while
    /// one is watched, else the champion.
    pub false_alarms: f64,
    /// Mean squared reconstruction error of the calm windows.
    pub loss: f64,
    /// Share of faulty windows above the network's own bar at some age of the fault, by
    /// [`FaultKind::ALL`].
    pub recall: [f64; 6],
    /// Mean age in rows at which the faults found are found, by [`FaultKind::ALL`]; NaN if none is.
    pub delay: [f64; 6],
}

impl Marks {
    /// Mean over the kinds.
    pub fn mean_recall(&self) -> f64 {
        self.recall.iter().sum::<f64>() / self.recall.len() as f64
    }
}

/// What an examination led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelChange {
    /// The challenger scores from now on.
    Promoted,
    /// The champion stays.
    Rejected,
    /// The champion's predecessor scores again.
    RolledBack,
}

impl ModelChange {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Promoted, Self::Rejected, Self::RolledBack];

    /// Its name in metrics and records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Rejected => "rejected",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// Where a drift shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftLevel {
    /// Values of a channel.
    Input,
    /// A number of the latent code.
    Latent,
    /// The reconstruction error.
    Score,
}

impl DriftLevel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Input, Self::Latent, Self::Score];

    /// Its name in metrics and records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Latent => "latent",
            Self::Score => "score",
        }
    }
}

/// What follows a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftAction {
    /// It is told.
    None,
    /// Windows of before leave training and examinations, and the challenger is examined next.
    Refresh,
    /// What is now is normal: scaler, calibration and network begin again.
    Reset,
}

impl DriftAction {
    /// Its name in records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Refresh => "refresh",
            Self::Reset => "reset",
        }
    }
}

/// A drift of the stream of one network.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftRecord {
    /// Series whose network it is; `None` if all series of the partition share it.
    pub entity: Option<SeriesKey>,
    /// End of the window at which it was found.
    pub at: EventTime,
    /// Where it shows.
    pub level: DriftLevel,
    /// Index of the channel, or of the number of the code; 0 for the score.
    pub part: usize,
    /// Mean before, in scaled units; of the score the natural logarithm of the mean squared error.
    pub before: f64,
    /// Mean since.
    pub after: f64,
    /// What follows.
    pub action: DriftAction,
    /// Training steps behind the network that scores.
    pub model_version: u64,
    /// Offset of the last record in the window.
    pub offset: i64,
}

/// One examination of a challenger.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRecord {
    /// Series whose network it is; `None` if all series of the partition share it.
    pub entity: Option<SeriesKey>,
    /// Input partition.
    pub partition: i32,
    /// End of the window after which it took effect.
    pub at: EventTime,
    /// What it led to.
    pub change: ModelChange,
    /// What spoke against a network: `not_finite`, `false_alarms`, `recall` or `loss`.
    pub reason: Option<&'static str>,
    /// Training steps behind the network that scores from now on.
    pub model_version: u64,
    /// Training steps behind the challenger.
    pub challenger_version: u64,
    /// Names the coordinates of latent features from now on.
    pub latent_space_id: Arc<str>,
    /// Whether they are new.
    pub new_latent_space: bool,
    /// Distance of the challenger's codes from the latent space before, over its spread.
    pub alignment_error: f64,
    /// Of the network that scored before.
    pub champion: Marks,
    /// Of the network in training.
    pub challenger: Marks,
    /// Of the champion's predecessor, while the champion is watched.
    pub predecessor: Option<Marks>,
    /// Offset of the last record in the window.
    pub offset: i64,
}
