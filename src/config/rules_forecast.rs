//! Rules of `[stream.forecast]`.

use super::StreamSettings;
use super::fault::Fault;
use super::rules::{quoted, unique};
use super::suggest::nearest;
use crate::record::{Millis, Step};

const HORIZONS_MAX: usize = 1024;
const HORIZON_ROWS_MAX: i64 = 100_000;
const SEASONS_MAX: usize = 8;
const SEASON_ROWS_MAX: i64 = 1_000_000;
const LEVELS_MAX: usize = 16;

/// Checks the forecasts of one stream; `at` is its path, for example `stream[0]`.
pub(super) fn check(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let at = &format!("{at}.forecast");
    levels(stream, at, faults);
    let targets = &stream.forecast.targets;
    if targets.is_empty() {
        return;
    }
    targets_are_channels(stream, at, faults);
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
        }
        Step::Event => {
            let why = "forecasts need rows at fixed distances: set `step` to a duration";
            faults.push(Fault::rule(format!("{at}.targets"), format!("{targets:?}"), why));
        }
    }
}

fn targets_are_channels(stream: &StreamSettings, at: &str, faults: &mut Vec<Fault>) {
    let channels: Vec<_> = stream.channel.iter().map(|c| c.name.as_str()).collect();
    let path = |i| format!("{at}.targets[{i}]");
    let targets = &stream.forecast.targets;
    for (i, target) in targets.iter().enumerate() {
        if !channels.contains(&target.as_str()) {
            let meant = nearest(target, &channels).map(|m| format!(", did you mean `{m}`?"));
            let why = format!("is not a channel of this stream{}", meant.unwrap_or_default());
            faults.push(Fault::rule(path(i), quoted(target), why));
        }
    }
    unique(targets.iter().enumerate().map(|(i, t)| (path(i), t.as_str())), faults);
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
