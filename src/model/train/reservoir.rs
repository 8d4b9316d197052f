//! Past windows kept for replay, so that training on the newest ones does not forget the rest.

use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::record::raw;

/// At most `capacity` windows of `d` cells; once full, each new window replaces a random one.
///
/// Ages then follow a geometric distribution with mean `capacity` windows: recent behaviour
/// weighs more, old behaviour never vanishes at once (compare Vitter, "Random Sampling with a
/// Reservoir", 1985, which keeps all ages alike and would never let go of the past).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::model) struct Reservoir {
    capacity: usize,
    width: usize,
    #[serde(with = "raw::f32s")]
    cells: Vec<f32>,
}

impl Reservoir {
    pub(in crate::model) fn new(capacity: usize, width: usize) -> Self {
        Self { capacity, width, cells: Vec::new() }
    }

    /// These windows, as many as `fresh` may hold; `None` if they are of another width.
    pub(in crate::model) fn adopt(mut self, fresh: &Self) -> Option<Self> {
        let whole = self.width == fresh.width && self.cells.len().is_multiple_of(fresh.width);
        self.cells.truncate(fresh.capacity.saturating_mul(fresh.width));
        whole.then_some(Self { capacity: fresh.capacity, ..self })
    }

    /// Forgets all windows.
    pub(in crate::model) fn clear(&mut self) {
        self.cells.clear();
    }

    pub(in crate::model) fn len(&self) -> usize {
        self.cells.len() / self.width
    }

    /// All windows, `(n, width)`.
    pub(in crate::model) fn windows(&self) -> ArrayView2<'_, f32> {
        ArrayView2::from_shape((self.len(), self.width), &self.cells)
            .expect("whole windows are kept")
    }

    /// The first `cells` numbers of at most `most` windows of all ages, `(n, cells)`.
    pub(in crate::model) fn spread(&self, most: usize, cells: usize) -> Array2<f32> {
        let (all, n) = (self.windows(), self.len().min(most));
        let at: Vec<usize> = (0..n).map(|i| i * self.len() / n).collect();
        all.slice(s![.., ..cells]).select(Axis(0), &at)
    }

    /// All windows, one after the other.
    pub(in crate::model) fn cells(&self) -> &[f32] {
        &self.cells
    }

    pub(in crate::model) fn insert(&mut self, window: &[f32], rng: &mut impl Rng) {
        if self.len() < self.capacity {
            self.cells.extend(window);
            return;
        }
        let slot = rng.gen_range(0..self.capacity) * self.width;
        self.cells[slot..][..self.width].copy_from_slice(window);
    }

    /// Copies a random window into `out`; does nothing while empty.
    pub(in crate::model) fn sample(&self, mut out: ArrayViewMut1<'_, f32>, rng: &mut impl Rng) {
        if self.cells.is_empty() {
            return;
        }
        let slot = rng.gen_range(0..self.len()) * self.width;
        out.iter_mut().zip(&self.cells[slot..]).for_each(|(cell, v)| *cell = *v);
    }
}
