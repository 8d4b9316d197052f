use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_reduction::Pca;
use ndarray::{Array1, Array2};
use rand::Rng;

use super::*;
use crate::model::net::tests::params;
use crate::model::{Activation, InPlace, Role, ScheduleKind, ScheduleParams};

/// The bound of training in event time is off.
const NOW: crate::record::EventTime = crate::record::EventTime::from_millis(0);

fn learner(params: &ModelParams, width: usize, seed: u64) -> Learner {
    Learner::new(params, WindowShape { rows: width, channels: 1 }, seed, Arc::from("test"))
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
fn a_linear_network_reaches_the_subspace_of_pca() {
    let rows = subspace_rows(500);
    let mut params = params(&[], 2, Activation::Identity);
    params.learning_rate = crate::record::Positive::try_from(0.005).expect("above 0");
    params.batch = 32;
    // The steps must end for the optimum to be reached.
    params.schedule = ScheduleParams { kind: ScheduleKind::InverseSqrt, steps: 50, floor: 0.001 };
    let mut learner = learner(&params, 8, 1);
    let mut space = Workspace::new(learner.network(), 500);
    for row in rows.rows().into_iter().cycle().take(30_000) {
        learner.offer(row, &[], Role::Train);
        learner.refresh(&InPlace, &mut space, NOW);
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
    assert!(ours < 1.03 * theirs, "autoencoder {ours}, PCA {theirs}");
    // The decoder's rows span the same plane: principal angles.
    let decoder = learner.network().all_layers()[1].weights.mapv(f64::from);
    let first = &decoder.row(0) / decoder.row(0).dot(&decoder.row(0)).sqrt();
    let second = &decoder.row(1) - &(&first * first.dot(&decoder.row(1)));
    let second = &second / second.dot(&second).sqrt();
    for axis in pca.components().rows() {
        let inside = first.dot(&axis).powi(2) + second.dot(&axis).powi(2);
        let angle = inside.sqrt().min(1.0).acos().to_degrees();
        assert!(angle < 2.0, "{angle} degrees");
    }
}

#[test]
fn equal_seeds_give_equal_bits_and_other_seeds_do_not() {
    let rows = subspace_rows(50);
    let train = |seed| {
        let mut learner = learner(&params(&[6], 3, Activation::Tanh), 8, seed);
        let mut space = Workspace::new(learner.network(), 8);
        for row in rows.rows() {
            learner.offer(row, &[], Role::Train);
            learner.refresh(&InPlace, &mut space, NOW);
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
    learner.offer(Array1::from_elem(8, f32::INFINITY).view(), &[], Role::Train);
    assert_eq!(learner.refresh(&InPlace, &mut space, NOW), None, "nothing was started before");
    let outcome = learner.refresh(&InPlace, &mut space, NOW);
    let refused = Outcome { steps: 0, diverged: 1, loss_sum: 0.0 };
    assert_eq!(outcome, Some((refused, None)));
    assert_eq!((learner.network(), learner.version()), (&before, 0));
}

/// With 2 steps a refresh: each takes effect when the next one starts.
#[test]
fn refreshes_are_due_at_counted_windows_and_take_effect_one_later() {
    let mut params = params(&[], 2, Activation::Identity);
    (params.warmup, params.warmup_train_every, params.train_every) = (8, 2, 3);
    params.refresh_steps = 2;
    let mut learner = learner(&params, 8, 1);
    let mut space = Workspace::new(learner.network(), 8);
    let mut versions = Vec::new();
    let due: Vec<usize> = (1..=24)
        .filter(|_| {
            learner.offer(Array1::from_elem(8, 0.5).view(), &[], Role::Train);
            let expected = learner.windows_until_refresh() == 1;
            let due = learner.count_window();
            assert_eq!(due, expected, "a pass never crosses a refresh");
            if due {
                learner.refresh(&InPlace, &mut space, NOW);
                versions.push(learner.version());
            }
            due
        })
        .collect();
    assert_eq!(due, [4, 8, 14, 20]);
    assert_eq!(versions, [0, 2, 4, 6]);
}

/// Each batch holds its share of the fresh windows, in their order, then windows of the past.
#[test]
fn batches_share_the_fresh_windows_out() {
    let mut params = params(&[], 2, Activation::Identity);
    (params.refresh_steps, params.batch) = (3, 8);
    let mut learner = learner(&params, 8, 1);
    for i in 0..5 {
        learner.offer(Array1::from_elem(8, i as f32).view(), &[], Role::Train);
    }
    let windows = learner.draw_batches();
    assert_eq!(windows.dim(), (24, 8));
    let first: Vec<f32> = windows.column(0).to_vec();
    assert_eq!([first[0], first[8], first[9], first[16], first[17]], [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert!(first.iter().all(|v| (0.0..5.0).contains(v)));
    assert!(learner.fresh.is_empty());
}
