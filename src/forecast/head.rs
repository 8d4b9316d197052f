//! Ridge regression by normal equations that fade, one head a horizon.

use linfa_linalg::cholesky::SolveCInplace;
use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};

/// Growing weights are divided out when they pass this.
const RESCALE_AT: f64 = 1e9;
/// Penalty of the intercept, feature 0.
const INTERCEPT_PENALTY: f64 = 1e-3;

/// `(Σ w x xᵀ + Λ) β = Σ w x y` with weights that halve every `memory` observations.
///
/// The penalty does not fade with the data, so the solution always exists (Hoerl and Kennard,
/// "Ridge Regression", 1970).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RidgeHead {
    gram: Array2<f64>,
    moment: Array1<f64>,
    weights: Option<Array1<f64>>,
    unit: f64,
    growth: f64,
    penalty: f64,
    observations: u64,
}

impl RidgeHead {
    pub(super) fn new(features: usize, penalty: f64, memory: f64) -> Self {
        Self {
            gram: Array2::zeros((features, features)),
            moment: Array1::zeros(features),
            weights: None,
            unit: 1.0,
            growth: (1.0 / memory).exp2(),
            penalty,
            observations: 0,
        }
    }

    /// These equations under the settings of `fresh`; `None` if they are of another shape.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let p = fresh.moment.len();
        let sound = self.gram.dim() == (p, p)
            && self.gram.is_standard_layout()
            && self.moment.len() == p
            && self.weights.as_ref().is_none_or(|weights| weights.len() == p);
        sound.then_some(Self { growth: fresh.growth, penalty: fresh.penalty, ..self })
    }

    /// Takes a pair of features `(p,)` and target; both finite, in scaled units.
    pub(super) fn learn(&mut self, features: ArrayView1<'_, f64>, target: f64) {
        self.unit *= self.growth;
        if self.unit > RESCALE_AT {
            self.gram /= self.unit;
            self.moment /= self.unit;
            self.unit = 1.0;
        }
        for (mut row, x) in self.gram.rows_mut().into_iter().zip(features) {
            row.scaled_add(self.unit * x, &features);
        }
        self.moment.scaled_add(self.unit * target, &features);
        self.observations += 1;
    }

    /// Solves for the weights. They stay as they are if the equations have no finite solution.
    pub(super) fn refit(&mut self) {
        let mut gram = &self.gram / self.unit;
        for (i, cell) in gram.diag_mut().iter_mut().enumerate() {
            *cell += if i == 0 { INTERCEPT_PENALTY } else { self.penalty };
        }
        let moment = (&self.moment / self.unit).insert_axis(ndarray::Axis(1));
        if let Ok(solution) = gram.solvec_into(moment) {
            let solution = solution.remove_axis(ndarray::Axis(1));
            if solution.iter().all(|w| w.is_finite()) {
                self.weights = Some(solution);
            }
        }
    }

    /// `β · x`; `None` before the first fit.
    pub(super) fn predict(&self, features: ArrayView1<'_, f64>) -> Option<f64> {
        self.weights.as_ref().map(|weights| weights.dot(&features))
    }

    /// Pairs learned.
    pub(super) fn observations(&self) -> u64 {
        self.observations
    }

    pub(super) fn state_bytes(&self) -> usize {
        (self.gram.len() + 2 * self.moment.len()) * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linfa_linalg::qr::LeastSquaresQr;
    use ndarray::Axis;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Ridge is least squares on the data with one row √λ per feature added below it.
    #[test]
    fn the_solution_is_that_of_the_augmented_least_squares_problem() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let (rows, p, memory) = (60, 5, 20.0_f64);
        let x = Array2::from_shape_simple_fn((rows, p), || rng.gen_range(-1.0..1.0));
        let y = Array1::from_shape_simple_fn(rows, || rng.gen_range(-1.0..1.0));
        let mut head = RidgeHead::new(p, 0.7, memory);
        for (x, y) in x.rows().into_iter().zip(&y) {
            head.learn(x, *y);
        }
        head.refit();
        let mut augmented = Array2::zeros((rows + p, p));
        let mut target = Array2::zeros((rows + p, 1));
        for i in 0..rows {
            let root = ((i as f64 + 1.0 - rows as f64) / memory).exp2().sqrt();
            augmented.row_mut(i).assign(&(&x.row(i) * root));
            target[(i, 0)] = y[i] * root;
        }
        for j in 0..p {
            augmented[(rows + j, j)] = if j == 0 { INTERCEPT_PENALTY } else { 0.7_f64 }.sqrt();
        }
        let oracle = augmented.least_squares(&target).expect("full rank");
        let got = head.weights.expect("fitted").insert_axis(Axis(1));
        assert!((got - oracle).iter().all(|d: &f64| d.abs() < 1e-9));
    }
}
