//! A window over a stream of numbers that grows while their mean holds, and shrinks when it moves.

use serde::{Deserialize, Serialize};

/// Buckets of one size before two are merged.
const PER_SIZE: usize = 5;
/// Numbers without which nothing is compared.
const NUMBERS_MIN: u32 = 10;
/// Numbers on each side of a cut.
const SIDE_MIN: u32 = 5;
/// Largest number of sizes: 5 x 2^20 numbers are remembered at most.
const SIZES_MAX: usize = 20;

/// Adaptive windowing (Bifet and Gavaldà, "Learning from Time-Changing Data with Adaptive
/// Windowing", SIAM SDM 2007, ADWIN2): the numbers since the mean last changed, in a logarithmic
/// number of buckets, at most 2.4 KB.
///
/// Two parts of the window are taken as different if their means differ by more than
/// `sqrt(2 s2 L / m) + 2 s L / m`, with `s2` the variance of the window, `m` the harmonic mean of
/// the lengths over 2 and `L = ln(2 ln(n) / confidence)`. The second term is Bernstein's, for numbers
/// within three standard deviations (the paper's are between 0 and 1). All that lies before the
/// cut with the clearest difference is dropped at once (the paper drops bucket by bucket): a step is
/// told once, with the means of its two sides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Adwin {
    /// Sizes 1, 2, 4, ...; of each the buckets, newest first.
    sizes: Vec<Vec<Bucket>>,
    total: Moments,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Bucket {
    sum: f64,
    /// Sum of squared deviations from the bucket's mean.
    spread: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    n: u32,
    sum: f64,
    spread: f64,
}

impl Moments {
    fn of(bucket: Bucket, n: u32) -> Self {
        Self { n, sum: bucket.sum, spread: bucket.spread }
    }

    fn mean(self) -> f64 {
        self.sum / f64::from(self.n.max(1))
    }

    /// Both together (Chan, Golub and LeVeque, 1983).
    fn and(self, other: Self) -> Self {
        if self.n == 0 || other.n == 0 {
            return if self.n == 0 { other } else { self };
        }
        let (a, b) = (f64::from(self.n), f64::from(other.n));
        let apart = self.mean() - other.mean();
        Self {
            n: self.n + other.n,
            sum: self.sum + other.sum,
            spread: self.spread + other.spread + apart * apart * a * b / (a + b),
        }
    }

    /// What is left without a part of it.
    fn without(self, part: Self) -> Self {
        let n = self.n - part.n;
        let rest = Self { n, sum: self.sum - part.sum, spread: 0.0 };
        if n == 0 {
            return Self::default();
        }
        let (a, b) = (f64::from(n), f64::from(part.n));
        let apart = rest.mean() - part.mean();
        let spread = self.spread - part.spread - apart * apart * a * b / (a + b);
        Self { spread: spread.max(0.0), ..rest }
    }
}

/// The mean has moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moved {
    /// Mean of the numbers that were dropped.
    pub before: f64,
    /// Mean of those that are left.
    pub after: f64,
}

impl Adwin {
    /// Takes a finite number; `confidence` is the chance that a calm stream is said to move. Returns how
    /// far apart the two most different parts are, over the bound from which on they are taken as
    /// different (negative if the mean falls; 0 while nothing is compared), and whether the mean has moved.
    pub fn push(&mut self, x: f64, confidence: f64) -> (f64, Option<Moved>) {
        self.insert(Bucket { sum: x, spread: 0.0 });
        self.total = self.total.and(Moments { n: 1, sum: x, spread: 0.0 });
        if self.total.n < NUMBERS_MIN {
            return (0.0, None);
        }
        let (ratio, cut) = self.best_cut(confidence);
        let moved = cut.map(|(newer, moved)| {
            while self.total.n > newer {
                self.drop_oldest();
            }
            moved
        });
        (ratio, moved)
    }

    /// Numbers in the window.
    #[cfg(test)]
    pub fn len(&self) -> u32 {
        self.total.n
    }

    fn insert(&mut self, bucket: Bucket) {
        let mut carried = Some(bucket);
        for i in 0.. {
            let Some(bucket) = carried.take() else { return };
            if i == self.sizes.len() {
                self.sizes.push(Vec::with_capacity(PER_SIZE + 1));
            }
            self.sizes[i].insert(0, bucket);
            if self.sizes[i].len() <= PER_SIZE {
                return;
            }
            let n = 1 << i;
            let merged = [self.sizes[i].pop(), self.sizes[i].pop()]
                .into_iter()
                .flatten()
                .fold(Moments::default(), |sum, bucket| sum.and(Moments::of(bucket, n)));
            if i + 1 == SIZES_MAX {
                // The oldest numbers of a very long calm are forgotten.
                self.total = self.total.without(merged);
                return;
            }
            carried = Some(Bucket { sum: merged.sum, spread: merged.spread });
        }
    }

    /// The largest difference of means over its bound, and the cut whose sides differ most beyond the
    /// bound, if any do: numbers behind it, means.
    fn best_cut(&self, confidence: f64) -> (f64, Option<(u32, Moved)>) {
        let n = f64::from(self.total.n);
        let variance = self.total.spread / n;
        let l = (2.0 * n.ln() / confidence).ln();
        let (mut old, mut best, mut most, mut ratio) = (Moments::default(), None, 1e-9, 0.0_f64);
        let buckets = |(i, of_size): (usize, &Vec<Bucket>)| {
            of_size.iter().rev().map(|b| Moments::of(*b, 1 << i)).collect::<Vec<_>>()
        };
        for bucket in self.sizes.iter().enumerate().rev().flat_map(buckets) {
            old = old.and(bucket);
            let left = self.total.n - old.n;
            if old.n < SIDE_MIN || left < SIDE_MIN {
                continue;
            }
            let (before, after) = (old.mean(), (self.total.sum - old.sum) / f64::from(left));
            let m = 1.0 / (1.0 / f64::from(old.n) + 1.0 / f64::from(left));
            let bound = (2.0 * variance * l / m).sqrt() + 2.0 * variance.sqrt() * l / m;
            if (before - after).abs() > ratio.abs() * bound && bound > 0.0 {
                ratio = (after - before) / bound;
            }
            let beyond = (before - after).abs() - bound;
            if beyond > most {
                (most, best) = (beyond, Some((left, Moved { before, after })));
            }
        }
        (ratio, best)
    }

    fn drop_oldest(&mut self) {
        while let Some(mut last) = self.sizes.pop() {
            let Some(bucket) = last.pop() else { continue };
            let part = Moments::of(bucket, 1 << self.sizes.len());
            self.sizes.push(last);
            self.total = self.total.without(part);
            return;
        }
        self.total = Moments::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn noise(rng: &mut impl Rng) -> f64 {
        (0..12).map(|_| rng.r#gen::<f64>()).sum::<f64>() - 6.0
    }

    #[test]
    fn a_step_is_found_soon_and_its_sides_are_told() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut window = Adwin::default();
        for _ in 0..1_000 {
            window.push(noise(&mut rng), 1e-4);
        }
        let found = (0..200).find_map(|i| Some((i, window.push(2.0 + noise(&mut rng), 1e-4).1?)));
        let (delay, moved) = found.expect("two standard deviations are found");
        let calm = window.push(2.0 + noise(&mut rng), 1e-4);
        assert!(calm.1.is_none() && calm.0.abs() < 1.0, "what is past is not told: {calm:?}");
        assert!(delay < 40, "{delay}");
        assert!(moved.before.abs() < 0.3 && moved.after > 1.5, "{moved:?}");
    }

    #[test]
    fn calm_streams_are_left_alone() {
        let mut alarms = 0;
        for seed in 0..20 {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut window = Adwin::default();
            alarms +=
                (0..2_000).filter(|_| window.push(noise(&mut rng), 0.002).1.is_some()).count();
        }
        assert!(alarms <= 1, "{alarms} in 20 calm streams");
        let mut constant = Adwin::default();
        assert!((0..500).all(|_| constant.push(3.0, 0.002) == (0.0, None)));
        assert!((0..40).any(|_| constant.push(3.1, 0.002).1.is_some()), "a constant that moves");
    }

    #[test]
    fn the_moments_are_those_of_the_window_and_memory_is_bounded() {
        let mut window = Adwin::default();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let all: Vec<f64> = (0..5_000).map(|_| noise(&mut rng)).collect();
        assert_eq!(all.iter().filter_map(|x| window.push(*x, 1e-9).1).count(), 0);
        let kept = &all[all.len() - window.len() as usize..];
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        let spread: f64 = kept.iter().map(|x| (x - mean).powi(2)).sum();
        assert!((window.total.mean() - mean).abs() < 1e-9);
        assert!((window.total.spread / spread - 1.0).abs() < 1e-9);
        assert!(window.sizes.iter().all(|buckets| buckets.len() <= PER_SIZE));
        assert!(window.sizes.len() <= SIZES_MAX);
    }
}
