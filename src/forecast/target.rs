//! One target channel of one series, with given seasons: observe rows, say what comes next.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ForecastParams;
use super::design::Design;
use super::experts::Experts;
use super::head::{Plan, Scratch};
use super::history::History;
use super::hurdle::Hurdle;
use super::interval::Bands;
use super::mix::Mix;
use super::origin::Origin;
use super::shared::Shared;
use super::skill::{Contest, group_of};
use crate::record::{EventTime, HorizonGroup};

/// The forecaster of one target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Target {
    pub design: Design,
    pub history: History,
    pub experts: Experts,
    pub mix: Mix,
    pub bands: Bands,
    /// One per group of horizons.
    pub contests: [Contest; 3],
    pub hurdle: Hurdle,
    /// What was said at the origins whose targets are still to come, newest last.
    pub origins: VecDeque<Origin>,
    /// Start of the next row, if rows go on.
    next: Option<EventTime>,
    /// Row of a season at which it refreshes: series take turns.
    phase: usize,
}

impl Target {
    pub(super) fn new(params: &ForecastParams, seasons: &[u32], seed: u64) -> Self {
        let design = Design::new(params, seasons);
        let horizons = design.horizons.len();
        let experts = Experts::new(params, &design, seed);
        let levels: Vec<f64> = params.levels.iter().map(|level| level.get()).collect();
        let contest = |group: HorizonGroup| {
            let of = design.horizons.iter().filter(|h| group_of(&design, **h) == group);
            Contest::new(design.seasons.len(), of.count(), design.pace)
        };
        // Hurdle and mix share the last seat of the experts.
        let mix = Mix::new(experts.count(&design) + 1, horizons, design.pace);
        let phase = if params.shared { seed as usize % design.pace } else { 0 };
        Self {
            history: History::new(&design),
            mix,
            bands: Bands::new(&levels, horizons, design.slots(), design.pace),
            contests: HorizonGroup::ALL.map(contest),
            hurdle: Hurdle::default(),
            origins: VecDeque::new(),
            next: None,
            phase,
            experts,
            design,
        }
    }

    /// What this target knows, under the settings of `fresh`; `None` if its shapes are others.
    pub(super) fn adopt(self, fresh: Self, params: &ForecastParams) -> Option<Self> {
        let design = &fresh.design;
        let (experts, horizons) = (fresh.experts.count(design) + 1, design.horizons.len());
        let contests = self.contests.iter().zip(&fresh.contests);
        let plan = Plan { params, design, history: &self.history };
        let sound = self.design == *design
            && self.history.fits(design)
            && self.mix.is_like(&fresh.mix)
            && self.bands.is_like(&fresh.bands)
            && contests.into_iter().all(|(a, b)| a.is_like(b))
            && self.hurdle.is_like(Hurdle::features_of(&plan))
            && self.origins.len() <= design.reach()
            && self.origins.iter().all(|o| o.fits(experts, horizons, self.bands.taus()));
        sound.then_some(())?;
        let experts = self.experts.adopt(fresh.experts)?;
        Some(Self { experts, design: fresh.design, phase: fresh.phase, ..self })
    }

    /// Takes the next row; `y` on the scale of the link, NaN if missing; `exogenous` standardised;
    /// `known` gives the standardised announced value of a channel at a time.
    pub(super) fn observe(
        &mut self,
        params: &ForecastParams,
        row: (EventTime, f64, &[f64]),
        from: (&dyn Fn(usize, EventTime) -> f64, Option<&mut Shared>),
        scratch: &mut Scratch,
    ) {
        self.observe_if(params, row, from, scratch, |_, _| true);
    }

    /// The same, with weights fitted only after those seasons that are `wanted`, by their number and the
    /// rows of one.
    pub(super) fn observe_if(
        &mut self,
        params: &ForecastParams,
        (time, y, exogenous): (EventTime, f64, &[f64]),
        (known, shared): (&dyn Fn(usize, EventTime) -> f64, Option<&mut Shared>),
        scratch: &mut Scratch,
        wanted: impl Fn(usize, usize) -> bool,
    ) {
        self.look_ahead(params, time, known);
        let y = self.history.believable(y);
        if !y.is_nan() {
            self.check(params, y);
        }
        if !self.history.push(&self.design, y, exogenous) {
            return;
        }
        if self.history.settle(&self.design) {
            self.forget_errors(params);
        }
        let t = self.history.rows() - 1;
        let shared = self.learn(params, t, shared, scratch);
        let (first, pace) = (self.design.first_origin(), self.design.pace);
        if t > first && (t - first) % pace == self.phase && wanted((t - first) / pace, pace) {
            self.refresh(params, t, shared, scratch);
        }
        let origin = self.say(params, t, shared, scratch);
        self.keep(origin);
    }

    /// Errors of before are no measure of anything.
    fn forget_errors(&mut self, params: &ForecastParams) {
        let Self { mix, contests, bands, .. } = Self::new(params, &season_rows(&self.design), 0);
        (self.mix, self.contests, self.bands) = (mix, contests, bands);
        let experts = self.experts.count(&self.design) + 1;
        let silent = Origin::silent(experts, self.design.horizons.len(), self.bands.taus());
        self.origins.iter_mut().for_each(|origin| *origin = silent.clone());
    }

    fn keep(&mut self, origin: Origin) {
        if self.origins.len() == self.design.reach() {
            self.origins.pop_front();
        }
        self.origins.push_back(origin);
    }

    /// Takes rows at `times` in which nothing was observed, more than a season of them: nothing is fitted,
    /// learned or said in between.
    pub(super) fn pass(
        &mut self,
        params: &ForecastParams,
        times: impl ExactSizeIterator<Item = EventTime>,
    ) {
        if self.history.rows() == 0 {
            return;
        }
        let (rows, exogenous) = (times.len(), vec![0.0; self.design.exogenous]);
        for time in times {
            self.look_ahead(params, time, &|_, _| 0.0);
            self.history.push(&self.design, f64::NAN, &exogenous);
        }
        let experts = self.experts.count(&self.design) + 1;
        let silent = Origin::silent(experts, self.design.horizons.len(), self.bands.taus());
        for _ in 0..rows.min(self.design.reach()) {
            self.keep(silent.clone());
        }
    }

    /// Moments and announced values from this row to the farthest horizon.
    fn look_ahead(
        &mut self,
        params: &ForecastParams,
        time: EventTime,
        known: &dyn Fn(usize, EventTime) -> f64,
    ) {
        let (calendar, step) = (&params.calendar, params.calendar.step());
        let reach = self.design.reach() as i64;
        let at = |k: i64| {
            EventTime::from_millis(time.as_millis().saturating_add(k.saturating_mul(step.get())))
        };
        if self.next == Some(time) && self.history.rows() > 0 {
            self.history.look_farther(calendar.moment(at(reach)));
        } else {
            self.history.look_ahead((0..=reach).map(|k| calendar.moment(at(k))));
        }
        for channel in 0..self.design.known {
            self.history.announce(channel, (0..=reach).map(|k| known(channel, at(k))));
        }
        self.next = Some(at(1));
    }

    /// Slot of the shortest season that row `j` is in.
    pub(super) fn slot(&self, j: usize) -> usize {
        let (short, slots) = (self.design.short(), self.design.slots());
        if self.design.day_rows == short {
            return (self.history.moment(j).day_fraction() * slots as f64) as usize % slots;
        }
        j % short * slots / short
    }

    /// The newest origin whose future is known teaches the experts.
    fn learn<'s>(
        &mut self,
        params: &ForecastParams,
        t: usize,
        shared: Option<&'s mut Shared>,
        scratch: &mut Scratch,
    ) -> Option<&'s Shared> {
        let Self { design, history, experts, .. } = self;
        let plan = Plan { params, design, history };
        let origin = t.checked_sub(design.reach()).filter(|t| *t >= design.first_origin());
        let shared = shared.map(|shared| {
            if let Some(origin) = origin {
                shared.offer(&plan.view(origin));
            }
            &*shared
        });
        if let Some(origin) = origin {
            experts.learn(&plan, origin, shared, scratch);
        }
        shared
    }

    /// A season is over.
    fn refresh(
        &mut self,
        params: &ForecastParams,
        t: usize,
        shared: Option<&Shared>,
        scratch: &mut Scratch,
    ) {
        let Self { design, history, experts, hurdle, .. } = self;
        let plan = Plan { params, design, history };
        experts.refresh(&plan, t, shared, scratch);
        if hurdle.refresh(&plan, t) {
            // Errors are of another kind from now on.
            let Self { mix, contests, .. } = Self::new(params, &season_rows(design), 0);
            (self.mix, self.contests) = (mix, contests);
        }
    }

    /// What is said at row `t`.
    fn say(
        &self,
        params: &ForecastParams,
        t: usize,
        shared: Option<&Shared>,
        scratch: &mut Scratch,
    ) -> Origin {
        let Self { design, history, experts, .. } = self;
        let plan = Plan { params, design, history };
        let horizons = design.horizons.len();
        let mut said = Vec::with_capacity((experts.count(design) + 1) * horizons);
        experts.say(&plan, t, shared, scratch, &mut said);
        let hurdle = self.hurdle_says(&plan, t, scratch);
        let p_zero = hurdle.iter().flatten().map(|(p, _)| *p).collect();
        match &hurdle {
            Some(hurdle) => said.extend(hurdle.iter().map(|(_, y)| *y)),
            None => said.resize(said.len() + horizons, f64::NAN),
        }
        said.iter_mut().for_each(|y| *y = self.floor(params, *y));
        let by = self.mix.weights(&said);
        let mut origin = Origin {
            mixed: vec![0.0; horizons],
            point: vec![0.0; horizons],
            bounds: Vec::with_capacity(horizons * self.bands.taus()),
            p_zero,
            weights: by.chunks_exact(horizons).map(mean).collect(),
            sources: Vec::with_capacity(horizons),
            last: self.floor(params, history.y(t)),
            said,
        };
        for k in 0..horizons {
            self.publish(params, (t, k), &by, &mut origin);
        }
        origin
    }

    fn hurdle_says(
        &self,
        plan: &Plan<'_>,
        t: usize,
        scratch: &mut Scratch,
    ) -> Option<Vec<(f64, f64)>> {
        if !self.hurdle.active || t < self.design.first_origin() {
            return None;
        }
        let view = plan.view(t);
        scratch.own.clear();
        view.future(&mut scratch.own);
        self.hurdle.say(&view, &scratch.own, plan.params.link)
    }

    pub(super) fn state_bytes(&self) -> usize {
        let (horizons, experts) =
            (self.design.horizons.len(), self.experts.count(&self.design) + 1);
        let origin = size_of::<Origin>()
            + 8 * (horizons * (experts + 3 + self.bands.taus()) + experts)
            + horizons;
        self.history.state_bytes()
            + self.experts.state_bytes()
            + self.mix.state_bytes()
            + self.bands.state_bytes()
            + self.design.reach() * origin
    }
}

/// Seasons as they are configured: none is an empty list.
pub(super) fn season_rows(design: &Design) -> Vec<u32> {
    let seasons = design.seasons.iter().filter(|_| design.is_seasonal());
    seasons.map(|s| *s as u32).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
