//! Axes, and what stands between them.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::axis::{TimeAxis, label, tick};
use super::theme::{ALERT, GRID, INK, OTHER, SCORE};
use crate::record::EventTime;

/// Size of letters; the library draws them a fifth smaller.
const FONT: u32 = 15;
/// Width of a letter.
const LETTER: u32 = 7;
/// Room for the labels of the value axis, if they need no more.
const LABELS: u32 = 52;

/// Scores above are drawn here.
pub const SCORE_MAX: f64 = 5.0;

/// An alert in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Start.
    pub opened: EventTime,
    /// End, if it has ended.
    pub closed: Option<EventTime>,
    /// Of a configuration that this one is compared with.
    pub other: bool,
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the picture cannot be drawn: {0}")]
pub struct ChartError(pub String);

/// Size of a picture in pixels, and how many ticks its time axis has room for.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Ticks of the time axis, about.
    pub ticks: usize,
}

/// The place between the axes. Values outside of `low` and `high` are drawn at the edge.
pub struct Canvas<'a, 'b> {
    chart: ChartContext<'a, SVGBackend<'b>, Cartesian2d<TimeAxis, RangedCoordf64>>,
    /// First and last time.
    pub span: (f64, f64),
    /// Lowest and highest value.
    pub range: (f64, f64),
}

impl std::fmt::Debug for Canvas<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Canvas({:?}, {:?})", self.span, self.range)
    }
}

impl<'b> Canvas<'_, 'b> {
    /// A line through points of time in milliseconds and value.
    ///
    /// # Errors
    ///
    /// [`ChartError`] if the library refuses it.
    pub fn line(
        &mut self,
        points: impl IntoIterator<Item = (f64, f64)>,
        style: impl Into<ShapeStyle>,
    ) -> Result<(), ChartError> {
        let (low, high) = self.range;
        let points: Vec<(f64, f64)> =
            points.into_iter().map(|(at, value)| (at, value.clamp(low, high))).collect();
        let style = style.into();
        match points.as_slice() {
            [] => Ok(()),
            // A path of one point shows nothing.
            [only] => self.element(Circle::new(*only, 2, style.filled())),
            _ => self.element(PathElement::new(points, style)),
        }
    }

    /// The area between two lines of equally many points.
    ///
    /// # Errors
    ///
    /// As [`Canvas::line`].
    pub fn area(
        &mut self,
        points: &[(f64, [f64; 2])],
        style: impl Into<ShapeStyle>,
    ) -> Result<(), ChartError> {
        let (low, high) = self.range;
        let edge =
            |which: usize| points.iter().map(move |(at, pair)| (*at, pair[which].clamp(low, high)));
        let outline: Vec<(f64, f64)> = edge(1).chain(edge(0).rev()).collect();
        match outline.len() {
            0..=1 => Ok(()),
            // One row: a bar that shows where it ends.
            2 => self.line(outline, style.into().stroke_width(6)),
            _ => self.element(Polygon::new(outline, style)),
        }
    }

    /// A rectangle.
    ///
    /// # Errors
    ///
    /// As [`Canvas::line`].
    pub fn bar(
        &mut self,
        corners: [(f64, f64); 2],
        style: impl Into<ShapeStyle>,
    ) -> Result<(), ChartError> {
        self.element(Rectangle::new(corners, style))
    }

    /// Bars from 0 to a score, each with its first and last time; those above [`SCORE_MAX`] are cut.
    ///
    /// # Errors
    ///
    /// As [`Canvas::line`].
    pub fn scores(
        &mut self,
        bars: impl IntoIterator<Item = (f64, f64, f64)>,
    ) -> Result<(), ChartError> {
        let end = self.span.1;
        for (from, to, score) in bars.into_iter().filter(|(_, _, score)| 0.0 < *score) {
            self.bar([(from, 0.0), (to.min(end), score.min(SCORE_MAX))], SCORE.filled())?;
        }
        Ok(())
    }

    /// A line at a value from end to end.
    ///
    /// # Errors
    ///
    /// As [`Canvas::line`].
    pub fn level(&mut self, value: f64) -> Result<(), ChartError> {
        let (from, to) = self.span;
        self.line([(from, value), (to, value)], INK.stroke_width(1))
    }

    /// A line where an alert opened, and a bar at the foot while it was open; those of another
    /// configuration at the head.
    ///
    /// # Errors
    ///
    /// As [`Canvas::line`].
    pub fn marks(&mut self, marks: &[Mark]) -> Result<(), ChartError> {
        let ((from, to), (low, high)) = (self.span, self.range);
        let thick = (high - low) * 0.03;
        for mark in marks {
            let (colour, foot) = if mark.other { (OTHER, high - thick) } else { (ALERT, low) };
            let opened = mark.opened.as_millis() as f64;
            let closed = mark.closed.map_or(to, |at| at.as_millis() as f64).min(to);
            if closed < from || to < opened {
                continue;
            }
            if from <= opened {
                self.line([(opened, low), (opened, high)], colour.mix(0.6).stroke_width(1))?;
            }
            let opened = opened.max(from);
            self.bar([(opened, foot), (closed.max(opened), foot + thick)], colour.filled())?;
        }
        Ok(())
    }

    fn element<E>(&mut self, element: E) -> Result<(), ChartError>
    where
        for<'x> &'x E: plotters::element::PointCollection<'x, (f64, f64)>,
        E: plotters::element::Drawable<SVGBackend<'b>>,
    {
        self.chart.draw_series([element]).map_err(fault).map(|_| ())
    }
}

pub(super) fn fault(error: impl std::fmt::Display) -> ChartError {
    ChartError(error.to_string())
}

/// A picture with a time axis from `span` and a value axis from `range`, as SVG.
///
/// # Errors
///
/// [`ChartError`] if the library refuses it, or what `content` says.
pub fn frame<E: From<ChartError>>(
    size: Size,
    span: (EventTime, EventTime),
    range: Range<f64>,
    content: impl FnOnce(&mut Canvas<'_, '_>) -> Result<(), E>,
) -> Result<String, E> {
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, (size.width, size.height));
        let area = backend.into_drawing_area();
        let (from, to) = (span.0.as_millis() as f64, span.1.as_millis() as f64);
        let to = to.max(from + 1.0);
        let axis = TimeAxis::new(from, to, size.ticks);
        let step = axis.step;
        let ends = (range.start, range.end);
        let label = |value: f64| label(value, ends.1 - ends.0);
        let longest = [ends.0, ends.1].map(|end| label(end).len() as u32).into_iter().max();
        let mut chart = ChartBuilder::on(&area)
            .margin(4)
            // The label of a tick at the very end needs half its width.
            .margin_right(36)
            .x_label_area_size(22)
            .y_label_area_size(LABELS.max(10 + LETTER * longest.unwrap_or(0)))
            .build_cartesian_2d(axis, range)
            .map_err(fault)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(("sans-serif", FONT).into_font().color(&INK))
            .x_labels(size.ticks)
            .y_labels(4)
            .x_label_formatter(&|at| tick(*at as i64, step))
            .y_label_formatter(&|value| label(*value))
            .draw()
            .map_err(fault)?;
        content(&mut Canvas { chart, span: (from, to), range: ends })?;
        area.present().map_err(fault)?;
    }
    Ok(svg)
}

/// The range of some numbers, with room around it.
pub(super) fn room(numbers: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let finite = numbers.filter(|v| v.is_finite());
    let low = finite.clone().reduce(f64::min).unwrap_or(0.0);
    let high = finite.reduce(f64::max).unwrap_or(0.0);
    let margin = ((high - low) * 0.06).max(high.abs().max(low.abs()) * 1e-6).max(1e-9);
    low - margin..high + margin
}

/// Upper end of an axis of scores, of which `worst` is the highest.
pub fn scores_to(worst: f64) -> f64 {
    worst.clamp(1.4, SCORE_MAX) * 1.04
}

/// Parts of a line: points whose values are all finite and whose times are not further apart than
/// `gap` milliseconds.
pub fn runs<const N: usize>(
    points: impl Iterator<Item = (EventTime, [f64; N])>,
    gap: i64,
) -> Vec<Vec<(f64, [f64; N])>> {
    let mut runs: Vec<Vec<(f64, [f64; N])>> = Vec::new();
    for (time, values) in points.filter(|(_, values)| values.iter().all(|v| v.is_finite())) {
        let at = time.as_millis() as f64;
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|(last, _)| at - last <= gap as f64) => {
                run.push((at, values));
            }
            _ => runs.push(vec![(at, values)]),
        }
    }
    runs
}
