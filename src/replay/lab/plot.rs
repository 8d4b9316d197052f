//! Pictures of a series: its channels with what was expected, and its anomaly score.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::super::ReplayError;
use super::axis::{TimeAxis, extent, short, tick};
use super::trace::{Span, Trace};
use crate::record::EventTime;

/// Colours that the page replaces by its own, which follow the theme of the reader.
pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(1, 1, 2);
const SERIES: RGBColor = RGBColor(1, 1, 3);
const BAND: RGBColor = RGBColor(1, 1, 4);
const LABEL: RGBColor = RGBColor(1, 1, 5);
const ALERT: RGBColor = RGBColor(1, 1, 6);
const SCORE: RGBColor = RGBColor(1, 1, 7);
const OTHER: RGBColor = RGBColor(1, 1, 8);
/// Scores above are drawn here.
pub(super) const SCORE_MAX: f64 = 5.0;
/// Size of letters; the library draws them a fifth smaller.
const FONT: u32 = 15;
/// Columns without a value that a line still crosses.
const BRIDGED: usize = 2;
/// Size of a picture, and how many ticks its time axis has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub width: u32,
    pub height: u32,
    pub ticks: usize,
}

/// An alert in a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub opened: EventTime,
    pub closed: Option<EventTime>,
    /// Of the configuration that this one is compared with.
    pub other: bool,
}

pub(super) type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<TimeAxis, plotters::coord::types::RangedCoordf64>>;

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
    draw(&trace, size, low..high, |chart| {
        shade_labels(chart, &trace, low..high)?;
        for band in runs(&spans, |span| [span.lower, span.upper]) {
            let upper = band.iter().map(|(at, [_, upper])| (*at, upper.clamp(low, high)));
            let lower = band.iter().rev().map(|(at, [lower, _])| (*at, lower.clamp(low, high)));
            let outline =
                upper.chain(lower).map(|(at, v)| (middle(&trace, at), v)).collect::<Vec<_>>();
            chart.draw_series([Polygon::new(outline, BAND.mix(0.5).filled())]).map_err(fault)?;
        }
        for line in runs(&spans, |span| [span.low, span.high]) {
            // Down and up in turn: the shortest way through both ends of each column.
            let points = line.iter().enumerate().flat_map(|(i, (at, [low, high]))| {
                let ends = if i % 2 == 0 { [*low, *high] } else { [*high, *low] };
                let keep = if low == high { 1 } else { 2 };
                ends.into_iter().take(keep).map(|v| (middle(&trace, *at), v)).collect::<Vec<_>>()
            });
            let path = PathElement::new(points.collect::<Vec<_>>(), SERIES.stroke_width(1));
            chart.draw_series([path]).map_err(fault)?;
        }
        draw_marks(chart, marks, (low, high), ends(&trace).1)
    })
}

/// The anomaly score with the threshold at 1, as SVG.
pub(super) fn score(trace: &Trace, marks: &[Mark], size: Size) -> Result<String, ReplayError> {
    let trace = trace.reduced((size.width / 2) as usize);
    let worst = trace.columns.iter().map(|column| column.score).fold(0.0, f64::max);
    let high = worst.clamp(1.4, SCORE_MAX) * 1.04;
    draw(&trace, size, 0.0..high, |chart| {
        shade_labels(chart, &trace, 0.0..high)?;
        for (i, column) in trace.columns.iter().enumerate().filter(|(_, c)| 0.0 < c.score) {
            let from = trace.start.as_millis() as f64 + (i as i64 * trace.width) as f64;
            let bar = [(from, 0.0), (from + trace.width as f64, column.score.min(SCORE_MAX))];
            chart.draw_series([Rectangle::new(bar, SCORE.filled())]).map_err(fault)?;
        }
        let (from, to) = ends(&trace);
        let threshold = PathElement::new(vec![(from, 1.0), (to, 1.0)], INK.stroke_width(1));
        chart.draw_series([threshold]).map_err(fault)?;
        draw_marks(chart, marks, (0.0, high), to)
    })
}

pub(super) fn fault(error: impl std::fmt::Display) -> ReplayError {
    ReplayError::Plot { why: error.to_string() }
}

/// Axes of a trace, and what `content` puts between them.
fn draw(
    trace: &Trace,
    size: Size,
    range: Range<f64>,
    content: impl FnOnce(&mut Chart<'_, '_>) -> Result<(), ReplayError>,
) -> Result<String, ReplayError> {
    let (from, to) = ends(trace);
    frame(TimeAxis::new(from, to, size.ticks), size, range, content)
}

/// Axes, and what `content` puts between them.
pub(super) fn frame(
    axis: TimeAxis,
    size: Size,
    range: Range<f64>,
    content: impl FnOnce(&mut Chart<'_, '_>) -> Result<(), ReplayError>,
) -> Result<String, ReplayError> {
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, (size.width, size.height));
        let area: DrawingArea<SVGBackend<'_>, Shift> = backend.into_drawing_area();
        let step = axis.step;
        let mut chart = ChartBuilder::on(&area)
            .margin(4)
            .margin_right(12)
            .x_label_area_size(22)
            .y_label_area_size(52)
            .build_cartesian_2d(axis, range)
            .map_err(fault)?;
        let style = ("sans-serif", FONT).into_font().color(&INK);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(style)
            .x_labels(size.ticks)
            .y_labels(4)
            .x_label_formatter(&|at| tick(*at as i64, step))
            .y_label_formatter(&|value| short(*value))
            .draw()
            .map_err(fault)?;
        content(&mut chart)?;
        area.present().map_err(fault)?;
    }
    Ok(svg)
}

fn shade_labels(
    chart: &mut Chart<'_, '_>,
    trace: &Trace,
    range: Range<f64>,
) -> Result<(), ReplayError> {
    let mut at = 0;
    for part in trace.columns.chunk_by(|a, b| a.label == b.label) {
        if part[0].label {
            let x = |column: usize| (trace.start.as_millis() + column as i64 * trace.width) as f64;
            let corners = [(x(at), range.start), (x(at + part.len()), range.end)];
            let shade = Rectangle::new(corners, LABEL.mix(0.25).filled());
            chart.draw_series([shade]).map_err(fault)?;
        }
        at += part.len();
    }
    Ok(())
}

/// A line where an alert opened, and a bar at the foot while it was open; those of another
/// configuration at the head.
fn draw_marks(
    chart: &mut Chart<'_, '_>,
    marks: &[Mark],
    (low, high): (f64, f64),
    end: f64,
) -> Result<(), ReplayError> {
    let thick = (high - low) * 0.03;
    for mark in marks {
        let (colour, foot) = if mark.other { (OTHER, high - thick) } else { (ALERT, low) };
        let from = mark.opened.as_millis() as f64;
        let to = mark.closed.map_or(end, |at| at.as_millis() as f64).min(end);
        let line =
            PathElement::new(vec![(from, low), (from, high)], colour.mix(0.6).stroke_width(1));
        chart.draw_series([line]).map_err(fault)?;
        let bar = [(from, foot), (to.max(from), foot + thick)];
        chart.draw_series([Rectangle::new(bar, colour.filled())]).map_err(fault)?;
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
fn ends(trace: &Trace) -> (f64, f64) {
    let from = trace.start.as_millis() as f64;
    (from, from + (trace.width * trace.columns.len().max(1) as i64) as f64)
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
