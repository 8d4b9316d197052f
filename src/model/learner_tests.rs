use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_reduction::Pca;
use ndarray::{Array1, Array2};
use rand::Rng;

use super::*;
use crate::model::Activation;
use crate::model::network::tests::params;

fn learner(params: &ModelParams, width: usize, seed: u64) -> Learner {
    Learner::new(params, width, seed, Arc::from("test"))
}

/// Rows on a noisy 2-dimensional subspace of 8 dimensions.
fn subspace_rows(rows: usize) -> Array2<f32> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let basis = Array2::from_shape_simple_fn((2, 8), || rng.gen_range(-0.6_f32..0.6));
    Array2::from_shape_simple_fn((rows, 2), || rng.gen_range(-1.0_f32..1.0)).dot(&basis)
        + Array2::from_shape_simple_fn((rows, 8), || rng.gen_range(-0.03_f32..0.03))
}

fn mean_error(reconstruction: &Array2<f32>, rows: &Array2<f32>) -> f32 {
    (reconstruction - rows).mapv(|v| v * v).mean().expect("not empty")
}

/// Baldi and Hornik, 1989: the optimum of a linear autoencoder is the PCA subspace.
#[test]
fn a_linear_network_reaches_the_error_of_pca() {
    let rows = subspace_rows(500);
    let mut params = params(&[], 2, Activation::Identity);
    params.learning_rate = crate::record::Positive::try_from(0.005).expect("above 0");
    params.batch = 32;
    let mut learner = learner(&params, 8, 1);
    let mut space = Workspace::new(learner.network(), 500);
    for row in rows.rows().into_iter().cycle().take(6_000) {
        learner.offer(row, 0.0);
        learner.step(&mut space).expect("finite");
    }
    for (i, row) in rows.rows().into_iter().enumerate() {
        space.window_mut(i).assign(&row);
    }
    learner.network().reconstruct(&mut space, 500);
    let ours = mean_error(&space.reconstructions(500).to_owned(), &rows);

    let rows_f64 = rows.mapv(f64::from);
    let pca = Pca::params(2).fit(&DatasetBase::from(rows_f64.clone())).expect("fits");
    let codes: Array2<f64> = pca.predict(&rows_f64);
    let theirs = mean_error(&pca.inverse_transform(codes).mapv(|v| v as f32), &rows);
    assert!(ours < 1.1 * theirs, "autoencoder {ours}, PCA {theirs}");
}

#[test]
fn equal_seeds_give_equal_bits_and_other_seeds_do_not() {
    let rows = subspace_rows(50);
    let train = |seed| {
        let mut learner = learner(&params(&[6], 3, Activation::Tanh), 8, seed);
        let mut space = Workspace::new(learner.network(), 8);
        for row in rows.rows() {
            learner.offer(row, 0.0);
            learner.step(&mut space).expect("finite");
        }
        learner.network().clone()
    };
    assert_eq!(train(5), train(5));
    assert_ne!(train(5), train(6));
}

#[test]
fn a_step_that_diverges_changes_no_weight() {
    let mut learner = learner(&params(&[6], 3, Activation::Relu), 8, 5);
    let mut space = Workspace::new(learner.network(), 8);
    let before = learner.network().clone();
    learner.offer(Array1::from_elem(8, f32::INFINITY).view(), 0.0);
    assert_eq!(learner.step(&mut space), Err(ModelError::Diverged { step: 0 }));
    assert_eq!(learner.network(), &before);
}

#[test]
fn steps_are_due_at_counted_windows() {
    let mut params = params(&[], 2, Activation::Identity);
    (params.warmup, params.warmup_train_every, params.train_every) = (4, 2, 3);
    let mut learner = learner(&params, 8, 1);
    let mut space = Workspace::new(learner.network(), 8);
    let due: Vec<bool> = (0..10)
        .map(|_| {
            let due = learner.count_window();
            if due {
                learner.step(&mut space).expect("finite");
            }
            due
        })
        .collect();
    let expected = [false, true, false, true, false, false, true, false, false, true];
    assert_eq!(due, expected);
}
