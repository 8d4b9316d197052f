//! Random streams and autoregressive noise.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::record::mix;

/// Generator of every random stream: its algorithm is fixed, so seeds keep their meaning.
pub(super) type Rng = Xoshiro256PlusPlus;

/// What a random stream is for; keeps the streams of one owner apart.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Load = 1,
    OtherLoad,
    Sensor,
    Faults,
    Shop,
    Promotion,
}

/// The random stream of one owner (machine, shop) and part (sensor).
pub(super) fn stream(seed: u64, purpose: Purpose, owner: usize, part: usize) -> Rng {
    let parts = [purpose as u64, owner as u64, part as u64];
    Rng::seed_from_u64(parts.into_iter().fold(seed, |state, part| mix(state ^ mix(part))))
}

/// First-order autoregressive noise, `x' = phi x + sd sqrt(1 - phi^2) e` with standard normal `e`.
///
/// Stationary from the first value: mean 0, standard deviation `sd`, autocorrelation `phi^k`.
#[derive(Debug, Clone)]
pub(super) struct Ar1 {
    phi: f64,
    innovation: f64,
    state: f64,
    rng: Rng,
}

impl Ar1 {
    /// Noise of standard deviation `sd`; `phi` lies in [0, 1).
    pub(super) fn new(phi: f64, sd: f64, mut rng: Rng) -> Self {
        let first: f64 = StandardNormal.sample(&mut rng);
        Self { phi, innovation: sd * (1.0 - phi * phi).sqrt(), state: sd * first, rng }
    }

    /// The next value.
    pub(super) fn step(&mut self) -> f64 {
        let shock: f64 = StandardNormal.sample(&mut self.rng);
        self.state = self.phi * self.state + self.innovation * shock;
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ar_noise_has_its_mean_spread_and_memory() {
        let mut noise = Ar1::new(0.8, 2.0, stream(7, Purpose::Load, 0, 0));
        let x: Vec<f64> = (0..200_000).map(|_| noise.step()).collect();
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let covariance =
            x.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / x.len() as f64;
        assert!(mean.abs() < 0.06, "{mean}");
        assert!((variance.sqrt() - 2.0).abs() < 0.04, "{variance}");
        assert!((covariance / variance - 0.8).abs() < 0.01, "{}", covariance / variance);
    }

    #[test]
    fn streams_of_other_owners_parts_and_purposes_differ() {
        let first =
            |purpose, owner, part| Ar1::new(0.0, 1.0, stream(1, purpose, owner, part)).step();
        let base = first(Purpose::Load, 1, 2);
        assert_eq!(base, first(Purpose::Load, 1, 2));
        assert_ne!(base, first(Purpose::Load, 2, 1));
        assert_ne!(base, first(Purpose::Sensor, 1, 2));
    }
}
