//! What may be done to a code without changing a reconstruction: turning it, numbering its vectors
//! anew.

use ndarray::{Array2, s};

use super::code::Code;
use super::kernel::{self, Start};
use super::{Network, Workspace, rotate_layer};
use crate::model::Activation;

/// How a code can be turned, and how many neighbouring numbers of it together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Freedom {
    /// Not at all: each unit of a sparse code means something by itself.
    None,
    /// In the layers before and behind it.
    Weights(usize),
    /// Where it is told. Inside, the axes of a variational code are those of its variances, and the
    /// parts of a quantised one those of the book that they share.
    Output(usize),
}

impl Freedom {
    /// Numbers that are turned together.
    pub(in crate::model) fn part(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Weights(part) | Self::Output(part) => Some(part),
        }
    }
}

impl Network {
    /// How the code can be turned.
    pub(in crate::model) fn freedom(&self) -> Freedom {
        match &self.code {
            Code::Plain if self.layers[self.code_layer].activation == Activation::Identity => {
                Freedom::Weights(self.latent())
            }
            Code::Gaussian(_) => Freedom::Output(self.latent()),
            Code::Quantised(book) if book.is_started() => Freedom::Output(book.part()),
            Code::Plain | Code::Quantised(_) => Freedom::None,
        }
    }

    /// Turns the code: `z` becomes `z · rotation`, `(k, k)` orthogonal.
    pub(in crate::model) fn rotate(&mut self, rotation: &Array2<f32>) {
        let at = self.pairs();
        for (i, layer) in self.layers.iter_mut().enumerate() {
            rotate_layer((&mut layer.weights, &mut layer.biases), rotation, (i, at));
        }
    }

    /// Turns each part of the code that is told: `z` becomes `z · rotation`, `(p, p)` orthogonal.
    pub(in crate::model) fn turn_output(&mut self, rotation: &Array2<f32>) {
        let (k, p) = (self.latent(), rotation.nrows());
        let mut all = Array2::zeros((k, k));
        for from in (0..k).step_by(p) {
            all.slice_mut(s![from..from + p, from..from + p]).assign(rotation);
        }
        self.turn = Some(match &self.turn {
            Some(before) => before.dot(&all),
            None => all,
        });
    }

    /// Turns the code of a pass that is over.
    pub(super) fn turn_code(&self, space: &mut Workspace, rows: usize) {
        let (Some(turn), Some(code)) = (&self.turn, &mut space.code) else { return };
        let z = code.z.slice(s![..rows, ..]);
        kernel::multiply(z, turn.view(), Start::Zero, code.dz.slice_mut(s![..rows, ..]));
        std::mem::swap(&mut code.z, &mut code.dz);
    }

    /// Vectors of the code book as they are told, `(codes, p)`; `None` without one that has started.
    pub(in crate::model) fn book(&self) -> Option<Array2<f32>> {
        let Code::Quantised(book) = &self.code else { return None };
        let part = book.part();
        book.is_started().then(|| match &self.turn {
            Some(turn) => book.vectors().dot(&turn.slice(s![..part, ..part])),
            None => book.vectors().clone(),
        })
    }

    /// Gives each vector of the code book the number of the one in `reference` that it has become.
    pub(in crate::model) fn renumber(&mut self, reference: &Array2<f32>) {
        let Some(told) = self.book() else { return };
        let Code::Quantised(book) = &mut self.code else { return };
        if told.dim() == reference.dim() {
            book.renumber(&told, reference);
        }
    }
}
