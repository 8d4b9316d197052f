//! What may be configured about the autoencoder and its training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Positive;

/// Which member of the autoencoder family learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// A bottleneck narrower than the input and nothing else.
    Undercomplete,
}

/// Non-linearity of the hidden layers; code and output are linear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(x, 0)`
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

/// Who shares one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every series has its own: few, important series.
    Series,
    /// All series of a partition share one: thousands of similar series.
    Shard,
}

/// The network and how it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelParams {
    /// Member of the autoencoder family.
    pub variant: Variant,
    /// Who shares one network.
    pub scope: Scope,
    /// Widths of the encoder's hidden layers from the input inwards; the decoder mirrors them.
    pub hidden: Vec<usize>,
    /// Width of the code; smaller than the input width (channels x window length).
    #[schemars(range(min = 1))]
    pub latent: usize,
    /// Non-linearity of the hidden layers.
    pub activation: Activation,
    /// Adam step size.
    pub learning_rate: Positive,
    /// Windows in a training step.
    #[schemars(range(min = 1, max = 4096))]
    pub batch: usize,
    /// Windows scored between two training steps. 1 learns most, larger values cost less.
    #[schemars(range(min = 1))]
    pub train_every: u32,
    /// The same during warm-up.
    #[schemars(range(min = 1))]
    pub warmup_train_every: u32,
    /// Training steps from one refresh of the scoring network to the next. The steps of a refresh
    /// are taken while the windows up to the next one are scored, and take effect then.
    #[schemars(range(min = 1, max = 1_024))]
    pub refresh_steps: u32,
    /// Past windows kept for replay in training.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub reservoir: usize,
    /// Windows a series must have seen before it can raise an alert.
    #[schemars(range(min = 1))]
    pub warmup: u32,
}
