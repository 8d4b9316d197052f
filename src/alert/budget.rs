//! The operator's alert budget as a threshold on evidence.

use serde::{Deserialize, Serialize};

use super::{AlertParams, Budget};
use crate::record::{EventTime, Millis, Step};

/// Rows whose spacing is averaged where there is no grid.
const SPACING_MEMORY: f64 = 500.0;
/// Most evidence that counts, like `-log10` of a chance: nothing is learned from a past of 10^12 rows.
/// All evidence is on this scale, 0 to 12.
pub const EVIDENCE_MAX: f64 = 12.0;
/// What the past of a series lifts its threshold to at most: what is clearer is always told.
const LEVEL_MAX: f64 = 0.7 * EVIDENCE_MAX;
/// Share of rows that may be over the threshold where the budget is a bound: what is more common than
/// one row in a thousand is not unusual.
const BOUND_MAX: f64 = 0.001;
/// The same where it is to be spent: alerts have to end before the next one can open.
const SPENT_MAX: f64 = 0.05;
/// The lift of an alert fades over so many times the rows that one alert is allowed for.
const LIFT_MEMORY: f64 = 6.0;
/// How fast an alert is forgiven that turns out clearer than it opened.
const FORGIVEN: i32 = 4;
/// How much an alert on credit lifts it further, until it is paid.
const DEBT_LIFT: f64 = 0.1;
/// How far one row over the ceiling lifts it; rows below lower it so that a share `p` is over it.
const CEILING_STEP: f64 = 0.15;
/// Least ceiling, and rows over it that count as one, if that leaves room for a share `p`.
const CEILING_MIN: f64 = 0.5;
const CEILING_ROWS: f64 = 12.0;
/// What is saved is spent over this many rows.
const SPEND_ROWS: f64 = 4_000.0;

/// What a series may cost its operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Alerts and their period.
    pub budget: Budget,
    /// Whether calm series are to use the budget, too.
    pub is_spent: bool,
}

impl Allowance {
    /// Share of rows, one every `step`, that may be over the threshold of a calm series.
    pub fn share_of_rows(&self, step: Millis) -> f64 {
        self.share(step.get() as f64)
    }

    fn share(&self, spacing_ms: f64) -> f64 {
        let per = self.budget.per.max(Millis::new(1)).get() as f64;
        let most = if self.is_spent { SPENT_MAX } else { BOUND_MAX };
        (self.budget.alerts.get() * spacing_ms.max(1.0) / per).min(most)
    }
}

/// The evidence from which a row is an alarm.
///
/// With `alerts` allowed per `per` and a row every `step`, a calm row may be over the threshold
/// with chance `p = alerts · step / per`; the base threshold is `-log10(p)`. `p` is 1/1000 at most,
/// so with long steps the budget is far from used, or 1/20 if it is to be. A series that has saved
/// `s` alerts may use them: `p` is then at least `s / 4000` (and 1/1000 at most). So young and fast
/// series can be judged by what their past can tell.
///
/// Evidence comes from a past that may no longer hold, so the promise is also enforced. An account
/// earns `p` a row, holds at most `alerts` (and begins with them), and pays 1 for each alert. With
/// `d` alerts of debt the threshold is the base times `1 + 0.1 d`.
///
/// Where evidence is known to be loose, an alert lifts the threshold, too, by what the caller says
/// (a lift of 0.2 is 20 %), and the lift fades within `6 / p` rows. That is meant for alerts at the
/// edge, which are those that calm rows open: with each row at `r` times the evidence of the
/// threshold at which it opened, the lift is at most `r⁻⁴` of what it was. A fault that is clear
/// does not make the series deaf to the next one.
///
/// All that ends at a level of 8.4, 70 % of the scale of evidence, or at the base where that is higher:
/// whatever has come before, a series hears what is clear. Lift and debt grow no further than to it,
/// so the way back is no longer than from there.
///
/// With [`Threshold::learn`] the lift ends at a ceiling: the evidence over the base that a share `p`
/// of the rows is over, neighbouring ones counted once. A calm series is lifted no further than it
/// needs, and gets what it was promised. It follows as in stochastic approximation of a quantile
/// (Robbins and Monro, 1951) and is 0.5 or more.
///
/// Over any span of `n` rows with evidence below 8.4 a series opens at most
/// `p n + alerts + 1 + (r - 0.5) / 0.1` alerts, where `r` is the largest evidence of the span over the
/// base of rows: more than the budget only for what is far more unusual.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Threshold {
    account: Option<f64>,
    /// Sum of the lifts of past alerts.
    #[serde(default)]
    lifted: f64,
    /// What the newest alert lifts, and the highest evidence it has shown.
    #[serde(default)]
    newest: (f64, f64),
    #[serde(default)]
    ceiling: Option<f64>,
    #[serde(default)]
    since_over: u32,
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
        Self {
            account: None,
            lifted: 0.0,
            newest: (0.0, 0.0),
            ceiling: None,
            since_over: 0,
            spacing_ms,
            rows: 0,
            grid,
            last: None,
        }
    }

    /// This account under the settings of `fresh`; `None` if one has a grid and the other none.
    pub fn adopt(self, fresh: &Self) -> Option<Self> {
        let spacing_ms = if fresh.grid { fresh.spacing_ms } else { self.spacing_ms };
        (self.grid == fresh.grid).then_some(Self { spacing_ms, ..self })
    }

    /// Takes note of a row: earns its share of the budget, finds the spacing without a grid.
    pub fn observe(&mut self, of: &Allowance, time: EventTime) {
        let (most, earned) = (of.budget.alerts.get(), self.allowed(of));
        self.account = Some((self.account.unwrap_or(most) + earned).min(most));
        let kept = 1.0 - (earned / LIFT_MEMORY).min(1.0);
        self.lifted *= kept;
        self.newest.0 *= kept;
        if self.grid {
            return;
        }
        if let Some(last) = self.last.replace(time) {
            self.rows = self.rows.saturating_add(1);
            let rate = (1.0 / f64::from(self.rows)).max(1.0 / SPACING_MEMORY);
            self.spacing_ms += rate * ((time - last).get().max(0) as f64 - self.spacing_ms);
        }
    }

    /// Time from one row to the next, in seconds.
    pub fn spacing_seconds(&self) -> f64 {
        self.spacing_ms / 1e3
    }

    /// Pays for an alert that opened at a threshold of `level`; it lifts the threshold by `lift`.
    pub fn spend(&mut self, of: &Allowance, level: f64, lift: f64) {
        let most = LEVEL_MAX / self.base(of);
        // One more than what leads to the highest level: each alert on the way there is paid.
        let least = -((most - self.lift()).max(0.0) / DEBT_LIFT + 1.0);
        self.account = self.account.map(|account| (account - 1.0).max(least.min(account)));
        let lift = lift.min(most - 1.0 - self.lifted).max(0.0);
        self.lifted += lift;
        self.newest = (lift, level);
    }

    /// Takes note of the evidence of a row while the alert paid for last goes on.
    pub fn confirm(&mut self, evidence: f64) {
        let (lift, highest) = self.newest;
        if highest < evidence {
            let left = lift * (highest / evidence).powi(FORGIVEN);
            self.lifted = (self.lifted - (lift - left)).max(0.0);
            self.newest = (left, evidence);
        }
    }

    /// Takes note of the evidence of a judged row, after it met [`Threshold::level`].
    pub fn learn(&mut self, of: &Allowance, evidence: f64) {
        let mut ceiling = self.ceiling.unwrap_or(1.0) - CEILING_STEP * self.allowed(of);
        self.since_over = self.since_over.saturating_add(1);
        let apart = CEILING_ROWS.min(0.5 / self.allowed(of));
        if f64::from(self.since_over) > apart && evidence > ceiling * self.base(of) {
            ceiling += CEILING_STEP;
            self.since_over = 0;
        }
        self.ceiling = Some(ceiling.max(CEILING_MIN));
    }

    /// Evidence (like `-log10 p`) from which a row is an alarm.
    pub fn level(&self, of: &Allowance) -> f64 {
        let debt = (-self.account.unwrap_or(0.0)).max(0.0);
        let base = self.base(of);
        (base * (self.lift() + DEBT_LIFT * debt)).min(base.max(LEVEL_MAX))
    }

    /// How severe evidence is, 1 at the threshold as it would be without past alerts. What is critical is
    /// within the scale of evidence.
    pub fn strength(&self, params: &AlertParams, evidence: f64) -> f64 {
        let base = self.base(&params.allowance());
        evidence / base.min(EVIDENCE_MAX / params.critical_ratio.get())
    }

    /// What past alerts make of the base, debts aside.
    fn lift(&self) -> f64 {
        (1.0 + self.lifted).min(self.ceiling.unwrap_or(f64::INFINITY))
    }

    /// What a row with nothing behind it has to reach.
    fn base(&self, of: &Allowance) -> f64 {
        let most = of.budget.alerts.get();
        let saved = self.account.unwrap_or(most).min(most);
        -self.allowed(of).max((saved / SPEND_ROWS).min(BOUND_MAX)).log10()
    }

    /// Alerts that one row may cost.
    fn allowed(&self, of: &Allowance) -> f64 {
        of.share(self.spacing_ms)
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
