//! One coordinate system for the code over many refreshes: the orthogonal Procrustes problem
//! (Schönemann, Psychometrika 31, 1966), and for the vectors of a code book their old numbers.

use linfa_linalg::svd::SVD;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::model::{Network, Workspace};

/// Windows, and the codes that a latent space gives them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::model) struct Anchors {
    /// `(n, d)`
    windows: Array2<f32>,
    /// `(n, k)`
    codes: Array2<f32>,
    /// Vectors of the code book, `(codes, p)`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    book: Option<Array2<f32>>,
}

impl Anchors {
    /// The codes that `network` gives to `windows` `(n, d)`.
    pub fn new(network: &Network, windows: Array2<f32>, space: &mut Workspace) -> Self {
        let codes = network.codes(windows.view(), space);
        Self { windows, codes, book: network.book() }
    }

    /// Vectors of the code book, `(codes, p)`.
    pub fn book(&self) -> Option<&Array2<f32>> {
        self.book.as_ref()
    }

    /// Whether they are of windows of `d` cells and codes of `k` numbers.
    pub fn fit(&self, d: usize, k: usize) -> bool {
        self.windows.ncols() == d
            && self.codes.ncols() == k
            && self.windows.nrows() == self.codes.nrows()
            && self.windows.is_standard_layout()
            && self.codes.is_standard_layout()
    }

    /// Whether `codes` are of as many windows, and as wide.
    pub fn has_shape_of(&self, codes: &Array2<f32>) -> bool {
        self.codes.dim() == codes.dim() && codes.is_standard_layout()
    }

    /// The rotation `(p, p)` that brings a network's codes, cut into parts of `p` numbers, nearest to
    /// these.
    pub fn rotation(
        &self,
        network: &Network,
        part: usize,
        space: &mut Workspace,
    ) -> Option<Array2<f32>> {
        let codes = network.codes(self.windows.view(), space);
        let [is, was] = [parts(codes.view(), part)?, parts(self.codes.view(), part)?];
        let product = centred(&is).t().dot(&centred(&was));
        // Codes that are all alike have no direction.
        let size = product.iter().map(|v| v * v).sum::<f64>();
        if !(size > 0.0 && size.is_finite()) {
            return None;
        }
        let (u, _, vt) = product.svd(true, true).ok()?;
        let rotation = u?.dot(&vt?);
        rotation.iter().all(|r| r.is_finite()).then(|| rotation.mapv(|r| r as f32))
    }

    /// The same windows in the space in which `network` gives them other codes.
    pub fn with_codes(&self, codes: Array2<f32>, network: &Network) -> Self {
        Self { windows: self.windows.clone(), codes, book: network.book() }
    }

    /// Root mean squared distance of a network's codes from these, over the spread of these, infinite
    /// if these have none; and its codes.
    pub fn error(&self, network: &Network, space: &mut Workspace) -> (f64, Array2<f32>) {
        let codes = network.codes(self.windows.view(), space);
        let square = |all: &Array2<f64>| all.iter().map(|v| v * v).sum::<f64>();
        let distance = square(&(&codes - &self.codes).mapv(f64::from));
        let spread = square(&centred(&self.codes.mapv(f64::from)));
        let error = if distance > 0.0 { (distance / spread).sqrt() } else { 0.0 };
        (error, codes)
    }
}

/// Codes `(n, k)` cut into parts, `(n k / p, p)`.
fn parts(codes: ArrayView2<'_, f32>, part: usize) -> Option<Array2<f64>> {
    let codes = codes.mapv(f64::from);
    let rows = codes.len() / part.max(1);
    codes.into_shape_with_order((rows, part)).ok()
}

fn centred(codes: &Array2<f64>) -> Array2<f64> {
    let mean = codes.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(codes.ncols()));
    codes - &mean
}
