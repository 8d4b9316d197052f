//! Non-linearities and their derivatives.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use super::kernel::ARCH;
use crate::model::Activation;

/// Slope of the leaky rectifier below 0.
const LEAK: f32 = 0.01;
/// The approximation of GELU with tanh (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016).
const GELU: [f32; 2] = [0.797_884_6, 0.044_715];

impl Activation {
    /// `y = f(y)`, in place, for every cell.
    pub(super) fn apply(self, mut y: ArrayViewMut2<'_, f32>) {
        match self {
            Self::Identity => {}
            Self::Relu => y.mapv_inplace(|v| v.max(0.0)),
            Self::Tanh => apply_tanh(y),
            Self::LeakyRelu => y.mapv_inplace(|v| if v > 0.0 { v } else { LEAK * v }),
            Self::Sigmoid => y.mapv_inplace(sigmoid),
            Self::Gelu => y.mapv_inplace(|v| 0.5 * v * (1.0 + tanh(gelu_argument(v)))),
            Self::Softplus => y.mapv_inplace(|v| v.max(0.0) + (-v.abs()).exp().ln_1p()),
        }
    }

    /// Whether the derivative needs the activation's input: its output does not tell.
    pub(super) fn needs_input(self) -> bool {
        self == Self::Gelu
    }

    /// `dy = dy · f'`, with the derivative taken from the activation's *output* `y`, or from its
    /// input if it [needs](Self::needs_input) that.
    pub(super) fn scale_by_derivative(
        self,
        input: Option<ArrayView2<'_, f32>>,
        y: ArrayView2<'_, f32>,
        dy: ArrayViewMut2<'_, f32>,
    ) {
        match self {
            Self::Identity => {}
            Self::Relu => scale(dy, y, |y| if y > 0.0 { 1.0 } else { 0.0 }),
            Self::Tanh => scale(dy, y, |y| 1.0 - y * y),
            Self::LeakyRelu => scale(dy, y, |y| if y > 0.0 { 1.0 } else { LEAK }),
            Self::Sigmoid => scale(dy, y, |y| y * (1.0 - y)),
            Self::Softplus => scale(dy, y, |y| 1.0 - (-y).exp()),
            Self::Gelu => {
                let x = input.expect("a layer keeps the input of an activation that needs it");
                scale(dy, x, gelu_derivative);
            }
        }
    }
}

/// `dy = dy · f(of)`, cell by cell; a function of its own for each `f`, so that it vectorises.
fn scale(dy: ArrayViewMut2<'_, f32>, of: ArrayView2<'_, f32>, f: impl Fn(f32) -> f32) {
    Zip::from(dy).and(of).for_each(|dy, &v| *dy *= f(v));
}

/// `tanh` of every cell, with the vector instructions of this processor.
fn apply_tanh(mut y: ArrayViewMut2<'_, f32>) {
    let Some(cells) = y.as_slice_mut() else { return y.mapv_inplace(tanh) };
    ARCH.dispatch(
        #[inline(always)]
        || cells.iter_mut().for_each(|v| *v = tanh(*v)),
    );
}

/// The logistic function.
pub(super) fn sigmoid(x: f32) -> f32 {
    0.5 + 0.5 * tanh(0.5 * x)
}

fn gelu_argument(x: f32) -> f32 {
    GELU[0] * (x + GELU[1] * x * x * x)
}

fn gelu_derivative(x: f32) -> f32 {
    let t = tanh(gelu_argument(x));
    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU[0] * (1.0 + 3.0 * GELU[1] * x * x)
}

/// Hyperbolic tangent as a rational function, within 6e-7 of the true value.
///
/// The libm call is ten times slower, does not vectorise, and its bits differ between platforms.
/// Coefficients: the minimax fit used by Eigen (`ptanh_float`), clamped where it reaches 1.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    const NUMERATOR: [f32; 7] = [
        -2.760_768_5e-16,
        2.000_188e-13,
        -8.604_672e-11,
        5.122_297_1e-8,
        1.485_722_4e-5,
        6.372_619_3e-4,
        4.893_524_6e-3,
    ];
    const DENOMINATOR: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    let x = x.clamp(-7.905_311, 7.905_311);
    let square = x * x;
    let horner = |c: &[f32]| c.iter().fold(0.0, |sum, c| sum * square + c);
    (x * horner(&NUMERATOR) / horner(&DENOMINATOR)).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_accurate_odd_and_bounded() {
        for i in -20_000..=20_000 {
            let x = i as f32 / 1_000.0;
            let exact = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) - exact).abs() < 6e-7, "{x}: {} vs {exact}", tanh(x));
            assert_eq!(tanh(-x), -tanh(x));
        }
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!(tanh(f32::INFINITY), tanh(8.0));
    }

    #[test]
    fn derivatives_are_those_of_the_functions() {
        use Activation::{Gelu, Identity, LeakyRelu, Relu, Sigmoid, Softplus, Tanh};
        let at: Vec<f32> = (-40..=40).map(|i| i as f32 / 8.0 + 0.011).collect();
        let x = ndarray::Array2::from_shape_vec((1, at.len()), at).expect("a row");
        let f = |activation: Activation, shift: f32| {
            let mut y = &x + shift;
            activation.apply(y.view_mut());
            y
        };
        for activation in [Identity, Relu, LeakyRelu, Tanh, Sigmoid, Gelu, Softplus] {
            let mut slope = ndarray::Array2::ones(x.dim());
            let y = f(activation, 0.0);
            activation.scale_by_derivative(Some(x.view()), y.view(), slope.view_mut());
            let difference = (f(activation, 4e-3) - f(activation, -4e-3)) / 8e-3;
            for (slope, difference) in slope.iter().zip(&difference) {
                assert!((slope - difference).abs() < 1e-3, "{activation:?} {slope} {difference}");
            }
        }
    }
}
