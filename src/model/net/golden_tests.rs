//! Losses and gradients against PyTorch's: `tests/it/golden/family.py`.

use ndarray::{Array1, Array2, s};
use serde_json::Value;

use super::code::Code;
use super::tests::params;
use super::{Network, Recipe, Workspace, codebook, gaussian};
use crate::model::{
    Activation, HeadKind, Loss, ModelParams, SparseParams, Sparsity, StackedParams, VaeParams,
    Variant, VqVaeParams, WindowShape,
};
use crate::record::Positive;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

const SHAPE: WindowShape = WindowShape { rows: 3, channels: 2 };
const ROWS: usize = 5;
const GOLDEN: &str = include_str!("../../../tests/it/golden/family.json");

fn wave(rows: usize, columns: usize, f: impl Fn(f64, f64) -> f64) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| f(i as f64, j as f64) as f32)
}

/// The network of the script: weights and biases are waves.
fn network(params: &ModelParams) -> Network {
    let mut network = Network::new(params, SHAPE, &mut Xoshiro256PlusPlus::seed_from_u64(1));
    for (l, layer) in network.all_layers_mut().iter_mut().enumerate() {
        let (n, m) = layer.weights.dim();
        let l = l as f64;
        layer.weights = wave(n, m, |i, j| 0.6 * (1.3 * l + 0.7 * i + 1.1 * j + 0.5).sin());
        layer.biases = Array1::from_shape_fn(m, |j| (0.1 * (j as f64 + l).cos()) as f32);
    }
    network
}

#[rustfmt::skip]
fn cases() -> Vec<(&'static str, ModelParams)> {
    let positive = |v| Positive::try_from(v).expect("above 0");
    let base = || params(&[5], 2, Activation::Tanh);
    let of = |variant| ModelParams { variant, ..base() };
    let mse = |activation| ModelParams { loss: Loss::Mse, activation, ..base() };
    let head = |head| StackedParams { head, head_weight: positive(0.7), pretrain_steps: 0 };
    let sparse = |penalty| SparseParams { penalty, weight: positive(0.5), ..SparseParams::default() };
    let vq_vae = VqVaeParams { codes: 6, groups: 2, ..VqVaeParams::default() };
    vec![
        ("undercomplete", base()),
        ("mse_gelu", mse(Activation::Gelu)),
        ("mse_softplus", mse(Activation::Softplus)),
        ("leaky_relu", ModelParams { activation: Activation::LeakyRelu, ..base() }),
        ("linear_head", ModelParams { stacked: head(HeadKind::Linear), ..of(Variant::Stacked) }),
        ("logistic_head", ModelParams { stacked: head(HeadKind::Logistic), ..of(Variant::Stacked) }),
        ("kl", ModelParams { sparse: sparse(Sparsity::Kl), ..of(Variant::Sparse) }),
        ("l1", ModelParams { sparse: sparse(Sparsity::L1), ..of(Variant::Sparse) }),
        ("vae", ModelParams { vae: VaeParams::default(), ..of(Variant::Vae) }),
        ("vq_vae", ModelParams { latent: 4, vq_vae, ..of(Variant::VqVae) }),
    ]
}

/// Forward and backward with the noise and the book of the script.
fn run(params: &ModelParams) -> (Workspace, [f64; 3]) {
    let mut network = network(params);
    if let Code::Quantised(book) = network.code_mut() {
        *book = codebook::Codebook::of(wave(6, 2, |c, p| 1.2 * (1.9 * c + p).cos()));
    }
    let mut space = Workspace::new(&network, ROWS);
    space.windows = wave(ROWS, 6, |i, j| 1.5 * (0.9 * i + 1.7 * j).sin());
    space.windows[(1, 3)] = f32::NAN;
    if space.targets.ncols() > 0 {
        space.targets = wave(ROWS, 2, |i, j| (i + j) % 2.0);
        space.targets[(2, 1)] = f32::NAN;
    }
    space.fill_input(ROWS);
    network.encode(&mut space, ROWS);
    if let (Code::Gaussian(_), Some(code)) = (network.code(), &mut space.code) {
        code.eps = wave(ROWS, 2, |i, j| (i + 2.0 * j).cos());
        let encoded = space.outputs[2].slice(s![..ROWS, ..]);
        gaussian::shift(encoded, |i, j| code.eps[(i, j)], code.z.view_mut());
    }
    network.decode(&mut space, ROWS);
    network.run_head(&mut space, ROWS);
    let losses = network.backward(&mut space, ROWS, &Recipe::new(params, SHAPE), 0.4);
    (space, [losses.reconstruction, losses.code, losses.head])
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    let golden: Value = serde_json::from_str(GOLDEN).expect("JSON");
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().expect("a list").iter().filter_map(Value::as_f64).collect()
    };
    for (name, params) in cases() {
        let (space, losses) = run(&params);
        let expected = &golden["cases"][name];
        for (ours, theirs) in losses.iter().zip(numbers(&expected["losses"])) {
            assert!((ours - theirs).abs() < 2e-6, "{name}: {losses:?}, {expected}");
        }
        let theirs = expected["gradients"].as_array().expect("a list").iter().map(numbers);
        let ours = space.gradients.iter().flat_map(|gradient| {
            [gradient.weights.iter().copied().collect::<Vec<f32>>(), gradient.biases.to_vec()]
        });
        let mut parameters = 0;
        for (ours, theirs) in ours.zip(theirs) {
            assert_eq!(ours.len(), theirs.len(), "{name}");
            parameters += ours.len();
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!((f64::from(*ours) - theirs).abs() < 3e-6, "{name}: {ours} {theirs}");
            }
        }
        assert_eq!(parameters, network(&params).parameters(), "{name}");
    }
}
