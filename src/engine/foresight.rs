//! Forecasts of a shard: rows go into the forecasters of their series, forecasts come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

/// Most announced values of a shard.
const VALUES_MAX: usize = 262_144;
/// Announced values are kept so long after their row.
const KEPT: Millis = Millis::new(2 * 86_400_000);

/// Announced values of one channel, by the start of their row.
type Values = BTreeMap<EventTime, f64>;

/// What the forecasters of a shard share.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Foresight {
    /// A network for each target, in `scope = "shard"`.
    shared: Vec<Option<Shared>>,
    /// By series (empty for all) and channel.
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
        let channels = spec.channels.len();
        let mut announced = self.announced;
        announced.values_mut().for_each(|of| of.retain(|channel, _| *channel < channels));
        Self { shared, announced, scratch: fresh.scratch }
    }

    /// Takes announced values; `now` is the watermark. Returns whether that changed anything.
    pub(super) fn announce(
        &mut self,
        spec: &StreamSpec,
        news: &Announcement,
        now: Option<EventTime>,
    ) -> bool {
        let Step::Grid(step) = spec.rows.step else { return false };
        let known = |params: &ForecastParams| params.known.clone();
        let channel = spec.channels.iter().position(|name| **name == *news.channel);
        let channel =
            channel.filter(|c| spec.forecast.as_ref().is_some_and(|p| known(p).contains(c)));
        let (Some(channel), true) = (channel, news.stream.is_empty() || *news.stream == *spec.name)
        else {
            return false;
        };
        if let Some(now) = now {
            let keep = |values: &mut Values| {
                *values = values.split_off(&(now - KEPT));
            };
            self.announced.values_mut().flat_map(BTreeMap::values_mut).for_each(keep);
        }
        let held: usize = self.announced.values().flat_map(BTreeMap::values).map(Values::len).sum();
        let values = self.announced.entry(news.entity.clone()).or_default().entry(channel);
        let values = values.or_default();
        let mut changed = false;
        let room = VALUES_MAX.saturating_sub(held);
        for (i, value) in news.values.iter().enumerate().take(room) {
            let first = news.from.as_millis().div_euclid(step.get()) * step.get();
            let at = EventTime::from_millis(first.saturating_add(i as i64 * step.get()));
            changed |= values.insert(at, *value) != Some(*value);
        }
        changed
    }

    /// Takes a closed row and the `gap` rows before it that have none, and emits forecasts if it is
    /// their turn.
    pub(super) fn row(
        &mut self,
        context: &Context<'_>,
        series: &mut Series,
        gap: u64,
        out: &mut Outbox,
    ) {
        let (Some(params), Step::Grid(step)) = (&context.spec.forecast, context.spec.rows.step)
        else {
            return;
        };
        let start = context.row.start.as_millis();
        let season = params.seasons.last().map_or(1, |s| u64::from(*s));
        for back in (1..=bounded_gap(gap, season)).rev() {
            let time = EventTime::from_millis(start - back as i64 * step.get());
            self.observe(params, series, (time, &[]), out);
        }
        self.observe(params, series, (context.row.start, &context.row.values), out);
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

    /// One row for all forecasters of a series; no values if there was none.
    fn observe(
        &mut self,
        params: &ForecastParams,
        series: &mut Series,
        (time, values): (EventTime, &[f64]),
        out: &mut Outbox,
    ) {
        let Self { shared, announced, scratch } = self;
        let value = |channel: &usize| values.get(*channel).copied().unwrap_or(f64::NAN);
        let exogenous: Vec<f64> = params.exogenous.iter().map(value).collect();
        let of = |entity: &str| announced.get(entity);
        let sources = [of(&series.key), of("")];
        let known = |channel: usize, time: EventTime| {
            let channel = params.known.get(channel)?;
            let mut said = sources.iter().flatten().filter_map(|by| by.get(channel)?.get(&time));
            said.next().copied()
        };
        let known = |channel: usize, time| known(channel, time).unwrap_or(f64::NAN);
        let targets = params.targets.iter().zip(&mut series.forecasters).zip(shared);
        for ((channel, forecaster), shared) in targets {
            let row = Row { time, y: value(channel), exogenous: &exogenous, known: &known };
            let found = forecaster.observe(params, &row, shared.as_mut(), scratch);
            if let Some(seasons) = found {
                let entity = Arc::clone(&series.key);
                let found = FoundSeasons { entity, channel: *channel, seasons };
                out.facts.seasons_found.push(found);
            }
        }
    }
}

impl Shard {
    /// Takes values that are known before their rows come, for `forecast.known`. Returns whether that
    /// changed the state. Call after [`Shard::settle`].
    pub fn apply_announcement(&mut self, news: &Announcement) -> bool {
        self.foresight.announce(&self.spec, news, self.watermark())
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
        weights: set.weights,
        model_version: set.model_version,
        offset: context.evidence.to_offset,
    }
}

/// `rows` cut to a few seasons, the same modulo the season.
fn bounded_gap(rows: u64, season: u64) -> u64 {
    let most = 3 * season.max(64);
    if rows <= most { rows } else { most - most % season + rows % season }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_gap_keeps_the_phase_of_the_season() {
        for rows in [0, 1, 500, 505, 1_000_003] {
            let bounded = bounded_gap(rows, 168);
            assert!(bounded <= 4 * 168 && bounded % 168 == rows % 168, "{rows} -> {bounded}");
        }
    }
}
