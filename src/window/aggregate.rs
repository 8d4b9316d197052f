//! One cell of an open row: several values of one channel become one.

use serde::{Deserialize, Serialize};

use super::Aggregate;

/// The running aggregate of one channel in one row.
///
/// The value of the newest instant is kept apart from the rest, so that a second record of the
/// same instant can replace it ("last wins"). A repetition of an older instant cannot be told from
/// a new value and is folded in.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Cell {
    folded: f64,
    folded_count: u32,
    newest: f64,
    newest_time: i64,
}

impl Cell {
    pub(super) const EMPTY: Self =
        Self { folded: f64::NAN, folded_count: 0, newest: f64::NAN, newest_time: i64::MIN };

    /// Adds an observed value of instant `time`.
    pub(super) fn add(&mut self, how: Aggregate, time: i64, value: f64) {
        if self.newest.is_nan() || time == self.newest_time {
            (self.newest, self.newest_time) = (value, time);
        } else if self.newest_time < time {
            self.fold(how, self.newest);
            (self.newest, self.newest_time) = (value, time);
        } else {
            self.fold(how, value);
        }
    }

    fn fold(&mut self, how: Aggregate, value: f64) {
        self.folded = if self.folded_count == 0 { value } else { combine(how, self.folded, value) };
        self.folded_count += 1;
    }

    /// The aggregate; NaN if nothing was observed (0 for `count`).
    pub(super) fn value(&self, how: Aggregate) -> f64 {
        let count = f64::from(self.folded_count) + if self.newest.is_nan() { 0.0 } else { 1.0 };
        match how {
            Aggregate::Count => count,
            Aggregate::Last => self.newest,
            _ if self.folded_count == 0 => self.newest,
            Aggregate::Mean => (self.folded + self.newest) / count,
            Aggregate::Sum | Aggregate::Min | Aggregate::Max => {
                combine(how, self.folded, self.newest)
            }
        }
    }
}

fn combine(how: Aggregate, a: f64, b: f64) -> f64 {
    match how {
        Aggregate::Mean | Aggregate::Sum => a + b,
        Aggregate::Min => a.min(b),
        Aggregate::Max => a.max(b),
        Aggregate::Last | Aggregate::Count => b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_aggregate_of_out_of_order_values_with_one_repeated_instant() {
        #[rustfmt::skip]
        let cases = [
            (Aggregate::Last,  7.0),
            (Aggregate::Mean,  (4.0 + 1.0 + 7.0) / 3.0),
            (Aggregate::Sum,  12.0),
            (Aggregate::Min,   1.0),
            (Aggregate::Max,   7.0),
            (Aggregate::Count, 3.0),
        ];
        for (how, expected) in cases {
            let mut cell = Cell::EMPTY;
            // 9.0 at instant 30 is replaced by 7.0 of the same instant.
            for (time, value) in [(10, 4.0), (30, 9.0), (20, 1.0), (30, 7.0)] {
                cell.add(how, time, value);
            }
            assert_eq!(cell.value(how), expected, "{how:?}");
        }
    }

    #[test]
    fn nothing_observed_is_missing_but_counts_zero() {
        assert!(Cell::EMPTY.value(Aggregate::Mean).is_nan());
        assert_eq!(Cell::EMPTY.value(Aggregate::Count), 0.0);
    }
}
