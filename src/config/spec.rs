//! From settings to what the engine and the decoders take: durations become rows, names indexes.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Settings, StreamSettings};
use crate::engine::StreamSpec;
use crate::forecast::{Calendar, ForecastParams, LatentParams};
use crate::io::{ChannelParams, InputParams};
use crate::model::Scope;
use crate::record::{Millis, Positive, Step};
use crate::window::RowParams;

impl Settings {
    /// The topics of all streams.
    pub fn input_topics(&self) -> Vec<&str> {
        self.stream.iter().flat_map(|stream| &stream.topics).map(String::as_str).collect()
    }
}

impl StreamSettings {
    /// What a shard needs to know; `seed` is the root of every random number.
    ///
    /// Meant for settings that were checked: of others, horizons and seasons are rounded down to
    /// whole rows and targets that are no channel are left out.
    pub fn spec(&self, seed: u64) -> StreamSpec {
        StreamSpec {
            name: Arc::from(self.name.as_str()),
            channels: self.channel.iter().map(|c| Arc::from(c.name.as_str())).collect(),
            rows: RowParams {
                step: self.step,
                max_out_of_order: self.max_out_of_order,
                ahead_max: self.ahead_max,
                aggregates: self
                    .channel
                    .iter()
                    .map(|c| c.aggregate.unwrap_or(self.aggregate))
                    .collect(),
                open_rows_max: self.open_rows_max,
            },
            window: self.window.clone(),
            model: self.model.clone(),
            alert: self.alert.clone(),
            data_ranges: self.data_ranges(),
            maintenance: self.maintenance.iter().filter_map(|m| m.read().ok()).collect(),
            features_every: self.features.every,
            forecast: self.forecast_params(),
            series_max: self.series_max,
            seed,
        }
    }

    /// How messages become records; `message_bytes_max` is that of `[kafka]`.
    pub fn input(&self, message_bytes_max: usize) -> InputParams {
        InputParams {
            stream: self.name.clone(),
            timestamp: self.timestamp.clone(),
            entity: self.entity.clone(),
            fields: self.channel.iter().map(field).collect(),
            channels: self.channel.iter().map(|c| c.name.clone()).collect(),
            message_bytes_max,
            ahead_max: self.ahead_max,
        }
    }

    /// Empty if no channel has bounds.
    fn data_ranges(&self) -> Vec<Option<[f64; 2]>> {
        let bounds = |c: &ChannelParams| c.data_range.as_deref()?.try_into().ok();
        let ranges: Vec<Option<[f64; 2]>> = self.channel.iter().map(bounds).collect();
        if ranges.iter().all(Option::is_none) { Vec::new() } else { ranges }
    }

    /// `None` if nothing is to be forecast, and without a grid.
    fn forecast_params(&self) -> Option<ForecastParams> {
        let Step::Grid(step) = self.step else { return None };
        let forecast = &self.forecast;
        let index = |target: &String| self.channel.iter().position(|c| c.name == *target);
        let channels = |names: &[String]| names.iter().filter_map(index).collect::<Vec<_>>();
        let targets = channels(&forecast.targets);
        let shared = self.model.scope == Scope::Shard;
        let latent = LatentParams {
            refresh: by_scope(shared, forecast.latent.refresh as usize, 1, 7) as u32,
            windows_max: by_scope(shared, forecast.latent.windows_max, 10_080, 672),
            ..forecast.latent.clone()
        };
        let half_life = forecast.half_life.get() as f64 / step.get() as f64;
        (!targets.is_empty()).then(|| ForecastParams {
            targets,
            exogenous: channels(&forecast.exogenous),
            known: channels(&forecast.known),
            horizons: rows(&forecast.horizons, step),
            seasons: rows(&forecast.seasons, step),
            every: forecast.every,
            ridge: forecast.ridge,
            head: forecast.head,
            half_life: Positive::try_from(half_life).unwrap_or(forecast.ridge),
            memory: by_scope(shared, forecast.memory, 10_080, 2_016),
            levels: forecast.levels.clone(),
            link: forecast.link,
            non_negative: forecast.non_negative,
            latent,
            shared,
            calendar: self.calendar(step),
        })
    }

    /// What cannot be read is left out: checked settings have no such thing.
    fn calendar(&self, step: Millis) -> Calendar {
        let forecast = &self.forecast;
        let zone = TimeZone::get(&forecast.time_zone).unwrap_or(TimeZone::UTC);
        Calendar::new(zone, forecast.holidays.iter().filter_map(|date| date.parse().ok()), step)
    }
}

/// What was set, or the default of the scope.
fn by_scope(shared: bool, set: usize, own: usize, shard: usize) -> usize {
    match set {
        0 if shared => shard,
        0 => own,
        set => set,
    }
}

/// Durations counted in rows.
fn rows(spans: &[Millis], step: Millis) -> Vec<u32> {
    spans.iter().map(|span| u32::try_from(span.get() / step.get()).unwrap_or(u32::MAX)).collect()
}

/// JSON pointer of a channel: its `field`, else the name as one part of a pointer.
fn field(channel: &ChannelParams) -> String {
    let by_name = || format!("/{}", channel.name.replace('~', "~0").replace('/', "~1"));
    channel.field.clone().unwrap_or_else(by_name)
}
