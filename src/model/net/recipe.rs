//! How a network is trained: the part of the parameters that weights do not hold.

use crate::model::{
    DenoisingParams, HeadKind, Loss, ModelParams, OptimizerParams, ScheduleParams, SparseParams,
    StackedParams, VaeParams, Variant, VqVaeParams, WindowShape,
};

/// Everything that a training step reads and does not change.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Recipe {
    pub shape: WindowShape,
    pub loss: Loss,
    pub learning_rate: f64,
    pub optimizer: OptimizerParams,
    pub schedule: ScheduleParams,
    pub kind: Kind,
}

/// What only one variant does in training.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) enum Kind {
    /// Undercomplete and deep.
    Plain,
    Stacked(StackedParams),
    Sparse(SparseParams),
    Denoising(DenoisingParams),
    Vae(VaeParams),
    VqVae(VqVaeParams),
}

impl Recipe {
    pub fn new(params: &ModelParams, shape: WindowShape) -> Self {
        Self {
            shape,
            loss: params.loss,
            learning_rate: params.learning_rate.get(),
            optimizer: params.optimizer.clone(),
            schedule: params.schedule.clone(),
            kind: match params.variant {
                Variant::Undercomplete | Variant::Deep => Kind::Plain,
                Variant::Stacked => Kind::Stacked(params.stacked.clone()),
                Variant::Sparse => Kind::Sparse(params.sparse.clone()),
                Variant::Denoising => Kind::Denoising(params.denoising.clone()),
                Variant::Vae => Kind::Vae(params.vae.clone()),
                Variant::VqVae => Kind::VqVae(params.vq_vae.clone()),
            },
        }
    }

    /// The pair of layers (counted from the outside) that training step `step` is for; `None` if
    /// it is for the whole network of `pairs` pairs.
    pub fn pretrained_pair(&self, step: u64, pairs: usize) -> Option<usize> {
        let Kind::Stacked(params) = &self.kind else { return None };
        let pair = step.checked_div(u64::from(params.pretrain_steps))?;
        usize::try_from(pair).ok().filter(|pair| *pair < pairs)
    }

    /// The layer on top of the code: its kind and the weight of its loss.
    pub fn head(&self) -> Option<(HeadKind, f32)> {
        let Kind::Stacked(params) = &self.kind else { return None };
        (params.head != HeadKind::None).then(|| (params.head, params.head_weight.get() as f32))
    }

    /// Weight of the divergence from the prior at a training step.
    pub fn beta(&self, step: u64) -> f32 {
        let Kind::Vae(params) = &self.kind else { return 0.0 };
        let grown = match params.beta_warmup {
            0 => 1.0,
            warmup => ((step + 1) as f64 / f64::from(warmup)).min(1.0),
        };
        (grown * params.beta.get()) as f32
    }
}

/// Of an undercomplete network without cells: what a stored learner has before it meets its
/// configuration.
impl Default for Recipe {
    fn default() -> Self {
        Self {
            shape: WindowShape::default(),
            loss: Loss::Huber,
            learning_rate: 0.0,
            optimizer: OptimizerParams::default(),
            schedule: ScheduleParams::default(),
            kind: Kind::Plain,
        }
    }
}
