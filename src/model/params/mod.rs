//! What may be configured about the autoencoder and its training.

mod drift;
mod gate;
mod optimizer;
mod variant;

pub use drift::DriftParams;
pub use gate::GateParams;
pub use optimizer::{Loss, OptimizerKind, OptimizerParams, ScheduleKind, ScheduleParams};
pub use variant::{
    DenoisingParams, HeadKind, SparseParams, Sparsity, StackedParams, VaeParams, VaeScore, Variant,
    VqVaeParams,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Millis, Positive};

/// Non-linearity of the hidden layers; the output is linear, and the code too unless the variant
/// needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(x, 0)`
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` above 0, `0.01 x` below.
    LeakyRelu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// Gaussian error linear unit, by its approximation with tanh.
    Gelu,
    /// `ln(1 + exp(x))`
    Softplus,
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
    /// What the reconstruction error of a cell costs.
    pub loss: Loss,
    /// Step size of the optimiser.
    pub learning_rate: Positive,
    /// The optimiser.
    pub optimizer: OptimizerParams,
    /// The learning rate over time.
    pub schedule: ScheduleParams,
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
    /// Most training after the warm-up, whatever the number of windows.
    pub train_max: TrainMax,
    /// Past windows kept for replay in training.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub reservoir: usize,
    /// Windows a series must have seen before it can raise an alert.
    #[schemars(range(min = 1))]
    pub warmup: u32,
    /// The examination of challengers.
    pub gate: GateParams,
    /// When its stream is said to have drifted.
    pub drift: DriftParams,
    /// Of `variant = "sparse"`.
    pub sparse: SparseParams,
    /// Of `variant = "denoising"`.
    pub denoising: DenoisingParams,
    /// Of `variant = "stacked"`.
    pub stacked: StackedParams,
    /// Of `variant = "vae"`.
    pub vae: VaeParams,
    /// Of `variant = "vq_vae"`.
    pub vq_vae: VqVaeParams,
}

/// A bound of the training steps in event time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainMax {
    /// Steps; 0 sets no bound.
    pub steps: u32,
    /// Event time in which they may be taken.
    pub per: Millis,
}

impl Default for TrainMax {
    fn default() -> Self {
        Self { steps: 0, per: Millis::new(3_600_000) }
    }
}

/// The values of `config/default.toml`; a test compares them.
impl Default for ModelParams {
    fn default() -> Self {
        Self {
            variant: Variant::Undercomplete,
            scope: Scope::Series,
            hidden: vec![32],
            latent: 8,
            activation: Activation::Tanh,
            loss: Loss::Huber,
            learning_rate: Positive::try_from(0.002).expect("a constant above 0"),
            optimizer: OptimizerParams::default(),
            schedule: ScheduleParams::default(),
            batch: 32,
            train_every: 1,
            warmup_train_every: 1,
            refresh_steps: 4,
            train_max: TrainMax::default(),
            reservoir: 1_024,
            warmup: 300,
            gate: GateParams::default(),
            drift: DriftParams::default(),
            sparse: SparseParams::default(),
            denoising: DenoisingParams::default(),
            stacked: StackedParams::default(),
            vae: VaeParams::default(),
            vq_vae: VqVaeParams::default(),
        }
    }
}

impl ModelParams {
    /// Whether a layer on top of the code says something about the next row.
    pub fn has_head(&self) -> bool {
        self.variant == Variant::Stacked && self.stacked.head != HeadKind::None
    }

    /// Tells what shapes the state beyond variant, scope, widths and activation: keys and values.
    pub fn shaping(&self, mut tell: impl FnMut(&str, String)) {
        if self.optimizer.kind != OptimizerKind::Adam {
            tell("optimizer.kind", format!("{:?}", self.optimizer.kind));
        }
        match self.variant {
            Variant::Undercomplete | Variant::Deep | Variant::Denoising => {}
            Variant::Stacked => tell("stacked.head", format!("{:?}", self.stacked.head)),
            Variant::Sparse => tell("sparse.penalty", format!("{:?}", self.sparse.penalty)),
            Variant::Vae => {
                tell("vae.score", format!("{:?}", self.vae.score));
                tell("vae.samples", self.vae.samples.to_string());
            }
            Variant::VqVae => {
                tell("vq_vae.codes", self.vq_vae.codes.to_string());
                tell("vq_vae.groups", self.vq_vae.groups.to_string());
            }
        }
    }
}

/// What a window is made of: rows, oldest first, of one cell per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowShape {
    /// Rows.
    pub rows: usize,
    /// Channels.
    pub channels: usize,
}

impl WindowShape {
    /// Cells of a window.
    pub fn cells(self) -> usize {
        self.rows * self.channels
    }
}
