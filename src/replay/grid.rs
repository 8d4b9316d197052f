//! The grid that the times of a file are meant for.

use crate::record::{Millis, Step};

/// Steps are multiples of these, the longest that fits: parts of a second, seconds, minutes, hours, a day.
#[rustfmt::skip]
const ROUND_MS: [i64; 17] = [
    5, 10, 50, 100, 500,
    1_000, 5_000, 10_000, 15_000, 30_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 21_600_000,
    86_400_000,
];
/// Jitter is at most one part in so many of a step.
const JITTER_PART: i64 = 50;

/// The median of steps in milliseconds, without the jitter of a clock; without any, each row stands
/// for itself.
pub(super) fn step(steps: &mut [i64]) -> Step {
    steps.sort_unstable();
    let at = |tenths: usize| steps.get(steps.len() * tenths / 10).copied();
    match (at(1), at(5), at(9)) {
        (Some(low), Some(median), Some(high)) => {
            Step::Grid(Millis::new(round_within(median, low, high)))
        }
        _ => Step::Event,
    }
}

/// The round step that a median is meant to be: at most 2 % beside it, and within what eight of ten
/// steps are. A step that never varies is what it is, however odd.
fn round_within(median: i64, low: i64, high: i64) -> i64 {
    let is_beside = |step: &i64| JITTER_PART * (step - median).abs() <= median;
    let near = |step: &i64| low <= *step && *step <= high && is_beside(step);
    let units = ROUND_MS.iter().rev();
    let mut round = units.map(|unit| (median + unit / 2) / unit * unit);
    round.find(|step| 0 < *step && near(step)).unwrap_or(median)
}

/// How far the earliest of `times` comes before an instant of the grid, if nine in ten lie around one.
/// A clock that jitters so would put two rows into one and leave the next one empty.
pub(super) fn lead(times: &[i64], step: Step) -> Millis {
    let Step::Grid(step) = step else { return Millis::ZERO };
    let step = step.get();
    let beside = |time: &i64| (time + step / 2).rem_euclid(step) - step / 2;
    let near = times.iter().map(beside).filter(|ms| JITTER_PART * ms.abs() <= step);
    let near: Vec<i64> = near.collect();
    let is_split = near.iter().any(|ms| 0 <= *ms) && 9 * times.len() <= 10 * near.len();
    let earliest = near.into_iter().min().filter(|ms| is_split && *ms < 0);
    Millis::new(earliest.map_or(0, i64::abs))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of rows every `step` from `from` on, up to `jitter` later.
    fn times(from: i64, every: i64, jitter: i64) -> Vec<i64> {
        let time = |row: i64| from + row * every + (row * 7_919 + 13) % 101 * jitter / 101;
        (0..500).map(|row| 1_699_920_000_000 + time(row)).collect()
    }

    #[test]
    fn a_clock_that_jitters_does_not_make_an_odd_step() {
        #[rustfmt::skip]
        let cases = [
            // every, jitter, step
            (60_000,     800,    60_000),
            (1_000,      15,     1_000),
            (7_000,      100,    7_000),
            (900_000,    20_000, 900_000),
            (86_400_000, 60_000, 86_400_000),
            (61_000,     0,      61_000),
            (59_999,     0,      59_999),
            (61_000,     100,    61_000),
        ];
        for (every, jitter, expected) in cases {
            let times = times(17, every, jitter);
            let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let expected = Step::Grid(Millis::new(expected));
            assert_eq!(step(&mut steps), expected, "{every} and {jitter}");
        }
        assert_eq!(step(&mut []), Step::Event);
        assert_eq!(step(&mut [250]), Step::Grid(Millis::new(250)));
    }

    #[test]
    fn rows_around_the_instants_of_the_grid_are_told_from_others() {
        let lead = |from: i64, jitter: i64| {
            lead(&times(from, 60_000, jitter), Step::Grid(Millis::new(60_000))).get()
        };
        assert_eq!(lead(-400, 808), 400);
        assert_eq!(lead(0, 800), 0, "always behind");
        assert_eq!(lead(-900, 800), 0, "always before");
        assert_eq!(lead(30_000, 800), 0, "far from any");
        assert_eq!(lead(-400, 0), 0, "no jitter");
    }
}
