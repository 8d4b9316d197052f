//! Observed values against what was expected, and the anomaly score below them.

use plotters::style::Color;

use super::frame::{ChartError, Mark, Size, frame, room, runs, scores_to};
use super::theme::{ALERT, BAND, INK, SERIES, escape, hex, labelled};
use crate::record::{EventTime, Millis};

/// Missing rows that a line still crosses.
const BRIDGED: i64 = 3;

/// A row of one channel; NaN where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Start of the row.
    pub time: EventTime,
    /// Observed.
    pub y: f64,
    /// Lower end of what was expected.
    pub lower: f64,
    /// Expected.
    pub yhat: f64,
    /// Upper end of what was expected.
    pub upper: f64,
}

/// A channel in an explanation.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What it is called.
    pub name: String,
    /// In order of time.
    pub points: Vec<Point>,
}

/// Observed values as a line, what was expected as a band with a line in its middle, alerts.
///
/// # Errors
///
/// [`ChartError`] if the library refuses it.
pub fn expected(points: &[Point], marks: &[Mark], size: Size) -> Result<String, ChartError> {
    let times: Vec<EventTime> = points.iter().map(|point| point.time).collect();
    let gap = gap(&times);
    let observed = room(points.iter().map(|p| p.y).filter(|y| y.is_finite()));
    let range = room(points.iter().flat_map(|p| [p.y, p.lower, p.upper, p.yhat]));
    // A band that is far wider than what happens would flatten the line.
    let reach = (observed.end - observed.start) * 1.5;
    let range = match points.iter().any(|p| p.y.is_finite()) {
        true => range.start.max(observed.start - reach)..range.end.min(observed.end + reach),
        false => range,
    };
    frame(size, span(&times), range, |canvas| {
        for band in runs(points.iter().map(|p| (p.time, [p.lower, p.upper])), gap) {
            canvas.area(&band, BAND.mix(0.45).filled())?;
        }
        let line = |of: fn(&Point) -> f64| runs(points.iter().map(move |p| (p.time, [of(p)])), gap);
        for run in line(|p| p.yhat) {
            canvas.line(run.iter().map(|(at, [v])| (*at, *v)), BAND.stroke_width(1))?;
        }
        for run in line(|p| p.y) {
            canvas.line(run.iter().map(|(at, [v])| (*at, *v)), SERIES.stroke_width(1))?;
        }
        canvas.marks(marks)
    })
}

/// The anomaly score as bars, with the threshold at 1; scores above 5 are cut.
///
/// # Errors
///
/// As [`expected`].
pub fn anomaly_score(
    points: &[(EventTime, f64)],
    marks: &[Mark],
    size: Size,
) -> Result<String, ChartError> {
    let times: Vec<EventTime> = points.iter().map(|(time, _)| *time).collect();
    let worst = points.iter().map(|(_, score)| *score).fold(0.0, f64::max);
    let width = step(&times) as f64;
    frame(size, span(&times), 0.0..scores_to(worst), |canvas| {
        let bar = |(time, score): &(EventTime, f64)| {
            let from = time.as_millis() as f64;
            (from, from + width, *score)
        };
        canvas.scores(points.iter().map(bar))?;
        canvas.level(1.0)?;
        canvas.marks(marks)
    })
}

/// Several channels below each other in one picture, each with its name, under a title if there is one.
///
/// # Errors
///
/// As [`expected`].
pub fn explanation(
    title: &str,
    panels: &[Panel],
    marks: &[Mark],
    size: Size,
) -> Result<String, ChartError> {
    const NAME: u32 = 22;
    let head = if title.is_empty() { 0 } else { 56 };
    let each = NAME + size.height;
    let (width, height) = (size.width, head + each * panels.len() as u32);
    let text = |y: u32, size: u32, weight: u32, what: &str| {
        format!(
            "<text x=\"10\" y=\"{y}\" font-family=\"sans-serif\" font-size=\"{size}\" \
             font-weight=\"{weight}\" fill=\"#010101\">{}</text>\n",
            escape(what)
        )
    };
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n"
    );
    if !title.is_empty() {
        svg += &text(23, 17, 600, title);
        svg += &legend(44);
    }
    for (i, panel) in panels.iter().enumerate() {
        let top = head + each * i as u32;
        svg += &text(top + 14, 13, 600, &panel.name);
        let inner = expected(&panel.points, marks, size)?;
        svg += &inner.replacen("<svg ", &format!("<svg y=\"{}\" ", top + NAME), 1);
    }
    let names: Vec<&str> = panels.iter().map(|panel| panel.name.as_str()).collect();
    let label = format!("{title} Observed against expected: {}", names.join(", "));
    Ok(labelled(&(svg + "</svg>\n"), label.trim_start()))
}

/// What the colours mean, for a picture without a page around it.
fn legend(y: u32) -> String {
    let mut x = 10;
    let part = |(colour, word): (_, &str)| {
        let (top, after) = (y - 7, x + 20);
        let swatch = format!(
            "<rect x=\"{x}\" y=\"{top}\" width=\"14\" height=\"5\" fill=\"{}\"/>",
            hex(colour)
        );
        x = after + 16 + 8 * word.len();
        format!(
            "{swatch}<text x=\"{after}\" y=\"{y}\" font-family=\"sans-serif\" font-size=\"12\" \
             fill=\"{}\">{word}</text>\n",
            hex(INK)
        )
    };
    [(SERIES, "observed"), (BAND, "expected"), (ALERT, "alert")].map(part).concat()
}

/// From the start of the first row to the end of the last, where an alert that it opens begins.
fn span(times: &[EventTime]) -> (EventTime, EventTime) {
    let first = times.first().copied().unwrap_or(EventTime::from_millis(0));
    (first, times.last().map_or(first, |last| *last + Millis::new(step(times))))
}

/// The longest pause that a line still crosses: a few times the usual one.
fn gap(times: &[EventTime]) -> i64 {
    BRIDGED * step(times)
}

/// The usual pause from one row to the next in milliseconds, at least 1.
fn step(times: &[EventTime]) -> i64 {
    let mut steps: Vec<i64> = times.windows(2).map(|pair| (pair[1] - pair[0]).get()).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 400, height: 120, ticks: 3 };

    fn point(second: i64, y: f64) -> Point {
        let time = EventTime::from_millis(1_700_000_000_000 + 1_000 * second);
        Point { time, y, lower: y - 1.0, yhat: y, upper: y + 1.0 }
    }

    #[test]
    fn little_nothing_and_infinity_are_drawn_without_a_fault() {
        let mark = Mark { opened: point(1, 0.0).time, closed: None, other: false };
        let nan = f64::NAN;
        for values in [vec![], vec![nan], vec![7.0], vec![7.0, f64::INFINITY, nan, 1e300, -1e300]] {
            let points: Vec<Point> =
                values.iter().enumerate().map(|(i, y)| point(i as i64, *y)).collect();
            let drawn = expected(&points, &[mark], SIZE).unwrap();
            assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"), "{drawn}");
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
            let scores: Vec<_> = points.iter().map(|p| (p.time, p.y)).collect();
            assert!(anomaly_score(&scores, &[mark], SIZE).unwrap().contains("</svg>"));
        }
    }

    #[test]
    fn a_pause_cuts_the_line_and_an_alert_of_another_time_is_left_out() {
        let points: Vec<Point> = (0..10).chain(100..110).map(|i| point(i, i as f64)).collect();
        // Not the lines of the grid.
        let drawn = [SERIES, BAND].map(|colour| format!("stroke=\"{}\"", hex(colour)));
        let is_drawn = |tag: &&str| drawn.iter().any(|colour| tag.contains(&**colour));
        let lines = |svg: &str| {
            let tags = svg.split('>').filter(|tag| tag.contains("<polyline"));
            tags.filter(is_drawn).count()
        };
        let calm = expected(&points, &[], SIZE).unwrap();
        let whole = expected(&points[..10], &[], SIZE).unwrap();
        // Two lines (observed, expected) more: one for each part.
        assert_eq!(lines(&calm), lines(&whole) + 2);
        let before =
            Mark { opened: point(-9, 0.0).time, closed: Some(point(-3, 0.0).time), other: false };
        assert_eq!(expected(&points, &[before], SIZE).unwrap(), calm);
    }

    #[test]
    fn an_alert_that_the_last_row_opens_is_drawn_at_the_end_of_that_row() {
        let points: Vec<Point> = (0..10).map(|i| point(i, i as f64)).collect();
        let opened = |second| Mark { opened: point(second, 0.0).time, closed: None, other: false };
        let drawn = |mark| expected(&points, &[mark], SIZE).unwrap();
        assert_ne!(drawn(opened(10)), expected(&points, &[], SIZE).unwrap());
        assert_eq!(drawn(opened(11)), expected(&points, &[], SIZE).unwrap());
    }

    #[test]
    fn an_explanation_names_its_channels_and_none_of_them_is_markup() {
        let panel = |name: &str| Panel { name: name.into(), points: vec![point(0, 1.0)] };
        let svg = explanation("<a-1>", &[panel("oil & gas"), panel("</svg>")], &[], SIZE).unwrap();
        assert!(svg.contains(">&lt;a-1&gt;</text>") && svg.contains(">oil &amp; gas</text>"));
        assert_eq!(svg.matches("</svg>").count(), 3, "{svg}");
    }
}
