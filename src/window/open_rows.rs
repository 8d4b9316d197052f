//! The rows of one series that the watermark has not passed yet.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::aggregate::Cell;
use super::{Aggregate, RowParams};
use crate::record::{EventTime, Placement, RecordRef, Step};

/// A row that will not change any more.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedRow {
    /// Start of the row.
    pub start: EventTime,
    /// One value per channel, NaN where nothing was observed.
    pub values: Vec<f64>,
    /// Smallest offset of the records in it.
    pub first_offset: i64,
    /// Largest offset of the records in it.
    pub last_offset: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct OpenRow {
    start: i64,
    cells: Vec<Cell>,
    newest_time: i64,
    first_offset: i64,
    last_offset: i64,
}

/// The open rows of one series, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OpenRows {
    rows: VecDeque<OpenRow>,
    closed: Option<Closed>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Closed {
    start: i64,
    newest_time: i64,
}

impl OpenRows {
    /// Puts a record into its row. The second value is the end of the row if the record opened it:
    /// the caller closes it when the watermark gets there.
    ///
    /// `watermark` is the one before this record was observed.
    pub fn insert(
        &mut self,
        params: &RowParams,
        record: &RecordRef<'_>,
        watermark: Option<EventTime>,
    ) -> (Placement, Option<EventTime>) {
        let time = record.time.as_millis();
        let (start, end) = params.step.row_of(record.time);
        let (start, end) = (start.as_millis(), end.as_millis());
        if let Some(closed) = self.closed.filter(|closed| start <= closed.start) {
            let repeated = time == closed.newest_time;
            return (if repeated { Placement::Duplicate } else { Placement::Late }, None);
        }
        if watermark.is_some_and(|w| time < w.as_millis() && end <= w.as_millis()) {
            return (Placement::Late, None);
        }
        let at = self.rows.partition_point(|row| row.start < start);
        let opened = self.rows.get(at).is_none_or(|row| row.start != start);
        if opened {
            self.rows.insert(at, OpenRow::new(start, record));
        }
        let row = &mut self.rows[at];
        let placement = row.add(&params.aggregates, record, opened);
        (placement, opened.then(|| EventTime::from_millis(end)))
    }

    /// Takes the oldest row if it ends at or before `time`.
    pub fn close_before(&mut self, params: &RowParams, time: EventTime) -> Option<ClosedRow> {
        let oldest = EventTime::from_millis(self.rows.front()?.start);
        if time < params.step.row_of(oldest).1 {
            return None;
        }
        self.close_oldest(&params.aggregates)
    }

    /// Takes the oldest row whatever the watermark says (the series holds too many).
    pub fn close_oldest(&mut self, aggregates: &[Aggregate]) -> Option<ClosedRow> {
        let row = self.rows.pop_front()?;
        self.closed = Some(Closed { start: row.start, newest_time: row.newest_time });
        Some(ClosedRow {
            start: EventTime::from_millis(row.start),
            values: row.cells.iter().zip(aggregates).map(|(c, how)| c.value(*how)).collect(),
            first_offset: row.first_offset,
            last_offset: row.last_offset,
        })
    }

    /// Whether all rows have `channels` cells, and are in order.
    pub fn fits(&self, channels: usize) -> bool {
        self.rows.iter().all(|row| row.cells.len() == channels)
            && self.rows.iter().zip(self.rows.iter().skip(1)).all(|(a, b)| a.start < b.start)
    }

    /// Ends of the open rows.
    pub fn ends(&self, step: Step) -> impl Iterator<Item = EventTime> {
        self.rows.iter().map(move |row| step.row_of(EventTime::from_millis(row.start)).1)
    }

    /// Rows not closed yet.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row is open.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl OpenRow {
    fn new(start: i64, record: &RecordRef<'_>) -> Self {
        Self {
            start,
            cells: vec![Cell::EMPTY; record.values.len()],
            newest_time: i64::MIN,
            first_offset: record.offset,
            last_offset: record.offset,
        }
    }

    fn add(&mut self, how: &[Aggregate], record: &RecordRef<'_>, opened: bool) -> Placement {
        let time = record.time.as_millis();
        for ((cell, how), value) in self.cells.iter_mut().zip(how).zip(record.values) {
            if !value.is_nan() {
                cell.add(*how, time, *value);
            }
        }
        self.first_offset = self.first_offset.min(record.offset);
        self.last_offset = self.last_offset.max(record.offset);
        let repeated = !opened && time == self.newest_time;
        self.newest_time = self.newest_time.max(time);
        if repeated { Placement::Replaced } else { Placement::Placed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Millis, Step};

    fn params(step: Step) -> RowParams {
        RowParams {
            step,
            max_out_of_order: Millis::ZERO,
            ahead_max: Millis::new(1_000),
            aggregates: vec![Aggregate::Last],
            open_rows_max: 8,
        }
    }

    fn record(time: i64, values: &[f64], offset: i64) -> RecordRef<'_> {
        RecordRef { key: "a", time: EventTime::from_millis(time), values, offset }
    }

    #[test]
    fn out_of_order_records_are_placed_and_late_ones_are_told_from_duplicates() {
        let params = params(Step::Grid(Millis::new(10)));
        let mut rows = OpenRows::default();
        let mark = |ms| Some(EventTime::from_millis(ms));
        assert_eq!(
            rows.insert(&params, &record(25, &[1.0], 0), None),
            (Placement::Placed, mark(30))
        );
        assert_eq!(
            rows.insert(&params, &record(15, &[2.0], 1), mark(5)),
            (Placement::Placed, mark(20))
        );
        assert_eq!(rows.insert(&params, &record(15, &[3.0], 2), mark(5)).0, Placement::Replaced);
        let closed = rows.close_before(&params, EventTime::from_millis(20)).expect("ends at 20");
        assert_eq!((closed.start.as_millis(), closed.values[0]), (10, 3.0));
        assert_eq!((closed.first_offset, closed.last_offset), (1, 2));
        assert_eq!(rows.close_before(&params, EventTime::from_millis(20)), None);
        assert_eq!(rows.insert(&params, &record(15, &[9.0], 3), mark(20)).0, Placement::Duplicate);
        assert_eq!(rows.insert(&params, &record(12, &[9.0], 4), mark(20)).0, Placement::Late);
    }

    #[test]
    fn without_a_grid_a_record_at_the_watermark_is_a_row_and_one_behind_it_is_late() {
        let params = params(Step::Event);
        let mut rows = OpenRows::default();
        let mark = Some(EventTime::from_millis(50));
        assert_eq!(rows.insert(&params, &record(50, &[1.0], 0), mark).0, Placement::Placed);
        assert!(rows.close_before(&params, EventTime::from_millis(50)).is_some());
        assert_eq!(rows.insert(&params, &record(50, &[1.0], 1), mark).0, Placement::Duplicate);
        assert_eq!(rows.insert(&params, &record(49, &[1.0], 2), mark).0, Placement::Late);
    }
}
