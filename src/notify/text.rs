//! What people read of an alert: a line, and the sensors behind it.

use std::fmt::Write as _;

use crate::record::{AlertKind, AlertRecord, Contribution, Direction, FaultClass, apart, told};

/// The `alertname` of a kind.
pub(super) const fn alert_name(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Anomaly => "LatentdAnomaly",
        AlertKind::Stale => "LatentdStale",
        AlertKind::Stuck => "LatentdStuck",
        AlertKind::OutOfRange => "LatentdOutOfRange",
        AlertKind::ClockSkew => "LatentdClockSkew",
    }
}

/// `press-07: flow above what was expected (score 3.4, p = 0.0002)`.
pub(super) fn summary(record: &AlertRecord, channels: &[impl AsRef<str>]) -> String {
    let entity = &record.entity;
    let mut text = match record.kind {
        AlertKind::Anomaly => format!("{entity}: {}", anomaly(record, channels)),
        AlertKind::Stale => format!("{entity} has stopped to report"),
        AlertKind::Stuck => format!("{entity}: {} repeats one value", sensor(record, channels)),
        AlertKind::OutOfRange => {
            format!("{entity}: {} is outside its range", sensor(record, channels))
        }
        AlertKind::ClockSkew => format!("{entity}: its records are late, or from the future"),
    };
    // Writing to a String cannot fail.
    let _ = write!(text, " (score {:.2}", record.anomaly_score);
    if record.p_value.is_finite() {
        let _ = write!(text, ", p = {}", told(record.p_value, 0.0));
    }
    text.push(')');
    text
}

fn anomaly(record: &AlertRecord, channels: &[impl AsRef<str>]) -> String {
    if record.cause == Some(FaultClass::Process) {
        return "its sensors do not go together as they used to".to_owned();
    }
    let side = match record.direction {
        Some(Direction::Above) => "above",
        Some(Direction::Below) => "below",
        None => "unlike",
    };
    format!("{} {side} what was expected", sensor(record, channels))
}

fn sensor<'a>(record: &AlertRecord, channels: &'a [impl AsRef<str>]) -> &'a str {
    record.top.first().map_or("it", |part| name(channels, part.channel))
}

fn name(channels: &[impl AsRef<str>], index: usize) -> &str {
    channels.get(index).map_or("", AsRef::as_ref)
}

/// One sentence for each of the top sensors.
pub(super) fn description(record: &AlertRecord, channels: &[impl AsRef<str>]) -> String {
    described(&record.top, channels)
}

fn described<'a>(
    parts: impl IntoIterator<Item = &'a Contribution>,
    channels: &[impl AsRef<str>],
) -> String {
    let sentence = |part: &Contribution| {
        let name = name(channels, part.channel);
        format!("{name} is {}.", measured(part.y, part.lower, part.upper))
    };
    let sentences: Vec<String> = parts.into_iter().map(sentence).collect();
    sentences.join(" ")
}

/// `1013.42, expected 1013.23 to 1013.27`, with the digits that show whether it lies within.
pub fn measured(y: f64, lower: f64, upper: f64) -> String {
    if !lower.is_finite() || !upper.is_finite() {
        return told(y, 0.0);
    }
    let apart = apart(y, lower, upper);
    let [y, lower, upper] = [y, lower, upper].map(|value| told(value, apart));
    format!("{y}, expected {lower} to {upper}")
}

/// A line for a terminal: when it opened, what it is, and the first sensor. Where the process is at fault
/// each sensor may lie inside of what was expected of it, so that only its name says something.
pub fn opened_line(record: &AlertRecord, channels: &[impl AsRef<str>]) -> String {
    let line = format!("{} {}", record.starts_at, summary(record, channels));
    let first = record.top.first();
    match (record.cause, first.map(|part| part.channel)) {
        (_, None) => line,
        (Some(FaultClass::Process), Some(channel)) => {
            format!("{line}, most of it in {}", name(channels, channel))
        }
        (_, Some(_)) => format!("{line}: {}", described(first, channels)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_be_told_from_what_was_expected() {
        #[rustfmt::skip]
        let cases = [
            ([1_013.42, 1_013.23, 1_013.27],        "1013.42, expected 1013.23 to 1013.27"),
            ([49.8, 49.99, 50.01],                  "49.8, expected 49.99 to 50.01"),
            ([123_456_780.0, 123_456_787.0, 123_456_791.0],
             "123456780, expected 123456787 to 123456791"),
            ([1.5e300, 1.1e300, 1.3e300],           "1.5e300, expected 1.1e300 to 1.3e300"),
            ([1.000_2e-9, 1.000_4e-9, 1.000_6e-9],  "1.0002e-9, expected 1.0004e-9 to 1.0006e-9"),
            // Wide ranges need no more digits than there were.
            ([71.934_56, 0.0, 60.0],                "71.93, expected 0 to 60"),
            // Just beside a range, and beside one without a width.
            ([20.000_123, 10.0, 20.0],              "20.00012, expected 10 to 20"),
            ([7.000_5, 7.0, 7.0],                   "7.0005, expected 7 to 7"),
            ([7.0, 7.0, 7.0],                       "7, expected 7 to 7"),
            ([f64::NAN, 1.0, 2.0],                  "missing, expected 1 to 2"),
            ([5.0, f64::NAN, 2.0],                  "5"),
        ];
        for ([y, lower, upper], expected) in cases {
            assert_eq!(measured(y, lower, upper), expected);
        }
    }
}
