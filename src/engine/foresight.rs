//! Forecasts of a shard: rows go into the forecasters of their series, forecasts come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::announced::{Announced, Board, News, Values};
use super::carry::Carry;
use super::ids;
use super::score::Context;
use super::series::Series;
use super::shard::Shard;
use super::spec::StreamSpec;
use crate::forecast::{ForecastParams, PointSet, Row, Scratch, Shared};
use crate::record::{
    Announcement, EventTime, ForecastPoint, ForecastRecord, FoundSeasons, Millis, Outbox, Step,
};

/// What the forecasters of a shard share.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Foresight {
    /// A network for each target, in `scope = "shard"`.
    shared: Vec<Option<Shared>>,
    board: Board,
    /// Announced values of states from before there was a board.
    #[serde(skip_serializing)]
    announced: BTreeMap<String, BTreeMap<usize, Values>>,
    #[serde(skip)]
    scratch: Scratch,
}

impl Foresight {
    pub(super) fn new(spec: &StreamSpec, partition: i32) -> Self {
        let Some(params) = &spec.forecast else { return Self::default() };
        let partition = partition.to_string();
        let shared = |target: &usize| {
            let seed = [&*spec.name, &partition, "forecast", &spec.channels[*target]];
            Shared::new(params, ids::seed(spec.seed, &seed))
        };
        Self { shared: params.targets.iter().map(shared).collect(), ..Self::default() }
    }

    /// What is known, under the settings of `fresh`. A network that does not fit begins anew, and with it
    /// the forecasters that read its code.
    pub(super) fn adopt(self, fresh: Self, spec: &StreamSpec, carry: &mut Carry) -> Self {
        let Some(params) = &spec.forecast else { return fresh };
        let stored = carry.pick(self.shared).into_iter();
        let mut shared = Vec::with_capacity(fresh.shared.len());
        for (target, (stored, fresh)) in stored.zip(fresh.shared).enumerate() {
            let known = stored.flatten().zip(fresh.as_ref());
            let known = known.and_then(|(known, fresh)| known.adopt(fresh, params));
            if known.is_none() && fresh.is_some() {
                carry.drop_target(target);
            }
            shared.push(known.or(fresh));
        }
        let board = self.board.restored(self.announced, spec.channels.len());
        Self { shared, board, ..fresh }
    }

    /// Takes announced values; `now` is the watermark, `is_here` tells which series there are.
    pub(super) fn announce(
        &mut self,
        spec: &StreamSpec,
        news: &Announcement,
        now: Option<EventTime>,
        is_here: impl Fn(&str) -> bool,
    ) -> Announced {
        let (Some(params), Step::Grid(step)) = (&spec.forecast, spec.rows.step) else {
            return Announced::default();
        };
        let channel = spec.channels.iter().position(|name| **name == *news.channel);
        let channel = channel.filter(|channel| params.known.contains(channel));
        let is_ours = news.stream.is_empty() || *news.stream == *spec.name;
        let Some(channel) = channel.filter(|_| is_ours) else { return Announced::default() };
        let Announcement { entity, position, from, values, .. } = news;
        let first = from.as_millis().div_euclid(step.get()) * step.get();
        let news = News { entity, channel, position: *position, first, step, values };
        self.board.take(&news, now, is_here)
    }

    /// Takes a closed row and the `gap` rows before it that have none, and emits forecasts if it is
    /// their turn. A row that may not be learned from counts as missing: it is no demand.
    pub(super) fn row(
        &mut self,
        context: &Context<'_>,
        series: &mut Series,
        (gap, learns): (u64, bool),
        out: &mut Outbox,
    ) {
        let (Some(params), Step::Grid(step)) = (&context.spec.forecast, context.spec.rows.step)
        else {
            return;
        };
        let values: &[f64] = if learns { &context.row.values } else { &[] };
        self.observe(params, series, gap, (context.row.start, values), out);
        if !series.rows.is_multiple_of(u64::from(params.every)) {
            return;
        }
        for (channel, forecaster) in params.targets.iter().zip(&series.forecasters) {
            if let Some(set) = forecaster.forecast(params) {
                out.facts.forecasts += 1;
                let record = record(context, (&series.key, *channel), step, set);
                out.forecasts.push(record);
            }
        }
    }

    /// One row for all forecasters of a series, after `gap` rows without values.
    fn observe(
        &mut self,
        params: &ForecastParams,
        series: &mut Series,
        gap: u64,
        (time, values): (EventTime, &[f64]),
        out: &mut Outbox,
    ) {
        let Self { shared, board, scratch, .. } = self;
        let value = |channel: &usize| values.get(*channel).copied().unwrap_or(f64::NAN);
        let exogenous: Vec<f64> = params.exogenous.iter().map(value).collect();
        let sources = [board.of(&series.key), board.of("")];
        let known = |channel: usize, time: EventTime| {
            let channel = params.known.get(channel)?;
            let mut said = sources.iter().flatten().filter_map(|by| by.get(channel)?.get(&time));
            said.next().copied()
        };
        let known = |channel: usize, time| known(channel, time).unwrap_or(f64::NAN);
        let targets = params.targets.iter().zip(&mut series.forecasters).zip(shared);
        for ((channel, forecaster), shared) in targets {
            let before = forecaster.pass(params, (gap, time), &known, shared.as_mut(), scratch);
            let row = Row { time, y: value(channel), exogenous: &exogenous, known: &known };
            let found = forecaster.observe(params, &row, shared.as_mut(), scratch).or(before);
            if let Some(seasons) = found {
                let entity = Arc::clone(&series.key);
                let found = FoundSeasons { entity, channel: *channel, seasons };
                out.facts.seasons_found.push(found);
            }
        }
    }
}

impl Shard {
    /// Takes values that are known before their rows come, for `forecast.known`. Call after
    /// [`Shard::settle`].
    pub fn apply_announcement(&mut self, news: &Announcement) -> Announced {
        let (now, index) = (self.watermark(), &self.index);
        self.foresight.announce(&self.spec, news, now, |name| index.contains_key(name))
    }
}

fn record(
    context: &Context<'_>,
    (entity, channel): (&Arc<str>, usize),
    step: Millis,
    set: PointSet,
) -> ForecastRecord {
    let target_at = |horizon: u32| {
        EventTime::from_millis(context.row.start.as_millis() + i64::from(horizon) * step.get())
    };
    let point = |p: crate::forecast::Point| ForecastPoint {
        horizon: p.horizon,
        target_at: target_at(p.horizon),
        yhat: p.yhat,
        intervals: p.intervals,
        source: p.source,
        p_zero: p.p_zero,
        group: p.group,
    };
    ForecastRecord {
        entity: Arc::clone(entity),
        channel,
        issued_at: context.span.end,
        step,
        points: set.points.into_iter().map(point).collect(),
        skill: set.skill,
        group_skill: set.group_skill,
        coverage: set.coverage,
        group_coverage: set.group_coverage,
        weights: set.weights,
        model_version: set.model_version,
        offset: context.evidence.to_offset,
    }
}
