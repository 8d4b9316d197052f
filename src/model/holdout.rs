//! Which windows train, and which examine what was trained.

use crate::record::mix;

/// One held-out stretch in so many lengths of a window.
const EVERY: u64 = 12;

/// Who sees a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Training.
    Train,
    /// Examinations.
    Examine,
    /// Nobody: it has rows in common with windows of both.
    Apart,
}

impl Role {
    /// The role of the window of `length` rows that ends with row `row` of its series.
    ///
    /// Neighbouring windows have all rows but one in common. Of each 12 lengths a stretch of two is
    /// held out, at a place that `salt` draws anew each time, lest a cycle of the process always meets
    /// it: windows wholly inside examine, those wholly outside train, so that no row of an examination
    /// was ever trained on.
    pub fn of(row: u64, length: usize, salt: u64) -> Self {
        let length = (length as u64).max(1);
        let (period, phase) = (row / (EVERY * length), row % (EVERY * length));
        let touching = 3 * length - 2;
        let begins = mix(salt ^ period) % (EVERY * length - touching + 1);
        match phase.checked_sub(begins) {
            Some(at) if at >= touching => Self::Train,
            Some(at) if (length - 1..2 * length - 1).contains(&at) => Self::Examine,
            Some(_) => Self::Apart,
            None => Self::Train,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_both_trains_and_examines() {
        for length in [1, 2, 5, 16] {
            let role = |row: u64| Role::of(row, length, 7);
            let rows = 100 * EVERY * length as u64;
            let (mut trained, mut examined) =
                (vec![false; rows as usize], vec![false; rows as usize]);
            for row in length as u64..rows {
                let seen = match role(row) {
                    Role::Train => &mut trained,
                    Role::Examine => &mut examined,
                    Role::Apart => continue,
                };
                seen[row as usize + 1 - length..=row as usize].fill(true);
            }
            assert!(trained.iter().zip(&examined).all(|(a, b)| !(a & b)), "length {length}");
            let share =
                |role_of: Role| (0..rows).filter(|row| role(*row) == role_of).count() as u64;
            assert_eq!(share(Role::Examine), rows / EVERY, "length {length}");
            assert!(share(Role::Train) * 4 >= rows * 3, "length {length}");
        }
    }

    #[test]
    fn stretches_are_elsewhere_each_time_and_in_each_series() {
        let first = |period: u64, salt: u64| {
            let rows = period * 192..(period + 1) * 192;
            rows.map(|row| Role::of(row, 16, salt)).position(|role| role == Role::Examine)
        };
        let places = |of: &dyn Fn(u64) -> Option<usize>| {
            (0..50).map(of).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert!(places(&|period| first(period, 1)) > 25);
        assert!(places(&|salt| first(0, salt)) > 25);
    }
}
