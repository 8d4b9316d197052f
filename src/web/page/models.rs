//! `/models`: champions, examinations, rollbacks, drifts.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::parts::{Asked, Part, asked, badge, number, pages, series_link, stream_link, time};
use super::{Place, layout};
use crate::web::api::{self, StreamsBody};
use crate::web::server::App;
use crate::web::status::{Status, StreamStatus};

const LIMIT: u64 = 50;

pub(super) async fn show(State(app): State<App>, part: Asked<Part>) -> Response {
    let offset = asked(part).offset;
    let status = app.status.read(Status::clone);
    let (bodies, total) = app.history.read(|store| {
        let all = store.kept.models.iter().rev().map(|body| body.json.clone());
        api::page_of(all, LIMIT as u32, offset)
    });
    let records: Vec<Value> =
        bodies.iter().filter_map(|json| serde_json::from_str(json).ok()).collect();
    let main = html! {
        h1 { "Models" }
        p.note {
            "A challenger trains beside the network that scores. It takes over only if it raises no more false \
             alarms, finds no fewer injected faults, and reconstructs no worse."
        }
        div #champions data-live {
            (champions(&StreamsBody::from(&status)))
            (champions_of_series(&status))
        }
        div #history data-live {
            h2 { "History" }
            @if records.is_empty() { p.note { "No examination and no drift so far." } }
            @else { (history(&records)) }
            (pages("/models?", offset, LIMIT, total))
        }
    };
    layout("Models", Place::Models, &main)
}

fn champions(body: &StreamsBody) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Champions" {
            table {
                caption { "Networks that score" }
                thead { tr {
                    th scope="col" { "Partition" }
                    th scope="col" { "Stream" }
                    th.n scope="col" { "Training steps" }
                    th.n scope="col" { "Reconstruction loss" }
                    th.n scope="col" { "Loss over PCA's" }
                } }
                tbody { @for stream in &body.streams { @for part in &stream.partitions { tr {
                    th scope="row" { (part.topic) "/" (part.partition) }
                    td { (stream_link(&stream.stream)) }
                    td.n { (part.model_version) }
                    td.n { (number(part.reconstruction_loss)) }
                    td.n { (number(part.linear_control_loss_ratio)) }
                } } } }
            }
        }
    }
}

/// With `model.scope = "series"` each series has a network of its own.
fn champions_of_series(status: &Status) -> Markup {
    let of_stream = |stream: &'_ StreamStatus| {
        let name = stream.name.clone();
        let series = stream.partitions.iter().flat_map(|partition| partition.listed.iter());
        let own = series.filter_map(|series| Some((series.entity.clone(), series.network?)));
        own.map(move |(entity, network)| (name.clone(), entity, network)).collect::<Vec<_>>()
    };
    let all: Vec<_> = status.streams.iter().flat_map(of_stream).collect();
    let shown = all.len().min(LIMIT as usize);
    html! {
        @if !all.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Networks of series" {
                table {
                    caption { "Networks of series: " (shown) " of " (all.len()) }
                    thead { tr {
                        th scope="col" { "Series" }
                        th scope="col" { "Stream" }
                        th.n scope="col" { "Training steps" }
                        th.n scope="col" { "Loss over PCA's" }
                    } }
                    tbody { @for (stream, entity, network) in all.iter().take(shown) { tr {
                        th scope="row" { (series_link(stream, entity)) }
                        td { (stream_link(stream)) }
                        td.n { (network.version) }
                        td.n { (number(network.linear_control_ratio)) }
                    } } }
                }
            }
        }
    }
}

fn history(records: &[Value]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="History of models" {
            table {
                caption { "Examinations and drifts, newest first; champion → challenger" }
                thead { tr {
                    th scope="col" { "Event time" }
                    th scope="col" { "Model of" }
                    th scope="col" { "Outcome" }
                    th scope="col" { "Why" }
                    th.n scope="col" { "False alarms" }
                    th.n scope="col" { "Recall of faults" }
                    th.n scope="col" { "Loss" }
                    th.n scope="col" { "Version" }
                } }
                tbody { @for record in records { tr {
                    td { (time(text(record, "at"))) }
                    th scope="row" { (owner(record)) }
                    td { (outcome(record)) }
                    td { (why(record)) }
                    @match record.get("challenger") {
                        Some(_) => {
                            td.n { (pair(record, |marks| marks["false_alarm_ratio"].as_f64().map(|r| 100.0 * r), " %")) }
                            td.n { (pair(record, |marks| mean(&marks["recall"]).map(|r| 100.0 * r), " %")) }
                            td.n { (pair(record, |marks| marks["reconstruction_error"].as_f64(), "")) }
                        }
                        None => { td.n { "–" } td.n { "–" } td.n { "–" } }
                    }
                    td.n { (text(record, "model_version")) }
                } } }
            }
        }
    }
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// The series, or the partition that shares the network.
fn owner(record: &Value) -> Markup {
    match record["entity"].as_str() {
        Some(entity) => series_link(text(record, "stream"), entity),
        None => html! { (text(record, "topic")) "/" (record["partition"]) },
    }
}

fn outcome(record: &Value) -> Markup {
    match text(record, "change") {
        "promoted" => badge("good", "promoted"),
        "rejected" => badge("calm", "rejected"),
        "rolled_back" => badge("bad", "rolled back"),
        other => badge("warn", other),
    }
}

fn why(record: &Value) -> String {
    if let Some(reason) = record["reason"].as_str() {
        return reason.replace('_', " ");
    }
    let Some(level) = record["level"].as_str() else { return String::new() };
    let part = match (record["sensor"].as_str(), record["latent"].as_u64()) {
        (Some(sensor), _) => format!(" of {sensor}"),
        (None, Some(latent)) => format!(" {latent}"),
        (None, None) => String::new(),
    };
    let [before, after] = ["mean_before", "mean_after"].map(|key| number(record[key].as_f64()));
    format!("{level}{part}: {before} → {after}")
}

fn mean(by_kind: &Value) -> Option<f64> {
    let values: Vec<f64> = by_kind.as_object()?.values().filter_map(Value::as_f64).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn pair(record: &Value, of: impl Fn(&Value) -> Option<f64>, unit: &str) -> String {
    let [champion, challenger] = ["champion", "challenger"].map(|who| number(of(&record[who])));
    format!("{champion} → {challenger}{unit}")
}
