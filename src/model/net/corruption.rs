//! What a denoising autoencoder has to undo (Vincent et al., "Extracting and Composing Robust
//! Features with Denoising Autoencoders", ICML 2008).

use ndarray::s;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::Workspace;
use crate::model::{DenoisingParams, WindowShape};

impl Workspace {
    /// Hides cells of the network's input and adds noise to the others, window by window: either
    /// the newest rows as a block, or each cell by itself.
    pub(super) fn corrupt(
        &mut self,
        rows: usize,
        params: &DenoisingParams,
        shape: WindowShape,
        rng: &mut impl Rng,
    ) {
        let cells = shape.cells();
        let noise = params.noise as f32;
        for mut input in self.outputs[0].slice_mut(s![..rows, ..]).rows_mut() {
            let block = !params.block_rows.is_empty() && rng.gen_bool(params.block.clamp(0.0, 1.0));
            let hidden_from = if block {
                let length = params.block_rows[rng.gen_range(0..params.block_rows.len())] as usize;
                cells - length.min(shape.rows) * shape.channels
            } else {
                cells
            };
            for cell in 0..cells {
                let alone = !block && rng.gen_bool(params.mask.clamp(0.0, 1.0));
                if cell >= hidden_from || alone {
                    input[cell] = 0.0;
                    input[cells + cell] = 1.0;
                } else if noise > 0.0 && input[cells + cell] == 0.0 {
                    let draw: f32 = StandardNormal.sample(rng);
                    input[cell] += noise * draw;
                }
            }
        }
    }
}
