//! A series in bounded memory: the least and the greatest per column of time.

use crate::record::{EventTime, Millis, RowScore};

/// Columns; when they do not reach any more, two become one.
const COLUMNS: usize = 1_024;

/// What happened in a column of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Column {
    /// Highest anomaly score; NaN without any.
    pub score: f64,
    /// Highest surprise; NaN without any.
    pub surprise: f64,
    /// A row is marked as anomalous.
    pub label: bool,
}

/// A channel in a column of time; NaN where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// Least observed value.
    pub low: f64,
    /// Greatest observed value.
    pub high: f64,
    /// Least lower bound of the expectation.
    pub lower: f64,
    /// Greatest upper bound of the expectation.
    pub upper: f64,
}

const NO_COLUMN: Column = Column { score: f64::NAN, surprise: f64::NAN, label: false };
const NO_SPAN: Span = Span { low: f64::NAN, high: f64::NAN, lower: f64::NAN, upper: f64::NAN };

/// Columns of equal width from the first time on. What comes earlier is put into the first.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    pub start: EventTime,
    /// Width of a column in milliseconds.
    pub width: i64,
    channels: usize,
    pub columns: Vec<Column>,
    /// By column, then by channel.
    spans: Vec<Span>,
}

impl Trace {
    /// Nothing yet; a column is one `step` wide as long as that reaches.
    pub fn new(channels: usize, step: Millis) -> Self {
        let start = EventTime::from_millis(0);
        Self { start, width: step.get().max(1), channels, columns: vec![], spans: vec![] }
    }

    /// Observed values of all channels, NaN for a missing one.
    pub fn values(&mut self, time: EventTime, values: &[f64]) {
        let column = self.column(time);
        for (span, value) in self.spans[column * self.channels..].iter_mut().zip(values) {
            (span.low, span.high) = (span.low.min(*value), span.high.max(*value));
        }
    }

    /// Surprise, score and expectations of a row.
    pub fn score(&mut self, row: &RowScore) {
        let at = self.column(row.time);
        let column = &mut self.columns[at];
        column.score = column.score.max(row.anomaly_score);
        column.surprise = column.surprise.max(row.surprise);
        for part in row.channels.iter().filter(|part| part.channel < self.channels) {
            let span = &mut self.spans[at * self.channels + part.channel];
            (span.lower, span.upper) = (span.lower.min(part.lower), span.upper.max(part.upper));
        }
    }

    /// A row that is marked as anomalous.
    pub fn label(&mut self, time: EventTime) {
        let at = self.column(time);
        self.columns[at].label = true;
    }

    /// A channel by columns.
    pub fn spans(&self, channel: usize) -> impl Iterator<Item = Span> {
        self.spans.iter().skip(channel).step_by(self.channels).copied()
    }

    /// The same with at most `columns` of them.
    pub fn reduced(&self, columns: usize) -> Self {
        let mut reduced = self.clone();
        let parts = self.columns.len().div_ceil(columns.max(1));
        reduced.merge(parts.max(1));
        reduced
    }

    fn column(&mut self, time: EventTime) -> usize {
        if self.columns.is_empty() {
            self.start =
                EventTime::from_millis(time.as_millis() - time.as_millis().rem_euclid(self.width));
        }
        let past = (time - self.start).get().max(0);
        while COLUMNS as i64 <= past / self.width {
            self.merge(2);
        }
        let at = (past / self.width) as usize;
        if self.columns.len() <= at {
            self.columns.resize(at + 1, NO_COLUMN);
            self.spans.resize((at + 1) * self.channels, NO_SPAN);
        }
        at
    }

    /// Makes one column of `parts`.
    fn merge(&mut self, parts: usize) {
        let columns = self.columns.chunks(parts).map(|part| {
            let one = |a: Column, b: &Column| Column {
                score: a.score.max(b.score),
                surprise: a.surprise.max(b.surprise),
                label: a.label || b.label,
            };
            part.iter().fold(NO_COLUMN, one)
        });
        self.columns = columns.collect();
        let channels = self.channels;
        let spans = self.spans.chunks(parts * channels.max(1)).flat_map(|part| {
            (0..channels).map(move |channel| {
                let one = |a: Span, b: &Span| Span {
                    low: a.low.min(b.low),
                    high: a.high.max(b.high),
                    lower: a.lower.min(b.lower),
                    upper: a.upper.max(b.upper),
                };
                part.iter().skip(channel).step_by(channels).fold(NO_SPAN, one)
            })
        });
        self.spans = spans.collect();
        self.width = self.width.saturating_mul(parts as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_no_peak_is_lost() {
        let mut trace = Trace::new(2, Millis::new(1_000));
        for row in 0..100_000_i64 {
            let spike = if row == 77_777 { 9.0 } else { 0.0 };
            let time = EventTime::from_millis(1_700_000_000_000 + row * 1_000);
            trace.values(time, &[(row % 7) as f64, spike]);
            if row == 50_000 {
                trace.label(time);
            }
        }
        assert!(trace.columns.len() <= COLUMNS && COLUMNS / 2 < trace.columns.len());
        assert_eq!(trace.spans.len(), 2 * trace.columns.len());
        let peaks = |trace: &Trace| trace.spans(1).filter(|span| span.high == 9.0).count();
        let labels = |trace: &Trace| trace.columns.iter().filter(|column| column.label).count();
        let small = trace.reduced(100);
        for trace in [&trace, &small] {
            assert_eq!((peaks(trace), labels(trace)), (1, 1));
            let whole = |span: Span| span.low == 0.0 && span.high == 6.0;
            assert!(trace.spans(0).all(whole), "every column has all seven values");
            let end = trace.width * trace.columns.len() as i64;
            assert!((100_000_000..100_000_000 + trace.width).contains(&end), "{end}");
        }
        assert!(small.columns.len() <= 100);
    }

    #[test]
    fn what_comes_late_or_is_missing_does_no_harm() {
        let mut trace = Trace::new(1, Millis::new(10));
        trace.values(EventTime::from_millis(1_005), &[f64::NAN]);
        trace.values(EventTime::from_millis(3), &[5.0]);
        assert_eq!((trace.start.as_millis(), trace.columns.len()), (1_000, 1));
        assert_eq!(trace.spans(0).next().map(|span| (span.low, span.high)), Some((5.0, 5.0)));
        trace.values(EventTime::from_millis(i64::MAX / 2), &[1.0]);
        assert!(trace.columns.len() <= COLUMNS);
    }
}
