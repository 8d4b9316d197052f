//! Rules of `[stream.forecast]`.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::StreamSettings;
use super::fault::Fault;
use super::rules::{quoted, unique};
use super::rules_model::{RATE_MAX, RATE_WHY};
use super::settings::ForecastSettings;
use super::suggest::nearest;
use crate::model::Scope;
use crate::record::{Millis, Step};

const HORIZONS_MAX: usize = 1024;
const HORIZON_ROWS_MAX: i64 = 10_080;
/// Forecasts that wait for their truth: horizons times the farthest of them, each 8 bytes for every expert
/// and bound and 24 more: 24 MB a target with the defaults.
const WAITING_MAX: i64 = 200_000;
const SEASONS_MAX: usize = 4;
const SEASON_ROWS_MAX: i64 = 20_160;
const LEVELS_MAX: usize = 16;
const HOLIDAYS_MAX: usize = 4_096;

/// Checks the forecasts of one stream; `at` is its path, for example `stream[0]`.
pub(super) fn check(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let at = &format!("{at}.forecast");
    levels(stream, at, faults);
    let targets = &stream.forecast.targets;
    if targets.is_empty() {
        return;
    }
    let forecast = &stream.forecast;
    let lists =
        [("targets", targets), ("exogenous", &forecast.exogenous), ("known", &forecast.known)];
    lists.into_iter().for_each(|(key, names)| names_are_channels(stream, at, (key, names), faults));
    calendar(stream, at, faults);
    learning_rate(stream, at, faults);
    seasons_of_shard(stream, at, faults);
    let latent = &forecast.latent;
    if latent.enabled && latent.w_rec <= 0.0 && latent.w_fc <= 0.0 {
        let why = "leaves the network nothing to learn, for w_rec is 0, too: one must be above 0";
        faults.push(Fault::rule(format!("{at}.latent.w_fc"), latent.w_fc, why));
    }
    if stream.forecast.horizons.is_empty() {
        let why = "at least one is needed to forecast, for example [\"1h\"]";
        faults.push(Fault::new(format!("{at}.horizons"), why));
    }
    match stream.step {
        Step::Grid(step) => {
            let spans = |key, spans, most, rows_max| Spans { at, key, spans, step, most, rows_max };
            let forecast = &stream.forecast;
            spans("horizons", &forecast.horizons, HORIZONS_MAX, HORIZON_ROWS_MAX).check(faults);
            spans("seasons", &forecast.seasons, SEASONS_MAX, SEASON_ROWS_MAX).check(faults);
            waiting(forecast, step, at, faults);
        }
        Step::Event => {
            let why = "forecasts need rows at fixed distances: set `step` to a duration";
            faults.push(Fault::rule(format!("{at}.targets"), format!("{targets:?}"), why));
        }
    }
}

fn names_are_channels(
    stream: &StreamSettings,
    at: &str,
    (key, names): (&str, &[String]),
    faults: &mut Vec<Fault>,
) {
    let channels: Vec<_> = stream.channel.iter().map(|c| c.name.as_str()).collect();
    let path = |i| format!("{at}.{key}[{i}]");
    for (i, target) in names.iter().enumerate() {
        if !channels.contains(&target.as_str()) {
            let meant = nearest(target, &channels).map(|m| format!(", did you mean `{m}`?"));
            let why = format!("is not a channel of this stream{}", meant.unwrap_or_default());
            faults.push(Fault::rule(path(i), quoted(target), why));
        }
    }
    unique(names.iter().enumerate().map(|(i, t)| (path(i), t.as_str())), faults);
}

fn calendar(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let forecast = &stream.forecast;
    if TimeZone::get(&forecast.time_zone).is_err() {
        let why = "is no time zone: expected an IANA name such as Europe/Berlin";
        faults.push(Fault::rule(format!("{at}.time_zone"), quoted(&forecast.time_zone), why));
    }
    if HOLIDAYS_MAX < forecast.holidays.len() {
        let why = format!("expected at most {HOLIDAYS_MAX}, got {}", forecast.holidays.len());
        faults.push(Fault::new(format!("{at}.holidays"), why));
    }
    for (i, holiday) in forecast.holidays.iter().enumerate() {
        if holiday.parse::<Date>().is_err() {
            let why = "expected a date such as 2026-12-25";
            faults.push(Fault::rule(format!("{at}.holidays[{i}]"), quoted(holiday), why));
        }
    }
    if forecast.half_life < Millis::new(1) {
        let why = "must be above 0s";
        faults.push(Fault::rule(format!("{at}.half_life"), forecast.half_life, why));
    }
}

/// A shared network needs inputs of one shape.
fn seasons_of_shard(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let shared = stream.model.scope == Scope::Shard;
    if shared && stream.forecast.latent.enabled && stream.forecast.seasons.is_empty() {
        let why = "is needed with model.scope = \"shard\", for example [\"1d\", \"1w\"]: series that \
                   share a network share its seasons";
        faults.push(Fault::new(format!("{at}.seasons"), why));
    }
    if shared && stream.forecast.latent.cross_fitted {
        let why = "does not go with model.scope = \"shard\": blocks are those of a series";
        faults.push(Fault::new(format!("{at}.latent.cross_fitted"), why));
    }
}

/// A step of the latent expert is no longer than one of the model.
fn learning_rate(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let rate = stream.forecast.latent.learning_rate.get();
    if RATE_MAX < rate {
        faults.push(Fault::rule(format!("{at}.latent.learning_rate"), rate, RATE_WHY));
    }
}

/// What is kept of each forecast until all of it has come true.
fn waiting(forecast: &ForecastSettings, step: Millis, at: &str, faults: &mut Vec<Fault>) {
    let rows = forecast.horizons.last().map_or(0, |h| h.get() / step.get());
    let waiting = rows.saturating_mul(forecast.horizons.len() as i64);
    if WAITING_MAX < waiting && rows <= HORIZON_ROWS_MAX {
        let count = forecast.horizons.len();
        let why = format!(
            "{count} horizons up to {rows} rows make {waiting} forecasts that wait for their truth, \
             at most {WAITING_MAX} are possible"
        );
        faults.push(Fault::new(format!("{at}.horizons"), why));
    }
}

fn levels(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let levels = &stream.forecast.levels;
    if LEVELS_MAX < levels.len() {
        let why = format!("expected at most {LEVELS_MAX} levels, got {}", levels.len());
        faults.push(Fault::new(format!("{at}.levels"), why));
    }
    for (i, pair) in levels.windows(2).enumerate().filter(|(_, pair)| pair[1] <= pair[0]) {
        let why = format!("is not above the level before it, {}", pair[0].get());
        faults.push(Fault::rule(format!("{at}.levels[{}]", i + 1), pair[1].get(), why));
    }
}

/// A list of durations that count rows.
struct Spans<'a> {
    at: &'a str,
    key: &'a str,
    spans: &'a [Millis],
    step: Millis,
    most: usize,
    rows_max: i64,
}

impl Spans<'_> {
    fn check(&self, faults: &mut Vec<Fault>) {
        let Self { at, key, spans, step, most, rows_max } = self;
        if *most < spans.len() {
            let why = format!("expected at most {most}, got {}", spans.len());
            return faults.push(Fault::new(format!("{at}.{key}"), why));
        }
        for (i, span) in spans.iter().enumerate() {
            let rows = span.get() / step.get();
            let why = if span.get() % step.get() != 0 || rows == 0 {
                format!("is not a whole multiple of step = {step}")
            } else if *rows_max < rows {
                format!("is {rows} rows of step = {step}, at most {rows_max} are possible")
            } else if let Some(before) = i.checked_sub(1).map(|j| spans[j]).filter(|b| span <= b) {
                format!("is not longer than the one before it, {before}")
            } else {
                continue;
            };
            faults.push(Fault::rule(format!("{at}.{key}[{i}]"), span, why));
        }
    }
}
