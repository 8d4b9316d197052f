//! Numbers for people: with the digits that tell two values apart, and no more.

use std::ops::Range;

/// Significant digits of a value that nothing is beside: enough to recognise it.
const DIGITS: i32 = 4;
/// All that a number has.
const DIGITS_MAX: i32 = 15;
/// Powers of ten of numbers that are written without one.
const PLAIN: Range<i32> = -6..12;

/// A number whose digits tell values `apart` from each other, 4 of them at least; `missing` if it is not
/// finite.
pub fn told(value: f64, apart: f64) -> String {
    if !value.is_finite() {
        return "missing".to_owned();
    }
    let size = magnitude(value);
    let asked = if 0.0 < apart { 1 - magnitude(apart) } else { i32::MIN };
    let decimals = asked.max(DIGITS - 1 - size).min(DIGITS_MAX - 1 - size);
    written(value, size, &PLAIN, decimals)
}

/// How far numbers are apart that show whether `y` lies within `lower` to `upper`; 0 where nothing is
/// expected.
pub fn apart(y: f64, lower: f64, upper: f64) -> f64 {
    let (width, beside) = (upper - lower, f64::max(lower - y, y - upper));
    if !width.is_finite() {
        return 0.0;
    }
    // What lies just beside a wide range is told from its end, but not by the last bit.
    match 0.0 < beside && (beside < width || width <= 0.0) {
        true => beside.max(width * 1e-6),
        false => width,
    }
}

/// Power of ten of the first digit: 3 for 1013, -2 for 0.05; that of 1 for 0 and what is not finite.
pub fn magnitude(value: f64) -> i32 {
    match value.abs().log10().floor() {
        power if power.is_finite() => power as i32,
        _ => 0,
    }
}

/// A number of [`magnitude`] `size`: with a power of ten unless that is one of `plain`.
pub fn written(value: f64, size: i32, plain: &Range<i32>, decimals: i32) -> String {
    if plain.contains(&size) { decimal(value, decimals) } else { exponent(value, decimals) }
}

/// A number with at most `decimals` digits behind the point: `1013.25`; below 0 they are none.
fn decimal(value: f64, decimals: i32) -> String {
    let decimals = decimals.max(0) as usize;
    match trimmed(&format!("{value:.decimals$}")) {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// The same with a power of ten: `1.01325e3`. The digits end at the same place, or at the first one.
fn exponent(value: f64, decimals: i32) -> String {
    let digits = decimals.saturating_add(magnitude(value));
    if value == 0.0 || digits < 0 {
        return decimal(value, decimals);
    }
    let digits = digits as usize;
    let text = format!("{value:.digits$e}");
    match text.split_once('e') {
        Some((number, power)) => format!("{}e{power}", trimmed(number)),
        None => text,
    }
}

/// Without zeros at the end that say nothing.
fn trimmed(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        #[rustfmt::skip]
        let cases = [
            (71.9, "71.9"), (0.000_213_4, "0.0002134"), (-1234.56, "-1235"), (0.0, "0"),
            (120.0, "120"), (1e-12, "1e-12"), (1.234_56e-9, "1.235e-9"), (f64::NAN, "missing"),
            (1e300, "1e300"), (-1.234_567e15, "-1.235e15"), (5e-324, "4.941e-324"),
        ];
        for (value, expected) in cases {
            assert_eq!(told(value, 0.0), expected);
        }
    }

    #[test]
    fn digits_end_where_they_are_told_to() {
        #[rustfmt::skip]
        let cases = [
            (1_013.25,    3,  "1013.25",     "1.01325e3"),
            (1_013.25,    1,  "1013.2",      "1.0132e3"),
            (120.0,       1,  "120",         "1.2e2"),
            (-0.000_01,   2,  "0",           "0"),
            (0.0,         4,  "0",           "0"),
            (-0.000_25,   5,  "-0.00025",    "-2.5e-4"),
            (123_456.0,  -2,  "123456",      "1.235e5"),
        ];
        for (value, decimals, plain, power) in cases {
            assert_eq!(decimal(value, decimals), plain);
            assert_eq!(exponent(value, decimals), power);
        }
        assert_eq!(exponent(1e300, -298), "1e300");
        let powers = [1_013.0, 0.05, 1.0, 0.0, f64::NAN, 1e-300].map(magnitude);
        assert_eq!(powers, [3, -2, 0, 0, 0, -300]);
    }
}
