use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::model::{Scope, Variant};
use crate::record::Positive;

pub(crate) fn params(hidden: &[usize], latent: usize, activation: Activation) -> ModelParams {
    ModelParams {
        variant: Variant::Undercomplete,
        scope: Scope::Shard,
        hidden: hidden.to_vec(),
        latent,
        activation,
        learning_rate: Positive::try_from(0.002).expect("above 0"),
        batch: 8,
        train_every: 1,
        warmup_train_every: 1,
        refresh_steps: 1,
        reservoir: 64,
        warmup: 10,
    }
}

fn fill(space: &mut Workspace, rows: usize, rng: &mut impl Rng) {
    for i in 0..rows {
        space.window_mut(i).mapv_inplace(|_| rng.gen_range(-1.5..1.5));
    }
}

/// Hand-derived gradients equal central differences, for each activation, with missing cells.
///
/// Tolerance: outputs are f32 with errors near 1e-7, over the step of 2e-3 this leaves 5e-5
/// absolute. The step is short because a longer one crosses the kink of relu at some unit.
#[test]
fn gradients_equal_finite_differences() {
    for activation in [Activation::Identity, Activation::Tanh, Activation::Relu] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut network = Network::new(&params(&[5], 2, activation), 6, &mut rng);
        // Zero biases put relu exactly on its kink where all units before are silent.
        for layer in &mut network.layers {
            layer.biases.mapv_inplace(|_| rng.gen_range(-0.3..0.3));
        }
        let mut space = Workspace::new(&network, 4);
        fill(&mut space, 4, &mut rng);
        space.window_mut(1)[3] = f32::NAN;
        network.loss_and_gradients(&mut space, 4);
        let gradients = space.gradients.clone();
        for (layer, gradient) in gradients.iter().enumerate() {
            for cell in 0..network.layers[layer].weights.len() {
                let at = (
                    cell / network.layers[layer].weights.ncols(),
                    cell % network.layers[layer].weights.ncols(),
                );
                let expected =
                    difference(&mut network, &mut space, |n| &mut n.layers[layer].weights[at]);
                let got = f64::from(gradient.weights[at]);
                assert!(
                    (got - expected).abs() < 2e-4,
                    "{activation:?} {layer} {at:?}: {got} {expected}"
                );
            }
            for at in 0..network.layers[layer].biases.len() {
                let expected =
                    difference(&mut network, &mut space, |n| &mut n.layers[layer].biases[at]);
                let got = f64::from(gradient.biases[at]);
                assert!(
                    (got - expected).abs() < 2e-4,
                    "{activation:?} {layer} bias {at}: {got} {expected}"
                );
            }
        }
    }
}

fn difference(
    network: &mut Network,
    space: &mut Workspace,
    parameter: impl Fn(&mut Network) -> &mut f32,
) -> f64 {
    const STEP: f32 = 1e-3;
    let mut loss_at = |shift: f32| {
        let old = *parameter(network);
        *parameter(network) = old + shift;
        let loss = network.loss_and_gradients(space, 4);
        *parameter(network) = old;
        loss
    };
    (loss_at(STEP) - loss_at(-STEP)) / f64::from(2.0 * STEP)
}

/// The engine cuts batches where it likes, so a row's bits must not depend on its neighbours.
#[test]
fn a_row_has_the_same_bits_in_every_batch() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let network = Network::new(&params(&[32], 8, Activation::Tanh), 64, &mut rng);
    let mut all = Workspace::new(&network, 100);
    fill(&mut all, 100, &mut rng);
    network.reconstruct(&mut all, 100);
    for rows in [1, 2, 3, 5, 7, 8, 17, 64] {
        let mut part = Workspace::new(&network, 64);
        for start in (0..100 - rows).step_by(13) {
            for i in 0..rows {
                part.window_mut(i).assign(&all.windows(100).row(start + i));
            }
            network.reconstruct(&mut part, rows);
            for i in 0..rows {
                assert_eq!(
                    part.reconstructions(rows).row(i),
                    all.reconstructions(100).row(start + i)
                );
                assert_eq!(part.codes(rows).row(i), all.codes(100).row(start + i));
            }
        }
    }
}
