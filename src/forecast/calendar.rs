//! What the clock and the calendar say about a row: local time of day, weekday, day off.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Weekday};

use crate::record::{EventTime, Millis};

const DAY_MS: i64 = 86_400_000;

/// Local time, days off and the length of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    holidays: BTreeSet<Date>,
    step: Millis,
}

/// One row as the calendar sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Moment {
    /// Milliseconds since local midnight.
    pub time_of_day_ms: u32,
    /// 0 is Monday.
    pub weekday: u8,
    /// In the list of holidays.
    pub holiday: bool,
    /// Offset of local time from UTC in whole rows: how far seasons have moved.
    pub shift: i16,
    /// Nothing was observed in the row.
    pub missing: bool,
}

impl Calendar {
    /// `zone` is where people live by whom the demand is made; `step` the length of a row.
    pub fn new(zone: TimeZone, holidays: impl IntoIterator<Item = Date>, step: Millis) -> Self {
        Self { zone, holidays: holidays.into_iter().collect(), step }
    }

    /// UTC without holidays.
    pub fn utc(step: Millis) -> Self {
        Self::new(TimeZone::UTC, [], step)
    }

    /// Length of a row.
    pub fn step(&self) -> Millis {
        self.step
    }

    /// Whether there are holidays.
    pub fn has_holidays(&self) -> bool {
        !self.holidays.is_empty()
    }

    /// Rows of a day; `None` if days are no whole number of rows.
    pub(super) fn day_rows(&self) -> Option<usize> {
        let step = self.step.get();
        (step > 0 && DAY_MS % step == 0).then_some((DAY_MS / step) as usize)
    }

    /// The row that starts at `time`; outside the years of the calendar that of UTC. A row of a day or
    /// more is of the day that its middle is in: stamps may be of midnight here or in UTC.
    pub(super) fn moment(&self, time: EventTime) -> Moment {
        let half = if self.step.get() >= DAY_MS { self.step.get() / 2 } else { 0 };
        let ms = time.as_millis().saturating_add(half);
        let Ok(stamp) = Timestamp::from_millisecond(ms) else {
            return Moment {
                time_of_day_ms: ms.rem_euclid(DAY_MS) as u32,
                weekday: (ms.div_euclid(DAY_MS) + 3).rem_euclid(7) as u8,
                ..Moment::default()
            };
        };
        let offset = self.zone.to_offset(stamp);
        let local = offset.to_datetime(stamp);
        let (date, clock) = (local.date(), local.time());
        let seconds = (i64::from(clock.hour()) * 60 + i64::from(clock.minute())) * 60
            + i64::from(clock.second());
        let millis = seconds * 1_000 + i64::from(clock.subsec_nanosecond()) / 1_000_000;
        let shift = i64::from(offset.seconds()) * 1_000 / self.step.get().max(1);
        Moment {
            time_of_day_ms: millis as u32,
            weekday: date.weekday().since(Weekday::Monday) as u8,
            holiday: self.holidays.contains(&date),
            shift: i16::try_from(shift).unwrap_or(0),
            missing: false,
        }
    }
}

impl Moment {
    /// Saturday, Sunday, or a holiday.
    pub(super) fn is_day_off(self) -> bool {
        self.weekday >= 5 || self.holiday
    }

    /// Time of day as a fraction of 24 hours, `0 <= f < 1`.
    pub(super) fn day_fraction(self) -> f64 {
        f64::from(self.time_of_day_ms) / DAY_MS as f64
    }

    /// All of it as one number.
    pub(super) fn pack(self) -> i64 {
        i64::from(self.time_of_day_ms)
            | i64::from(self.weekday) << 32
            | i64::from(self.holiday) << 40
            | i64::from(self.missing) << 41
            | i64::from(self.shift as u16) << 48
    }

    /// What [`Moment::pack`] has made.
    pub(super) fn unpack(packed: i64) -> Self {
        Self {
            time_of_day_ms: packed as u32,
            weekday: (packed >> 32 & 0xff) as u8 % 7,
            holiday: packed >> 40 & 1 == 1,
            missing: packed >> 41 & 1 == 1,
            shift: (packed >> 48) as i16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        let stamp: Timestamp = text.parse().expect("a time");
        EventTime::from_millis(stamp.as_millisecond())
    }

    /// Rows of a day are stamped at midnight in UTC, or where people live.
    #[test]
    fn a_row_of_a_day_is_of_the_day_that_most_of_it_is_in() {
        let holiday = jiff::civil::date(2026, 12, 25);
        for (zone, stamps) in [
            ("UTC", vec!["2026-12-25T00:00:00Z"]),
            ("America/New_York", vec!["2026-12-25T00:00:00Z", "2026-12-25T05:00:00Z"]),
            ("Europe/Berlin", vec!["2026-12-25T00:00:00Z", "2026-12-24T23:00:00Z"]),
        ] {
            let zone = TimeZone::get(zone).expect("in every database");
            let calendar = Calendar::new(zone.clone(), [holiday], Millis::new(DAY_MS));
            for stamp in stamps {
                let moment = calendar.moment(at(stamp));
                assert!(moment.holiday && moment.weekday == 4, "{zone:?} {stamp}: {moment:?}");
                let day = Millis::new(DAY_MS);
                for other in [at(stamp) + day, at(stamp) - day] {
                    assert!(!calendar.moment(other).holiday, "{zone:?} {stamp}");
                }
            }
        }
    }

    #[test]
    fn local_time_moves_with_daylight_saving() {
        let berlin = TimeZone::get("Europe/Berlin").expect("in every database");
        let holiday = jiff::civil::date(2026, 12, 25);
        let calendar = Calendar::new(berlin, [holiday], Millis::new(3_600_000));
        #[rustfmt::skip]
        let cases = [
            // what it shows       at                      hour  weekday  off    shift
            ("winter",             "2026-03-28T11:00:00Z", 12.0, 5,       true,  1),
            ("the last old hour",  "2026-03-29T00:00:00Z",  1.0, 6,       true,  1),
            ("2 o'clock is not",   "2026-03-29T01:00:00Z",  3.0, 6,       true,  2),
            ("2 o'clock",          "2026-10-25T00:00:00Z",  2.0, 6,       true,  2),
            ("2 o'clock again",    "2026-10-25T01:00:00Z",  2.0, 6,       true,  1),
            ("a Friday",           "2026-12-25T08:00:00Z",  9.0, 4,       true,  1),
            ("a Monday",           "2026-11-23T22:59:00Z", 23.9833, 0,    false, 1),
        ];
        for (what, time, hour, weekday, off, shift) in cases {
            let moment = calendar.moment(at(time));
            assert!((24.0 * moment.day_fraction() - hour).abs() < 1e-3, "{what}: {moment:?}");
            assert_eq!((moment.weekday, moment.is_day_off()), (weekday, off), "{what}");
            assert_eq!(moment.shift, shift, "{what}");
            assert_eq!(Moment::unpack(moment.pack()), moment, "{what}");
        }
        assert_eq!(calendar.day_rows(), Some(24));
    }

    #[test]
    fn a_moment_survives_packing() {
        let moment = Moment {
            time_of_day_ms: 86_399_999,
            weekday: 6,
            holiday: true,
            shift: -7,
            missing: true,
        };
        assert_eq!(Moment::unpack(moment.pack()), moment);
    }
}
