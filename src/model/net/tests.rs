use ndarray::{Array1, Array2, s};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::model::{
    Activation, DenoisingParams, GateParams, HeadKind, Loss, ModelParams, Scope, SparseParams,
    Sparsity, StackedParams, VaeParams, VaeScore, Variant, VqVaeParams, WindowShape,
};
use crate::record::Positive;

const SHAPE: WindowShape = WindowShape { rows: 3, channels: 2 };
const ROWS: usize = 5;

pub(crate) fn params(hidden: &[usize], latent: usize, activation: Activation) -> ModelParams {
    ModelParams {
        scope: Scope::Shard,
        hidden: hidden.to_vec(),
        latent,
        activation,
        batch: 8,
        refresh_steps: 1,
        reservoir: 64,
        warmup: 10,
        gate: GateParams { every: 0, ..GateParams::default() },
        ..ModelParams::default()
    }
}

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn positive(v: f64) -> Positive {
    Positive::try_from(v).expect("above 0")
}

/// A network with biases, so that relu is not exactly on its kink where all units are silent.
fn network(params: &ModelParams) -> Network {
    let mut rng = rng(7);
    let mut network = Network::new(params, SHAPE, &mut rng);
    for layer in network.all_layers_mut() {
        layer.biases.mapv_inplace(|_| rng.gen_range(-0.3..0.3));
    }
    if let Code::Quantised(book) = network.code_mut() {
        let parts = Array2::from_shape_simple_fn((40, book.part()), || rng.gen_range(-1.0..1.0));
        book.start(&parts, &mut rng);
    }
    network
}

/// Windows with a missing cell, targets with one that is not known.
fn fill(space: &mut Workspace) {
    let mut rng = rng(3);
    space.windows.mapv_inplace(|_| rng.gen_range(-1.5..1.5));
    space.windows[(1, 3)] = f32::NAN;
    space.targets.mapv_inplace(|_| f32::from(u8::from(rng.gen_bool(0.5))));
    if space.targets.ncols() > 0 {
        space.targets[(2, 1)] = f32::NAN;
    }
}

fn parameter(network: &mut Network, layer: usize, i: usize) -> &mut f32 {
    let Dense { weights, biases, .. } = &mut network.all_layers_mut()[layer];
    let n = weights.len();
    if i < n { &mut weights.as_slice_mut().expect("standard")[i] } else { &mut biases[i - n] }
}

/// Compares the gradients of some layers with central differences of `loss`.
///
/// Tolerance: outputs are f32 with errors near 1e-7; over a step of 2e-3 this leaves 5e-5 absolute.
/// The step is short because a longer one crosses the kink of relu at some unit.
fn assert_gradients(
    network: &mut Network,
    gradients: &[DenseGradient],
    layers: impl Iterator<Item = usize>,
    what: &str,
    loss: impl Fn(&Network) -> f64,
) {
    const STEP: f32 = 2e-3;
    for layer in layers {
        let gradient: Vec<f32> =
            gradients[layer].weights.iter().chain(&gradients[layer].biases).copied().collect();
        for (i, gradient) in gradient.into_iter().enumerate() {
            let before = *parameter(network, layer, i);
            let mut at = |shift: f32| {
                *parameter(network, layer, i) = before + shift;
                loss(network)
            };
            let difference = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
            *parameter(network, layer, i) = before;
            let gradient = f64::from(gradient);
            let close = (difference - gradient).abs() < 2e-4 + 5e-3 * gradient.abs();
            assert!(close, "{what}, layer {layer}, parameter {i}: {gradient} {difference}");
        }
    }
}

/// Everything but the vector-quantised one, whose gradient is not that of its loss.
#[rustfmt::skip]
fn variants() -> Vec<(&'static str, ModelParams)> {
    let base = || params(&[5], 2, Activation::Tanh);
    let of = |variant| ModelParams { variant, ..base() };
    let sparse = |penalty| SparseParams { penalty, weight: positive(0.5), ..SparseParams::default() };
    let stacked = |head| StackedParams { head, pretrain_steps: 0, head_weight: positive(0.7) };
    let vae = VaeParams { beta: positive(0.8), beta_warmup: 4, ..VaeParams::default() };
    let denoising = DenoisingParams { mask: 0.3, block: 0.5, block_rows: vec![1, 9], noise: 0.2 };
    vec![
        ("undercomplete", base()),
        ("mse", ModelParams { loss: Loss::Mse, ..base() }),
        ("deep", ModelParams { variant: Variant::Deep, ..params(&[5, 4], 2, Activation::Softplus) }),
        ("linear head", ModelParams { stacked: stacked(HeadKind::Linear), ..of(Variant::Stacked) }),
        ("logistic head", ModelParams { stacked: stacked(HeadKind::Logistic), ..of(Variant::Stacked) }),
        ("kl", ModelParams { sparse: sparse(Sparsity::Kl), ..of(Variant::Sparse) }),
        ("l1", ModelParams { sparse: sparse(Sparsity::L1), ..of(Variant::Sparse) }),
        ("denoising", ModelParams { denoising, ..of(Variant::Denoising) }),
        ("vae", ModelParams { vae, ..of(Variant::Vae) }),
    ]
}

fn cost(network: &Network, space: &mut Workspace, recipe: &Recipe) -> Losses {
    network.loss_and_gradients(space, ROWS, (recipe, 1), &mut rng(5))
}

#[test]
fn gradients_equal_finite_differences() {
    use Activation::{Gelu, Identity, LeakyRelu, Relu, Sigmoid, Softplus, Tanh};
    let activations = [Identity, Relu, LeakyRelu, Tanh, Sigmoid, Gelu, Softplus];
    let plain = activations.map(|activation| ("activation", params(&[5], 2, activation)));
    for (what, params) in variants().into_iter().chain(plain) {
        let what = format!("{what} {:?}", params.activation);
        let (mut network, recipe) = (network(&params), Recipe::new(&params, SHAPE));
        let mut space = Workspace::new(&network, ROWS);
        fill(&mut space);
        let losses = cost(&network, &mut space, &recipe);
        assert!(losses.reconstruction > 0.0);
        let has_code = matches!(params.variant, Variant::Sparse | Variant::Vae);
        assert_eq!(losses.code > 0.0, has_code, "{what}");
        assert_eq!(losses.head > 0.0, params.variant == Variant::Stacked, "{what}");
        let gradients = space.gradients.clone();
        let space = std::cell::RefCell::new(space);
        let layers = 0..network.all_layers().len();
        assert_gradients(&mut network, &gradients, layers, &what, |network| {
            cost(network, &mut space.borrow_mut(), &recipe).sum()
        });
    }
}

#[test]
fn gradients_of_pretraining_equal_finite_differences() {
    let params = ModelParams { variant: Variant::Stacked, ..params(&[5, 4], 2, Activation::Gelu) };
    let (mut network, recipe) = (network(&params), Recipe::new(&params, SHAPE));
    let mut space = Workspace::new(&network, ROWS);
    fill(&mut space);
    for pair in 0..3 {
        network.pair_loss_and_gradients(&mut space, ROWS, &recipe, pair);
        let gradients = space.gradients.clone();
        let layers = network.layers_of_pair(pair);
        assert_eq!(layers, [pair, 5 - pair]);
        let space = std::cell::RefCell::new(&mut space);
        let what = format!("pair {pair}");
        assert_gradients(&mut network, &gradients, layers.into_iter(), &what, |network| {
            network.pair_loss_and_gradients(&mut space.borrow_mut(), ROWS, &recipe, pair)
        });
    }
}

/// The encoder of a vector-quantised network is moved as if the decoder had been given its own
/// output, shifted by what quantisation added: that function is differentiated here.
#[test]
fn straight_through_gradients_equal_finite_differences() {
    let vq_vae = VqVaeParams { codes: 6, groups: 2, ..VqVaeParams::default() };
    let base = params(&[5], 4, Activation::Tanh);
    let params = ModelParams { variant: Variant::VqVae, vq_vae: vq_vae.clone(), ..base };
    let (mut network, recipe) = (network(&params), Recipe::new(&params, SHAPE));
    let mut space = Workspace::new(&network, ROWS);
    fill(&mut space);
    cost(&network, &mut space, &recipe);
    let gradients = space.gradients.clone();
    let code = |space: &Workspace| space.code.as_ref().expect("a book").z.clone();
    let (vectors, added) = (code(&space), code(&space) - &space.outputs[2]);
    let space = std::cell::RefCell::new(space);
    let layers = 0..network.all_layers().len();
    assert_gradients(&mut network, &gradients, layers, "vq-vae", |network| {
        let space = &mut *space.borrow_mut();
        network.encode(space, ROWS);
        let encoded = space.outputs[2].clone();
        space.code.as_mut().expect("a book").z.assign(&(&encoded + &added));
        network.decode(space, ROWS);
        let mut delta = Array2::zeros((ROWS, 6));
        let output = space.reconstructions(ROWS);
        let windows = space.windows(ROWS);
        let cost = loss::reconstruction(recipe.loss, output, windows, delta.view_mut());
        let mut delta = Array2::zeros((ROWS, 4));
        let weight = vq_vae.commitment.get() as f32;
        cost + codebook::commit(encoded.view(), vectors.view(), weight, delta.view_mut())
    });
}

#[test]
fn missing_cells_change_no_gradient() {
    for (what, params) in variants() {
        if params.variant == Variant::Denoising {
            continue; // It is told which cells are missing.
        }
        let (network, recipe) = (network(&params), Recipe::new(&params, SHAPE));
        let gradients = |missing: f32| {
            let mut space = Workspace::new(&network, ROWS);
            fill(&mut space);
            space.windows[(1, 3)] = missing;
            cost(&network, &mut space, &recipe);
            format!("{:?}", space.gradients)
        };
        assert_ne!(gradients(0.0), gradients(f32::NAN), "{what}: an observed 0 is an observation");
        assert_eq!(gradients(f32::NAN), gradients(-f32::NAN), "{what}");
    }
}

/// The reconstruction of a window must not depend on its neighbours in a batch, up to the last bit.
#[test]
fn rows_are_reconstructed_each_by_itself() {
    let vq_vae = ModelParams { variant: Variant::VqVae, ..params(&[5], 4, Activation::Tanh) };
    for (what, params) in variants().into_iter().chain([("vq-vae", vq_vae)]) {
        let network = network(&params);
        let mut space = Workspace::new(&network, ROWS);
        fill(&mut space);
        network.reconstruct(&mut space, ROWS);
        let together = [space.reconstructions(ROWS), space.codes(ROWS), space.heads(ROWS)];
        let together = together.map(|all| all.row(2).to_owned());
        let spread = space.spreads(ROWS).map(|all| all.row(2).to_owned());
        let window = space.windows(ROWS).row(2).to_owned();
        space.window_mut(0).assign(&window);
        network.reconstruct(&mut space, 1);
        let alone = [space.reconstructions(1), space.codes(1), space.heads(1)];
        assert_eq!(alone.map(|all| all.row(0).to_owned()), together, "{what}");
        assert_eq!(space.spreads(1).map(|all| all.row(0).to_owned()), spread, "{what}");
    }
}

/// Kingma and Welling, appendix B, against the integral of q log(q / p).
#[test]
fn the_divergence_is_the_integral() {
    for (mu, log_variance) in [(0.0_f64, 0.0_f64), (0.7, -1.0), (-1.5, 0.8), (0.1, -4.0)] {
        let sigma = (0.5 * log_variance).exp();
        let density = |x: f64, m: f64, s: f64| {
            (-0.5 * ((x - m) / s).powi(2)).exp() / (s * std::f64::consts::TAU.sqrt())
        };
        let steps = 40_000;
        let width = 24.0 * sigma / f64::from(steps);
        let integral: f64 = (0..steps)
            .map(|i| {
                let x = mu - 12.0 * sigma + (f64::from(i) + 0.5) * width;
                let (q, log_p) =
                    (density(x, mu, sigma), -0.5 * (x * x + std::f64::consts::TAU.ln()));
                if q > 0.0 { q * (q.ln() - log_p) * width } else { 0.0 }
            })
            .sum();
        let encoded = Array2::from_shape_vec((1, 2), vec![mu as f32, log_variance as f32]);
        let encoded = encoded.expect("a row");
        let zeros = Array2::zeros((1, 1));
        let mut delta = Array2::zeros((1, 2));
        let (eps, dz) = (zeros.view(), zeros.view());
        let ours = gaussian::backward(encoded.view(), eps, dz, 1.0, delta.view_mut());
        assert!((ours - integral).abs() < 1e-5, "{mu} {log_variance}: {ours} {integral}");
    }
}

#[test]
fn drawn_codes_have_the_moments_of_the_posterior() {
    let n = 40_000;
    let mut rng = rng(1);
    let encoded = Array2::from_shape_fn((n, 2), |(_, j)| [0.7, (0.25_f32).ln()][j]);
    let (mut eps, mut z) = (Array2::zeros((n, 1)), Array2::zeros((n, 1)));
    gaussian::draw(eps.view_mut(), &mut rng);
    gaussian::shift(encoded.view(), |i, j| eps[(i, j)], z.view_mut());
    let (mean, deviation) = (z.mean().expect("rows"), z.std(0.0));
    assert!((mean - 0.7).abs() < 0.01 && (deviation - 0.5).abs() < 0.01, "{mean} {deviation}");
}

/// `probability` is the mean over the drawn codes of what `error` would be for each.
#[test]
fn mean_and_spread_give_the_expected_error() {
    let vae = VaeParams { score: VaeScore::Probability, samples: 5, ..VaeParams::default() };
    let params = ModelParams { variant: Variant::Vae, vae, ..params(&[5], 2, Activation::Tanh) };
    let network = network(&params);
    let mut space = Workspace::new(&network, 1);
    fill_one(&mut space);
    let Code::Gaussian(gaussian) = network.code() else { panic!("a variational network") };
    let mut expected = Array1::<f32>::zeros(6);
    for probe in gaussian.probes() {
        space.fill_input(1);
        network.encode(&mut space, 1);
        network.shift_code(&mut space, 1, |_, j| probe[j]);
        network.decode(&mut space, 1);
        let error = &space.reconstructions(1).row(0) - &space.windows(1).row(0);
        expected += &(&error * &error / 5.0);
    }
    network.reconstruct(&mut space, 1);
    let error = &space.reconstructions(1).row(0) - &space.windows(1).row(0);
    let ours = &error * &error + space.spreads(1).expect("drawn").row(0);
    assert!((&ours - &expected).iter().all(|d| d.abs() < 1e-5), "{ours} {expected}");
    assert_eq!(space.codes(1), space.outputs[2].slice(s![..1, ..2]), "the code is the mean");
}

fn fill_one(space: &mut Workspace) {
    let mut rng = rng(9);
    space.windows.mapv_inplace(|_| rng.gen_range(-1.0..1.0));
}

#[test]
fn vectors_go_where_codes_are_and_unused_ones_come_back() {
    let vq_vae = VqVaeParams { codes: 4, groups: 1, ..VqVaeParams::default() };
    let mut rng = rng(2);
    let centres = [[-2.0_f32, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, -2.0]];
    let mut draw = |centres: &[[f32; 2]], n: usize| {
        Array2::from_shape_fn((n, 2), |(i, j)| {
            centres[i % centres.len()][j] + rng.gen_range(-0.1_f32..0.1)
        })
    };
    let mut book = codebook::Codebook::new(4, 2);
    assert_eq!(book.perplexity(), None);
    let mut seed = Xoshiro256PlusPlus::seed_from_u64(4);
    book.start(&draw(&centres, 200), &mut seed);
    let learn = |book: &mut codebook::Codebook, codes: &Array2<f32>, seed: &mut _| {
        let (mut z, mut picks) = (Array2::zeros(codes.dim()), vec![0; codes.nrows()]);
        book.quantise(codes.view(), z.view_mut(), &mut picks);
        book.learn(codes.view(), &picks, &vq_vae, seed);
        (codes - &z).mapv(|d| d * d).sum() / codes.nrows() as f32
    };
    for _ in 0..400 {
        let distance = learn(&mut book, &draw(&centres, 32), &mut seed);
        assert!(distance < 0.05, "k-means found the four centres: {distance}");
    }
    assert!((book.perplexity().expect("started") - 4.0).abs() < 0.1, "{:?}", book.perplexity());
    // Two centres are seen no more: their vectors move to where codes are.
    for _ in 0..600 {
        learn(&mut book, &draw(&centres[..2], 32), &mut seed);
    }
    assert!(book.perplexity().expect("started") > 2.5, "{:?}", book.perplexity());
}
