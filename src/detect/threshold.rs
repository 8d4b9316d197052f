//! The operator's alert budget as a threshold on surprise.

use super::Budget;
use crate::record::{EventTime, Millis, Step};

/// Rows whose spacing is averaged where there is no grid.
const SPACING_MEMORY: f64 = 500.0;
/// Share of rows that may be over the threshold, whatever the budget says.
const P_MAX: f64 = 0.05;

/// The surprise from which a row is an alarm.
///
/// With `alerts` allowed per `per` and a row every `step`, a calm row may be over the threshold
/// with chance `p = alerts · step / per`; the threshold is `-log10(p)`, at least 1.3. Alarms come
/// in runs and a run opens one alert, so the realised rate lies at or below the promise as far as
/// the p-values hold.
#[derive(Debug, Clone)]
pub struct Threshold {
    spacing_ms: f64,
    rows: u32,
    grid: bool,
    last: Option<EventTime>,
}

impl Threshold {
    /// For rows on a grid, or with the spacing still to be found.
    pub fn new(step: Step) -> Self {
        let (spacing_ms, grid) = match step {
            Step::Grid(step) => (step.get() as f64, true),
            Step::Event => (1.0, false),
        };
        Self { spacing_ms, rows: 0, grid, last: None }
    }

    /// Takes note of a row's time, to find the spacing of rows without a grid.
    pub fn observe(&mut self, time: EventTime) {
        if self.grid {
            return;
        }
        if let Some(last) = self.last.replace(time) {
            self.rows = self.rows.saturating_add(1);
            let rate = (1.0 / f64::from(self.rows)).max(1.0 / SPACING_MEMORY);
            self.spacing_ms += rate * ((time - last).get().max(0) as f64 - self.spacing_ms);
        }
    }

    /// Surprise (`-log10 p`) from which a row is an alarm.
    pub fn level(&self, budget: &Budget) -> f64 {
        let per = budget.per.max(Millis::new(1)).get() as f64;
        let p = budget.alerts.get() * self.spacing_ms.max(1.0) / per;
        -p.min(P_MAX).log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Positive;

    fn budget(alerts: f64, per_ms: i64) -> Budget {
        Budget { alerts: Positive::try_from(alerts).expect("above 0"), per: Millis::new(per_ms) }
    }

    #[test]
    fn the_level_follows_from_budget_and_step() {
        let grid = Threshold::new(Step::Grid(Millis::new(60_000)));
        // 2 a week of minutes: p = 2 / 10,080.
        assert!((grid.level(&budget(2.0, 604_800_000)) - 3.7024).abs() < 1e-3);
        assert!((grid.level(&budget(1e9, 604_800_000)) - 1.3010).abs() < 1e-3, "capped");
    }

    #[test]
    fn without_a_grid_the_spacing_is_found() {
        let mut event = Threshold::new(Step::Event);
        for i in 0..100 {
            event.observe(EventTime::from_millis(1_000_000 + i * 1_000));
        }
        assert!((event.level(&budget(1.0, 1_000_000)) - 3.0).abs() < 0.01);
    }
}
