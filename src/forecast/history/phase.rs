//! Which row of the past is like a row to come.

use super::History;
use crate::forecast::design::Design;

/// Holidays on the same day of so many weeks are looked past.
const HOLIDAYS_MAX: usize = 6;
const SUNDAY: u8 = 6;

impl History {
    /// The newest row, at or before `newest`, of the phase of row `j` in a season; `None` if
    /// none is kept. Seasons of whole days follow local time. In seasons of whole weeks a holiday is a
    /// Sunday: it follows the newest of both, and other days do not follow it.
    pub(in crate::forecast) fn same_phase(
        &self,
        design: &Design,
        season: usize,
        j: usize,
        newest: usize,
    ) -> Option<usize> {
        let length = design.seasons[season];
        let same = self.same_time(design, length, j, newest);
        let of = self.moment(j);
        if !design.holidays || !design.is_weekly(length) || of.weekday == SUNDAY {
            return same;
        }
        let (lag, tries) = if of.holiday { (design.day_rows, 7) } else { (length, HOLIDAYS_MAX) };
        let mut at = self.same_time(design, lag, j, newest);
        for _ in 0..tries {
            let Some(row) = at else { break };
            let then = self.moment(row);
            let rests = then.holiday || then.weekday == SUNDAY;
            if rests == of.holiday {
                return at;
            }
            at = row.checked_sub(1).and_then(|newest| self.same_time(design, lag, j, newest));
        }
        same
    }

    /// The newest row, at or before `newest`, a multiple of `length` rows before row `j`.
    fn same_time(&self, design: &Design, length: usize, j: usize, newest: usize) -> Option<usize> {
        let lag = length * (j - newest).div_ceil(length).max(1);
        let at = j.checked_sub(lag).filter(|i| *i >= self.base)?;
        if !design.is_civil(length) {
            return Some(at);
        }
        let moved = i64::from(self.moment(j).shift) - i64::from(self.moment(at).shift);
        if moved == 0 {
            return Some(at);
        }
        let i = usize::try_from(at as i64 + moved).ok()?;
        let i = if i > newest { i.checked_sub(length)? } else { i };
        (i >= self.base).then_some(i)
    }
}
