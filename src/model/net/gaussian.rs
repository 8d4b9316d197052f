//! The code of a variational autoencoder (Kingma and Welling, "Auto-Encoding Variational Bayes",
//! ICLR 2014): mean and log variance from the encoder, `z = mu + sigma * eps`.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Log variances are kept within plus and minus this: `exp` must not overflow.
const LOG_VARIANCE_MAX: f32 = 10.0;

/// The noise with which the posterior is probed in scoring.
///
/// It is drawn once: the score of a window must not depend on the windows scored before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::model) struct Gaussian {
    /// `(samples, k)`; no rows if only the mean is decoded.
    probes: Array2<f32>,
}

impl Gaussian {
    pub(super) fn new(samples: usize, latent: usize, rng: &mut impl Rng) -> Self {
        let draw = || StandardNormal.sample(rng);
        Self { probes: Array2::from_shape_simple_fn((samples, latent), draw) }
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.probes.dim() == other.probes.dim() && self.probes.is_standard_layout()
    }

    /// Noise of each sample, `(k,)`.
    pub(super) fn probes(&self) -> impl ExactSizeIterator<Item = ArrayView1<'_, f32>> {
        self.probes.axis_iter(Axis(0))
    }
}

fn log_variance(raw: f32) -> f32 {
    raw.clamp(-LOG_VARIANCE_MAX, LOG_VARIANCE_MAX)
}

/// `z = mu + sigma * eps`; `encoded` is `(b, 2k)`, means first, `z` is `(b, k)`.
pub(super) fn shift(
    encoded: ArrayView2<'_, f32>,
    eps: impl Fn(usize, usize) -> f32,
    mut z: ArrayViewMut2<'_, f32>,
) {
    let k = z.ncols();
    for (i, (mut z, encoded)) in z.rows_mut().into_iter().zip(encoded.rows()).enumerate() {
        for (j, z) in z.iter_mut().enumerate() {
            let e = eps(i, j);
            // Not multiplied by 0: the mean alone costs no exponential.
            *z = encoded[j];
            if e != 0.0 {
                *z += (0.5 * log_variance(encoded[k + j])).exp() * e;
            }
        }
    }
}

/// Fills the noise of a training step, `(b, k)`.
pub(super) fn draw(mut eps: ArrayViewMut2<'_, f32>, rng: &mut impl Rng) {
    eps.mapv_inplace(|_| StandardNormal.sample(rng));
}

/// The mean over rows of `KL(N(mu, sigma²) || N(0, 1))`, summed over the code (ibid., appendix B),
/// over `cells`; times `beta` it is added to the loss.
///
/// Writes the gradient at the encoder's output: that of the decoder (`dz`), carried through
/// `z = mu + sigma * eps`, plus that of the divergence.
pub(super) fn backward(
    encoded: ArrayView2<'_, f32>,
    eps: ArrayView2<'_, f32>,
    dz: ArrayView2<'_, f32>,
    beta_per_cell: f32,
    mut out: ArrayViewMut2<'_, f32>,
) -> f64 {
    let (rows, k) = eps.dim();
    let weight = beta_per_cell / rows.max(1) as f32;
    let mut divergence = 0.0_f64;
    for i in 0..rows {
        for j in 0..k {
            let (mu, raw) = (encoded[(i, j)], encoded[(i, k + j)]);
            let log_variance = log_variance(raw);
            let variance = log_variance.exp();
            divergence += 0.5 * f64::from(mu * mu + variance - 1.0 - log_variance);
            out[(i, j)] = dz[(i, j)] + weight * mu;
            let inside = f32::from(u8::from(raw == log_variance));
            let through = 0.5 * variance.sqrt() * eps[(i, j)] * dz[(i, j)];
            out[(i, k + j)] = inside * (through + weight * 0.5 * (variance - 1.0));
        }
    }
    f64::from(weight) * divergence
}

/// Adds the squared distance of each reconstruction from the mean over the samples so far.
/// `mean` and `spread` are `(b, d)`; `sample` counts from 0 (Welford, 1962).
pub(super) fn accumulate(
    sample: usize,
    samples: usize,
    reconstruction: ArrayView2<'_, f32>,
    mut mean: ArrayViewMut2<'_, f32>,
    mut spread: ArrayViewMut2<'_, f32>,
) {
    if sample == 0 {
        mean.assign(&reconstruction);
        spread.fill(0.0);
        return;
    }
    let (rate, share) = (1.0 / (sample + 1) as f32, 1.0 / samples as f32);
    ndarray::Zip::from(&mut mean).and(&mut spread).and(reconstruction).for_each(|m, s, &x| {
        let delta = x - *m;
        *m += rate * delta;
        *s += share * delta * (x - *m);
    });
}
