//! The members of the autoencoder family and what only one of them has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Fraction, Positive};

/// Which member of the autoencoder family learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// A bottleneck narrower than the input and nothing else.
    Undercomplete,
    /// The same with two hidden layers or more on each side.
    Deep,
    /// Deep, with layer-wise pretraining, and a linear or logistic layer on top of the code.
    Stacked,
    /// A code whose activity is penalised; it may be wider than the input.
    Sparse,
    /// Learns to undo noise and missing cells.
    Denoising,
    /// Variational: the code is a distribution.
    Vae,
    /// Vector-quantised: the code is a choice from a code book.
    VqVae,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Undercomplete,
        Self::Deep,
        Self::Stacked,
        Self::Sparse,
        Self::Denoising,
        Self::Vae,
        Self::VqVae,
    ];

    /// Its name in settings and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Undercomplete => "undercomplete",
            Self::Deep => "deep",
            Self::Stacked => "stacked",
            Self::Sparse => "sparse",
            Self::Denoising => "denoising",
            Self::Vae => "vae",
            Self::VqVae => "vq_vae",
        }
    }
}

/// How the activity of a sparse code is penalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sparsity {
    /// Kullback-Leibler divergence of each unit's mean activation from `target`; sigmoid code.
    Kl,
    /// Mean absolute activation; relu code.
    L1,
}

/// Of `variant = "sparse"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SparseParams {
    /// Kind of penalty.
    pub penalty: Sparsity,
    /// Weight of the penalty beside the mean reconstruction loss.
    pub weight: Positive,
    /// Mean activation of a unit that `kl` aims at.
    pub target: Fraction,
}

/// Of `variant = "denoising"`. What is hidden in training is told to the network by indicators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DenoisingParams {
    /// Chance that a cell is hidden, in windows without a block.
    #[schemars(range(min = 0.0, max = 0.95))]
    pub mask: f64,
    /// Chance that a window's newest rows are hidden as a block instead.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub block: f64,
    /// Lengths of the blocks in rows, one of them drawn; longer ones than the window hide it all.
    pub block_rows: Vec<u32>,
    /// Standard deviation of Gaussian noise on the visible cells, in scaled units.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub noise: f64,
}

/// The layer on top of a stacked autoencoder's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// None.
    None,
    /// Linear regression: the next row of every channel.
    Linear,
    /// Logistic classification: whether the next row of a channel lies above its newest one.
    Logistic,
}

/// Of `variant = "stacked"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StackedParams {
    /// Training steps of each pair of layers before all are trained together.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub pretrain_steps: u32,
    /// The layer on top.
    pub head: HeadKind,
    /// Weight of the loss of the layer on top beside the reconstruction loss.
    pub head_weight: Positive,
}

/// What tells how unusual a window is to a variational autoencoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VaeScore {
    /// The error of the reconstruction from the mean code.
    Error,
    /// The mean error over codes drawn from the posterior.
    Probability,
}

/// Of `variant = "vae"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VaeParams {
    /// Weight of the divergence from the prior beside the summed reconstruction loss.
    pub beta: Positive,
    /// Training steps over which that weight grows from 0.
    pub beta_warmup: u32,
    /// What is scored.
    pub score: VaeScore,
    /// Codes drawn for `probability`.
    #[schemars(range(min = 1, max = 64))]
    pub samples: usize,
}

/// Of `variant = "vq_vae"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VqVaeParams {
    /// Vectors in the code book.
    #[schemars(range(min = 2, max = 4_096))]
    pub codes: usize,
    /// Parts of the code, each replaced by a vector of the book; a divisor of `latent`.
    #[schemars(range(min = 1, max = 256))]
    pub groups: usize,
    /// Weight of the pull of the encoder towards its vectors.
    pub commitment: Positive,
    /// Share of the past that the moving averages of the book keep at each step.
    pub decay: Fraction,
    /// A vector used less than this share of the fair share is replaced by a present code.
    pub revive_below: Fraction,
}

fn positive(v: f64) -> Positive {
    Positive::try_from(v).expect("a constant above 0")
}

fn fraction(v: f64) -> Fraction {
    Fraction::try_from(v).expect("a constant between 0 and 1")
}

// The values of `config/default.toml`; a test compares them.

impl Default for SparseParams {
    fn default() -> Self {
        Self { penalty: Sparsity::Kl, weight: positive(0.1), target: fraction(0.05) }
    }
}

impl Default for DenoisingParams {
    fn default() -> Self {
        Self { mask: 0.1, block: 0.8, block_rows: vec![1, 4, 32], noise: 0.0 }
    }
}

impl Default for StackedParams {
    fn default() -> Self {
        Self { pretrain_steps: 50, head: HeadKind::Linear, head_weight: positive(0.3) }
    }
}

impl Default for VaeParams {
    fn default() -> Self {
        let beta = positive(0.1);
        Self { beta, beta_warmup: 1_000, score: VaeScore::Probability, samples: 8 }
    }
}

impl Default for VqVaeParams {
    fn default() -> Self {
        Self {
            codes: 64,
            groups: 4,
            commitment: positive(0.25),
            decay: fraction(0.99),
            revive_below: fraction(0.05),
        }
    }
}
