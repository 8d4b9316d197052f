//! Cron expressions in a time zone, as values: equal event times give equal answers.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::record::{EventTime, Millis};

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields of cron.
    #[error("expected five fields such as `0 22 * * SUN` ({0})")]
    Cron(String),
    /// Well-formed, but there is no such day.
    #[error("never happens")]
    Never,
    /// No such time zone.
    #[error("is no time zone such as Europe/Berlin")]
    Zone,
}

/// Spans of one length that begin by a cron expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    duration: Millis,
}

/// The beginnings around a time: at or before it, and after it.
pub(super) type Beginnings = (Option<EventTime>, Option<EventTime>);

impl Schedule {
    /// Spans of `duration` from each time of `cron` on, by the clocks of `zone` (an IANA name).
    ///
    /// # Errors
    ///
    /// [`ScheduleError`]
    pub fn new(cron: &str, zone: &str, duration: Millis) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
        let cron =
            parser.build().parse(cron).map_err(|error| ScheduleError::Cron(error.to_string()))?;
        let zone = TimeZone::get(zone).map_err(|_| ScheduleError::Zone)?;
        let schedule = Self { cron, zone, duration };
        let some_day = EventTime::from_millis(1_700_000_000_000);
        schedule.beginnings(some_day).1.ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }

    /// Length of a span.
    pub fn duration(&self) -> Millis {
        self.duration
    }

    /// The newest beginning at or before `time`, and the next one after it.
    pub(super) fn beginnings(&self, time: EventTime) -> Beginnings {
        // Cron knows whole seconds.
        let second = time.as_millis().div_euclid(1_000);
        let Ok(at) = Timestamp::from_second(second) else { return (None, None) };
        let at = at.to_zoned(self.zone.clone());
        let time = |found: Zoned| EventTime::from_millis(found.timestamp().as_millisecond());
        let before = self.cron.find_previous_occurrence(&at, true).ok().map(time);
        let after = self.cron.find_next_occurrence(&at, false).ok().map(time);
        (before, after)
    }
}
