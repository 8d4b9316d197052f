//! Cholesky factors of small symmetric matrices, in double precision.

/// `L` with `A = L L'`, row-major `(n, n)`; only the lower triangle is used.
#[derive(Debug, Clone)]
pub(in crate::forecast) struct Factor {
    n: usize,
    l: Vec<f64>,
}

impl Factor {
    /// The factor of `a` `(n, n)`, of which the lower triangle is read; `None` if it is not
    /// positive definite.
    pub(in crate::forecast) fn new(mut a: Vec<f64>, n: usize) -> Option<Self> {
        assert_eq!(a.len(), n * n, "a square matrix");
        for i in 0..n {
            let (above, rest) = a.split_at_mut(i * n);
            let row = &mut rest[..n];
            for j in 0..i {
                let other = &above[j * n..j * n + n];
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let pivot = row[i] - dot(&row[..i], &row[..i]);
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            row[i] = pivot.sqrt();
        }
        Some(Self { n, l: a })
    }

    /// Puts `A⁻¹ B` in the place of `b` `(n, columns)`, row-major.
    pub(in crate::forecast) fn solve(&self, b: &mut [f64], columns: usize) {
        let n = self.n;
        assert_eq!(b.len(), n * columns, "as many rows as the matrix");
        for i in 0..n {
            let (done, rest) = b.split_at_mut(i * columns);
            let row = &mut rest[..columns];
            for j in 0..i {
                subtract(row, self.l[i * n + j], &done[j * columns..][..columns]);
            }
            row.iter_mut().for_each(|x| *x /= self.l[i * n + i]);
        }
        for i in (0..n).rev() {
            let (rest, done) = b.split_at_mut((i + 1) * columns);
            let row = &mut rest[i * columns..];
            for j in i + 1..n {
                subtract(row, self.l[j * n + i], &done[(j - i - 1) * columns..][..columns]);
            }
            row.iter_mut().for_each(|x| *x /= self.l[i * n + i]);
        }
    }
}

/// Four sums side by side: one would be a chain.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a4.zip(b4) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

fn subtract(row: &mut [f64], factor: f64, other: &[f64]) {
    row.iter_mut().zip(other).for_each(|(x, y)| *x -= factor * y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// `A (A⁻¹ b) = b` for random positive definite matrices.
        #[test]
        fn solutions_solve(n in 1_usize..9, seed in proptest::collection::vec(-1.0..1.0_f64, 100)) {
            let m = |i: usize, j: usize| seed[(i * 9 + j) % seed.len()];
            let cell = |i: usize, j: usize| {
                (0..9).map(|k| m(i, k) * m(j, k)).sum::<f64>() + if i == j { 0.5 } else { 0.0 }
            };
            let a: Vec<f64> = (0..n * n).map(|at| cell(at / n, at % n)).collect();
            let b: Vec<f64> = (0..2 * n).map(|at| seed[at]).collect();
            let mut x = b.clone();
            Factor::new(a.clone(), n).expect("positive definite").solve(&mut x, 2);
            for i in 0..n {
                for c in 0..2 {
                    let back: f64 = (0..n).map(|k| a[i * n + k] * x[2 * k + c]).sum();
                    prop_assert!((back - b[2 * i + c]).abs() < 1e-9, "{} {}", back, b[2 * i + c]);
                }
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        assert!(Factor::new(vec![1.0, 0.0, 2.0, 1.0], 2).is_none());
        assert!(Factor::new(vec![f64::NAN], 1).is_none());
    }
}
