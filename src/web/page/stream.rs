//! `/streams/{stream}`: partitions, load, series, latent map.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::parts::{
    Asked, Part, alert_table, asked, badge, count, figure, number, pages, series_link, time,
    time_or_dash,
};
use super::{Place, forms, latent, layout, refusal};
use crate::chart;
use crate::record::EventTime;
use crate::web::api::{self, PartitionBody, SeriesItem, StreamBody};
use crate::web::extract::Segments;
use crate::web::problem::Problem;
use crate::web::server::App;
use crate::web::status::Status;

const LIMIT: u64 = 50;
const ALERTS_MAX: usize = 10;

pub(super) async fn show(
    State(app): State<App>,
    Segments(name): Segments<String>,
    part: Asked<Part>,
) -> Response {
    let status = app.status.read(Status::clone);
    let Some(index) = status.streams.iter().position(|stream| stream.name == name) else {
        return refusal(&Problem::not_found(format!("There is no stream `{name}`.")), Some("/"));
    };
    let offset = asked(part).offset;
    let stream = StreamBody::from(&status.streams[index]);
    let (series, total) =
        api::page_of(api::items(&status, Some(&name), None), LIMIT as u32, offset);
    let (alerts, latents, loads) = app.history.read(|store| {
        let alerts = store.alerts().filter(|entry| entry.stream == index).take(ALERTS_MAX);
        let alerts: Vec<_> = alerts.map(|entry| api::summary(&status, entry)).collect();
        let latents = store.kept.latents.get(index).cloned().unwrap_or_default();
        (alerts, latents, store.kept.loads.get(index).cloned().unwrap_or_default())
    });
    let lag: Vec<_> = loads.iter().map(|load| (load.at, load.lag)).collect();
    let rate: Vec<_> = loads.iter().map(|load| (load.at, load.rate)).collect();
    let main = html! {
        h1 { "Stream " (name) }
        p.note { "Topics " (stream.topics.join(", ")) "; channels " (stream.channels.join(", ")) "." }
        div #load data-live {
            h2 { "Lag and throughput" }
            (trend("Records that wait", &lag))
            (trend("Records per second", &rate))
            (partitions(&stream.partitions))
        }
        div #series data-live {
            h2 { "Series" }
            @if series.is_empty() { p.note { "No record has come yet." } } @else { (table(&series)) }
            (pages(&format!("/streams/{}?", super::parts::segment(&name)), offset, LIMIT, total))
        }
        div #alerts data-live {
            h2 { "Alerts" }
            @if alerts.is_empty() { p.note { "None so far." } }
            @else { (alert_table("The newest alerts of the stream", &alerts)) }
        }
        div #map data-live {
            h2 { "Latent map" }
            (latent::map(&latents.iter().collect::<Vec<_>>(), None))
        }
        (forms::maintenance_form(&app.access, &name, None))
    };
    layout(&format!("Stream {name}"), Place::Elsewhere, &main)
}

/// A number over the last minutes of wall time.
fn trend(what: &str, points: &[(EventTime, f64)]) -> Markup {
    let last = points.last().map(|(_, value)| *value).filter(|value| value.is_finite());
    let label = format!("{what} over the last {} s, now {}", points.len(), number(last));
    figure(&format!("{what}: {}", number(last)), &label, 110, |size| chart::trend(points, size))
}

fn partitions(partitions: &[PartitionBody]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Partitions" {
            table {
                caption { "Partitions that this process owns" }
                thead { tr {
                    th scope="col" { "Partition" }
                    th.n scope="col" { "Lag" }
                    th.n scope="col" { "Records/s" }
                    th scope="col" { "Watermark" }
                    th.n scope="col" { "Series" }
                    th.n scope="col" { "Warming" }
                    th.n scope="col" { "Model version" }
                    th.n scope="col" { "Loss" }
                    th.n scope="col" { "Loss over PCA's" }
                } }
                tbody { @for part in partitions { tr {
                    th scope="row" { (part.topic) "/" (part.partition) }
                    td.n { (count(part.lag_records)) }
                    td.n { (number(Some(part.records_per_sec.round()))) }
                    td { (time_or_dash(part.watermark.as_ref())) @if part.idle { " (idle)" } }
                    td.n { (part.series) }
                    td.n { (part.warming) }
                    td.n { (part.model_version) }
                    td.n { (number(part.reconstruction_loss)) }
                    td.n { (number(part.linear_control_loss_ratio)) }
                } } }
            }
        }
    }
}

fn table(series: &[SeriesItem]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Series" {
            table {
                caption { "Series of the stream" }
                thead { tr {
                    th scope="col" { "Series" }
                    th scope="col" { "State" }
                    th.n scope="col" { "Rows" }
                    th scope="col" { "Newest row" }
                    th scope="col" { "Partition" }
                } }
                tbody { @for item in series { tr {
                    th scope="row" { (series_link(&item.stream, &item.entity)) }
                    td { (state(item)) }
                    td.n { (item.rows) }
                    td { @match &item.last_row { Some(at) => (time(at)), None => "–" } }
                    td { (item.topic) "/" (item.partition) }
                } } }
            }
        }
    }
}

/// The state of a series in a word.
pub(super) fn state(item: &SeriesItem) -> Markup {
    let critical = item.alerts.iter().any(|alert| alert.severity == "critical");
    match (&item.warming, item.alerts.len()) {
        (_, 1..) if critical => badge("bad", "critical"),
        (_, 1..) => badge("warn", "warning"),
        (Some(warming), 0) => {
            badge("calm", &format!("learning, {:.0} %", 100.0 * warming.done_ratio))
        }
        (None, 0) => match &item.silenced {
            Some(silenced) => badge("calm", &format!("silenced: {}", silenced.because)),
            None => badge("good", "calm"),
        },
    }
}
