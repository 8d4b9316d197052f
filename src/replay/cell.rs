//! What a cell of text means.

use std::fmt::Write as _;

use crate::io::{TimestampFormat, timestamp};

/// What programs write for "not measured".
const MISSING: [&str; 9] = ["", "NA", "N/A", "na", "NaN", "nan", "null", "NULL", "None"];

/// A measured value, NaN for a missing one, `None` for what is no finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Some(value),
        _ if MISSING.contains(&text) => Some(f64::NAN),
        _ => None,
    }
}

/// How a time is written: RFC 3339, or since 1970 in the unit that its size tells.
///
/// Whole numbers up to 100 billion are seconds (the year 5138), so that a row number works as a
/// time with a step of one second.
pub(super) fn time_format(text: &str) -> Option<TimestampFormat> {
    if timestamp::parse(text, TimestampFormat::Rfc3339).is_some() {
        return Some(TimestampFormat::Rfc3339);
    }
    let size = text.parse::<f64>().ok().filter(|size| size.is_finite())?.abs();
    Some(match size {
        ..1e11 => TimestampFormat::EpochS,
        ..1e14 => TimestampFormat::EpochMs,
        ..1e17 => TimestampFormat::EpochUs,
        _ => TimestampFormat::EpochNs,
    })
}

/// Writes a number so that reading it gives the same bits; a missing value is an empty cell.
pub(super) fn write_number(value: f64, into: &mut String) {
    into.clear();
    if !value.is_nan() {
        // Writing to a String cannot fail.
        let _ = write!(into, "{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_told_from_a_wrong_one() {
        assert_eq!(number("-1.5e3"), Some(-1_500.0));
        assert!(number("").is_some_and(f64::is_nan));
        assert!(number("NaN").is_some_and(f64::is_nan));
        assert_eq!(number("inf"), None);
        assert_eq!(number("1e999"), None);
        assert_eq!(number("12 bar"), None);
    }

    #[test]
    fn the_unit_of_a_time_follows_from_its_size() {
        use TimestampFormat::{EpochMs, EpochNs, EpochS, EpochUs, Rfc3339};
        #[rustfmt::skip]
        let cases = [
            ("2014-07-01 00:00:00", Some(Rfc3339)),
            ("0",                   Some(EpochS)),
            ("1700000000.5",        Some(EpochS)),
            ("1700000000000",       Some(EpochMs)),
            ("1700000000000000",    Some(EpochUs)),
            ("1700000000000000000", Some(EpochNs)),
            ("inf",                 None),
            ("July",                None),
        ];
        for (text, format) in cases {
            assert_eq!(time_format(text), format, "{text}");
        }
    }
}
