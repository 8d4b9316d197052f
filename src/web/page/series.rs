//! `/series/{stream}/{entity}`: its newest rows against what was expected, its alerts, its forecast.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::forecasts::{Forecast, chart_of};
use super::parts::{
    Asked, alert_table, asked, figure, legend, series_path, stream_link, time, time_or_dash,
};
use super::{Place, forms, latent, layout, refusal, stream};
use crate::chart::{self, Mark, Point, short};
use crate::record::EventTime;
use crate::web::api::{self, AlertSummary, SeriesItem};
use crate::web::extract::Segments;
use crate::web::history::{AlertEntry, Cell, HistoryRow, Latent};
use crate::web::server::App;
use crate::web::status::Status;

/// Channels that are drawn at once.
const CHANNELS: usize = 6;
const ALERTS_MAX: usize = 20;

/// Which channels are drawn.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    first: usize,
}

/// What is kept of a series.
struct Kept {
    rows: Option<Vec<(HistoryRow, Vec<Cell>)>>,
    alerts: Vec<AlertEntry>,
    latents: Vec<Latent>,
    forecasts: Vec<Forecast>,
}

pub(super) async fn show(
    State(app): State<App>,
    Segments((name, entity)): Segments<(String, String)>,
    which: Asked<Which>,
) -> Response {
    let status = app.status.read(Status::clone);
    let (index, item) = match api::found(&status, &name, &entity) {
        Ok(found) => found,
        Err(problem) => return refusal(&problem, Some("/")),
    };
    app.history.look_at(index, &entity);
    let kept = kept(&app, index, &entity);
    let channels = &status.streams[index].channels;
    let first = asked(which).first.min(channels.len().saturating_sub(1));
    let alerts: Vec<AlertSummary> =
        kept.alerts.iter().map(|entry| api::summary(&status, entry)).collect();
    let told = !kept.forecasts.is_empty();
    let main = html! {
        h1 { (entity) }
        p.note { "Series of stream " (stream_link(&name)) ", " (item.topic) "/" (item.partition) "." }
        div #state data-live { (facts(&item)) }
        div #charts data-live {
            h2 { "Observed against expected" }
            (charts(&kept, channels, first))
            (others(&series_path(&name, &entity), channels, first))
        }
        @if told { div #forecast data-live {
            h2 { "Forecast" }
            @for forecast in &kept.forecasts { (chart_of(forecast, &past(&kept, channels, &forecast.target))) }
        } }
        div #alerts data-live {
            h2 { "Alerts" }
            @if alerts.is_empty() { p.note { "None so far." } }
            @else { (alert_table("The newest alerts of the series", &alerts)) }
        }
        div #map data-live {
            h2 { "Latent map" }
            (latent::map(&kept.latents.iter().collect::<Vec<_>>(), Some(&entity)))
        }
        (forms::maintenance_form(&app.access, &name, Some(&entity)))
    };
    layout(&entity, Place::Elsewhere, &main)
}

fn kept(app: &App, index: usize, entity: &str) -> Kept {
    app.history.read(|store| {
        let alerts =
            store.alerts().filter(|entry| entry.stream == index && *entry.entity == *entity);
        let space = store.kept.latents.get(index).into_iter().flatten();
        let forecasts = store
            .kept
            .forecasts()
            .filter(|body| body.stream == index && body.entity.as_deref() == Some(entity));
        Kept {
            rows: store
                .ring(index, entity)
                .map(|ring| ring.newest(usize::MAX).map(|(row, cells)| (*row, cells)).collect()),
            alerts: alerts.take(ALERTS_MAX).cloned().collect(),
            latents: space.cloned().collect(),
            forecasts: forecasts.filter_map(|body| Forecast::read(&body.json)).collect(),
        }
    })
}

fn facts(item: &SeriesItem) -> Markup {
    html! {
        dl {
            dt { "State" } dd { (stream::state(item)) }
            dt { "Rows" } dd { (item.rows) }
            dt { "Newest row" } dd { (time_or_dash(item.last_row.as_ref())) }
            @if let Some(silenced) = &item.silenced {
                dt { "Silenced" }
                dd {
                    "an anomaly goes on since " (time(&silenced.since)) " and is not told: "
                    (silenced.because)
                }
            }
            @if let Some(warming) = &item.warming {
                dt { "Warm-up" }
                dd {
                    progress max="1" value=(format!("{:.3}", warming.done_ratio)) aria-label="Warm-up" {}
                    " " (format!("{:.0} %", 100.0 * warming.done_ratio)) ", "
                    (warming.rows_left) " rows to go"
                    @if let Some(until) = &warming.until { ", ready at " (time(until)) " (event time)" }
                }
            }
        }
    }
}

fn charts(kept: &Kept, channels: &[String], first: usize) -> Markup {
    let Some(rows) = kept.rows.as_ref().filter(|rows| !rows.is_empty()) else {
        return html! { p.note {
            "No rows are kept yet. They are from now on, if " code { "http.history_bytes_max" }
            " has room for them."
        } };
    };
    let mark =
        |entry: &AlertEntry| Mark { opened: entry.starts_at, closed: entry.ends_at, other: false };
    let marks: Vec<Mark> = kept.alerts.iter().map(mark).collect();
    let scores: Vec<(EventTime, f64)> =
        rows.iter().map(|(row, _)| (row.time, row.anomaly_score.into())).collect();
    let worst = scores.iter().map(|(_, score)| *score).fold(0.0, f64::max);
    html! {
        (legend(&[
            ("series", "observed"), ("band", "expected (about 99 % of calm rows)"),
            ("alert", "alert opened; at the foot while it was open"), ("score", "anomaly score"),
        ]))
        @for (channel, name) in channels.iter().enumerate().skip(first).take(CHANNELS) {
            @let points = points(rows, channel);
            (figure(name, &in_words(name, &points), 200, |size| chart::expected(&points, &marks, size)))
        }
        (figure(
            "Anomaly score (1 is the threshold)",
            &format!("Anomaly score of {} rows, at most {}", rows.len(), short(worst)),
            120,
            |size| chart::anomaly_score(&scores, &marks, size),
        ))
    }
}

/// Links to the channels that are not drawn.
fn others(path: &str, channels: &[String], first: usize) -> Markup {
    html! {
        @if channels.len() > CHANNELS {
            nav.pages aria-label="Channels" {
                @if first > 0 { a href={ (path) "?first=" (first.saturating_sub(CHANNELS)) } { "Channels before" } }
                span { (first + 1) " to " ((first + CHANNELS).min(channels.len())) " of " (channels.len()) }
                @if first + CHANNELS < channels.len() { a href={ (path) "?first=" (first + CHANNELS) } { "Channels after" } }
            }
        }
    }
}

fn points(rows: &[(HistoryRow, Vec<Cell>)], channel: usize) -> Vec<Point> {
    let point = |(row, cells): &(HistoryRow, Vec<Cell>)| {
        let cell = cells.get(channel)?;
        Some(Point {
            time: row.time,
            y: cell.y.into(),
            yhat: cell.yhat.into(),
            lower: cell.lower.into(),
            upper: cell.upper.into(),
        })
    };
    rows.iter().filter_map(point).collect()
}

/// Observed values of a target.
fn past(kept: &Kept, channels: &[String], target: &str) -> Vec<(EventTime, f64)> {
    let channel = channels.iter().position(|name| name == target).unwrap_or(usize::MAX);
    let rows = kept.rows.as_deref().unwrap_or_default();
    points(rows, channel).into_iter().map(|point| (point.time, point.y)).collect()
}

/// What a picture of a channel shows, for those who do not see it.
fn in_words(name: &str, points: &[Point]) -> String {
    let observed = || points.iter().map(|p| p.y).filter(|y| y.is_finite());
    let (low, high) = (observed().reduce(f64::min), observed().reduce(f64::max));
    let (Some(low), Some(high), Some(last)) = (low, high, observed().next_back()) else {
        return format!("{name}: nothing observed");
    };
    let expected = points.iter().filter(|p| p.lower.is_finite() && p.y.is_finite());
    let outside = expected.clone().filter(|p| p.y < p.lower || p.upper < p.y).count();
    format!(
        "{name}: {} rows from {} to {}, the newest {}; {outside} of {} outside of what was expected",
        points.len(),
        short(low),
        short(high),
        short(last),
        expected.count(),
    )
}
