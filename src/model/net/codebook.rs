//! The code of a vector-quantised autoencoder (van den Oord, Vinyals and Kavukcuoglu, "Neural
//! Discrete Representation Learning", NeurIPS 2017; the book by moving averages: its appendix A.1).

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::KMeans;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use crate::model::VqVaeParams;

/// Keeps the average of a vector that was never chosen finite.
const COUNT_MIN: f32 = 1e-5;
const KMEANS_ROUNDS: u64 = 20;

/// A book of `n` vectors of `p` numbers. A code of `groups * p` numbers is cut into groups, and
/// each is replaced by its nearest vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::model) struct Codebook {
    /// `(n, p)`
    vectors: Array2<f32>,
    /// Moving averages of how often each vector is chosen in a step, `(n,)`, and of the sum of
    /// what chose it, `(n, p)`.
    counts: Array1<f32>,
    sums: Array2<f32>,
    /// Whether the vectors come from data.
    started: bool,
}

impl Codebook {
    pub(super) fn new(codes: usize, part: usize) -> Self {
        let vectors = Array2::zeros((codes, part));
        Self { sums: vectors.clone(), counts: Array1::zeros(codes), vectors, started: false }
    }

    /// A book of given vectors.
    #[cfg(test)]
    pub(super) fn of(vectors: Array2<f32>) -> Self {
        let counts = Array1::ones(vectors.nrows());
        Self { sums: vectors.clone(), counts, vectors, started: true }
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        let standard = self.vectors.is_standard_layout() && self.sums.is_standard_layout();
        let shape = |book: &Self| (book.vectors.dim(), book.counts.dim(), book.sums.dim());
        standard && shape(self) == shape(other)
    }

    /// Whether the vectors come from data. Until then codes pass unchanged.
    pub(in crate::model) fn is_started(&self) -> bool {
        self.started
    }

    /// Numbers in a vector.
    pub(in crate::model) fn part(&self) -> usize {
        self.vectors.ncols()
    }

    /// `(n, p)`
    pub(super) fn vectors(&self) -> &Array2<f32> {
        &self.vectors
    }

    /// Gives each vector the number of the nearest one in `reference` that is still free, those that
    /// are chosen most first. `told` are the vectors in the coordinates of `reference`, all `(n, p)`.
    pub(super) fn renumber(&mut self, told: &Array2<f32>, reference: &Array2<f32>) {
        let n = self.counts.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| self.counts[*b].total_cmp(&self.counts[*a]));
        let mut from = vec![None; n];
        for is in order {
            let distance = |was: usize| -> f32 {
                told.row(is).iter().zip(reference.row(was)).map(|(a, b)| (a - b) * (a - b)).sum()
            };
            let free = (0..n).filter(|was| from[*was].is_none());
            let nearest = free.min_by(|a, b| {
                // Of equals it keeps its own.
                distance(*a).total_cmp(&distance(*b)).then((*a != is).cmp(&(*b != is)))
            });
            if let Some(was) = nearest {
                from[was] = Some(is);
            }
        }
        let from: Vec<usize> = from.into_iter().flatten().collect();
        self.vectors = self.vectors.select(Axis(0), &from);
        self.counts = self.counts.select(Axis(0), &from);
        self.sums = self.sums.select(Axis(0), &from);
    }

    /// Groups in a code of `latent` numbers.
    pub(super) fn groups(&self, latent: usize) -> usize {
        latent / self.vectors.ncols()
    }

    /// Effective number of vectors in use: `exp` of the entropy of their shares; 1 to `n`. `None`
    /// before the book has started.
    pub(in crate::model) fn perplexity(&self) -> Option<f64> {
        let total: f64 = self.counts.iter().map(|c| f64::from(*c)).sum();
        let shares = self.counts.iter().map(|c| f64::from(*c) / total).filter(|p| *p > 0.0);
        self.started.then(|| shares.map(|p| -p * p.ln()).sum::<f64>().exp())
    }

    /// Index of the vector nearest to `part`; the first of equals.
    fn nearest(&self, part: ArrayView1<'_, f32>) -> usize {
        let distance = |vector: ArrayView1<'_, f32>| -> f32 {
            vector.iter().zip(part).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let mut best = (0, f32::INFINITY);
        for (i, vector) in self.vectors.rows().into_iter().enumerate() {
            let distance = distance(vector);
            if distance < best.1 {
                best = (i, distance);
            }
        }
        best.0
    }

    /// Writes the nearest vectors of the codes `encoded` `(b, k)` into `z`, and their indices into
    /// `picks`, `b * groups` of them.
    pub(super) fn quantise(
        &self,
        encoded: ArrayView2<'_, f32>,
        mut z: ArrayViewMut2<'_, f32>,
        picks: &mut [u32],
    ) {
        if !self.started {
            z.assign(&encoded);
            return;
        }
        let part = self.vectors.ncols();
        let groups = self.groups(encoded.ncols());
        for (i, (encoded, mut z)) in encoded.rows().into_iter().zip(z.rows_mut()).enumerate() {
            let chunks = encoded.axis_chunks_iter(Axis(0), part);
            let into = z.axis_chunks_iter_mut(Axis(0), part);
            for (g, (encoded, mut z)) in chunks.zip(into).enumerate() {
                let pick = self.nearest(encoded);
                z.assign(&self.vectors.row(pick));
                picks[i * groups + g] = pick as u32;
            }
        }
    }

    /// Puts the vectors where codes are: k-means on `parts` `(m, p)`.
    pub(in crate::model) fn start(&mut self, parts: &Array2<f32>, rng: &mut Xoshiro256PlusPlus) {
        let (n, m) = (self.vectors.nrows(), parts.nrows());
        if m == 0 {
            return;
        }
        let fitted = (m > n)
            .then(|| {
                let data = DatasetBase::from(parts.mapv(f64::from));
                let params = KMeans::params_with_rng(n, rng.clone());
                params.max_n_iterations(KMEANS_ROUNDS).n_runs(1).fit(&data).ok()
            })
            .flatten();
        for (i, mut vector) in self.vectors.rows_mut().into_iter().enumerate() {
            match &fitted {
                Some(means) => vector.assign(&means.centroids().row(i).mapv(|v| v as f32)),
                None => vector.assign(&parts.row(rng.gen_range(0..m))),
            }
        }
        self.counts.fill(1.0);
        self.sums.assign(&self.vectors);
        self.started = true;
    }

    /// Moves each vector to the moving average of what chose it in a step, and puts vectors that
    /// nothing chooses where a present code is.
    pub(in crate::model) fn learn(
        &mut self,
        encoded: ArrayView2<'_, f32>,
        picks: &[u32],
        params: &VqVaeParams,
        rng: &mut Xoshiro256PlusPlus,
    ) {
        let (part, keep) = (self.vectors.ncols(), params.decay.get() as f32);
        self.counts *= keep;
        self.sums *= keep;
        let parts = encoded.rows().into_iter().flat_map(|row| row.into_iter());
        for (at, value) in parts.enumerate() {
            let (pick, cell) = (picks[at / part] as usize, at % part);
            self.sums[(pick, cell)] += (1.0 - keep) * value;
            if cell == 0 {
                self.counts[pick] += 1.0 - keep;
            }
        }
        let fair = self.counts.sum() / self.counts.len() as f32;
        let chosen_by_none = params.revive_below.get() as f32 * fair;
        for i in 0..self.counts.len() {
            if self.counts[i] < chosen_by_none {
                let row = rng.gen_range(0..encoded.nrows());
                let from = rng.gen_range(0..encoded.ncols() / part) * part;
                let present = encoded.slice(ndarray::s![row, from..from + part]);
                self.sums.row_mut(i).zip_mut_with(&present, |sum, v| *sum = v * fair);
                self.counts[i] = fair;
            }
            let count = self.counts[i].max(COUNT_MIN);
            let (mut vector, sum) = (self.vectors.row_mut(i), self.sums.row(i));
            vector.iter_mut().zip(sum).for_each(|(v, s)| *v = s / count);
        }
    }
}

/// The pull of the codes towards their vectors: its loss, and its gradient added to `delta`.
/// `commitment` is the weight of the mean squared distance.
pub(super) fn commit(
    encoded: ArrayView2<'_, f32>,
    z: ArrayView2<'_, f32>,
    commitment: f32,
    mut delta: ArrayViewMut2<'_, f32>,
) -> f64 {
    let cells = encoded.len().max(1) as f32;
    let mut sum = 0.0_f64;
    ndarray::Zip::from(&mut delta).and(encoded).and(z).for_each(|delta, e, z| {
        let distance = e - z;
        sum += f64::from(distance * distance);
        *delta += 2.0 * commitment / cells * distance;
    });
    f64::from(commitment) * sum / f64::from(cells)
}
