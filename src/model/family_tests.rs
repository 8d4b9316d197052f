//! What each member of the family is for.

use std::sync::Arc;

use ndarray::{Array1, Array2, s};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::record::{Fraction, Positive};

/// The bound of training in event time is off.
const NOW: crate::record::EventTime = crate::record::EventTime::from_millis(0);

const SHAPE: WindowShape = WindowShape { rows: 6, channels: 2 };

fn positive(v: f64) -> Positive {
    Positive::try_from(v).expect("above 0")
}

fn params(variant: Variant) -> ModelParams {
    ModelParams {
        variant,
        hidden: if variant == Variant::Deep { vec![16, 10] } else { vec![16] },
        latent: 4,
        learning_rate: positive(0.005),
        reservoir: 512,
        warmup: 1,
        gate: GateParams { every: 0, ..GateParams::default() },
        ..ModelParams::default()
    }
}

fn learner(params: &ModelParams) -> Learner {
    Learner::new(params, SHAPE, 11, Arc::from("test"))
}

/// Row `i` of two channels that follow one load with two periods; noise of deviation 0.06.
fn row(i: usize, rng: &mut impl Rng) -> [f32; 2] {
    let load = (i as f32 / 5.0).sin() + 0.5 * (i as f32 / 1.7).sin();
    [load, -0.7 * load + 0.3].map(|v| v + rng.gen_range(-0.1_f32..0.1))
}

/// `n` windows of a stream, one row apart.
fn windows(n: usize, seed: u64) -> Array2<f32> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let start = rng.gen_range(0..1_000);
    let rows: Vec<[f32; 2]> = (0..n + SHAPE.rows).map(|i| row(start + i, &mut rng)).collect();
    Array2::from_shape_fn((n, SHAPE.cells()), |(i, cell)| rows[i + cell / 2][cell % 2])
}

/// Takes `refreshes` of 4 steps; targets are the rows that come next if the network wants any.
fn train(learner: &mut Learner, refreshes: usize) -> Vec<Outcome> {
    let data = windows(refreshes * 8 + 1, 1);
    let mut space = Workspace::new(learner.network(), 32);
    let mut outcomes = Vec::new();
    for (i, window) in data.rows().into_iter().take(refreshes * 8).enumerate() {
        let next = data.slice(s![i + 1, SHAPE.cells() - 2..]);
        let now = window.slice(s![SHAPE.cells() - 2..]);
        let targets: Vec<f32> = match learner.head() {
            Some(HeadKind::Linear) => next.to_vec(),
            Some(_) => next.iter().zip(now).map(|(a, b)| f32::from(u8::from(a > b))).collect(),
            None => Vec::new(),
        };
        learner.offer(window, &targets, Role::Train);
        if i % 8 == 7 {
            outcomes.extend(learner.refresh(&InPlace, &mut space, NOW).map(|(outcome, _)| outcome));
        }
    }
    outcomes
}

/// Reconstructs windows; the workspace holds the results.
fn reconstruct(learner: &Learner, windows: &Array2<f32>) -> Workspace {
    let mut space = Workspace::new(learner.network(), windows.nrows());
    for (i, window) in windows.rows().into_iter().enumerate() {
        space.window_mut(i).assign(&window);
    }
    learner.network().reconstruct(&mut space, windows.nrows());
    space
}

/// Mean squared reconstruction error on new windows over their variance.
fn unexplained(learner: &Learner) -> f32 {
    let data = windows(300, 2);
    let space = reconstruct(learner, &data);
    let error = &space.reconstructions(300) - &data;
    error.mapv(|e| e * e).mean().expect("windows") / data.var(0.0)
}

#[test]
fn every_variant_learns_and_repeats_itself_to_the_bit() {
    for variant in Variant::ALL {
        let train_one = || {
            let mut learner = learner(&params(variant));
            let before = unexplained(&learner);
            let outcomes = train(&mut learner, 250);
            assert!(outcomes.iter().all(|o| o.diverged == 0 && o.steps == 4), "{variant:?}");
            (before, unexplained(&learner), rmp_serde::to_vec_named(&learner).expect("bytes"))
        };
        let (before, after, bytes) = train_one();
        assert!(after < 0.2 && after < 0.3 * before, "{variant:?}: {before} to {after}");
        assert!(train_one().2 == bytes, "{variant:?}");
        let restored: Learner = rmp_serde::from_slice(&bytes).expect("a learner");
        let restored = restored.adopt(learner(&params(variant))).expect("of its own shape");
        assert!(rmp_serde::to_vec_named(&restored).expect("bytes") == bytes, "{variant:?}");
        assert_eq!(unexplained(&restored), after, "{variant:?}");
        for other in Variant::ALL.into_iter().filter(|other| *other != variant) {
            let stored: Learner = rmp_serde::from_slice(&bytes).expect("a learner");
            let shapes = [variant, other].map(|v| learner(&params(v)).network().widths());
            let other = learner(&params(other));
            assert!(shapes[0] == shapes[1] || stored.adopt(other).is_none(), "{variant:?}");
        }
    }
}

#[test]
fn a_sparse_code_has_the_activity_it_was_asked_for() {
    let target = Fraction::try_from(0.1).expect("a fraction");
    let sparse = SparseParams { weight: positive(3.0), target, penalty: Sparsity::Kl };
    let params = ModelParams { latent: 10, sparse, ..params(Variant::Sparse) };
    let mut learner = learner(&params);
    let activity = |learner: &Learner| {
        let space = reconstruct(learner, &windows(300, 2));
        space.codes(300).mean().expect("windows")
    };
    let before = activity(&learner);
    train(&mut learner, 400);
    let after = activity(&learner);
    assert!(before > 0.3 && (0.07..0.13).contains(&after), "{before} to {after}");
    assert!(unexplained(&learner) < 0.3, "{}", unexplained(&learner));
}

#[test]
fn an_l1_code_is_mostly_silent() {
    let silent = |weight: f64| {
        let sparse = SparseParams {
            weight: positive(weight),
            penalty: Sparsity::L1,
            ..SparseParams::default()
        };
        let params = ModelParams { latent: 10, sparse, ..params(Variant::Sparse) };
        let mut learner = learner(&params);
        train(&mut learner, 400);
        let codes = reconstruct(&learner, &windows(300, 2)).codes(300).to_owned();
        codes.iter().filter(|z| **z == 0.0).count() as f32 / codes.len() as f32
    };
    let (without, with) = (silent(1e-6), silent(0.3));
    assert!(with > without + 0.2, "{without} to {with}");
}

/// On windows of which a third of the cells is hidden, the error of the hidden cells.
#[test]
fn denoising_beats_plain_on_hidden_cells() {
    let hidden = |variant| {
        let denoising = DenoisingParams { mask: 0.3, block: 0.0, ..DenoisingParams::default() };
        let mut learner = learner(&ModelParams { denoising, ..params(variant) });
        train(&mut learner, 400);
        let truth = windows(300, 2);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
        let seen = truth.mapv(|v| if rng.gen_bool(0.3) { f32::NAN } else { v });
        let space = reconstruct(&learner, &seen);
        let errors = (&space.reconstructions(300) - &truth).mapv(|e| e * e);
        let of_hidden = errors.iter().zip(&seen).filter(|(_, seen)| seen.is_nan());
        let (sum, n) = of_hidden.fold((0.0, 0), |(sum, n), (e, _)| (sum + e, n + 1));
        sum / n as f32
    };
    let (plain, denoising) = (hidden(Variant::Undercomplete), hidden(Variant::Denoising));
    assert!(denoising < 0.5 * plain, "plain {plain}, denoising {denoising}");
}

#[test]
fn pretraining_lowers_the_loss_at_which_fine_tuning_starts() {
    let loss_at = |pretrain_steps: u32| {
        let stacked = StackedParams { pretrain_steps, ..StackedParams::default() };
        let params = ModelParams { hidden: vec![16, 10], stacked, ..params(Variant::Stacked) };
        let mut learner = learner(&params);
        // 3 pairs: after these refreshes fine-tuning is about to begin.
        let refreshes = (3 * pretrain_steps / 4) as usize + 1;
        train(&mut learner, refreshes);
        assert_eq!(learner.version(), u64::from(3 * pretrain_steps));
        unexplained(&learner)
    };
    let (without, with) = (loss_at(0), loss_at(200));
    assert!(with < 0.6 * without, "{without} without, {with} with pretraining");
}

#[test]
fn the_layer_on_top_tells_the_next_row() {
    for head in [HeadKind::Linear, HeadKind::Logistic] {
        let stacked = StackedParams { head, head_weight: positive(1.0), pretrain_steps: 40 };
        let mut learner = learner(&ModelParams { stacked, ..params(Variant::Stacked) });
        train(&mut learner, 500);
        let data = windows(301, 2);
        let space = reconstruct(&learner, &data.slice(s![..300, ..]).to_owned());
        let said = space.heads(300);
        let newest = |i: usize| data.slice(s![i, SHAPE.cells() - 2..]).to_owned();
        let (mut ours, mut naive, mut right, mut by_habit) = (0.0, 0.0, 0, 0);
        for i in 1..300 {
            let (now, next): (Array1<f32>, Array1<f32>) = (newest(i), newest(i + 1));
            let before = newest(i - 1);
            for c in 0..2 {
                ours += (said[(i, c)] - next[c]).powi(2);
                naive += (now[c] - next[c]).powi(2);
                right += usize::from((said[(i, c)] > 0.5) == (next[c] > now[c]));
                by_habit += usize::from((now[c] > before[c]) == (next[c] > now[c]));
            }
        }
        match head {
            HeadKind::Logistic => {
                assert!(right > by_habit + 60, "{right} right, {by_habit} by habit")
            }
            _ => assert!(ours < 0.3 * naive, "{ours}, last value {naive}"),
        }
    }
}

#[test]
fn a_variational_network_dreams_of_what_it_has_seen() {
    let mut learner = learner(&params(Variant::Vae));
    train(&mut learner, 600);
    let mut space = Workspace::new(learner.network(), 2_000);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    learner.network().sample(&mut space, 2_000, &mut rng);
    let (dreams, seen) = (space.reconstructions(2_000), windows(2_000, 2));
    for c in 0..SHAPE.channels {
        let of = |all: ndarray::ArrayView2<'_, f32>| {
            let column = all.column(SHAPE.cells() - 2 + c).to_owned();
            (column.mean().expect("rows"), column.std(0.0))
        };
        let ((mean, deviation), (true_mean, true_deviation)) = (of(dreams), of(seen.view()));
        assert!((mean - true_mean).abs() < 0.25 * true_deviation, "{mean} {true_mean}");
        let ratio = deviation / true_deviation;
        assert!((0.6..1.4).contains(&ratio), "{deviation} {true_deviation}");
    }
}

#[test]
fn a_code_book_is_used() {
    let mut learner = learner(&params(Variant::VqVae));
    assert_eq!(learner.network().perplexity(), None);
    train(&mut learner, 300);
    let used = learner.network().perplexity().expect("started");
    assert!(used > 16.0, "{used} of 64 vectors are in use");
    assert!(unexplained(&learner) < 0.1, "{}", unexplained(&learner));
}
