//! The networks: layers, code, forward and backward passes, and the scratch memory for them.
//!
//! `dense` is one layer, with its `activation` and the products of `kernel`. `network` strings layers together and runs them;
//! what lies between encoder and decoder is the `code`: plain, a Gaussian (`gaussian`), or a choice
//! from a book (`codebook`); `freedom` turns it. `loss` says what errors cost, `gradient` runs backwards, `pretrain`
//! does so for one pair of layers, `corruption` is what a denoising network has to undo. `recipe`
//! says how to train, `workspace` holds all intermediate numbers. `mlp` is a plain network whose loss is
//! the caller's: the detectors are made of it.

mod activation;
mod average;
mod code;
mod codebook;
mod corruption;
mod dense;
mod freedom;
mod gaussian;
mod gradient;
mod kernel;
mod loss;
mod mlp;
mod network;
mod pretrain;
mod recipe;
mod workspace;

pub(super) use code::Code;
pub(super) use dense::{Dense, DenseGradient, rotate_layer};
pub(super) use freedom::Freedom;
pub(super) use gradient::Losses;
pub(super) use kernel::ARCH;
pub use mlp::{Mlp, MlpShape, MlpSpace};
pub use network::Network;
pub(super) use recipe::{Kind, Recipe};
pub use workspace::Workspace;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
pub(super) mod tests;
