//! How much event time was watched.

use crate::record::EventTime;

/// Milliseconds of a week.
pub const WEEK_MS: f64 = 7.0 * 24.0 * 3_600_000.0;

/// The time from the first row to the last.
///
/// One row whose clock was wrong would make decades of a week: a jump that is longer than all other
/// time together is no time that was watched, and does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// Earliest and latest.
    ends: Option<(i64, i64)>,
    /// Longest step forward from the newest row before.
    jump: i64,
}

impl Watched {
    /// One more row.
    pub fn add(&mut self, time: EventTime) {
        let time = time.as_millis();
        let (first, last) = self.ends.unwrap_or((time, time));
        self.jump = self.jump.max(time.saturating_sub(last));
        self.ends = Some((first.min(time), last.max(time)));
    }

    /// Weeks of event time.
    pub fn weeks(&self) -> f64 {
        let span = self.ends.map_or(0, |(first, last)| last.saturating_sub(first));
        let rest = span.saturating_sub(self.jump);
        // Of two rows the step between them is all there is.
        let ms = if 0 < rest && rest < self.jump { rest } else { span };
        ms as f64 / WEEK_MS
    }
}

impl FromIterator<EventTime> for Watched {
    fn from_iter<I: IntoIterator<Item = EventTime>>(times: I) -> Self {
        let mut watched = Self::default();
        times.into_iter().for_each(|time| watched.add(time));
        watched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(days: impl IntoIterator<Item = i64>) -> f64 {
        days.into_iter()
            .map(|day| EventTime::from_millis(day * 86_400_000))
            .collect::<Watched>()
            .weeks()
    }

    #[test]
    fn one_row_of_another_century_makes_no_century() {
        let days = 20_000..20_015;
        assert_eq!(weeks(days.clone()), 2.0);
        assert_eq!(weeks([0].into_iter().chain(days.clone())), 2.0, "before all others");
        assert_eq!(weeks(days.clone().chain([57_000])), 2.0, "after all others");
        // An outage of a part of the time is time in which nothing was raised.
        assert_eq!(weeks([0, 1, 2, 7, 13, 14]), 2.0);
        assert_eq!((weeks([]), weeks([3]), weeks([0, 7])), (0.0, 0.0, 1.0));
        // Rows that come a little late change nothing.
        assert_eq!(weeks([0, 2, 1, 3, 5, 4, 7]), 1.0);
    }
}
