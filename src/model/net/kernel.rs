//! Matrix products of small, dense, row-major matrices, without allocation.
//!
//! Networks here have layers of some dozens of neurons: general libraries spend as much time on packing
//! and dispatch as on the products, and take memory for each. Vector instructions are chosen when
//! the program runs. Each number of a result is summed in the order of the inner index, whatever
//! the number of rows: a row of a batch has the bits that it has alone.

use std::sync::LazyLock;

use ndarray::{ArrayView2, ArrayViewMut2};
use pulp::{Arch, Simd, WithSimd};

/// What this processor can do.
pub(in crate::model) static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

const ROW_MAJOR: &str = "matrices are whole and row-major";

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    /// Nothing.
    Zero,
    /// The same row for all rows, `(n,)`.
    Row(&'a [f32]),
    /// What is there.
    Sum,
}

/// `y = start + x · w`, with `x` `(b, m)`, `w` `(m, n)` and `y` `(b, n)`.
pub(super) fn multiply(
    x: ArrayView2<'_, f32>,
    w: ArrayView2<'_, f32>,
    start: Start<'_>,
    y: ArrayViewMut2<'_, f32>,
) {
    let steps = (x.ncols(), 1);
    product(x.as_slice().expect(ROW_MAJOR), steps, (x.ncols(), w), start, y);
}

/// `y = x' · d`, with `x` `(b, m)`, `d` `(b, n)` and `y` `(m, n)`.
pub(super) fn multiply_transposed(
    x: ArrayView2<'_, f32>,
    d: ArrayView2<'_, f32>,
    y: ArrayViewMut2<'_, f32>,
) {
    let steps = (1, x.ncols());
    product(x.as_slice().expect(ROW_MAJOR), steps, (x.nrows(), d), Start::Zero, y);
}

/// Writes `w'` `(n, m)` of `w` `(m, n)` into the first `m * n` numbers of `scratch`.
pub(super) fn transpose<'a>(w: ArrayView2<'_, f32>, scratch: &'a mut [f32]) -> ArrayView2<'a, f32> {
    let (m, n) = w.dim();
    let scratch = &mut scratch[..m * n];
    for (i, row) in w.as_slice().expect(ROW_MAJOR).chunks_exact(n.max(1)).enumerate() {
        for (to, v) in scratch[i.min(m * n)..].iter_mut().step_by(m.max(1)).zip(row) {
            *to = *v;
        }
    }
    ArrayView2::from_shape((n, m), scratch).expect("as many numbers as cells")
}

fn product(
    a: &[f32],
    a_steps: (usize, usize),
    (inner, b): (usize, ArrayView2<'_, f32>),
    start: Start<'_>,
    mut c: ArrayViewMut2<'_, f32>,
) {
    let columns = c.ncols();
    assert_eq!(b.dim(), (inner, columns), "shapes of a product");
    let b = b.as_slice().expect(ROW_MAJOR);
    let c = c.as_slice_mut().expect(ROW_MAJOR);
    ARCH.dispatch(Product { a, a_steps, b, start, c, columns });
}

/// `c = start + a · b`; `a(i, k)` is at `i * a_steps.0 + k * a_steps.1`.
struct Product<'a> {
    a: &'a [f32],
    a_steps: (usize, usize),
    b: &'a [f32],
    start: Start<'a>,
    c: &'a mut [f32],
    columns: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, n) = (S::F32_LANES, self.columns);
        let rows = self.c.len() / n.max(1);
        let mut i = 0;
        while i < rows {
            let four = i + 4 <= rows;
            let mut j = 0;
            while j < n {
                let vectors = (n - j) / lanes;
                j += match (four, vectors) {
                    (true, 2..) => self.tile::<S, 4, 2>(simd, i, j),
                    (true, 1) => self.tile::<S, 4, 1>(simd, i, j),
                    (true, 0) => self.edge::<S, 4>(simd, i, j),
                    (false, 4..) => self.tile::<S, 1, 4>(simd, i, j),
                    (false, 1..) => self.tile::<S, 1, 1>(simd, i, j),
                    (false, 0) => self.edge::<S, 1>(simd, i, j),
                };
            }
            i += if four { 4 } else { 1 };
        }
    }
}

impl Product<'_> {
    /// `R` rows of `V` vectors; returns the number of columns.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        i: usize,
        j: usize,
    ) -> usize {
        let (n, lanes) = (self.columns, S::F32_LANES);
        let width = V * lanes;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for (r, sums) in sums.iter_mut().enumerate() {
            let from = match self.start {
                Start::Zero => continue,
                Start::Row(row) => &row[j..j + width],
                Start::Sum => &self.c[(i + r) * n + j..][..width],
            };
            sums.copy_from_slice(S::as_simd_f32s(from).0);
        }
        let (row_step, inner_step) = self.a_steps;
        let a = &self.a[i * row_step..];
        for (k, b) in self.b.chunks_exact(n).enumerate() {
            let b = S::as_simd_f32s(&b[j..j + width]).0;
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = simd.splat_f32s(a[r * row_step + k * inner_step]);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_f32s(x, *b, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let to = &mut self.c[(i + r) * n + j..][..width];
            S::as_mut_simd_f32s(to).0.copy_from_slice(sums);
        }
        width
    }

    /// `R` rows of the last columns, fewer than a vector.
    #[inline(always)]
    fn edge<S: Simd, const R: usize>(&mut self, simd: S, i: usize, j: usize) -> usize {
        let n = self.columns;
        let mut sums = [simd.splat_f32s(0.0); R];
        for (r, sum) in sums.iter_mut().enumerate() {
            match self.start {
                Start::Zero => {}
                Start::Row(row) => *sum = simd.partial_load_f32s(&row[j..]),
                Start::Sum => {
                    *sum = simd.partial_load_f32s(&self.c[(i + r) * n + j..(i + r + 1) * n])
                }
            }
        }
        let (row_step, inner_step) = self.a_steps;
        let a = &self.a[i * row_step..];
        for (k, b) in self.b.chunks_exact(n).enumerate() {
            let b = simd.partial_load_f32s(&b[j..]);
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = simd.splat_f32s(a[r * row_step + k * inner_step]);
                *sum = simd.mul_add_f32s(x, b, *sum);
            }
        }
        for (r, sum) in sums.into_iter().enumerate() {
            simd.partial_store_f32s(&mut self.c[(i + r) * n + j..(i + r + 1) * n], sum);
        }
        n - j
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, s};

    fn wave(rows: usize, columns: usize, seed: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 13 + seed) as f32).sin())
    }

    #[test]
    fn products_are_those_of_the_definition_for_all_shapes() {
        for b in [1, 2, 4, 5, 9] {
            for m in [1, 3, 8, 17] {
                for n in [1, 7, 8, 9, 16, 31, 40] {
                    let (x, w, d) = (wave(b, m, 1), wave(m, n, 2), wave(b, n, 3));
                    let row: Array1<f32> = w.row(0).mapv(|v| v + 0.5);
                    let close = |ours: &Array2<f32>, theirs: Array2<f32>| {
                        assert!((ours - &theirs).iter().all(|e| e.abs() < 1e-4), "{b} {m} {n}");
                    };
                    let mut y = Array2::from_elem((b, n), f32::NAN);
                    let bias = row.as_slice().expect("a row");
                    multiply(x.view(), w.view(), Start::Row(bias), y.view_mut());
                    close(&y, x.dot(&w) + &row);
                    multiply(x.view(), w.view(), Start::Sum, y.view_mut());
                    close(&y, 2.0 * x.dot(&w) + &row);
                    let mut dw = Array2::from_elem((m, n), f32::NAN);
                    multiply_transposed(x.view(), d.view(), dw.view_mut());
                    close(&dw, x.t().dot(&d));
                    let mut scratch = vec![0.0; m * n + 3];
                    let turned = transpose(w.view(), &mut scratch);
                    assert_eq!(turned, w.t());
                    let mut dx = Array2::from_elem((b, m), f32::NAN);
                    multiply(d.view(), turned, Start::Zero, dx.view_mut());
                    close(&dx, d.dot(&w.t()));
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_batch() {
        let (x, w) = (wave(11, 37, 1), wave(37, 45, 2));
        let mut all = Array2::zeros((11, 45));
        multiply(x.view(), w.view(), Start::Zero, all.view_mut());
        for i in 0..11 {
            let mut one = Array2::zeros((1, 45));
            multiply(x.slice(s![i..=i, ..]), w.view(), Start::Zero, one.view_mut());
            assert_eq!(one.row(0), all.row(i));
        }
    }
}
