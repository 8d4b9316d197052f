//! The linear control: is the autoencoder better than PCA of the same width on the same windows?

use linfa_linalg::eigh::EighInto;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};

/// Windows between two fits of the PCA.
const FIT_EVERY: u64 = 4_096;
/// The first fit, so that short series get an answer too.
const FIT_FIRST: u64 = 512;
/// Most windows behind a fit, unless the code is very wide.
const SAMPLE_MAX: usize = 256;
/// Share of the whole variance below which a direction is rounding.
const VARIANCE_MIN: f64 = 1e-10;
/// One window in this many is compared: the control must stay cheap.
const COMPARE_EVERY: u64 = 8;
/// Compared windows over which the errors are averaged.
const MEMORY: f64 = 500.0;

/// A principal component analysis of recent windows, and both reconstruction errors.
///
/// An autoencoder that is not clearly below 1 is not worth its cost (Bourlard and Kamp,
/// "Auto-association by multilayer perceptrons and singular value decomposition", 1988).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LinearControl {
    latent: usize,
    fitted: Option<Fitted>,
    windows: u64,
    compared: u64,
    errors: [f64; 2],
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Fitted {
    mean: Array1<f64>,
    components: Array2<f64>,
}

impl LinearControl {
    pub(super) fn new(latent: usize) -> Self {
        Self { latent, fitted: None, windows: 0, compared: 0, errors: [0.0; 2] }
    }

    /// This control, if it compares with as many components of windows as wide.
    pub(super) fn adopt(self, fresh: &Self, width: usize) -> Option<Self> {
        let sound = |f: &Fitted| {
            f.mean.len() == width
                && f.components.ncols() == width
                && f.components.is_standard_layout()
        };
        (self.latent == fresh.latent && self.fitted.as_ref().is_none_or(sound)).then_some(self)
    }

    /// Takes a calm window `(d,)` and the autoencoder's mean squared error on it. Windows with
    /// missing cells are passed over: PCA has no mask.
    pub(super) fn compare(&mut self, window: ArrayView1<'_, f32>, autoencoder: f64) {
        self.windows += 1;
        let Some(fitted) = &self.fitted else { return };
        if !self.windows.is_multiple_of(COMPARE_EVERY) || window.iter().any(|x| x.is_nan()) {
            return;
        }
        self.compared += 1;
        let rate = (1.0 / self.compared as f64).max(1.0 / MEMORY);
        for (mean, error) in self.errors.iter_mut().zip([autoencoder, fitted.error(window)]) {
            *mean += rate * (error - *mean);
        }
    }

    /// Whether a fit is due now.
    pub(super) fn is_due(&self) -> bool {
        self.windows == FIT_FIRST || self.windows.is_multiple_of(FIT_EVERY) && self.windows > 0
    }

    /// Fits the PCA to windows, the first `width` of each `stride` numbers. A fit that fails, for
    /// example on windows without variance, keeps the one before.
    pub(super) fn fit(&mut self, cells: &[f32], stride: usize, width: usize) {
        let most = SAMPLE_MAX.max(4 * self.latent);
        let windows = cells.chunks_exact(stride).map(|numbers| &numbers[..width]);
        let complete: Vec<&[f32]> = windows.filter(|w| w.iter().all(|x| x.is_finite())).collect();
        // From all ages: until they are full, memories are in the order of the stream.
        let n = complete.len();
        let spread = (0..n.min(most)).map(|i| complete[i * n / n.min(most)]);
        let sample: Vec<f64> = spread.flatten().map(|x| f64::from(*x)).collect();
        let rows = sample.len() / width;
        if rows < 4 * self.latent.max(8) {
            return;
        }
        let Ok(mut sample) = Array2::from_shape_vec((rows, width), sample) else { return };
        let Some(mean) = sample.mean_axis(Axis(0)) else { return };
        sample -= &mean;
        if let Some(components) = principal_axes(&sample, self.latent) {
            self.fitted = Some(Fitted { mean, components });
        }
    }

    /// Error of the autoencoder over that of PCA; `None` until both are known.
    pub(super) fn ratio(&self) -> Option<f64> {
        let [autoencoder, pca] = self.errors;
        (self.compared >= 32 && pca > 0.0).then(|| autoencoder / pca)
    }
}

/// At most `k` orthonormal directions `(_, d)` of largest variance of centred rows `(n, d)`, those
/// without variance left out; `None` if there is none.
///
/// By the eigenvectors of the covariance, or of the rows' own products if there are fewer rows
/// than columns. An iterative solver does not survive samples of low rank: sensors that follow
/// one load without noise.
pub fn principal_axes(rows: &Array2<f64>, k: usize) -> Option<Array2<f64>> {
    let (n, d) = rows.dim();
    let dual = n < d;
    let products = if dual { rows.dot(&rows.t()) } else { rows.t().dot(rows) };
    let scale = products.diag().sum();
    // Windows that are all alike have no principal components.
    if !scale.is_finite() || scale < 1e-6 * n as f64 {
        return None;
    }
    let (values, vectors) = (products / scale).eigh_into().ok()?;
    let mut order: Vec<usize> = (0..values.len()).filter(|i| values[*i] > VARIANCE_MIN).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.truncate(k);
    let mut axes = Array2::zeros((order.len(), d));
    for (mut axis, i) in axes.rows_mut().into_iter().zip(&order) {
        let vector = vectors.column(*i);
        axis.assign(&if dual { rows.t().dot(&vector) } else { vector.to_owned() });
        axis /= axis.dot(&axis).sqrt();
    }
    (!axes.is_empty() && axes.iter().all(|c| c.is_finite())).then_some(axes)
}

impl Fitted {
    /// Mean squared reconstruction error of a window without missing cells.
    fn error(&self, window: ArrayView1<'_, f32>) -> f64 {
        let centred = window.mapv(f64::from) - &self.mean;
        let code = self.components.dot(&centred);
        // The components are orthonormal: what the code does not hold is lost.
        (centred.dot(&centred) - code.dot(&code)).max(0.0) / centred.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use linfa::DatasetBase;
    use linfa::traits::Fit;
    use linfa_reduction::Pca;

    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn windows(rows: usize, rank: usize, noise: f32) -> Vec<f32> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
        let basis = Array2::from_shape_simple_fn((rank, 12), || rng.gen_range(-1.0_f32..1.0));
        let codes = Array2::from_shape_simple_fn((rows, rank), || rng.gen_range(-1.0_f32..1.0));
        let cells = codes.dot(&basis);
        cells.iter().map(|c| c + noise * rng.gen_range(-1.0_f32..1.0)).collect()
    }

    #[test]
    fn its_error_is_what_the_components_leave() {
        let cells = windows(300, 3, 0.01);
        let mut control = LinearControl::new(3);
        control.fit(&cells, 12, 12);
        let fitted = control.fitted.as_ref().expect("fitted");
        let gram = fitted.components.dot(&fitted.components.t());
        assert!((gram - Array2::<f64>::eye(3)).iter().all(|c| c.abs() < 1e-6), "orthonormal");
        for window in cells.chunks_exact(12) {
            // Uniform noise of half-width 0.01 has variance 3.3e-5, of which 9 / 12 is lost.
            assert!(fitted.error(window.into()) < 1.5e-4);
        }
        for _ in 0..FIT_EVERY {
            control.compare((&cells[..12]).into(), 1.0);
        }
        assert!(control.ratio().expect("known") > 1e3, "a bad autoencoder is told");
    }

    /// A stream whose second half lies in other dimensions than the first.
    #[test]
    fn windows_of_all_ages_are_behind_a_fit() {
        let cells: Vec<f32> = (0..1_024)
            .flat_map(|row| {
                let wave = (row as f32 * 0.7).sin();
                (0..12).map(move |i| if (i < 6) == (row < 512) { wave } else { 0.0 })
            })
            .collect();
        let mut control = LinearControl::new(2);
        control.fit(&cells, 12, 12);
        let fitted = control.fitted.as_ref().expect("fitted");
        for window in cells.chunks_exact(12) {
            assert!(fitted.error(window.into()) < 1e-3, "{}", fitted.error(window.into()));
        }
    }

    /// The same axes as those of linfa, where that finds any.
    #[test]
    fn axes_are_those_of_linfa() {
        for (rows, width) in [(200, 12), (30, 40)] {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
            let spread = Array1::from_shape_fn(width, |i| 0.8_f64.powi(i as i32));
            let sample = Array2::from_shape_simple_fn((rows, width), || rng.gen_range(-1.0..1.0));
            let sample: Array2<f64> = sample * spread;
            let centred = &sample - &sample.mean_axis(Axis(0)).expect("rows");
            let axes = principal_axes(&centred, 3).expect("three axes");
            let oracle = Pca::params(3).fit(&DatasetBase::from(sample)).expect("full rank");
            for (axis, want) in axes.rows().into_iter().zip(oracle.components().rows()) {
                assert!((axis.dot(&want).abs() - 1.0).abs() < 1e-4, "{}", axis.dot(&want));
            }
        }
    }

    /// Four sensors that follow one load without noise: 64 cells, two dimensions.
    #[test]
    fn windows_of_low_rank_have_few_axes_and_do_no_harm() {
        let cell = |row: usize, i: usize| ((row + i / 4 + i % 4) as f32 / 9.0).sin();
        let cells: Vec<f32> = (0..300).flat_map(|row| (0..64).map(move |i| cell(row, i))).collect();
        let mut control = LinearControl::new(8);
        control.fit(&cells, 64, 64);
        let fitted = control.fitted.as_ref().expect("fitted");
        assert!(fitted.components.nrows() <= 4, "{}", fitted.components.nrows());
        assert!(fitted.error((&cells[..64]).into()) < 1e-6);
    }

    #[test]
    fn windows_without_variance_or_with_fewer_dimensions_than_codes_do_no_harm() {
        for cells in [vec![0.5; 12 * 100], windows(100, 1, 0.0), vec![f32::NAN; 1_200]] {
            let mut control = LinearControl::new(3);
            control.fit(&cells, 12, 12);
            assert!(control.ratio().is_none());
        }
    }
}
