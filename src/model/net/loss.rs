//! What errors cost. Each function writes a gradient and returns the loss, a mean over the cells
//! that count; missing cells (NaN) have neither.

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use crate::model::{HeadKind, Loss};

/// Half-width of the quadratic part of the Huber loss, in input units.
const HUBER: f32 = 1.0;

impl Loss {
    /// Cost of an error.
    fn cost(self, error: f32) -> f32 {
        let size = error.abs();
        match self {
            Self::Huber if size > HUBER => HUBER * (size - 0.5 * HUBER),
            Self::Huber | Self::Mse => 0.5 * error * error,
        }
    }

    /// Its derivative.
    fn slope(self, error: f32) -> f32 {
        match self {
            Self::Huber => error.clamp(-HUBER, HUBER),
            Self::Mse => error,
        }
    }
}

/// Cost of a reconstruction `(b, d)` of `target`: the mean over observed cells; 0 without any.
/// (Huber, "Robust Estimation of a Location Parameter", 1964.)
pub(super) fn reconstruction(
    loss: Loss,
    output: ArrayView2<'_, f32>,
    target: ArrayView2<'_, f32>,
    mut delta: ArrayViewMut2<'_, f32>,
) -> f64 {
    let (mut observed, mut sum) = (0_usize, 0.0_f64);
    Zip::from(&mut delta).and(output).and(target).for_each(|delta, &output, &target| {
        if target.is_nan() {
            *delta = 0.0;
            return;
        }
        let error = output - target;
        observed += 1;
        sum += f64::from(loss.cost(error));
        *delta = loss.slope(error);
    });
    let cells = observed.max(1) as f64;
    delta.mapv_inplace(|v| v / cells as f32);
    sum / cells
}

/// Cost of the layer on top, `(b, t)`: that of a regression, or the cross entropy of a
/// classification with targets 0 and 1; times `weight`.
///
/// The gradient of a classification is the one *before* the sigmoid, over `p (1 - p)`: what the
/// backward pass of a sigmoid layer multiplies it with again.
pub(super) fn head(
    kind: HeadKind,
    loss: Loss,
    weight: f32,
    output: ArrayView2<'_, f32>,
    target: ArrayView2<'_, f32>,
    mut delta: ArrayViewMut2<'_, f32>,
) -> f64 {
    if kind != HeadKind::Logistic {
        let cost = reconstruction(loss, output, target, delta.view_mut());
        delta.mapv_inplace(|v| v * weight);
        return f64::from(weight) * cost;
    }
    const SURE: f32 = 1e-6;
    let (mut known, mut sum) = (0_usize, 0.0_f64);
    Zip::from(&mut delta).and(output).and(target).for_each(|delta, &p, &target| {
        if target.is_nan() {
            *delta = 0.0;
            return;
        }
        let p = p.clamp(SURE, 1.0 - SURE);
        known += 1;
        sum -= f64::from(target * p.ln() + (1.0 - target) * (1.0 - p).ln());
        *delta = weight * (p - target) / (p * (1.0 - p));
    });
    let cells = known.max(1) as f64;
    delta.mapv_inplace(|v| v / cells as f32);
    f64::from(weight) * sum / cells
}

/// Penalty on the mean activation of each unit of a code `(b, k)`, mean over units, times `weight`:
/// `KL(target || mean)` (Ng, "Sparse autoencoder", CS294A lecture notes, 2011). Adds its gradient.
pub(super) fn kl_sparsity(
    weight: f32,
    target: f32,
    code: ArrayView2<'_, f32>,
    mut delta: ArrayViewMut2<'_, f32>,
) -> f64 {
    const EDGE: f32 = 1e-4;
    let (rows, units) = code.dim();
    let mut sum = 0.0_f64;
    for (unit, mut delta) in code.columns().into_iter().zip(delta.columns_mut()) {
        let mean = (unit.sum() / rows as f32).clamp(EDGE, 1.0 - EDGE);
        let (on, off) = (target / mean, (1.0 - target) / (1.0 - mean));
        sum += f64::from(target * on.ln() + (1.0 - target) * off.ln());
        let slope = weight / units as f32 * (off - on) / rows as f32;
        delta.mapv_inplace(|d| d + slope);
    }
    f64::from(weight) * sum / units as f64
}

/// `weight` times the mean absolute activation of a code; adds its gradient.
pub(super) fn l1_sparsity(
    weight: f32,
    code: ArrayView2<'_, f32>,
    mut delta: ArrayViewMut2<'_, f32>,
) -> f64 {
    let cells = code.len().max(1) as f32;
    let mut sum = 0.0_f64;
    Zip::from(&mut delta).and(code).for_each(|delta, &a| {
        sum += f64::from(a.abs());
        if a != 0.0 {
            *delta += weight / cells * a.signum();
        }
    });
    f64::from(weight) * sum / f64::from(cells)
}
