//! Event times as producers write them.

use jiff::civil::Time;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::Offset;

use crate::io::TimestampFormat;
use crate::record::EventTime;

static PARSER: DateTimeParser = DateTimeParser::new();

/// Last millisecond of the year 9999: what lies behind has no text.
const MILLIS_MAX: i64 = 253_402_300_799_999;

/// Reads a text in `format`; `None` if it is not written so, or lies outside the years -9999 to 9999.
pub fn parse(text: &str, format: TimestampFormat) -> Option<EventTime> {
    match format {
        TimestampFormat::Rfc3339 => from_rfc3339(text),
        _ => from_digits(text, format),
    }
}

/// What a format needs, for error texts.
pub const fn expected(format: TimestampFormat) -> &'static str {
    match format {
        TimestampFormat::Rfc3339 => "an RFC 3339 time such as 2026-11-20T10:42:00Z",
        TimestampFormat::EpochS => "seconds since 1970",
        TimestampFormat::EpochMs => "milliseconds since 1970",
        TimestampFormat::EpochUs => "microseconds since 1970",
        TimestampFormat::EpochNs => "nanoseconds since 1970",
    }
}

/// Reads `2026-11-20T10:42:00.5+01:00`, with a space for the `T`, and as UTC without an offset.
/// A date alone is its midnight. Fractions of a millisecond are cut off.
pub(super) fn from_rfc3339(text: &str) -> Option<EventTime> {
    let pieces = PARSER.parse_pieces(text).ok()?;
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    checked(offset.to_timestamp(civil).ok()?.as_millisecond().into())
}

/// Reads a whole number of `format`'s unit; finer than milliseconds is cut off.
pub(super) fn from_whole(number: i128, format: TimestampFormat) -> Option<EventTime> {
    checked(match format {
        TimestampFormat::Rfc3339 => return None,
        TimestampFormat::EpochS => number.checked_mul(1_000)?,
        TimestampFormat::EpochMs => number,
        TimestampFormat::EpochUs => number.div_euclid(1_000),
        TimestampFormat::EpochNs => number.div_euclid(1_000_000),
    })
}

/// Reads a number with a fraction; finer than milliseconds is cut off.
pub(super) fn from_float(number: f64, format: TimestampFormat) -> Option<EventTime> {
    let millis = match format {
        TimestampFormat::Rfc3339 => return None,
        // A float near 1.7e9 is good to a microsecond: rounding there first makes .123 stay .123.
        TimestampFormat::EpochS => (number * 1e6).round() / 1e3,
        TimestampFormat::EpochMs => number,
        TimestampFormat::EpochUs => number / 1e3,
        TimestampFormat::EpochNs => number / 1e6,
    };
    if millis.abs() > MILLIS_MAX as f64 {
        return None;
    }
    checked(millis.floor() as i128)
}

/// Reads a number in a string: digits, a sign, a fraction, an exponent; no `inf`, no blanks.
pub(super) fn from_digits(text: &str, format: TimestampFormat) -> Option<EventTime> {
    if let Ok(number) = text.parse::<i64>() {
        return from_whole(number.into(), format);
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return None;
    }
    from_float(text.parse().ok()?, format)
}

fn checked(millis: i128) -> Option<EventTime> {
    let millis = i64::try_from(millis).ok()?;
    (-MILLIS_MAX..=MILLIS_MAX).contains(&millis).then(|| EventTime::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_read_in_all_common_dresses() {
        #[rustfmt::skip]
        let cases = [
            ("2026-11-20T10:42:00Z",            Some("2026-11-20T10:42:00Z")),
            ("2026-11-20T10:42:00.5Z",          Some("2026-11-20T10:42:00.5Z")),
            ("2026-11-20T10:42:00.123999999Z",  Some("2026-11-20T10:42:00.123Z")),
            ("2026-11-20 10:42:00",             Some("2026-11-20T10:42:00Z")),
            ("2026-11-20T10:42:00+01:00",       Some("2026-11-20T09:42:00Z")),
            ("2026-11-20t10:42:00z",            Some("2026-11-20T10:42:00Z")),
            ("2026-11-20T10:42",                Some("2026-11-20T10:42:00Z")),
            ("2026-11-20",                      Some("2026-11-20T00:00:00Z")),
            ("2024-02-29T23:59:60Z",            Some("2024-02-29T23:59:59Z")),
            ("2023-02-29T00:00:00Z",            None),
            ("2026-13-01T00:00:00Z",            None),
            ("20.11.2026 10:42",                None),
            ("1700000000",                      None),
            ("",                                None),
        ];
        for (text, expected) in cases {
            let got = from_rfc3339(text).map(|time| time.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn epochs_are_cut_to_milliseconds_and_bounded() {
        use TimestampFormat::{EpochMs, EpochNs, EpochS, EpochUs};
        #[rustfmt::skip]
        let cases = [
            ("1700000000",           EpochS,  Some(1_700_000_000_000)),
            ("1700000000.123",       EpochS,  Some(1_700_000_000_123)),
            ("1700000000.123999",    EpochS,  Some(1_700_000_000_123)),
            ("1.7e9",                EpochS,  Some(1_700_000_000_000)),
            ("1700000000123",        EpochMs, Some(1_700_000_000_123)),
            ("1700000000123.9",      EpochMs, Some(1_700_000_000_123)),
            ("1700000000123999",     EpochUs, Some(1_700_000_000_123)),
            ("1700000000123999999",  EpochNs, Some(1_700_000_000_123)),
            ("-1",                   EpochUs, Some(-1)),
            ("1700000000123",        EpochS,  None),
            ("inf",                  EpochS,  None),
            ("NaN",                  EpochS,  None),
            ("1e400",                EpochS,  None),
            (" 1700000000",          EpochS,  None),
            ("",                     EpochS,  None),
        ];
        for (text, format, expected) in cases {
            let got = from_digits(text, format).map(EventTime::as_millis);
            assert_eq!(got, expected, "{text} {format:?}");
        }
    }
}
