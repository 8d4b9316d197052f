//! What can go wrong while learning.

/// Why a training step was refused. The weights are as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A gradient, or the learning rate in single precision, was NaN or infinite.
    #[error("training step {step} diverged: a gradient or the learning rate is not finite")]
    Diverged {
        /// Steps taken before this one.
        step: u64,
    },
}
