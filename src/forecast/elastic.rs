//! Weights of the skip expert by elastic net: the solver of linfa, one regression a horizon.
//!
//! Zou and Hastie, "Regularization and Variable Selection via the Elastic Net", 2005. Its coordinate
//! descent takes all rows at once and no weights, so it sees the newest rows only, without discount.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_elasticnet::ElasticNet;
use ndarray::{Array1, Array2};

use super::experts::OBSERVED_MIN;
use super::features::View;
use super::head::Plan;
use super::ridge::Weights;

/// Most origins.
const ROWS_MAX: usize = 2_016;
/// Fewest origins per feature.
const ROWS_PER_FEATURE: usize = 2;
/// Share of the penalty that makes weights zero.
const L1_RATIO: f64 = 0.5;
const ITERATIONS: u32 = 200;
const TOLERANCE: f64 = 1e-3;

/// Weights from the newest origins before row `r`; `None` while there are too few, or if the solver
/// fails. `penalty` of the settings is that of the sum of squares, as in the ridge.
pub(super) fn fit(
    plan: &Plan<'_>,
    r: usize,
    features: impl Fn(&View<'_>, &mut Vec<f64>),
) -> Option<Weights> {
    let design = plan.design;
    let (g, horizons) = (design.future(), design.horizons.len());
    let memory = plan.memory(r);
    let origins: Vec<usize> = memory
        .rev()
        .filter(|t| plan.view(*t).observed_targets() >= OBSERVED_MIN)
        .take(ROWS_MAX)
        .collect();
    let (mut shared, mut own, mut targets, mut row) = (vec![], vec![], vec![], vec![]);
    for t in &origins {
        let view = plan.view(*t);
        features(&view, &mut row);
        shared.extend_from_slice(&row);
        view.future(&mut own);
        view.targets(&mut targets);
    }
    let (n, p) = (origins.len(), row.len());
    if n < ROWS_PER_FEATURE * (p + g) {
        return None;
    }
    let mut weights = (vec![0.0; p * horizons], vec![0.0; horizons * g]);
    let penalty = plan.params.ridge.get() / n as f64;
    for k in 0..horizons {
        // The intercept is the solver's.
        let cell = |(i, j): (usize, usize)| match j {
            _ if j + 1 < p => shared[i * p + j + 1],
            _ => own[(i * horizons + k) * g + j + 1 - p],
        };
        let x = Array2::from_shape_fn((n, p - 1 + g), cell);
        let y = Array1::from_shape_fn(n, |i| targets[i * horizons + k]);
        let (intercept, found) = solve(x, y, penalty)?;
        weights.0[k] = intercept;
        (1..p).for_each(|j| weights.0[j * horizons + k] = found[j - 1]);
        (0..g).for_each(|j| weights.1[k * g + j] = found[p - 1 + j]);
    }
    let finite = weights.0.iter().chain(&weights.1).all(|w| w.is_finite());
    finite.then(|| Weights::from_parts(weights.0, weights.1, g))
}

/// Intercept and weights of one regression.
fn solve(x: Array2<f64>, y: Array1<f64>, penalty: f64) -> Option<(f64, Array1<f64>)> {
    let model = ElasticNet::params()
        .penalty(penalty)
        .l1_ratio(L1_RATIO)
        .max_iterations(ITERATIONS)
        .tolerance(TOLERANCE)
        .fit(&Dataset::new(x, y))
        .ok()?;
    Some((model.intercept(), model.hyperplane().clone()))
}
