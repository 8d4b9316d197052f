//! A map of points on two axes.

use plotters::prelude::*;

use super::axis::short;
use super::frame::{ChartError, Size, fault, room};
use super::theme::{ALERT, GRID, INK, OTHER, SERIES};

/// One point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    /// On both axes; left out if not finite.
    pub at: [f64; 2],
    /// It is an alarm.
    pub alarm: bool,
    /// It is the newest of its kind.
    pub newest: bool,
}

/// Points as discs, alarms as crosses, the newest with a ring around it: shape says what colour says.
///
/// # Errors
///
/// [`ChartError`] if the library refuses it.
pub fn scatter(dots: &[Dot], size: Size) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, (size.width, size.height));
        let area = backend.into_drawing_area();
        let range = |axis: usize| room(dots.iter().map(move |dot| dot.at[axis]));
        let mut chart = ChartBuilder::on(&area)
            .margin(4)
            .margin_right(12)
            .x_label_area_size(22)
            .y_label_area_size(52)
            .build_cartesian_2d(range(0), range(1))
            .map_err(fault)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(("sans-serif", 15).into_font().color(&INK))
            .x_labels(size.ticks)
            .y_labels(5)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .draw()
            .map_err(fault)?;
        let shown = || dots.iter().filter(|dot| dot.at.iter().all(|v| v.is_finite()));
        let place = |dot: &Dot| (dot.at[0], dot.at[1]);
        let calm = shown().filter(|dot| !dot.alarm);
        let calm = calm.map(|dot| Circle::new(place(dot), 2, SERIES.mix(0.55).filled()));
        chart.draw_series(calm).map_err(fault)?;
        let alarms = shown().filter(|dot| dot.alarm);
        let alarms = alarms.map(|dot| Cross::new(place(dot), 4, ALERT.stroke_width(2)));
        chart.draw_series(alarms).map_err(fault)?;
        let newest = shown().filter(|dot| dot.newest);
        let newest = newest.map(|dot| Circle::new(place(dot), 6, OTHER.stroke_width(2)));
        chart.draw_series(newest).map_err(fault)?;
        area.present().map_err(fault)?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_points_are_drawn() {
        let dot = |x: f64, alarm: bool| Dot { at: [x, 1.0], alarm, newest: alarm };
        let size = Size { width: 300, height: 300, ticks: 4 };
        let svg = scatter(&[dot(0.0, false), dot(f64::NAN, false), dot(2.0, true)], size).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2, "a disc and a ring: {svg}");
        assert!(scatter(&[], size).unwrap().contains("</svg>"));
    }
}
