//! How the weights move.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the reconstruction error of a cell costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Half its square.
    Mse,
    /// Half its square up to 1 scaled unit, linear beyond: a spike pulls with a bounded force.
    Huber,
}

/// The rule of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// The optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptimizerParams {
    /// Rule.
    pub kind: OptimizerKind,
    /// Decay of the weights per step and unit of learning rate, for `adam_w`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Share of the last step that goes on, for `sgd`.
    #[schemars(range(min = 0.0, max = 0.999))]
    pub momentum: f64,
    /// Longest gradient, as the Euclidean norm over all parameters; longer ones are shortened. 0
    /// lets all pass.
    #[schemars(range(min = 0.0))]
    pub clip_norm: f64,
}

/// How the learning rate changes with the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Not at all.
    Constant,
    /// Falls as one over the square root of the steps.
    InverseSqrt,
    /// Falls along a cosine, then starts again.
    Cosine,
}

/// The learning rate over time. It never falls to 0: a stream never ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleParams {
    /// Shape.
    pub kind: ScheduleKind,
    /// Steps until `inverse_sqrt` has fallen by 0.71, or from one start of `cosine` to the next.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Least share of `learning_rate` that is left.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub floor: f64,
}

// The values of `config/default.toml`; a test compares them.

impl Default for OptimizerParams {
    fn default() -> Self {
        Self { kind: OptimizerKind::Adam, weight_decay: 0.01, momentum: 0.9, clip_norm: 0.0 }
    }
}

impl Default for ScheduleParams {
    fn default() -> Self {
        Self { kind: ScheduleKind::Constant, steps: 10_000, floor: 0.1 }
    }
}
