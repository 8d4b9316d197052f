//! `/`: the streams, open alerts, series that still learn.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::parts::{
    alert_table, badge, count, number, series_link, stream_link, time, time_or_dash,
};
use super::{Place, layout};
use crate::web::api::{self, SeriesItem, StreamsBody};
use crate::web::server::App;
use crate::web::status::Status;

/// Series that warm up and alerts that are open, at most.
const ROWS_MAX: usize = 20;

pub(super) async fn show(State(app): State<App>) -> Response {
    let status = app.status.read(Status::clone);
    let open: Vec<_> = app.history.read(|store| {
        let open = store.alerts().filter(|entry| entry.is_open());
        open.map(|entry| api::summary(&status, entry)).collect()
    });
    let warming: Vec<SeriesItem> = api::items(&status, None, None)
        .filter(|item| item.warming.is_some())
        .take(ROWS_MAX)
        .collect();
    let body = StreamsBody::from(&status);
    let main = html! {
        h1 { "Streams" }
        div #state data-live {
            p { (readiness(&body)) }
            (streams(&body))
        }
        h2 { "Open alerts" }
        div #open data-live {
            @if open.is_empty() { p.note { "None." } }
            @else {
                (alert_table("Open alerts, newest first", &open[..open.len().min(ROWS_MAX)]))
                @if open.len() > ROWS_MAX { p { a href="/alerts" { "All " (open.len()) } } }
            }
        }
        h2 { "Learning" }
        div #learning data-live {
            @if warming.is_empty() { p.note { "No series is warming up." } }
            @else { (learning(&warming)) }
        }
    };
    layout("Streams", Place::Overview, &main)
}

fn readiness(body: &StreamsBody) -> Markup {
    html! {
        @if body.ready { (badge("good", "ready")) }
        @else { (badge("bad", "not ready")) " " (body.not_ready_reason.as_deref().unwrap_or_default()) }
    }
}

fn streams(body: &StreamsBody) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Streams" {
            table {
                caption { "Streams of this process" }
                thead { tr {
                    th scope="col" { "Stream" }
                    th scope="col" { "State" }
                    th.n scope="col" { "Series" }
                    th.n scope="col" { "Open alerts" }
                    th.n scope="col" { "Records/s" }
                    th.n scope="col" { "Lag" }
                    th scope="col" { "Event time" }
                    th.n scope="col" { "Loss" }
                    th.n scope="col" { "Partitions" }
                } }
                tbody { @for stream in &body.streams {
                    @let losses: Vec<f64> =
                        stream.partitions.iter().filter_map(|p| p.reconstruction_loss).collect();
                    tr {
                        th scope="row" { (stream_link(&stream.stream)) }
                        td { (state(stream.series, stream.warming, stream.alerts.warning, stream.alerts.critical)) }
                        td.n { (stream.series) }
                        td.n { (stream.alerts.warning + stream.alerts.critical) }
                        td.n { (number(Some(stream.records_per_sec.round()))) }
                        td.n { (count(stream.lag_records)) }
                        td { (time_or_dash(stream.partitions.iter().filter_map(|p| p.watermark.as_ref()).max())) }
                        td.n { (number(mean(&losses))) }
                        td.n { (stream.partitions.len()) }
                    }
                } }
            }
        }
    }
}

/// The state of a stream in a word.
fn state(series: usize, warming: usize, warnings: usize, criticals: usize) -> Markup {
    match (series, warming, warnings, criticals) {
        (_, _, _, 1..) => badge("bad", "critical"),
        (_, _, 1.., _) => badge("warn", "warning"),
        (0, ..) => badge("calm", "no data"),
        (all, warming, ..) if all == warming => badge("calm", "learning"),
        _ => badge("good", "calm"),
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Series that learn what normal is, with how far they are.
pub(super) fn learning(series: &[SeriesItem]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Series that warm up" {
            table {
                caption { "Series that learn what normal is and raise no alerts yet" }
                thead { tr {
                    th scope="col" { "Series" }
                    th scope="col" { "Stream" }
                    th scope="col" { "Done" }
                    th.n scope="col" { "Rows to go" }
                    th scope="col" { "Ready at (event time)" }
                } }
                tbody { @for item in series { @if let Some(warming) = &item.warming { tr {
                    th scope="row" { (series_link(&item.stream, &item.entity)) }
                    td { (stream_link(&item.stream)) }
                    td {
                        progress max="1" value=(format!("{:.3}", warming.done_ratio))
                            aria-label={ "Warm-up of " (item.entity) } {}
                        " " (format!("{:.0} %", 100.0 * warming.done_ratio))
                    }
                    td.n { (warming.rows_left) }
                    td { @match &warming.until { Some(until) => (time(until)), None => "–" } }
                } } } }
            }
        }
    }
}
