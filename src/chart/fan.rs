//! A forecast: what was, and what is expected with its intervals.

use plotters::style::Color;

use super::frame::{ChartError, Size, frame, room, runs};
use super::theme::{BAND, INK, OTHER, SERIES};
use crate::record::EventTime;

/// One horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct FanPoint {
    /// Start of the row that is forecast.
    pub time: EventTime,
    /// Point forecast.
    pub yhat: f64,
    /// Lower and upper ends, the narrowest interval first.
    pub intervals: Vec<[f64; 2]>,
}

/// Past values as a line, then the point forecast with its intervals, a line between them.
///
/// # Errors
///
/// [`ChartError`] if the library refuses it.
pub fn forecast(
    past: &[(EventTime, f64)],
    issued_at: EventTime,
    points: &[FanPoint],
    size: Size,
) -> Result<String, ChartError> {
    let times = past.iter().map(|(time, _)| *time).chain(points.iter().map(|p| p.time));
    let first = times.clone().min().unwrap_or(issued_at);
    let last = times.max().unwrap_or(issued_at);
    let ahead = points.iter().flat_map(|p| p.intervals.iter().flatten().copied().chain([p.yhat]));
    let range = room(past.iter().map(|(_, value)| *value).chain(ahead));
    let widest = points.iter().map(|p| p.intervals.len()).max().unwrap_or(0);
    frame(size, (first, last), range, |canvas| {
        for which in (0..widest).rev() {
            let pair =
                |p: &FanPoint| (p.time, p.intervals.get(which).copied().unwrap_or([f64::NAN; 2]));
            for run in runs(points.iter().map(pair), i64::MAX) {
                canvas.area(&run, BAND.mix(0.35).filled())?;
            }
        }
        for run in runs(past.iter().map(|(time, value)| (*time, [*value])), i64::MAX) {
            canvas.line(run.iter().map(|(at, [v])| (*at, *v)), SERIES.stroke_width(1))?;
        }
        for run in runs(points.iter().map(|p| (p.time, [p.yhat])), i64::MAX) {
            canvas.line(run.iter().map(|(at, [v])| (*at, *v)), OTHER.stroke_width(2))?;
        }
        let (now, (low, high)) = (issued_at.as_millis() as f64, canvas.range);
        if canvas.span.0 <= now && now <= canvas.span.1 {
            canvas.line([(now, low), (now, high)], INK.mix(0.5).stroke_width(1))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fan_has_an_area_for_each_interval() {
        let at = |hour: i64| EventTime::from_millis(1_700_000_000_000 + hour * 3_600_000);
        let point = |hour: i64| FanPoint {
            time: at(hour),
            yhat: 5.0,
            intervals: vec![[4.0, 6.0], [3.0, 7.0]],
        };
        let past: Vec<_> = (0..24).map(|hour| (at(hour), (hour % 7) as f64)).collect();
        let fan: Vec<_> = (24..30).map(point).collect();
        let size = Size { width: 400, height: 150, ticks: 4 };
        let svg = forecast(&past, at(24), &fan, size).unwrap();
        assert_eq!(svg.matches("<polygon").count(), 2, "{svg}");
        assert!(forecast(&[], at(0), &[], size).unwrap().contains("</svg>"));
    }
}
