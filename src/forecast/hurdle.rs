//! Intermittent demand: whether there is any, times how much.
//!
//! Mullahy, "Specification and testing of some modified count data models", 1986: a logistic regression
//! says whether the row is zero, a ridge regression how much is wanted if it is not.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::features::View;
use super::head::Plan;
use super::ridge::Factor;
use super::{Link, NonNegative};
use crate::record::mix;

/// Demand is intermittent from this share of zeros on.
pub(super) const ZEROS_MIN: f64 = 0.5;
/// And no longer below this one.
const ZEROS_LEAVE: f64 = 0.4;
/// Windows over which zeros are counted.
const WINDOWS: usize = 8;
/// Most pairs of origin and horizon that the regressions see.
const PAIRS_MAX: usize = 2_000;
/// Fewest rows with demand.
const POSITIVES_MIN: usize = 10;
/// Seasons that are asked whether there was demand at this phase.
const PHASES: usize = 4;
const PENALTY: f64 = 1.0;

/// Both regressions, over pairs of origin and horizon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Hurdle {
    /// The demand is intermittent.
    pub active: bool,
    fitted: Option<Fitted>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fitted {
    intercept: f64,
    /// Log odds of demand per feature.
    odds: Vec<f64>,
    /// Amount in scales per feature, the first is the intercept.
    amount: Vec<f64>,
    /// Largest amount that was seen, the bound of what is said.
    most: f64,
}

impl Hurdle {
    pub(super) fn is_like(&self, features: usize) -> bool {
        self.fitted
            .as_ref()
            .is_none_or(|f| f.odds.len() == features && f.amount.len() == features + 1)
    }

    /// Features of a pair.
    pub(super) fn features_of(plan: &Plan<'_>) -> usize {
        plan.design.future() + 5
    }

    /// Looks whether the demand is intermittent and fits the regressions. Whether that has changed.
    pub(super) fn refresh(&mut self, plan: &Plan<'_>, r: usize) -> bool {
        let was = self.active;
        let least = if was { ZEROS_LEAVE } else { ZEROS_MIN };
        let zeros = zero_share(plan, r).is_some_and(|share| share >= least);
        // Flows that may be negative are no demand: their zeros mean something else.
        let counts = plan.params.non_negative == NonNegative::Always || plan.history.is_count();
        self.active = zeros && counts;
        self.fitted = if self.active { fit(plan, r).or(self.fitted.take()) } else { None };
        was != self.active
    }

    /// Probability of zero, and expected value on the scale of `link`, for each horizon of an origin;
    /// `None` if demand is not intermittent. `own` `(horizons, future)`.
    pub(super) fn say(&self, view: &View<'_>, own: &[f64], link: Link) -> Option<Vec<(f64, f64)>> {
        let fitted = self.fitted.as_ref()?;
        let mut row = Vec::new();
        let scale = view.history.scale(view.t);
        let say = |k: usize| {
            row.clear();
            pair(view, own, k, &mut row);
            let dot = |w: &[f64]| w.iter().zip(&row).map(|(w, x)| w * x).sum::<f64>();
            let p_zero = 1.0 / (1.0 + (fitted.intercept + dot(&fitted.odds)).exp());
            let amount = fitted.amount[0] + dot(&fitted.amount[1..]);
            let amount = (amount * scale).clamp(0.0, fitted.most);
            // The expectation is over units, not over their logarithms.
            (p_zero, link.apply((1.0 - p_zero) * link.invert(amount)))
        };
        Some((0..view.design.horizons.len()).map(say).collect())
    }
}

/// Share of zeros among the newest observed rows; `None` before a season.
fn zero_share(plan: &Plan<'_>, r: usize) -> Option<f64> {
    let rows = (WINDOWS * plan.design.window).min(r + 1 - plan.history.first());
    let (mut zeros, mut seen) = (0_usize, 0_usize);
    for i in r + 1 - rows..=r {
        if !plan.history.moment(i).missing {
            seen += 1;
            zeros += usize::from(plan.history.y(i) == 0.0);
        }
    }
    (seen >= plan.design.pace).then(|| zeros as f64 / seen as f64)
}

/// What is known of horizon index `k`: its own features, how often there was demand of late and at
/// this phase, how long ago the last was, how far ahead it is.
fn pair(view: &View<'_>, own: &[f64], k: usize, out: &mut Vec<f64>) {
    let View { design, history, t } = *view;
    let g = design.future();
    out.extend_from_slice(&own[k * g..(k + 1) * g]);
    let demand = |i: usize| f64::from(u8::from(history.y(i) > 0.0));
    for rows in [design.pace, design.window] {
        let rows = rows.min(t + 1 - history.first());
        out.push((t + 1 - rows..=t).map(demand).sum::<f64>() / rows as f64);
    }
    let last = design.seasons.len() - 1;
    let (mut sum, mut n, mut newest) = (0.0, 0.0, Some(t));
    for _ in 0..PHASES {
        let at =
            newest.and_then(|t| history.same_phase(design, last, view.t + design.horizons[k], t));
        let Some(at) = at else { break };
        (sum, n) = (sum + demand(at), n + 1.0);
        newest = at.checked_sub(1).filter(|i| *i > history.first());
    }
    out.push(if n > 0.0 { sum / n } else { 0.5 });
    let quiet =
        (0..design.window.min(t - history.first())).take_while(|back| demand(t - back) == 0.0);
    out.push((quiet.count() as f64 / design.pace as f64).ln_1p());
    out.push(design.horizons[k] as f64 / design.reach() as f64);
}

/// A number that looks random: the `t`-th of SplitMix64.
fn scatter(t: u64) -> u64 {
    mix(t.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn fit(plan: &Plan<'_>, r: usize) -> Option<Fitted> {
    let (g, horizons) = (Hurdle::features_of(plan), plan.design.horizons.len());
    let (mut x, mut y, mut own) = (Vec::new(), Vec::new(), Vec::new());
    // One horizon an origin: neighbours tell the same. Which one must have nothing to do with the
    // season, or only some of its rows would ever be seen.
    for t in plan.memory(r).rev().take(PAIRS_MAX) {
        let k = (scatter(t as u64) % horizons as u64) as usize;
        let view = plan.view(t);
        let j = t + plan.design.horizons[k];
        if plan.history.moment(j).missing {
            continue;
        }
        own.clear();
        view.future(&mut own);
        pair(&view, &own, k, &mut x);
        y.push((plan.history.y(j), plan.history.scale(t)));
    }
    let positives = y.iter().filter(|(y, _)| *y > 0.0).count();
    if positives < POSITIVES_MIN || y.len() - positives < POSITIVES_MIN {
        return None;
    }
    let amount = amounts(&x, &y, g)?;
    let inputs = Array2::from_shape_vec((y.len(), g), x).ok()?;
    let labels: Array1<bool> = y.iter().map(|(y, _)| *y > 0.0).collect();
    let model = LogisticRegression::default()
        .alpha(PENALTY)
        .max_iterations(50)
        .fit(&Dataset::new(inputs, labels))
        .ok()?;
    // The solver's positive class is the one it saw first.
    let sign = if model.labels().pos.class { 1.0 } else { -1.0 };
    let odds: Vec<f64> = model.params().iter().map(|w| sign * w).collect();
    let most = y.iter().map(|(y, _)| *y).fold(0.0, f64::max);
    let fitted = Fitted { intercept: sign * model.intercept(), odds, amount, most };
    let finite = |w: &f64| w.is_finite();
    let sound = fitted.odds.iter().all(finite) && fitted.intercept.is_finite();
    sound.then_some(fitted)
}

/// Ridge regression of the rows with demand, in scales of their origins.
fn amounts(x: &[f64], y: &[(f64, f64)], g: usize) -> Option<Vec<f64>> {
    let p = g + 1;
    let (mut a, mut b) = (vec![0.0; p * p], vec![0.0; p]);
    for (x, (y, scale)) in x.chunks_exact(g).zip(y).filter(|(_, (y, _))| *y > 0.0) {
        let cell = |i: usize| if i == 0 { 1.0 } else { x[i - 1] };
        for i in 0..p {
            (0..=i).for_each(|j| a[i * p + j] += cell(i) * cell(j));
            b[i] += cell(i) * y / scale;
        }
    }
    (0..p).for_each(|i| a[i * p + i] += if i == 0 { 1e-6 } else { PENALTY });
    Factor::new(a, p)?.solve(&mut b, 1);
    Some(b)
}
