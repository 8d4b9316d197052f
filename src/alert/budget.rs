//! The operator's alert budget as a threshold on surprise.

use serde::{Deserialize, Serialize};

use super::Budget;
use crate::record::{EventTime, Millis, Step};

/// Rows whose spacing is averaged where there is no grid.
const SPACING_MEMORY: f64 = 500.0;
/// Share of rows that may be over the threshold, whatever the budget says.
const P_MAX: f64 = 0.05;

/// How much an alert on credit lifts the threshold.
const LIFT: f64 = 0.5;

/// The surprise from which a row is an alarm.
///
/// With `alerts` allowed per `per` and a row every `step`, a calm row may be over the threshold
/// with chance `p = alerts · step / per`; the base threshold is `-log10(p)`, at least 1.3.
///
/// p-values come from a past that may no longer hold, so the promise is also enforced: an account
/// earns `p` a row, holds at most `alerts`, and pays 1 for each alert. While `d` alerts in debt
/// the threshold is the base times `1 + d / 2`. Over any span of `n` rows a series therefore
/// opens at most `p n + alerts + 1 + 2 (r - 1)` alerts, where `r` is the largest surprise of the
/// span over the base threshold: more than the budget only for what is far more unusual.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Threshold {
    account: Option<f64>,
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
        Self { account: None, spacing_ms, rows: 0, grid, last: None }
    }

    /// This account under the settings of `fresh`; `None` if one has a grid and the other none.
    pub fn adopt(self, fresh: &Self) -> Option<Self> {
        let spacing_ms = if fresh.grid { fresh.spacing_ms } else { self.spacing_ms };
        (self.grid == fresh.grid).then_some(Self { spacing_ms, ..self })
    }

    /// Takes note of a row: earns its share of the budget, finds the spacing without a grid.
    pub fn observe(&mut self, budget: &Budget, time: EventTime) {
        let most = budget.alerts.get();
        let account = self.account.unwrap_or(most) + self.allowed(budget);
        self.account = Some(account.min(most));
        if self.grid {
            return;
        }
        if let Some(last) = self.last.replace(time) {
            self.rows = self.rows.saturating_add(1);
            let rate = (1.0 / f64::from(self.rows)).max(1.0 / SPACING_MEMORY);
            self.spacing_ms += rate * ((time - last).get().max(0) as f64 - self.spacing_ms);
        }
    }

    /// Pays for an alert that opened.
    pub fn spend(&mut self) {
        self.account = self.account.map(|account| account - 1.0);
    }

    /// Surprise (`-log10 p`) from which a row is an alarm.
    pub fn level(&self, budget: &Budget) -> f64 {
        let debt = -self.account.unwrap_or(0.0).min(0.0);
        -self.allowed(budget).log10() * (1.0 + LIFT * debt)
    }

    /// Alerts that one row may cost.
    fn allowed(&self, budget: &Budget) -> f64 {
        let per = budget.per.max(Millis::new(1)).get() as f64;
        (budget.alerts.get() * self.spacing_ms.max(1.0) / per).min(P_MAX)
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
            event.observe(&budget(1.0, 1_000_000), EventTime::from_millis(1_000_000 + i * 1_000));
        }
        assert!((event.level(&budget(1.0, 1_000_000)) - 3.0).abs() < 0.01);
    }

    /// The bound of the type's documentation, for a series that is over the base all the time.
    #[test]
    fn a_series_that_will_not_calm_down_is_held_to_its_budget() {
        let budget = budget(2.0, 1_000_000);
        let mut threshold = Threshold::new(Step::Grid(Millis::new(1_000)));
        let base = threshold.level(&budget);
        let (mut alerts, ratio) = (0.0, 3.0);
        for i in 0..20_000 {
            threshold.observe(&budget, EventTime::from_millis(1_000 * i));
            if ratio * base >= threshold.level(&budget) {
                threshold.spend();
                alerts += 1.0;
            }
        }
        let allowed = 2.0 * 20_000.0 / 1_000.0;
        assert!(alerts <= allowed + 2.0 + 1.0 + 2.0 * (ratio - 1.0), "{alerts}");
        assert!(alerts >= allowed, "{alerts}: what was allowed is used");
    }
}
