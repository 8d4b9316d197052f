//! The sums behind a ridge regression of several horizons, and its solution.

use serde::{Deserialize, Serialize};

use super::Factor;
use crate::record::raw;

/// Penalty on the intercept, in the penalties of the other features.
const INTERCEPT: f64 = 1e-5;
/// Penalty on each feature that a horizon has for itself, relative to the shared ones.
const OWN: f64 = 3e-3;
/// Weights of new origins grow instead of all sums shrinking; at this size everything is scaled down.
const WEIGHT_MAX: f64 = 1e9;

/// Discounted sums of products of `p` shared features, `g` own features of each of `h` horizons, and
/// the targets. The first shared feature is the intercept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::forecast) struct Sums {
    p: usize,
    g: usize,
    h: usize,
    /// `F'F`, its lower triangle row by row, `(p (p + 1) / 2,)`.
    #[serde(with = "raw::f64s")]
    ff: Vec<f64>,
    /// `F'G`, `(p, h * g)`.
    #[serde(with = "raw::f64s")]
    fg: Vec<f64>,
    /// `F'Y`, `(p, h)`.
    #[serde(with = "raw::f64s")]
    fy: Vec<f64>,
    /// `G'G`, `(h, g, g)`.
    #[serde(with = "raw::f64s")]
    gg: Vec<f64>,
    /// `G'Y`, `(h, g)`.
    #[serde(with = "raw::f64s")]
    gy: Vec<f64>,
    weight: f64,
    count: u64,
}

/// What a ridge regression has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::forecast) struct Weights {
    /// Of the shared features, `(p, h)`.
    #[serde(with = "raw::f64s")]
    shared: Vec<f64>,
    /// Of the own features, `(h, g)`.
    #[serde(with = "raw::f64s")]
    own: Vec<f64>,
    g: usize,
    h: usize,
}

impl Sums {
    pub(in crate::forecast) fn new(p: usize, g: usize, h: usize) -> Self {
        let zeros = |n: usize| vec![0.0; n];
        Self {
            p,
            g,
            h,
            ff: zeros(p * (p + 1) / 2),
            fg: zeros(p * h * g),
            fy: zeros(p * h),
            gg: zeros(h * g * g),
            gy: zeros(h * g),
            weight: 1.0,
            count: 0,
        }
    }

    /// Empty sums of the same shape.
    pub(in crate::forecast) fn new_like(other: &Self) -> Self {
        Self::new(other.p, other.g, other.h)
    }

    /// Whether both are of one shape.
    pub(in crate::forecast) fn is_like(&self, other: &Self) -> bool {
        let shape =
            |s: &Self| [s.p, s.g, s.h, s.ff.len(), s.fg.len(), s.fy.len(), s.gg.len(), s.gy.len()];
        shape(self) == shape(other)
    }

    /// Origins taken.
    pub(in crate::forecast) fn count(&self) -> u64 {
        self.count
    }

    /// The next origin weighs more than all before it, by `growth >= 1`.
    pub(in crate::forecast) fn grow(&mut self, growth: f64) {
        self.weight *= growth;
        if self.weight > WEIGHT_MAX {
            let down = 1.0 / self.weight;
            let all = [&mut self.ff, &mut self.fg, &mut self.fy, &mut self.gg, &mut self.gy];
            all.into_iter().flatten().for_each(|x| *x *= down);
            self.weight = 1.0;
        }
    }

    /// Takes an origin: shared features `f` `(p,)`, own ones `own` `(h, g)`, targets `y` `(h,)`.
    pub(in crate::forecast) fn learn(&mut self, f: &[f64], own: &[f64], y: &[f64]) {
        self.count += 1;
        let Self { g, h, ff, fg, fy, gg, gy, weight, .. } = self;
        for (i, x) in f.iter().enumerate() {
            let x = x * *weight;
            add(&mut ff[i * (i + 1) / 2..][..=i], x, &f[..=i]);
            add(&mut fg[i * *h * *g..][..*h * *g], x, own);
            add(&mut fy[i * *h..][..*h], x, y);
        }
        for (k, own) in own.chunks_exact((*g).max(1)).enumerate() {
            for (i, x) in own.iter().enumerate() {
                let x = x * *weight;
                add(&mut gg[(k * *g + i) * *g..][..=i], x, &own[..=i]);
                gy[k * *g + i] += x * y[k];
            }
        }
    }

    /// The weights with the least penalised error:
    /// `Σ w |y - F x₁ - G x₂|² + λ |x₁|² + 0.003 λ |x₂|²`, by blocks: one factor serves all horizons.
    /// `None` if the sums are not positive definite.
    pub(in crate::forecast) fn solve(&self, penalty: f64) -> Option<Weights> {
        let Self { p, g, h, .. } = *self;
        let unit = penalty * self.weight;
        let mut a = vec![0.0; p * p];
        for i in 0..p {
            a[i * p..][..=i].copy_from_slice(&self.ff[i * (i + 1) / 2..][..=i]);
            a[i * p + i] += if i == 0 { INTERCEPT * unit } else { unit };
        }
        let factor = Factor::new(a, p)?;
        let mut shared = self.fy.clone();
        factor.solve(&mut shared, h);
        if g == 0 {
            return Some(Weights { shared, own: Vec::new(), g, h });
        }
        let mut inner = self.fg.clone();
        factor.solve(&mut inner, h * g);
        let mut own = vec![0.0; h * g];
        for k in 0..h {
            let solved = self.own_weights(k, &inner, &shared, OWN * unit)?;
            for i in 0..p {
                let row = &inner[i * h * g + k * g..][..g];
                shared[i * h + k] -= row.iter().zip(&solved).map(|(a, x)| a * x).sum::<f64>();
            }
            own[k * g..(k + 1) * g].copy_from_slice(&solved);
        }
        Some(Weights { shared, own, g, h })
    }

    /// `(G'G + Λ - C'A⁻¹C)⁻¹ (G'Y - C'A⁻¹F'Y)` of horizon `k`, with `C = F'G`.
    fn own_weights(
        &self,
        k: usize,
        inner: &[f64],
        first: &[f64],
        penalty: f64,
    ) -> Option<Vec<f64>> {
        let Self { p, g, h, .. } = *self;
        let mut s = self.gg[k * g * g..(k + 1) * g * g].to_vec();
        let mut right = self.gy[k * g..(k + 1) * g].to_vec();
        for i in 0..p {
            let c = &self.fg[i * h * g + k * g..][..g];
            let ac = &inner[i * h * g + k * g..][..g];
            for (a, c) in c.iter().enumerate() {
                add(&mut s[a * g..=a * g + a], -c, &ac[..=a]);
                right[a] -= c * first[i * h + k];
            }
        }
        (0..g).for_each(|a| s[a * g + a] += penalty);
        Factor::new(s, g)?.solve(&mut right, 1);
        Some(right)
    }

    pub(in crate::forecast) fn state_bytes(&self) -> usize {
        let Self { ff, fg, fy, gg, gy, .. } = self;
        8 * [ff, fg, fy, gg, gy].map(|v| v.len()).iter().sum::<usize>()
    }
}

impl Weights {
    /// Weights that were found elsewhere: `shared` `(p, h)`, `own` `(h, g)`.
    pub(in crate::forecast) fn from_parts(shared: Vec<f64>, own: Vec<f64>, g: usize) -> Self {
        let h = own.len().checked_div(g).unwrap_or(0);
        Self { shared, own, g, h }
    }

    /// Adds the forecasts of all horizons to `out` `(h,)`.
    pub(in crate::forecast) fn add_to(&self, f: &[f64], own: &[f64], out: &mut [f64]) {
        for (x, row) in f.iter().zip(self.shared.chunks_exact(self.h)) {
            add(out, *x, row);
        }
        let g = self.g.max(1);
        let parts = own.chunks_exact(g).zip(self.own.chunks_exact(g));
        for (y, (own, weights)) in out.iter_mut().zip(parts) {
            *y += own.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>();
        }
    }

    /// Whether they are of `p` shared features and the shape of `sums`.
    pub(in crate::forecast) fn fit(&self, sums: &Sums) -> bool {
        self.h == sums.h
            && self.g == sums.g
            && self.shared.len() == sums.p * sums.h
            && self.own.len() == sums.h * sums.g
    }

    pub(in crate::forecast) fn state_bytes(&self) -> usize {
        8 * (self.shared.len() + self.own.len())
    }
}

fn add(to: &mut [f64], factor: f64, row: &[f64]) {
    to.iter_mut().zip(row).for_each(|(t, x)| *t += factor * x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// By blocks or all at once: the solution of one ordinary ridge regression per horizon.
    #[test]
    fn blocks_solve_the_normal_equations_of_each_horizon() {
        let (p, g, h, growth, penalty) = (4, 2, 3, 1.01, 2.0);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut sums = Sums::new(p, g, h);
        let mut rows = Vec::new();
        for _ in 0..60 {
            let mut draw = |n: usize| (0..n).map(|_| rng.gen_range(-1.0..1.0)).collect::<Vec<_>>();
            let (mut f, own, y) = (draw(p), draw(h * g), draw(h));
            f[0] = 1.0;
            sums.grow(growth);
            sums.learn(&f, &own, &y);
            rows.push((f, own, y));
        }
        let weights = sums.solve(penalty).expect("positive definite");
        for k in 0..h {
            let n = p + g;
            let (mut a, mut b) = (vec![0.0; n * n], vec![0.0; n]);
            for (age, (f, own, y)) in rows.iter().rev().enumerate() {
                let x: Vec<f64> = f.iter().chain(&own[k * g..(k + 1) * g]).copied().collect();
                let w = f64::powi(1.0 / growth, age as i32);
                for i in 0..n {
                    (0..n).for_each(|j| a[i * n + j] += w * x[i] * x[j]);
                    b[i] += w * x[i] * y[k];
                }
            }
            let own = |i: usize| {
                if i == 0 {
                    INTERCEPT
                } else if i < p {
                    1.0
                } else {
                    OWN
                }
            };
            (0..n).for_each(|i| a[i * n + i] += penalty * own(i));
            Factor::new(a, n).expect("positive definite").solve(&mut b, 1);
            let mut said = vec![0.0; h];
            let (f, own, _) = &rows[7];
            weights.add_to(f, own, &mut said);
            let wanted: f64 = f.iter().chain(&own[k * g..]).zip(&b).map(|(x, w)| x * w).sum();
            assert!((said[k] - wanted).abs() < 1e-9, "{} {wanted}", said[k]);
        }
    }

    #[test]
    fn weights_of_a_long_stream_stay_finite_and_forget() {
        let mut sums = Sums::new(2, 0, 1);
        for i in 0..100_000 {
            sums.grow(1.01);
            let x = f64::from(i % 7) - 3.0;
            sums.learn(&[1.0, x], &[], &[if i < 50_000 { 1.0 } else { 2.0 * x }]);
        }
        let weights = sums.solve(0.01).expect("positive definite");
        let mut said = [0.0];
        weights.add_to(&[1.0, 2.0], &[], &mut said);
        assert!((said[0] - 4.0).abs() < 1e-3, "{said:?}");
    }
}
