//! A network in training, with its optimiser.

use ndarray::{Array2, ArrayView2, s};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::optimizer::{Optimizer, Step, rate};
use crate::model::exam::Anchors;
use crate::model::net::Kind;
use crate::model::net::{Code, DenseGradient, Freedom, Losses, Recipe};
use crate::model::{ModelError, Network, Workspace};

/// A network in training, with its optimiser.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::model) struct Trainee {
    network: Network,
    optimizer: Optimizer,
}

impl Trainee {
    pub(in crate::model) fn new(network: Network, recipe: &Recipe) -> Self {
        let optimizer = Optimizer::new(&recipe.optimizer, network.all_layers());
        Self { network, optimizer }
    }

    /// Goes on with an optimiser that has already made steps.
    pub(in crate::model) fn resume(network: Network, optimizer: Optimizer) -> Self {
        Self { network, optimizer }
    }

    /// This trainee under the settings of `fresh`; `None` if it is of another shape.
    pub(in crate::model) fn adopt(self, fresh: &Self) -> Option<Self> {
        let Self { network, optimizer } = self;
        let alike = network.is_like(&fresh.network);
        Some(Self { network, optimizer: optimizer.adopt(&fresh.optimizer)? }).filter(|_| alike)
    }

    pub(in crate::model) fn network(&self) -> &Network {
        &self.network
    }

    /// Training steps taken.
    pub(in crate::model) fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// Goes on from the weights of another network of the same shape, as if it had not moved before.
    pub(in crate::model) fn restart(&mut self, network: &Network) {
        self.network.assign(network);
        self.optimizer.forget();
    }

    /// Turns the code into the coordinates of `anchors`, as far as that changes no reconstruction, and
    /// gives the vectors of a code book their old numbers. Returns the distance that is left, over the
    /// spread of the anchors, and the codes of the anchors, `(n, k)`.
    pub(in crate::model) fn align(
        &mut self,
        anchors: &Anchors,
        space: &mut Workspace,
    ) -> (f64, Array2<f32>) {
        let freedom = self.network.freedom();
        let part = freedom.part();
        let rotation = part.and_then(|part| anchors.rotation(&self.network, part, space));
        match (freedom, rotation) {
            (Freedom::Weights(_), Some(rotation)) => {
                self.network.rotate(&rotation);
                self.optimizer.rotate(&rotation, self.network.pairs());
            }
            (Freedom::Output(_), Some(rotation)) => self.network.turn_output(&rotation),
            _ => {}
        }
        if let Some(book) = anchors.book() {
            self.network.renumber(book);
        }
        anchors.error(&self.network, space)
    }

    /// Puts the code book, if there is one that has not started, where the codes of `windows`
    /// `(n, d)` are.
    pub(super) fn start_codebook(
        &mut self,
        windows: ArrayView2<'_, f32>,
        space: &mut Workspace,
        rng: &mut Xoshiro256PlusPlus,
    ) {
        let Code::Quantised(book) = self.network.code() else { return };
        if book.is_started() {
            return;
        }
        // A book that has not started lets codes pass as they are.
        let codes = self.network.codes(windows, space).into_raw_vec_and_offset().0;
        let Code::Quantised(book) = self.network.code_mut() else { return };
        let part = book.part();
        if let Ok(parts) = Array2::from_shape_vec((codes.len() / part, part), codes) {
            book.start(&parts, rng);
        }
    }

    /// Takes one step on the first `rows` windows of `space`; the losses before it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Diverged`] if a gradient or the learning rate is not finite; weights and moments are
    /// unchanged.
    pub(super) fn step(
        &mut self,
        space: &mut Workspace,
        rows: usize,
        recipe: &Recipe,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Losses, ModelError> {
        let step = self.optimizer.steps();
        if let Some(pair) = recipe.pretrained_pair(step, self.network.pairs()) {
            let reconstruction = self.network.pair_loss_and_gradients(space, rows, recipe, pair);
            self.move_layers(space, recipe, self.network.layers_of_pair(pair).into_iter())?;
            return Ok(Losses { reconstruction, ..Losses::default() });
        }
        let losses = self.network.loss_and_gradients(space, rows, (recipe, step), rng);
        self.move_layers(space, recipe, 0..self.network.all_layers().len())?;
        let pairs = self.network.pairs();
        if let (Code::Quantised(book), Kind::VqVae(params)) =
            (self.network.code_mut(), &recipe.kind)
        {
            let encoded = space.outputs[pairs].slice(s![..rows, ..]);
            book.learn(encoded, space.picks(), params, rng);
        }
        Ok(losses)
    }

    /// Moves the layers that are named against their gradients in `space`.
    fn move_layers(
        &mut self,
        space: &Workspace,
        recipe: &Recipe,
        layers: impl Iterator<Item = usize> + Clone,
    ) -> Result<(), ModelError> {
        let norm = norm(layers.clone().map(|i| &space.gradients[i]));
        let step = self.optimizer.steps();
        let rate = rate(recipe.learning_rate, &recipe.schedule, step);
        if !(norm.is_finite() && rate.is_finite()) {
            return Err(ModelError::Diverged { step });
        }
        let clip = recipe.optimizer.clip_norm;
        let shorten = if clip > 0.0 && norm > clip { (clip / norm) as f32 } else { 1.0 };
        let step = Step { params: &recipe.optimizer, rate, shorten };
        self.optimizer.step(step, self.network.all_layers_mut(), &space.gradients, layers);
        Ok(())
    }
}

/// Euclidean norm of gradients.
fn norm<'a>(gradients: impl Iterator<Item = &'a DenseGradient>) -> f64 {
    let squares = gradients.map(|g| {
        let sum = |slice: Option<&[f32]>| -> f32 {
            slice.unwrap_or_default().iter().map(|g| g * g).sum()
        };
        f64::from(sum(g.weights.as_slice())) + f64::from(sum(g.biases.as_slice()))
    });
    squares.sum::<f64>().sqrt()
}
