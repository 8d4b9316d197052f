//! What people read of an alert: a line, and the sensors behind it.

use std::fmt::Write as _;

use crate::record::{AlertKind, AlertRecord, Contribution, Direction, FaultClass};

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
        let _ = write!(text, ", p = {}", significant(record.p_value));
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
        let mut text = format!("{} is {}", name(channels, part.channel), significant(part.y));
        if part.lower.is_finite() && part.upper.is_finite() {
            let (lower, upper) = (significant(part.lower), significant(part.upper));
            // Writing to a String cannot fail.
            let _ = write!(text, ", expected {lower} to {upper}");
        }
        text + "."
    };
    let sentences: Vec<String> = parts.into_iter().map(sentence).collect();
    sentences.join(" ")
}

/// Four significant digits: enough to recognise a value.
fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "missing".to_owned();
    }
    let magnitude = value.abs().log10().floor().clamp(-300.0, 300.0);
    let decimals = if value == 0.0 { 0.0 } else { 3.0 - magnitude };
    if decimals > 9.0 {
        return format!("{value:.3e}");
    }
    let decimals = decimals.max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    let digits = if text.contains('.') { text.trim_end_matches('0') } else { &text };
    digits.trim_end_matches('.').to_owned()
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
    fn numbers_keep_four_digits() {
        #[rustfmt::skip]
        let cases = [
            (71.9, "71.9"), (0.000_213_4, "0.0002134"), (-1234.56, "-1235"), (0.0, "0"),
            (120.0, "120"), (1e-12, "1.000e-12"), (f64::NAN, "missing"),
        ];
        for (value, expected) in cases {
            assert_eq!(significant(value), expected);
        }
    }
}
