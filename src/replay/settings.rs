//! The stream that a replay runs: from a configuration, or from what a file says about itself.

use std::collections::BTreeMap;

use serde_json::json;

use super::infer::Inferred;
use super::{ReplayArgs, ReplayError};
use crate::config::{ConfigError, Layers, Settings, StreamSettings};
use crate::model::{ModelParams, Variant};
use crate::record::{Millis, Step};

/// Name of a stream without a configuration.
const NAME: &str = "replay";
/// More series than this share one network unless a configuration says otherwise.
const OWN_NETWORKS_MAX: usize = 100;
/// Rows that wait for disorder, at most, without a configuration.
const DISORDER_ROWS_MAX: i64 = 48;
const HORIZONS: std::ops::RangeInclusive<u32> = 1..=24;
/// First hidden layer of a deep network that is made of a linear one.
const DEEP_FIRST: usize = 32;
/// Rows longer than this are given so many of them for what is counted in time.
const LONG_ROW: Millis = Millis::new(86_400_000);
const ROWS_MIN: i64 = 10;
/// Without times a row stands for a minute where something is promised for a span of time.
const ROW_STANDS_FOR: i64 = 60_000;

/// Settings with one stream.
///
/// # Errors
///
/// [`ReplayError`] if the configuration cannot be used, or has not exactly the stream wanted.
pub(super) fn configured(
    args: &ReplayArgs,
    path: &std::path::Path,
    env: &BTreeMap<String, String>,
) -> Result<Settings, ReplayError> {
    let named = |error: ConfigError| match error {
        // With --against there are two: a key alone does not say which one is meant.
        ConfigError::Faults(faults) => ReplayError::InConfig { path: path.into(), faults },
        other => ReplayError::Config(other),
    };
    let mut settings = defaults(args).file(path)?.environment(env).settings().map_err(named)?;
    let streams: Vec<String> = settings.stream.iter().map(|s| s.name.clone()).collect();
    match &args.stream {
        Some(name) => settings.stream.retain(|stream| stream.name == *name),
        None if settings.stream.len() > 1 => {
            let why = "name one stream by --stream".into();
            return Err(ReplayError::Stream { path: path.into(), why, streams });
        }
        None => {}
    }
    if settings.stream.is_empty() {
        let why = format!("there is no stream `{}`", args.stream.as_deref().unwrap_or_default());
        return Err(ReplayError::Stream { path: path.into(), why, streams });
    }
    overlay(settings, args).map_err(|error| match error {
        ReplayError::Settings(faults) => named(faults.into()),
        other => other,
    })
}

/// What holds unless a configuration says otherwise. Who asks for a variant wants to see what its
/// network finds: a detector of a series has networks of its own, which are no members of the family.
fn defaults(args: &ReplayArgs) -> Layers {
    let network = json!({ "stream_defaults": { "alert": { "detector": "network" } } });
    match args.variant {
        Some(_) => Layers::new().table(network),
        None => Layers::new(),
    }
}

/// A stream of the columns of a file; everything else is as in `detector`, else the default.
///
/// # Errors
///
/// [`ReplayError`], for example for a channel name that is no name.
pub(super) fn inferred(
    args: &ReplayArgs,
    found: &Inferred,
    detector: Option<&Settings>,
) -> Result<Settings, ReplayError> {
    let channels: Vec<_> = found.channels.iter().map(|name| json!({ "name": name })).collect();
    let entity = match &found.entity {
        Some(column) => json!({ "from": "field", "field": pointer(column) }),
        None => json!({ "from": "kafka_key" }),
    };
    let scope = if found.series > OWN_NETWORKS_MAX { "shard" } else { "series" };
    let disorder = match found.step {
        Step::Grid(step) => found.disorder.min(Millis::new(DISORDER_ROWS_MAX * step.get())),
        Step::Event => Millis::ZERO,
    };
    let stream = json!({
        "name": NAME,
        "topics": [NAME],
        "channel": channels,
        "timestamp": { "from": "field", "field": pointer(&found.time), "format": found.format },
        "entity": entity,
        "step": found.step,
        "max_out_of_order": disorder,
        "series_max": 1_000_000,
        "model": { "scope": scope },
        "alert": alert_of(found.step),
    });
    let mut settings = defaults(args).table(json!({ "stream": [stream] })).settings()?;
    if let Some(detector) = detector {
        settings = with_detector(settings, detector.clone());
    }
    if let (true, Step::Grid(step)) = (found.numbered, found.step) {
        let rows = |span: Millis| Millis::new(span.get() / ROW_STANDS_FOR * step.get());
        for alert in settings.stream.iter_mut().map(|stream| &mut stream.alert) {
            alert.budget.per = rows(alert.budget.per);
            alert.flap_limit.per = rows(alert.flap_limit.per);
        }
    }
    overlay(settings, args)
}

/// What is counted in days by default needs more of them where rows are weeks or months.
fn alert_of(step: Step) -> serde_json::Value {
    match step {
        Step::Grid(step) if step > LONG_ROW => {
            let rows = Millis::new(ROWS_MIN.saturating_mul(step.get()));
            json!({ "budget": { "per": rows }, "flap_limit": { "per": rows } })
        }
        _ => json!({}),
    }
}

/// The shape of the input of `plain` with everything else of `detector`.
fn with_detector(mut plain: Settings, mut detector: Settings) -> Settings {
    for (stream, shape) in detector.stream.iter_mut().zip(plain.stream.drain(..)) {
        *stream = StreamSettings {
            name: shape.name,
            topics: shape.topics,
            channel: shape.channel,
            timestamp: shape.timestamp,
            entity: shape.entity,
            step: shape.step,
            max_out_of_order: shape.max_out_of_order,
            series_max: shape.series_max,
            ..stream.clone()
        };
    }
    detector
}

/// A column as a JSON pointer.
fn pointer(column: &str) -> String {
    format!("/{}", column.replace('~', "~0").replace('/', "~1"))
}

/// What the arguments say about seed, features and forecasts.
fn overlay(mut settings: Settings, args: &ReplayArgs) -> Result<Settings, ReplayError> {
    settings.seed = args.seed.unwrap_or(settings.seed);
    for stream in &mut settings.stream {
        if let Some(variant) = args.variant {
            set_variant(&mut stream.model, variant);
        }
        let every = &mut stream.features.every;
        // Nobody reads them: they would only cost time.
        *every = if args.features.is_some() { (*every).max(1) } else { 0 };
        match (&args.forecasts, stream.step) {
            // A report shows what the configuration forecasts.
            (None, Step::Grid(_)) if args.report.is_some() => {}
            (None, _) => stream.forecast.targets.clear(),
            (Some(_), Step::Event) => return Err(ReplayError::NoGrid),
            (Some(_), Step::Grid(step)) => forecasts(stream, step, args),
        }
    }
    settings.check()?;
    Ok(settings)
}

/// Another variant with the other settings as they are, as far as it can have them.
fn set_variant(model: &mut ModelParams, variant: Variant) {
    model.variant = variant;
    if variant == Variant::Deep && model.hidden.len() < 2 {
        let first = model.hidden.first().copied().unwrap_or(DEEP_FIRST);
        model.hidden = vec![2 * first, first];
    }
}

fn forecasts(stream: &mut StreamSettings, step: Millis, args: &ReplayArgs) {
    let spans = |rows: &mut dyn Iterator<Item = u32>| -> Vec<Millis> {
        rows.map(|rows| Millis::new(step.get().saturating_mul(rows.into()))).collect()
    };
    let forecast = &mut stream.forecast;
    if forecast.targets.is_empty() {
        forecast.targets = stream.channel.iter().map(|c| c.name.clone()).collect();
    }
    if let Some(list) = &args.horizons {
        forecast.horizons = spans(&mut list.0.iter().copied());
    } else if forecast.horizons.is_empty() {
        forecast.horizons = spans(&mut HORIZONS.clone());
    }
    // What runs with no seasons given finds them: a replay must show that.
    if let Some(list) = &args.season {
        forecast.seasons = spans(&mut list.0.iter().copied());
    }
}
