//! `/forecasts`: the newest of each series and target, with intervals, skill and coverage.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::parts::{Asked, Part, asked, figure, legend, number, pages, series_link, time};
use super::{Place, layout};
use crate::chart::{self, FanPoint, short};
use crate::record::EventTime;
use crate::web::api;
use crate::web::server::App;
use crate::web::status::Status;

const LIMIT: u64 = 50;
/// Forecasts that are drawn.
const DRAWN_MAX: usize = 4;
/// Past rows in a picture.
const PAST_MAX: usize = 168;

/// A forecast as its record tells it.
pub(super) struct Forecast {
    pub stream: String,
    pub entity: String,
    pub target: String,
    issued_at: String,
    points: Vec<FanPoint>,
    /// Levels of the intervals.
    levels: Vec<f64>,
    sources: Vec<String>,
    skill: Value,
    coverage: Value,
}

impl Forecast {
    /// `None` if it is no record of a forecast.
    pub fn read(json: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(json).ok()?;
        let text = |key: &str| record[key].as_str().map(str::to_owned);
        let points = record["points"].as_array()?;
        let intervals = |point: &Value, key: &str| -> Vec<f64> {
            let all = point["intervals"].as_array().into_iter().flatten();
            all.map(|interval| interval[key].as_f64().unwrap_or(f64::NAN)).collect()
        };
        let fan = points.iter().map(|point| {
            let (lower, upper) = (intervals(point, "lower"), intervals(point, "upper"));
            Some(FanPoint {
                time: point["at"].as_str()?.parse().ok()?,
                yhat: point["yhat"].as_f64().unwrap_or(f64::NAN),
                intervals: lower.into_iter().zip(upper).map(|(low, high)| [low, high]).collect(),
            })
        });
        let mut sources: Vec<String> =
            points.iter().filter_map(|point| point["source"].as_str()).map(str::to_owned).collect();
        sources.sort();
        sources.dedup();
        Some(Self {
            stream: text("stream")?,
            entity: text("entity")?,
            target: text("target")?,
            issued_at: text("issued_at")?,
            points: fan.collect::<Option<_>>()?,
            levels: points.first().map_or(Vec::new(), |point| intervals(point, "level")),
            sources,
            skill: record["skill"].clone(),
            coverage: record["coverage"].clone(),
        })
    }
}

pub(super) async fn show(State(app): State<App>, part: Asked<Part>) -> Response {
    let offset = asked(part).offset;
    let status = app.status.read(Status::clone);
    let (shown, total) = app.history.read(|store| {
        let all = store.kept.forecasts().map(|body| (body.stream, body.json.clone()));
        api::page_of(all, LIMIT as u32, offset)
    });
    let shown: Vec<(usize, Forecast)> =
        shown.iter().filter_map(|(stream, json)| Some((*stream, Forecast::read(json)?))).collect();
    let drawn = shown.iter().take(DRAWN_MAX);
    let drawn: Vec<_> = drawn.map(|(at, f)| (f, past(&app, &status, *at, f))).collect();
    let main = html! {
        h1 { "Forecasts" }
        div #forecasts data-live {
            @if shown.is_empty() {
                p.note { "None so far. A stream forecasts the channels that " code { "forecast.targets" } " names." }
            } @else { (table(shown.iter().map(|(_, forecast)| forecast))) }
            (pages("/forecasts?", offset, LIMIT, total))
        }
        @if !drawn.is_empty() { div #drawn data-live {
            @for (forecast, past) in &drawn { (chart_of(forecast, past)) }
            @if total > DRAWN_MAX as u64 { p.note { "The first " (DRAWN_MAX) " are drawn; others on the pages of their series." } }
        } }
    };
    layout("Forecasts", Place::Forecasts, &main)
}

/// Observed values of the target, if rows of the series are kept.
fn past(app: &App, status: &Status, stream: usize, forecast: &Forecast) -> Vec<(EventTime, f64)> {
    let channels = status.streams.get(stream).map_or(&[][..], |stream| &stream.channels);
    let Some(channel) = channels.iter().position(|name| *name == forecast.target) else {
        return Vec::new();
    };
    app.history.read(|store| {
        let Some(ring) = store.ring(stream, &forecast.entity) else { return Vec::new() };
        let rows = ring.newest(PAST_MAX);
        rows.map(|(row, cells)| (row.time, cells[channel].y.into())).collect()
    })
}

fn table<'a>(forecasts: impl Iterator<Item = &'a Forecast>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Forecasts" {
            table {
                caption { "The newest forecast of each series and target" }
                thead { tr {
                    th scope="col" { "Series" }
                    th scope="col" { "Target" }
                    th scope="col" { "Issued at" }
                    th.n scope="col" { "Horizons" }
                    th.n scope="col" { "Next" }
                    th.n scope="col" { "Skill over last value" }
                    th.n scope="col" { "Over season" }
                    th scope="col" { "Coverage, wanted: real" }
                    th scope="col" { "Source" }
                } }
                tbody { @for forecast in forecasts { tr {
                    th scope="row" { (series_link(&forecast.stream, &forecast.entity)) }
                    td { (forecast.target) }
                    td { (time(&forecast.issued_at)) }
                    td.n { (forecast.points.len()) }
                    td.n { (number(forecast.points.first().map(|point| point.yhat))) }
                    td.n { (number(forecast.skill["last_value"].as_f64())) }
                    td.n { (number(forecast.skill["seasonal_naive"].as_f64())) }
                    td { (coverage(&forecast.coverage)) }
                    td { (forecast.sources.join(", ").replace('_', " ")) }
                } } }
            }
        }
    }
}

fn coverage(by_level: &Value) -> String {
    let percent = |value: f64| format!("{:.0} %", 100.0 * value);
    let one = |(level, real): (&String, &Value)| {
        Some(format!("{}: {}", percent(level.parse().ok()?), percent(real.as_f64()?)))
    };
    let all: Vec<String> = by_level.as_object().into_iter().flatten().filter_map(one).collect();
    if all.is_empty() { "–".to_owned() } else { all.join(", ") }
}

/// A forecast as a picture with its past.
pub(super) fn chart_of(forecast: &Forecast, past: &[(EventTime, f64)]) -> Markup {
    let past = &past[past.len().saturating_sub(PAST_MAX)..];
    let issued = forecast.issued_at.parse().unwrap_or(EventTime::from_millis(0));
    let levels: Vec<String> =
        forecast.levels.iter().map(|level| format!("{:.0} %", 100.0 * level)).collect();
    let levels = levels.join(" and ");
    let ends = [forecast.points.first(), forecast.points.last()];
    let [next, last] = ends.map(|point| point.map_or(f64::NAN, |point| point.yhat));
    let caption = format!("{}: {}", forecast.entity, forecast.target);
    let label = format!(
        "Forecast of {} of {}: next {}, at the last of {} horizons {}",
        forecast.target,
        forecast.entity,
        short(next),
        forecast.points.len(),
        short(last),
    );
    html! {
        (figure(&caption, &label, 220, |size| chart::forecast(past, issued, &forecast.points, size)))
        (legend(&[
            ("series", "observed"),
            ("other", "forecast"),
            ("band", &format!("intervals of {levels}")),
        ]))
    }
}
