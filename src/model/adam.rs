//! Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1).

use serde::{Deserialize, Serialize};

use super::dense::{Dense, DenseGradient};

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// First and second moments of every parameter, and the number of steps taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Adam {
    learning_rate: f32,
    steps: u64,
    moments: Vec<Moments>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Moments {
    first: DenseGradient,
    second: DenseGradient,
}

impl Adam {
    pub(super) fn new(learning_rate: f32, layers: &[Dense]) -> Self {
        let moments = layers
            .iter()
            .map(|layer| Moments {
                first: DenseGradient::zeros_like(layer),
                second: DenseGradient::zeros_like(layer),
            })
            .collect();
        Self { learning_rate, steps: 0, moments }
    }

    /// These moments at the learning rate of `fresh`; `None` if they are of another shape.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let like =
            |(a, b): (&Moments, &Moments)| a.first.is_like(&b.first) && a.second.is_like(&b.second);
        let same = self.moments.len() == fresh.moments.len()
            && self.moments.iter().zip(&fresh.moments).all(like);
        same.then_some(Self { learning_rate: fresh.learning_rate, ..self })
    }

    /// Steps taken so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves every parameter against its gradient.
    pub(super) fn step(&mut self, layers: &mut [Dense], gradients: &[DenseGradient]) {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correction_1 = 1.0 - BETA_1.powi(power);
        let correction_2 = 1.0 - BETA_2.powi(power);
        let rate = self.learning_rate * correction_2.sqrt() / correction_1;
        // The published epsilon belongs to the corrected second moment.
        let epsilon = EPSILON * correction_2.sqrt();
        for ((layer, gradient), moments) in layers.iter_mut().zip(gradients).zip(&mut self.moments)
        {
            update(
                layer.weights.as_slice_mut(),
                gradient.weights.as_slice(),
                (moments.first.weights.as_slice_mut(), moments.second.weights.as_slice_mut()),
                (rate, epsilon),
            );
            update(
                layer.biases.as_slice_mut(),
                gradient.biases.as_slice(),
                (moments.first.biases.as_slice_mut(), moments.second.biases.as_slice_mut()),
                (rate, epsilon),
            );
        }
    }
}

type Slice<'a> = Option<&'a mut [f32]>;

fn update(
    values: Slice<'_>,
    gradients: Option<&[f32]>,
    moments: (Slice<'_>, Slice<'_>),
    (rate, epsilon): (f32, f32),
) {
    const CONTIGUOUS: &str = "parameters are owned arrays in standard layout";
    let values = values.expect(CONTIGUOUS);
    let gradients = gradients.expect(CONTIGUOUS);
    let (first, second) = (moments.0.expect(CONTIGUOUS), moments.1.expect(CONTIGUOUS));
    for (((value, &g), m), v) in values.iter_mut().zip(gradients).zip(first).zip(second) {
        *m += (1.0 - BETA_1) * (g - *m);
        *v += (1.0 - BETA_2) * (g * g - *v);
        *value -= rate * *m / (v.sqrt() + epsilon);
    }
}
