//! Axes with round numbers and times.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use crate::record::{magnitude, written};

/// Distances of ticks: parts of a second, seconds, minutes, hours, days, and the like, in milliseconds.
#[rustfmt::skip]
const STEPS: [i64; 32] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500,
    1_000, 2_000, 5_000, 15_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000,
    43_200_000, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 61 * DAY, 122 * DAY, 365 * DAY,
    1_826 * DAY, 3_652 * DAY,
];
const DAY: i64 = 86_400_000;
/// Times before are row numbers in disguise.
const ROW_NUMBERS: i64 = 1_000_000_000;
/// Powers of ten of numbers that are written without one.
const PLAIN: Range<i32> = -4..7;

/// Milliseconds since 1970, with ticks of our own choice.
#[derive(Debug, Clone)]
pub struct TimeAxis {
    from: f64,
    to: f64,
    /// Distance of the ticks.
    pub step: i64,
    ticks: Vec<f64>,
}

impl TimeAxis {
    /// At most `ticks` of them, and one more, between two times.
    pub fn new(from: f64, to: f64, most: usize) -> Self {
        let (step, ticks) = ticks(from as i64, to as i64, most);
        Self { from, to, step, ticks }
    }
}

impl Ranged for TimeAxis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, at: &f64, (left, right): (i32, i32)) -> i32 {
        let part = (at - self.from) / (self.to - self.from);
        left + (part * f64::from(right - left)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

/// Round times, about `most` at most, and their distance in milliseconds.
fn ticks(from: i64, to: i64, most: usize) -> (i64, Vec<f64>) {
    let span = to.saturating_sub(from).max(1);
    let fits = |step: &i64| span / step <= most as i64;
    let rows = (0..15).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
    let step = match to < ROW_NUMBERS {
        true => rows.into_iter().find(fits),
        false => STEPS.into_iter().find(fits),
    };
    let step = step.unwrap_or(span);
    let first = from + (-from).rem_euclid(step);
    (step, (first..=to).step_by(step.max(1) as usize).map(|at| at as f64).collect())
}

/// A time as short as its neighbours allow; rows without a clock are seconds.
pub fn tick(at: i64, step: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(at) else { return String::new() };
    if at.abs() < ROW_NUMBERS {
        return short(at as f64 / 1e3);
    }
    let format = match step {
        _ if 28 * DAY <= step => "%Y-%m-%d",
        _ if DAY <= step => "%m-%d",
        _ if 60_000 <= step => "%m-%d %H:%M",
        _ if 1_000 <= step => "%H:%M:%S",
        _ => "%H:%M:%S%.3f",
    };
    time.strftime(format).to_string()
}

/// A number of a chart or a table: six significant digits, of small numbers four.
pub fn short(value: f64) -> String {
    let size = magnitude(value);
    let decimals = (5 - size).min(4).max(3 - size);
    if value.is_finite() { written(value, size, &PLAIN, decimals) } else { "–".into() }
}

/// A number beside an axis that is `width` long: neighbours differ, noise of the last bits is not shown.
pub fn label(value: f64, width: f64) -> String {
    let decimals = 1 - magnitude(width);
    let size = magnitude(value.abs().max(width));
    if value.is_finite() { written(value, size, &PLAIN, decimals) } else { "–".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers_and_times() {
        #[rustfmt::skip]
        let numbers = [
            (0.0, "0"), (0.25, "0.25"), (12.5, "12.5"), (1e5, "100000"), (2e-5, "2e-5"),
            (49.812, "49.812"), (1_013.251, "1013.25"), (0.1 + 0.2, "0.3"), (-1e300, "-1e300"),
            (123_456_789.0, "1.23457e8"), (f64::NAN, "–"), (-0.999_99, "-1"), (0.012_345_6, "0.01235"),
        ];
        for (value, text) in numbers {
            assert_eq!(short(value), text);
        }
        let start = 1_397_088_900_000; // 2014-04-10T00:15:00Z
        let (step, times) = ticks(start, start + 14 * DAY, 7);
        assert_eq!((step, times.len()), (2 * DAY, 7));
        assert_eq!(tick(times[0] as i64, step), "04-12");
        let (step, times) = ticks(start, start + 700, 7);
        assert_eq!((step, times.len()), (100, 8));
        assert_eq!(tick(times[1] as i64, step), "00:15:00.100");
        let (step, rows) = ticks(0, 35_000_000, 7);
        assert_eq!((step, rows.len(), tick(rows[1] as i64, step).as_str()), (5_000_000, 8, "5000"));
    }

    #[test]
    fn neighbours_on_an_axis_differ() {
        #[rustfmt::skip]
        let cases = [
            ([1_013.24, 1_013.25, 1_013.26],     0.04,  ["1013.24", "1013.25", "1013.26"]),
            ([123_456_788.0, 123_456_790.0, 123_456_792.0], 6.0,
             ["1.23456788e8", "1.2345679e8", "1.23456792e8"]),
            ([-20.0, 1e-15, 20.0],               55.0,  ["-20", "0", "20"]),
            ([-1e-17, 0.1 + 0.2, 0.6],           0.9,   ["0", "0.3", "0.6"]),
            ([0.0, 1e8, 2e8],                    2.4e8, ["0", "1e8", "2e8"]),
            ([1e-22, 2e-6, 4e-6],                5e-6,  ["0", "2e-6", "4e-6"]),
        ];
        for (values, width, texts) in cases {
            assert_eq!(values.map(|value| label(value, width)), texts);
        }
    }
}
