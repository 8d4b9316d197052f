//! Rules of the model of one `[[stream]]`: sizes, and what each variant asks for.

use super::StreamSettings;
use super::fault::Fault;
use crate::model::{ModelParams, Variant};

// Bounds of one network, in numbers of four bytes each.
const INPUTS_MAX: usize = 65_536;
const LAYERS_MAX: usize = 8;
const WEIGHTS_MAX: usize = 1 << 24;
const RESERVOIR_VALUES_MAX: usize = 1 << 26;
/// Above it every step overshoots; far above it is no number in single precision.
pub(super) const RATE_MAX: f64 = 1.0;
pub(super) const RATE_WHY: &str =
    "is a step longer than the weights themselves: expected at most 1";

/// Checks the rules of `model` of one stream; `at` is its path, for example `stream[0]`.
pub(super) fn check(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let model = &stream.model;
    let (channels, length) = (stream.channel.len(), stream.window.length);
    if channels == 0 {
        return;
    }
    let inputs = channels.saturating_mul(length);
    let size = format!("{inputs} inputs ({channels} channels x {length} rows)");
    if inputs <= model.latent && model.variant != Variant::Sparse {
        let path = format!("{at}.model.latent");
        let why = format!("is not smaller than the {size}");
        faults.push(Fault::rule(path, model.latent, why));
    }
    if INPUTS_MAX < inputs {
        let why = format!("makes {size}, at most {INPUTS_MAX} are possible");
        faults.push(Fault::rule(format!("{at}.window.length"), length, why));
    }
    if RATE_MAX < model.learning_rate.get() {
        let path = format!("{at}.model.learning_rate");
        faults.push(Fault::rule(path, model.learning_rate.get(), RATE_WHY));
    }
    for (i, width) in model.hidden.iter().enumerate().filter(|(_, width)| **width == 0) {
        let path = format!("{at}.model.hidden[{i}]");
        faults.push(Fault::rule(path, width, "a layer needs at least one neuron"));
    }
    let path = format!("{at}.model.hidden");
    if LAYERS_MAX < model.hidden.len() {
        let why = format!("expected at most {LAYERS_MAX} layers, got {}", model.hidden.len());
        return faults.push(Fault::new(path, why));
    }
    variant(stream, at, faults);
    let weights = weights(model, inputs);
    if WEIGHTS_MAX < weights {
        let why =
            format!("makes {weights} weights with the {size}, at most {WEIGHTS_MAX} are possible");
        faults.push(Fault::rule(path, format!("{:?}", model.hidden), why));
    }
    if RESERVOIR_VALUES_MAX < model.reservoir.saturating_mul(inputs) {
        let why = format!("windows of {size}, at most {RESERVOIR_VALUES_MAX} values are kept");
        faults.push(Fault::rule(format!("{at}.model.reservoir"), model.reservoir, why));
    }
}

/// Weights and biases of encoder and decoder.
fn weights(model: &ModelParams, inputs: usize) -> usize {
    let widths = model.hidden.iter().copied().chain([model.latent]);
    let widths: Vec<_> = std::iter::once(inputs).chain(widths).collect();
    let both_ways = widths.windows(2).fold(0, |sum: usize, pair| {
        let weights = pair[0].saturating_mul(pair[1]).saturating_mul(2);
        sum.saturating_add(weights).saturating_add(pair[0]).saturating_add(pair[1])
    });
    // Indicators of hidden cells, and the log variances.
    let more = match model.variant {
        Variant::Denoising => inputs.saturating_mul(widths[1]),
        Variant::Vae => widths[widths.len() - 2].saturating_add(1).saturating_mul(model.latent),
        _ => 0,
    };
    both_ways.saturating_add(more)
}

/// What only one member of the family asks for.
fn variant(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let model = &stream.model;
    let hidden = (format!("{at}.model.hidden"), format!("{:?}", model.hidden));
    match model.variant {
        Variant::Deep if model.hidden.len() < 2 => {
            let why = "a deep network has two hidden layers or more on each side, for example \
                       [64, 32]";
            faults.push(Fault::rule(hidden.0, hidden.1, why));
        }
        Variant::Stacked => {
            // Pretraining ends before anything is judged.
            let pairs = model.hidden.len() as u64 + 1;
            let steps = u64::from(model.stacked.pretrain_steps) * pairs;
            let windows = steps.saturating_mul(u64::from(model.warmup_train_every));
            if u64::from(model.warmup) < windows {
                let why = format!(
                    "{pairs} pairs of layers take {windows} windows, longer than model.warmup = {}",
                    model.warmup
                );
                let path = format!("{at}.model.stacked.pretrain_steps");
                faults.push(Fault::rule(path, model.stacked.pretrain_steps, why));
            }
        }
        Variant::Denoising => {
            if let Some(i) = model.denoising.block_rows.iter().position(|rows| *rows == 0) {
                let path = format!("{at}.model.denoising.block_rows[{i}]");
                faults.push(Fault::rule(path, 0, "a block has at least one row"));
            }
        }
        Variant::VqVae if !model.latent.is_multiple_of(model.vq_vae.groups.max(1)) => {
            let path = format!("{at}.model.vq_vae.groups");
            let why = format!("does not divide model.latent = {}", model.latent);
            faults.push(Fault::rule(path, model.vq_vae.groups, why));
        }
        _ => {}
    }
}
