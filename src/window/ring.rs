//! The last rows of one series, standardised, ready to be read as a window.

use ndarray::ArrayViewMut1;
use serde::{Deserialize, Serialize};

use crate::record::{EventTime, raw};

/// Where a row of the ring came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMark {
    /// Start of the row.
    pub start: EventTime,
    /// Smallest offset of its records; `i64::MAX` for a gap.
    pub first_offset: i64,
    /// Largest offset of its records; `i64::MIN` for a gap.
    pub last_offset: i64,
}

impl RowMark {
    /// The mark of a row without records: neutral for the minimum and maximum of offsets.
    pub fn gap(start: EventTime) -> Self {
        Self { start, first_offset: i64::MAX, last_offset: i64::MIN }
    }
}

/// The newest `length` rows of `channels` values each; NaN where nothing was observed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WindowRing {
    length: usize,
    channels: usize,
    #[serde(with = "raw::f32s")]
    cells: Vec<f32>,
    #[serde(with = "marks")]
    marks: Vec<RowMark>,
    next: usize,
    observed: usize,
}

impl WindowRing {
    /// An empty ring.
    pub fn new(length: usize, channels: usize) -> Self {
        Self { length, channels, cells: Vec::new(), marks: Vec::new(), next: 0, observed: 0 }
    }

    /// These rows, if they are as wide and as many as `fresh` may hold.
    pub fn adopt(self, fresh: &Self) -> Option<Self> {
        let (length, channels) = (fresh.length, fresh.channels);
        let rows = self.marks.len();
        let same = (self.length, self.channels) == (length, channels);
        let whole = self.cells.len() == rows * channels && rows <= length && self.next < length;
        let observed = count_observed(&self.cells);
        let in_turn = self.next == 0 || rows == length;
        (same && whole && in_turn).then_some(Self { observed, ..self })
    }

    /// Appends a row of `channels` values, forgetting the oldest if the ring is full.
    pub fn push(&mut self, row: impl ExactSizeIterator<Item = f32>, mark: RowMark) {
        debug_assert_eq!(row.len(), self.channels);
        if self.marks.len() < self.length {
            self.marks.push(mark);
            let before = self.cells.len();
            self.cells.extend(row);
            self.observed += count_observed(&self.cells[before..]);
            return;
        }
        let cells = &mut self.cells[self.next * self.channels..][..self.channels];
        self.observed -= count_observed(cells);
        cells.iter_mut().zip(row).for_each(|(cell, value)| *cell = value);
        self.observed += count_observed(cells);
        self.marks[self.next] = mark;
        self.next = (self.next + 1) % self.length;
    }

    /// Whether `length` rows are there.
    pub fn is_full(&self) -> bool {
        self.marks.len() == self.length
    }

    /// Observed cells over all cells of a full window, 0 to 1.
    pub fn completeness(&self) -> f64 {
        self.observed as f64 / (self.length * self.channels) as f64
    }

    /// Writes the window, oldest row first, into `out` of shape `(length * channels,)`.
    pub fn copy_window(&self, mut out: ArrayViewMut1<'_, f32>) {
        let (newer, older) = self.cells.split_at(self.next * self.channels);
        for (cell, value) in out.iter_mut().zip(older.iter().chain(newer)) {
            *cell = *value;
        }
    }

    /// Mark of the oldest row.
    pub fn oldest(&self) -> Option<&RowMark> {
        if self.is_full() { self.marks.get(self.next) } else { self.marks.first() }
    }

    /// Mark of the newest row.
    pub fn newest(&self) -> Option<&RowMark> {
        if self.next == 0 { self.marks.last() } else { self.marks.get(self.next - 1) }
    }

    /// Smallest and largest offset of the records in the window.
    pub fn offsets(&self) -> Option<(i64, i64)> {
        let first = self.marks.iter().map(|mark| mark.first_offset).min()?;
        let last = self.marks.iter().map(|mark| mark.last_offset).max()?;
        (first <= last).then_some((first, last))
    }
}

/// Marks as three numbers each.
mod marks {
    use serde::{Deserializer, Serializer};

    use super::RowMark;
    use crate::record::{EventTime, raw};

    pub(super) fn serialize<S: Serializer>(
        marks: &[RowMark],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let numbers = |m: &RowMark| [m.start.as_millis(), m.first_offset, m.last_offset];
        raw::i64s::serialize(&marks.iter().flat_map(numbers).collect::<Vec<i64>>(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<RowMark>, D::Error> {
        let numbers: Vec<i64> = raw::i64s::deserialize(deserializer)?;
        let mark = |of: &[i64]| RowMark {
            start: EventTime::from_millis(of[0]),
            first_offset: of[1],
            last_offset: of[2],
        };
        Ok(numbers.chunks_exact(3).map(mark).collect())
    }
}

fn count_observed(cells: &[f32]) -> usize {
    cells.iter().filter(|cell| !cell.is_nan()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array1;

    fn mark(i: i64) -> RowMark {
        RowMark { start: EventTime::from_millis(i), first_offset: i * 10, last_offset: i * 10 + 1 }
    }

    #[test]
    fn a_window_is_the_newest_rows_oldest_first() {
        let mut ring = WindowRing::new(3, 2);
        for i in 0..5 {
            let second = if i == 3 { f32::NAN } else { -(i as f32) };
            ring.push([i as f32, second].into_iter(), mark(i));
        }
        let mut window = Array1::zeros(6);
        ring.copy_window(window.view_mut());
        let shown: Vec<String> = window.iter().map(|v: &f32| v.to_string()).collect();
        assert_eq!(shown, ["2", "-2", "3", "NaN", "4", "-4"]);
        assert_eq!(ring.completeness(), 5.0 / 6.0);
        assert_eq!(ring.oldest(), Some(&mark(2)));
        assert_eq!(ring.newest(), Some(&mark(4)));
        assert_eq!(ring.offsets(), Some((20, 41)));
        for i in 5..8 {
            ring.push([f32::NAN; 2].into_iter(), RowMark::gap(EventTime::from_millis(i)));
        }
        assert_eq!(ring.offsets(), None, "no record is behind a window of gaps");
    }
}
