//! How many training steps event time allows.

use serde::{Deserialize, Serialize};

use crate::model::TrainMax;
use crate::record::EventTime;

/// An account of training steps that event time fills.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::model) struct Allowance {
    steps: f64,
    /// Newest event time seen; `None` before the first.
    time: Option<EventTime>,
}

impl Allowance {
    /// Whether `steps` may be taken at event time `now`; if so they are paid for. Time that goes
    /// backwards, from series to series, fills nothing.
    pub fn spend(&mut self, max: TrainMax, steps: u32, now: EventTime) -> bool {
        if max.steps == 0 {
            return true;
        }
        // The account holds a period's worth, and a refresh at least.
        let (all, wanted) = (f64::from(max.steps.max(steps)), f64::from(steps));
        match self.time {
            None => self.steps = all,
            Some(before) if before < now => {
                let passed = (now - before).get() as f64 / max.per.get().max(1) as f64;
                self.steps = all.min(self.steps + passed * f64::from(max.steps));
            }
            Some(_) => {}
        }
        self.time = self.time.max(Some(now));
        let allowed = wanted <= self.steps;
        if allowed {
            self.steps -= wanted;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Millis;

    #[test]
    fn steps_are_bounded_by_event_time_and_by_nothing_else() {
        let max = TrainMax { steps: 10, per: Millis::new(1_000) };
        let taken = |every_ms: i64| -> u32 {
            let mut account = Allowance::default();
            let times = (0..10_000 / every_ms).map(|i| EventTime::from_millis(i * every_ms));
            times.map(|time| 4 * u32::from(account.spend(max, 4, time))).sum()
        };
        // 10 at the start, then 10 a second for 10 s.
        assert!((100..=112).contains(&taken(10)), "{}", taken(10));
        assert!((100..=112).contains(&taken(1)), "{}", taken(1));
        assert_eq!(taken(2_000), 20, "a slow stream is not slowed down");
        let mut account = Allowance::default();
        let none = TrainMax { steps: 0, ..max };
        assert!((0..100).all(|_| account.spend(none, 4, EventTime::from_millis(0))));
    }

    #[test]
    fn a_refresh_larger_than_the_period_allows_waits_for_several() {
        let max = TrainMax { steps: 2, per: Millis::new(1_000) };
        let mut account = Allowance::default();
        let allowed: Vec<i64> = (0..10)
            .filter(|second| account.spend(max, 4, EventTime::from_millis(1_000 * second)))
            .collect();
        assert_eq!(allowed, [0, 2, 4, 6, 8]);
    }
}
