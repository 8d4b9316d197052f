//! Pictures of a series: its channels with what was expected, its surprise and its anomaly score.

use std::ops::Range;

use plotters::style::Color;

use super::super::ReplayError;
use super::trace::{Column, Span, Trace};
use crate::chart::{BAND, Canvas, LABEL, Mark, SERIES, Size, frame, runs, scores_to};
use crate::record::{EventTime, Millis};

/// Columns without a value that a line still crosses.
const BRIDGED: i64 = 2;

/// A channel with its expected band, labels and alerts, as SVG.
pub(super) fn channel(
    trace: &Trace,
    channel: usize,
    marks: &[Mark],
    size: Size,
) -> Result<String, ReplayError> {
    let trace = trace.reduced((size.width / 2) as usize);
    let spans: Vec<Span> = trace.spans(channel).collect();
    let (low, high) = extent(&spans);
    frame(size, ends(&trace), low..high, |canvas| {
        shade_labels(canvas, &trace, low..high)?;
        for band in parts(&trace, &spans, |span| [span.lower, span.upper]) {
            canvas.area(&band, BAND.mix(0.5).filled())?;
        }
        for line in parts(&trace, &spans, |span| [span.low, span.high]) {
            // Down and up in turn: the shortest way through both ends of each column.
            let points = line.iter().enumerate().flat_map(|(i, (at, [low, high]))| {
                let ends = if i % 2 == 0 { [*low, *high] } else { [*high, *low] };
                let keep = if low == high { 1 } else { 2 };
                ends.into_iter().take(keep).map(|v| (*at, v)).collect::<Vec<_>>()
            });
            canvas.line(points, SERIES.stroke_width(1))?;
        }
        Ok(canvas.marks(marks)?)
    })
}

/// The surprise, as SVG.
pub(super) fn surprise(trace: &Trace, marks: &[Mark], size: Size) -> Result<String, ReplayError> {
    bars(trace, |column| column.surprise, None, marks, size)
}

/// The anomaly score with the threshold at 1, as SVG.
pub(super) fn score(trace: &Trace, marks: &[Mark], size: Size) -> Result<String, ReplayError> {
    bars(trace, |column| column.score, Some(1.0), marks, size)
}

fn bars(
    trace: &Trace,
    of: fn(&Column) -> f64,
    level: Option<f64>,
    marks: &[Mark],
    size: Size,
) -> Result<String, ReplayError> {
    let trace = trace.reduced((size.width / 2) as usize);
    let high = scores_to(trace.columns.iter().map(of).fold(0.0, f64::max));
    frame(size, ends(&trace), 0.0..high, |canvas| {
        shade_labels(canvas, &trace, 0.0..high)?;
        canvas.scores(trace.columns.iter().enumerate().map(|(i, column)| {
            let from = trace.start.as_millis() as f64 + (i as i64 * trace.width) as f64;
            (from, from + trace.width as f64, of(column))
        }))?;
        level.map_or(Ok(()), |level| canvas.level(level))?;
        Ok(canvas.marks(marks)?)
    })
}

/// Room for all values, and for the band as far as it is not far outside of them.
fn extent(spans: &[Span]) -> (f64, f64) {
    let fold = |of: fn(&Span) -> f64, pick: fn(f64, f64) -> f64| {
        spans.iter().map(of).filter(|v| v.is_finite()).reduce(pick)
    };
    let low = fold(|s| s.low, f64::min).unwrap_or(0.0);
    let high = fold(|s| s.high, f64::max).unwrap_or(0.0);
    let room = ((high - low) * 0.25).max(high.abs().max(low.abs()) * 1e-6).max(1e-9);
    let lower = fold(|s| s.lower, f64::min).unwrap_or(low).clamp(low - room, low);
    let upper = fold(|s| s.upper, f64::max).unwrap_or(high).clamp(high, high + room);
    let margin = ((upper - lower) * 0.06).max(1e-9);
    (lower - margin, upper + margin)
}

fn shade_labels(
    canvas: &mut Canvas<'_, '_>,
    trace: &Trace,
    range: Range<f64>,
) -> Result<(), ReplayError> {
    let mut at = 0;
    for part in trace.columns.chunk_by(|a, b| a.label == b.label) {
        if part[0].label {
            let x = |column: usize| (trace.start.as_millis() + column as i64 * trace.width) as f64;
            let corners = [(x(at), range.start), (x(at + part.len()), range.end)];
            canvas.bar(corners, LABEL.mix(0.25).filled())?;
        }
        at += part.len();
    }
    Ok(())
}

/// Columns with both numbers at their middles, cut where more than [`BRIDGED`] are without.
fn parts(trace: &Trace, spans: &[Span], of: fn(&Span) -> [f64; 2]) -> Vec<Vec<(f64, [f64; 2])>> {
    let middle = |i: usize| Millis::new(i as i64 * trace.width + trace.width / 2);
    let points = spans.iter().enumerate().map(|(i, span)| (trace.start + middle(i), of(span)));
    runs(points, (BRIDGED + 1) * trace.width)
}

/// First and last time.
fn ends(trace: &Trace) -> (EventTime, EventTime) {
    let from = trace.start.as_millis();
    let to = from.saturating_add(trace.width.saturating_mul(trace.columns.len().max(1) as i64));
    (trace.start, EventTime::from_millis(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_drawn_of_little_and_of_nothing() {
        let size = Size { width: 400, height: 120, ticks: 3 };
        let mut trace = Trace::new(1, Millis::new(1_000));
        let mark = Mark { opened: EventTime::from_millis(5), closed: None, other: false };
        for values in [vec![], vec![f64::NAN], vec![7.0], vec![7.0, 1.0, f64::NAN]] {
            for (i, value) in values.into_iter().enumerate() {
                trace.values(EventTime::from_millis(1_000 * i as i64), &[value]);
                trace.label(EventTime::from_millis(0));
            }
            let drawn = channel(&trace, 0, &[mark], size).unwrap();
            assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"), "{drawn}");
            for bars in [score, surprise] {
                assert!(bars(&trace, &[mark], size).unwrap().contains("</svg>"));
            }
        }
    }
}
