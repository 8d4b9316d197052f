//! What lies between encoder and decoder.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::codebook::Codebook;
use super::gaussian::Gaussian;
use crate::model::{Activation, ModelParams, Sparsity, VaeScore, Variant};

/// How the output of the encoder becomes the input of the decoder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::model) enum Code {
    /// As it is.
    #[default]
    Plain,
    /// The encoder says mean and log variance.
    Gaussian(Gaussian),
    /// The nearest vectors of a book.
    Quantised(Codebook),
}

impl Code {
    pub(super) fn new(params: &ModelParams, rng: &mut impl Rng) -> Self {
        match params.variant {
            Variant::Vae => {
                let samples = match params.vae.score {
                    VaeScore::Error => 0,
                    VaeScore::Probability => params.vae.samples,
                };
                Self::Gaussian(Gaussian::new(samples, params.latent, rng))
            }
            Variant::VqVae => {
                let part = params.latent / params.vq_vae.groups.max(1);
                Self::Quantised(Codebook::new(params.vq_vae.codes, part.max(1)))
            }
            _ => Self::Plain,
        }
    }

    /// Width of the encoder's output for a code of `latent` numbers.
    pub(super) fn encoder_width(&self, latent: usize) -> usize {
        match self {
            Self::Plain | Self::Quantised(_) => latent,
            Self::Gaussian(_) => 2 * latent,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// Tells codes apart that need other scratch memory.
    pub(in crate::model) fn shape(&self) -> [usize; 2] {
        match self {
            Self::Plain => [0, 0],
            Self::Gaussian(gaussian) => [1, gaussian.probes().len()],
            Self::Quantised(book) => [2, book.part()],
        }
    }

    /// Whether both are of one shape.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain, Self::Plain) => true,
            (Self::Gaussian(a), Self::Gaussian(b)) => a.is_like(b),
            (Self::Quantised(a), Self::Quantised(b)) => a.is_like(b),
            _ => false,
        }
    }
}

/// Activation of the code layer.
pub(super) fn activation(params: &ModelParams) -> Activation {
    match (params.variant, params.sparse.penalty) {
        (Variant::Sparse, Sparsity::Kl) => Activation::Sigmoid,
        (Variant::Sparse, Sparsity::L1) => Activation::Relu,
        _ => Activation::Identity,
    }
}
