//! The experts: seasonal naives, the last value, usual courses, and three ridge regressions.

use serde::{Deserialize, Serialize};

use super::design::Design;
use super::elastic;
use super::features::{CLIP, View};
use super::head::{Plan, Scratch, growth};
use super::latent::Latent;
use super::ridge::{Sums, Weights};
use super::shared::Shared;
use super::{ForecastParams, Head};

/// Origins with less of their future observed teach nothing.
pub(super) const OBSERVED_MIN: f64 = 0.5;
/// Seasons over which the deviation of the newest rows from their usual course is halved.
const DEVIATION_SEASONS: [f64; 2] = [0.25, 1.0];
/// Share of that deviation that is believed.
const DEVIATION_SHARE: f64 = 0.9;
/// Forecasts leave the range of the past by at most this share of it.
const BEYOND: f64 = 0.25;

/// The learned experts of one target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Experts {
    /// On the newest values, the newest season, the calendar and each horizon's own features.
    skip: Linear,
    /// On the whole window and the calendar.
    lags: Linear,
    latent: Option<Latent>,
    /// Smallest and largest value that is said.
    range: [f64; 2],
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Linear {
    sums: Sums,
    weights: Option<Weights>,
}

impl Linear {
    fn new(sums: Sums) -> Self {
        Self { sums, weights: None }
    }

    fn is_like(&self, fresh: &Self) -> bool {
        let fits = |weights: &Weights| weights.fit(&fresh.sums);
        self.sums.is_like(&fresh.sums) && self.weights.as_ref().is_none_or(fits)
    }

    fn solve(&mut self, penalty: f64) {
        if self.sums.count() >= 2 {
            self.weights = self.sums.solve(penalty).or(self.weights.take());
        }
    }

    fn state_bytes(&self) -> usize {
        self.sums.state_bytes() + self.weights.as_ref().map_or(0, Weights::state_bytes)
    }
}

/// Names of the experts of a design, in the order of [`Experts::say`].
pub(super) fn names(params: &ForecastParams, design: &Design) -> Vec<&'static str> {
    let mut names = vec!["seasonal_naive"; design.seasons.len()];
    names.extend(design.is_seasonal().then_some("last_value"));
    names.extend(["profile_fast", "profile_slow", "skip_ridge", "lag_ridge"]);
    if params.latent.enabled {
        names.push("latent_ridge");
        if params.latent.cross_fitted && !params.shared {
            names.push("latent_ridge_crossed");
        }
    }
    names
}

fn skip_features(view: &View<'_>, out: &mut Vec<f64>) {
    out.clear();
    view.few(out);
    view.day(out);
    view.clock(|x| out.push(x));
}

fn lag_features(view: &View<'_>, out: &mut Vec<f64>) {
    out.clear();
    out.push(1.0);
    view.lags(|x| out.push(x));
    view.clock(|x| out.push(x));
}

impl Experts {
    pub(super) fn new(params: &ForecastParams, design: &Design, seed: u64) -> Self {
        let horizons = design.horizons.len();
        let skip = design.few() + design.day() + design.clock();
        let lags = 1 + design.lags() + design.clock();
        Self {
            skip: Linear::new(Sums::new(skip, design.future(), horizons)),
            lags: Linear::new(Sums::new(lags, 0, horizons)),
            latent: params.latent.enabled.then(|| Latent::new(params, design, seed)),
            range: [f64::NEG_INFINITY, f64::INFINITY],
        }
    }

    pub(super) fn adopt(self, fresh: Self) -> Option<Self> {
        let like = self.skip.is_like(&fresh.skip) && self.lags.is_like(&fresh.lags);
        like.then_some(())?;
        let latent = match (self.latent, fresh.latent) {
            (Some(known), Some(fresh)) => Some(known.adopt(fresh)?),
            (None, None) => None,
            _ => return None,
        };
        Some(Self { latent, ..self })
    }

    /// How many there are.
    pub(super) fn count(&self, design: &Design) -> usize {
        design.seasons.len()
            + usize::from(design.is_seasonal())
            + 4
            + self.latent.as_ref().map_or(0, Latent::experts)
    }

    /// Training steps behind the network in use.
    pub(super) fn version(&self) -> u64 {
        self.latent.as_ref().map_or(0, Latent::version)
    }

    /// Takes origin `t`, whose targets are known now.
    pub(super) fn learn(
        &mut self,
        plan: &Plan<'_>,
        t: usize,
        shared: Option<&Shared>,
        scratch: &mut Scratch,
    ) {
        let view = plan.view(t);
        let by = growth(plan.params, 1);
        self.skip.sums.grow(by);
        self.lags.sums.grow(by);
        if view.observed_targets() >= OBSERVED_MIN {
            let Scratch { features, own, targets, .. } = scratch;
            targets.clear();
            view.targets(targets);
            own.clear();
            view.future(own);
            skip_features(&view, features);
            self.skip.sums.learn(features, own, targets);
            lag_features(&view, features);
            self.lags.sums.learn(features, &[], targets);
        }
        if let Some(latent) = &mut self.latent {
            latent.learn(plan, t, shared, scratch);
        }
    }

    /// A season is over: fits all weights. The newest row is `r`.
    pub(super) fn refresh(
        &mut self,
        plan: &Plan<'_>,
        r: usize,
        shared: Option<&Shared>,
        scratch: &mut Scratch,
    ) {
        let [low, high] = plan.history.range();
        self.range = [low - BEYOND * (high - low), high + BEYOND * (high - low)];
        let penalty = plan.params.ridge.get();
        match plan.params.head {
            Head::Ridge => self.skip.solve(penalty),
            Head::ElasticNet => {
                let found = elastic::fit(plan, r, skip_features);
                match found {
                    Some(weights) => self.skip.weights = Some(weights),
                    None => self.skip.solve(penalty),
                }
            }
        }
        self.lags.solve(penalty);
        if let Some(latent) = &mut self.latent {
            latent.refresh(plan, r, shared, scratch);
        }
    }

    /// What each expert says at origin `t`, in the unit of the history: `(experts, horizons)`; NaN
    /// where one says nothing.
    pub(super) fn say(
        &self,
        plan: &Plan<'_>,
        t: usize,
        shared: Option<&Shared>,
        scratch: &mut Scratch,
        out: &mut Vec<f64>,
    ) {
        let view = plan.view(t);
        out.clear();
        (0..plan.design.seasons.len()).for_each(|season| naive(&view, season, out));
        if plan.design.is_seasonal() {
            out.resize(out.len() + plan.design.horizons.len(), plan.history.y(t));
        }
        DEVIATION_SEASONS.iter().for_each(|seasons| usual(&view, *seasons, out));
        if t < plan.design.first_origin() {
            out.resize(self.count(plan.design) * plan.design.horizons.len(), f64::NAN);
            return;
        }
        let mut own = std::mem::take(&mut scratch.own);
        own.clear();
        view.future(&mut own);
        skip_features(&view, &mut scratch.features);
        self.put_linear(&view, &self.skip, (&scratch.features, &own), out);
        lag_features(&view, &mut scratch.features);
        self.put_linear(&view, &self.lags, (&scratch.features, &[]), out);
        if let Some(latent) = &self.latent {
            latent.say(plan, (t, &own), shared, scratch, |_, said| {
                out.extend(said.iter().map(|x| self.bounded(&view, *x)));
            });
        }
        scratch.own = own;
    }

    fn put_linear(
        &self,
        view: &View<'_>,
        linear: &Linear,
        (f, own): (&[f64], &[f64]),
        out: &mut Vec<f64>,
    ) {
        let horizons = view.design.horizons.len();
        let from = out.len();
        let Some(weights) = &linear.weights else {
            return out.resize(from + horizons, f64::NAN);
        };
        out.resize(from + horizons, 0.0);
        weights.add_to(f, own, &mut out[from..]);
        out[from..].iter_mut().for_each(|x| *x = self.bounded(view, *x));
    }

    /// Back in the unit of the history, and not far out of its range.
    fn bounded(&self, view: &View<'_>, x: f64) -> f64 {
        let [low, high] = self.range;
        // A NaN stays one; an infinite range bounds nothing.
        view.restore(x).max(low).min(high) + 0.0 * x
    }

    pub(super) fn state_bytes(&self) -> usize {
        let latent = self.latent.as_ref().map_or(0, Latent::state_bytes);
        self.skip.state_bytes() + self.lags.state_bytes() + latent
    }
}

/// The newest known value at the phase of each horizon; the last value before a season was seen.
fn naive(view: &View<'_>, season: usize, out: &mut Vec<f64>) {
    let View { design, history, t } = *view;
    for h in &design.horizons {
        let at = history.same_phase(design, season, t + h, t);
        out.push(at.map_or(f64::NAN, |i| history.y(i)));
    }
}

/// Level, usual deviation of the longest season, and a share of how far the newest rows are from
/// theirs, which fades with a half-life of `seasons` of the shortest.
fn usual(view: &View<'_>, seasons: f64, out: &mut Vec<f64>) {
    let View { design, history, t } = *view;
    let last = design.seasons.len() - 1;
    let (level, scale) = (history.level(t), history.scale(t));
    let deviation = history.surprise(last, t, 3.min(t + 1));
    let deviation = (deviation / scale).clamp(-CLIP, CLIP) * scale;
    let half = seasons * design.pace as f64;
    for h in &design.horizons {
        let Some(at) = history.same_phase(design, last, t + h, t).filter(|_| t > design.long())
        else {
            out.push(f64::NAN);
            continue;
        };
        let usual = (history.profile(last, at) / scale).clamp(-CLIP, CLIP) * scale;
        let fading = DEVIATION_SHARE * 0.5_f64.powf(*h as f64 / half);
        out.push(level + usual + fading * deviation);
    }
}
