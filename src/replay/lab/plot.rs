//! Pictures of a series: its channels with what was expected, and its anomaly score.

use std::ops::Range;

use plotters::style::Color;

use super::super::ReplayError;
use super::trace::{Span, Trace};
use crate::chart::{ALERT, BAND, Canvas, INK, LABEL, OTHER, SCORE, SERIES, Size, frame};
use crate::record::EventTime;

/// Scores above are drawn here.
pub(super) const SCORE_MAX: f64 = 5.0;
/// Columns without a value that a line still crosses.
const BRIDGED: usize = 2;
/// An alert in a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub opened: EventTime,
    pub closed: Option<EventTime>,
    /// Of the configuration that this one is compared with.
    pub other: bool,
}

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
        for band in runs(&spans, |span| [span.lower, span.upper]) {
            let band: Vec<_> = band.iter().map(|(at, pair)| (middle(&trace, *at), *pair)).collect();
            canvas.area(&band, BAND.mix(0.5).filled())?;
        }
        for line in runs(&spans, |span| [span.low, span.high]) {
            // Down and up in turn: the shortest way through both ends of each column.
            let points = line.iter().enumerate().flat_map(|(i, (at, [low, high]))| {
                let ends = if i % 2 == 0 { [*low, *high] } else { [*high, *low] };
                let keep = if low == high { 1 } else { 2 };
                ends.into_iter().take(keep).map(|v| (middle(&trace, *at), v)).collect::<Vec<_>>()
            });
            canvas.line(points, SERIES.stroke_width(1))?;
        }
        draw_marks(canvas, marks)
    })
}

/// The anomaly score with the threshold at 1, as SVG.
pub(super) fn score(trace: &Trace, marks: &[Mark], size: Size) -> Result<String, ReplayError> {
    let trace = trace.reduced((size.width / 2) as usize);
    let worst = trace.columns.iter().map(|column| column.score).fold(0.0, f64::max);
    let high = worst.clamp(1.4, SCORE_MAX) * 1.04;
    frame(size, ends(&trace), 0.0..high, |canvas| {
        shade_labels(canvas, &trace, 0.0..high)?;
        for (i, column) in trace.columns.iter().enumerate().filter(|(_, c)| 0.0 < c.score) {
            let from = trace.start.as_millis() as f64 + (i as i64 * trace.width) as f64;
            let bar = [(from, 0.0), (from + trace.width as f64, column.score.min(SCORE_MAX))];
            canvas.bar(bar, SCORE.filled())?;
        }
        let (from, to) = canvas.span;
        canvas.line([(from, 1.0), (to, 1.0)], INK.stroke_width(1))?;
        draw_marks(canvas, marks)
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

/// A line where an alert opened, and a bar at the foot while it was open; those of another
/// configuration at the head.
fn draw_marks(canvas: &mut Canvas<'_, '_>, marks: &[Mark]) -> Result<(), ReplayError> {
    let ((low, high), end) = (canvas.range, canvas.span.1);
    let thick = (high - low) * 0.03;
    for mark in marks {
        let (colour, foot) = if mark.other { (OTHER, high - thick) } else { (ALERT, low) };
        let from = mark.opened.as_millis() as f64;
        let to = mark.closed.map_or(end, |at| at.as_millis() as f64).min(end);
        canvas.line([(from, low), (from, high)], colour.mix(0.6).stroke_width(1))?;
        canvas.bar([(from, foot), (to.max(from), foot + thick)], colour.filled())?;
    }
    Ok(())
}

/// Columns with both numbers, cut where more than [`BRIDGED`] are without.
fn runs(spans: &[Span], of: fn(&Span) -> [f64; 2]) -> Vec<Vec<(usize, [f64; 2])>> {
    let mut runs: Vec<Vec<(usize, [f64; 2])>> = Vec::new();
    for (at, pair) in spans.iter().map(of).enumerate().filter(|(_, pair)| pair[0].is_finite()) {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|(last, _)| at - last <= BRIDGED + 1) => {
                run.push((at, pair));
            }
            _ => runs.push(vec![(at, pair)]),
        }
    }
    runs
}

/// First and last time.
fn ends(trace: &Trace) -> (EventTime, EventTime) {
    let from = trace.start.as_millis();
    let to = from.saturating_add(trace.width.saturating_mul(trace.columns.len().max(1) as i64));
    (trace.start, EventTime::from_millis(to))
}

fn middle(trace: &Trace, column: usize) -> f64 {
    trace.start.as_millis() as f64 + (column as f64 + 0.5) * trace.width as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Millis;

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
            assert!(score(&trace, &[mark], size).unwrap().contains("</svg>"));
        }
    }
}
