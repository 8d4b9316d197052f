//! Event time, durations and the grid step.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z; may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// The time `millis` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds since 1970-01-01T00:00:00Z, for metrics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

impl Add<Millis> for EventTime {
    type Output = Self;

    fn add(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Millis> for EventTime {
    type Output = Self;

    fn sub(self, span: Millis) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for EventTime {
    type Output = Millis;

    fn sub(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// RFC 3339, with any offset; a fraction of a millisecond is cut off.
impl FromStr for EventTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
        Ok(Self(time.as_millisecond()))
    }
}

/// RFC 3339 in UTC with milliseconds, trailing `.000` left out: `2026-11-20T10:42:00Z`.
impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Units of a span, longest first, and their lengths in milliseconds.
#[rustfmt::skip]
const UNITS: [(&str, i64); 6] = [
    ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
];

/// A span of time in milliseconds. In configuration it is written `30s`, `5m`, `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(i64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `millis` milliseconds.
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// Length in milliseconds.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The span as a `std` duration; a negative span is zero.
    pub fn to_duration(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = humantime::parse_duration(text)
            .map_err(|_| format!("expected a duration such as 30s, 5m or 2w, got `{text}`"))?;
        i64::try_from(span.as_millis())
            .map(Self)
            .map_err(|_| format!("duration `{text}` is too long"))
    }
}

/// As the configuration has it, in weeks, days, hours, minutes, seconds and milliseconds: `1h 30m`. A
/// negative span prints as `0s`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.max(0);
        if rest == 0 {
            return f.write_str("0s");
        }
        let mut gap = "";
        for (unit, length) in UNITS {
            if length <= rest {
                write!(f, "{gap}{}{unit}", rest / length)?;
                gap = " ";
            }
            rest %= length;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl schemars::JsonSchema for Millis {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "duration: 200ms, 30s, 5m, 1h 30m, 2w",
            "pattern": r"^\s*([0-9]+\s*[a-zA-Zµ]+\s*)+$|^0$",
        })
    }
}

/// Spacing of the event-time grid on which rows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Every record is a row of its own.
    Event,
    /// One row per `step`, rows start at multiples of it since 1970.
    Grid(Millis),
}

impl Step {
    /// Start and end of the row that `time` falls into; both are `time` without a grid.
    pub fn row_of(self, time: EventTime) -> (EventTime, EventTime) {
        match self {
            Self::Event => (time, time),
            Self::Grid(step) => {
                let start = time.0.saturating_sub(time.0.rem_euclid(step.0));
                (EventTime(start), EventTime(start.saturating_add(step.0)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "event" {
            return Ok(Self::Event);
        }
        let step: Millis = text.parse().map_err(serde::de::Error::custom)?;
        if step.get() < 1 {
            return Err(serde::de::Error::custom("expected `event` or a step of at least 1ms"));
        }
        Ok(Self::Grid(step))
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Event => serializer.serialize_str("event"),
            Self::Grid(step) => step.serialize(serializer),
        }
    }
}

impl schemars::JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "`event` (each record is a row) or a duration such as 1m",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_in_the_words_of_the_configuration() {
        let cases = [("30s", 30_000), ("5m", 300_000), ("2w", 1_209_600_000), ("200ms", 200)];
        for (text, millis) in cases {
            assert_eq!(text.parse::<Millis>(), Ok(Millis::new(millis)), "{text}");
        }
        let printed = [
            ("52w", "52w"),
            ("1d", "1d"),
            ("90s", "1m 30s"),
            ("8d 1ms", "1w 1d 1ms"),
            ("0s", "0s"),
            ("36h", "1d 12h"),
        ];
        for (text, expected) in printed {
            let span: Millis = text.parse().unwrap();
            assert_eq!((span.to_string().as_str(), expected.parse()), (expected, Ok(span)));
        }
        assert_eq!(Millis::new(-5).to_string(), "0s");
        assert_eq!("-5s".parse::<Millis>().unwrap_err().matches('(').count(), 0);
        assert!("5 parsecs".parse::<Millis>().unwrap_err().contains("such as 30s"));
    }

    #[test]
    fn a_row_starts_at_the_multiple_of_the_step_at_or_before_the_time() {
        #[rustfmt::skip]
        let cases = [
            // what it shows              time_ms  start_ms
            ("first instant belongs",           0,        0),
            ("last instant belongs",          999,        0),
            ("the edge opens the next",     1_000,    1_000),
            ("before 1970 rounds down",        -1,   -1_000),
        ];
        for (what, time, start) in cases {
            let row = Step::Grid(Millis::new(1_000)).row_of(EventTime(time));
            assert_eq!(row, (EventTime(start), EventTime(start + 1_000)), "{what}");
        }
        assert_eq!(Step::Event.row_of(EventTime(7)), (EventTime(7), EventTime(7)));
    }

    #[test]
    fn times_print_as_rfc_3339() {
        let time = EventTime::from_millis(1_700_000_000_000);
        assert_eq!(time.to_string(), "2023-11-14T22:13:20Z");
        assert_eq!((time + Millis::new(5)).to_string(), "2023-11-14T22:13:20.005Z");
        assert_eq!("2023-11-14T23:13:20+01:00".parse(), Ok(time));
        assert!("yesterday".parse::<EventTime>().is_err());
    }
}
