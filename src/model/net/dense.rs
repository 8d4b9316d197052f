//! One fully connected layer: `y = f(x · w + b)`.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};
use rand::Rng;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

use super::kernel::{self, Start};
use crate::model::Activation;

/// Weights `(n_in, n_out)`, biases `(n_out,)` and the activation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    pub(in crate::model) weights: Array2<f32>,
    pub(in crate::model) biases: Array1<f32>,
    pub(in crate::model) activation: Activation,
}

/// What the backward pass of a layer needs of the forward pass; `b` rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed<'a> {
    /// Input of the layer, `(b, n_in)`.
    pub x: ArrayView2<'a, f32>,
    /// Input of the activation, if it asks for it, `(b, n_out)`.
    pub before: Option<ArrayView2<'a, f32>>,
    /// Output, `(b, n_out)`.
    pub y: ArrayView2<'a, f32>,
}

/// Where the gradient at the input goes, what it is added to, and memory for as many numbers as the
/// layer has weights; `None` if nobody wants it.
pub(super) type InputGradient<'a> = Option<(ArrayViewMut2<'a, f32>, Start<'a>, &'a mut [f32])>;

impl Dense {
    /// Weights from N(0, gain² / n_in), biases zero (LeCun et al., "Efficient BackProp", 1998).
    pub(super) fn new(
        (inputs, outputs): (usize, usize),
        activation: Activation,
        gain: f32,
        rng: &mut impl Rng,
    ) -> Self {
        let deviation = gain / (inputs as f32).sqrt();
        let normal = Normal::new(0.0, deviation)
            .expect("a gain over the root of a count of inputs is finite and positive");
        Self {
            weights: Array2::from_shape_simple_fn((inputs, outputs), || normal.sample(rng)),
            biases: Array1::zeros(outputs),
            activation,
        }
    }

    /// Whether both are of one shape.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let shape = |layer: &Self| (layer.weights.dim(), layer.biases.dim(), layer.activation);
        let standard = self.weights.is_standard_layout() && self.biases.is_standard_layout();
        standard && shape(self) == shape(other)
    }

    /// Writes `f(x · w + b)` into `y`, and the input of `f` into `before` if it is given; `x` is
    /// `(b, n_in)`, the others are `(b, n_out)`.
    pub(super) fn forward(
        &self,
        x: ArrayView2<'_, f32>,
        before: Option<ArrayViewMut2<'_, f32>>,
        mut y: ArrayViewMut2<'_, f32>,
    ) {
        let biases = self.biases.as_slice().expect("biases are an owned array");
        kernel::multiply(x, self.weights.view(), Start::Row(biases), y.view_mut());
        if let Some(mut before) = before {
            before.assign(&y);
        }
        self.activation.apply(y);
    }

    /// From the gradient `dy` at the layer's output (changed in place to the one before the
    /// activation) to those of the weights, the biases and, if wanted, the input.
    pub(super) fn backward(
        &self,
        passed: Passed<'_>,
        mut dy: ArrayViewMut2<'_, f32>,
        gradient: &mut DenseGradient,
        input: InputGradient<'_>,
    ) {
        self.activation.scale_by_derivative(passed.before, passed.y, dy.view_mut());
        kernel::multiply_transposed(passed.x, dy.view(), gradient.weights.view_mut());
        sum_rows(dy.view(), gradient.biases.view_mut());
        if let Some((dx, start, scratch)) = input {
            let turned = kernel::transpose(self.weights.view(), scratch);
            kernel::multiply(dy.view(), turned, start, dx);
        }
    }
}

/// Whether two lists of layers are of one shape.
pub(super) fn all_alike(a: &[Dense], b: &[Dense]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_like(b))
}

/// Gradients of one layer, shaped as its weights and biases.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DenseGradient {
    pub(in crate::model) weights: Array2<f32>,
    pub(in crate::model) biases: Array1<f32>,
}

impl DenseGradient {
    /// Whether both are of one shape.
    pub(in crate::model) fn is_like(&self, other: &Self) -> bool {
        let shape = |gradient: &Self| (gradient.weights.dim(), gradient.biases.dim());
        let standard = self.weights.is_standard_layout() && self.biases.is_standard_layout();
        standard && shape(self) == shape(other)
    }

    pub(in crate::model) fn fill_zero(&mut self) {
        self.weights.fill(0.0);
        self.biases.fill(0.0);
    }

    pub(in crate::model) fn zeros_like(layer: &Dense) -> Self {
        Self {
            weights: Array2::zeros(layer.weights.raw_dim()),
            biases: Array1::zeros(layer.biases.raw_dim()),
        }
    }
}

/// Turns weights and biases of layer `i` with the code between layers `at - 1` and `at`: the layer
/// that says the code says it turned, those that read it turn it back. Layers from `2 * at` on read
/// the code, too.
pub(in crate::model) fn rotate_layer(
    (weights, biases): (&mut Array2<f32>, &mut Array1<f32>),
    rotation: &Array2<f32>,
    (i, at): (usize, usize),
) {
    if i + 1 == at {
        *weights = weights.dot(rotation);
        *biases = biases.dot(rotation);
    } else if i == at || i >= 2 * at {
        *weights = rotation.t().dot(weights);
    }
}

/// Adds up the rows without allocating.
fn sum_rows(rows: ArrayView2<'_, f32>, mut sum: ArrayViewMut1<'_, f32>) {
    sum.fill(0.0);
    for row in rows.axis_iter(Axis(0)) {
        sum += &row;
    }
}
