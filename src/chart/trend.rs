//! A number over time.

use plotters::style::Color;

use super::frame::{ChartError, Size, frame, room, runs};
use super::theme::{BAND, SERIES};
use crate::record::EventTime;

/// A line above zero and the area below it.
///
/// # Errors
///
/// [`ChartError`] if the library refuses it.
pub fn trend(points: &[(EventTime, f64)], size: Size) -> Result<String, ChartError> {
    let first = points.first().map_or(EventTime::from_millis(0), |(time, _)| *time);
    let last = points.last().map_or(first, |(time, _)| *time);
    let high = room(points.iter().map(|(_, value)| *value)).end.max(1.0);
    frame(size, (first, last), 0.0..high, |canvas| {
        for run in runs(points.iter().map(|(time, value)| (*time, [*value])), i64::MAX) {
            let area: Vec<_> = run.iter().map(|(at, [value])| (*at, [0.0, *value])).collect();
            canvas.area(&area, BAND.mix(0.3).filled())?;
            canvas.line(run.iter().map(|(at, [value])| (*at, *value)), SERIES.stroke_width(1))?;
        }
        Ok(())
    })
}
