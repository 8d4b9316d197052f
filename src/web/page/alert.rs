//! `/alerts/{alert_id}`: what was seen, against what was expected, and what you say about it.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::parts::{
    Asked, alert_badge, asked, legend, number, plain_figure, series_link, stream_link, time,
    time_or_dash,
};
use super::{Place, forms, layout, refusal};
use crate::record::{apart, told};
use crate::web::api;
use crate::web::extract::Segments;
use crate::web::history::AlertEntry;
use crate::web::problem::Problem;
use crate::web::server::App;
use crate::web::status::Status;

/// What was said just now.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told {
    told: Option<crate::record::Verdict>,
}

pub(super) async fn show(
    State(app): State<App>,
    Segments(alert_id): Segments<String>,
    told: Asked<Told>,
) -> Response {
    let status = app.status.read(Status::clone);
    let Some(entry) = app.history.read(|store| store.alert(&alert_id).cloned()) else {
        let why = format!(
            "This process does not remember an alert `{alert_id}`. All alerts are on the alerts topic; \
             `latentd explain {alert_id} --config FILE` reads them from there."
        );
        return refusal(&Problem::not_found(why), Some("/alerts"));
    };
    let alert = api::summary(&status, &entry);
    let record = |json: &Option<std::sync::Arc<str>>| {
        json.as_ref().and_then(|json| serde_json::from_str::<Value>(json).ok())
    };
    let opened = record(&entry.opened).or_else(|| record(&entry.newest));
    let Told { told } = asked(told);
    let main = html! {
        h1 { "Alert on " (alert.entity) }
        @if let Some(verdict) = told {
            p.told.good role="status" {
                "Written: " (verdict.word().replace('_', " ")) ". It takes effect within seconds."
            }
        }
        div #facts data-live {
            dl {
                dt { "State" } dd { (alert_badge(&alert)) " " (alert.kind.replace('_', " ")) }
                dt { "Series" } dd { (series_link(&alert.stream, &alert.entity)) " of stream " (stream_link(&alert.stream)) }
                dt { "Since" } dd { (time(&alert.starts_at)) }
                dt { "Until" } dd { (time_or_dash(alert.ends_at.as_ref())) }
                @if alert.anomaly_score.is_some() {
                    dt { "Highest score" } dd { (number(alert.anomaly_score)) " (1 is the threshold)" }
                }
                @if let Some(record) = &opened { (details(record)) }
                dt { "Id" } dd { code { (alert.alert_id) } }
            }
        }
        div #drawing data-live {
            h2 { "Observed against expected" }
            (drawing(&status, &entry))
            @if let Some(record) = &opened { (sensors(record)) }
        }
        @if alert.state == "suppressed" {
            p.note { "Nobody was told of it, so there is nothing to say of it." }
        } @else { (forms::feedback_form(&app.access, &alert.alert_id)) }
        h2 { "More" }
        p {
            "Numbers of the drawing: " a href={ (alert_path(&alert.alert_id)) "/explain" } { "JSON" } ", "
            a href={ (alert_path(&alert.alert_id)) "/explain?format=svg" } { "SVG" } "; "
            a href=(alert_path(&alert.alert_id)) { "its records" } ". From the stored state, bit for bit: "
            code { "latentd explain " (alert.alert_id) " --config FILE --svg alert.svg" } "."
        }
    };
    layout(&format!("Alert on {}", alert.entity), Place::Alerts, &main)
}

fn alert_path(alert_id: &str) -> String {
    format!("/api/v1/alerts/{}", super::parts::segment(alert_id))
}

/// What the record says beside the summary.
fn details(record: &Value) -> Markup {
    let evidence = &record["evidence"];
    let cause = &record["explanation"]["cause"];
    html! {
        @if let Some(class) = cause["class"].as_str() {
            dt { "Seems to be" }
            dd { @match cause["sensor"].as_str() {
                Some(sensor) => { "one sensor: " (sensor) }
                None => { "the " (class) }
            } }
        }
        @if let Some(p) = record["p_value"].as_f64() {
            dt { "Chance of a calm row" } dd { (format!("{p:.1e}")) }
        }
        @if let Some(p) = record["p_true"].as_f64() {
            dt { "By your verdicts" } dd { (format!("{:.0} %", 100.0 * p)) " that it is a fault" }
        }
        dt { "Model version" } dd { (record["model"]["version"].as_str().unwrap_or("–")) }
        dt { "Evidence" }
        dd {
            (evidence["topic"].as_str().unwrap_or("?")) "/" (evidence["partition"])
            ", offsets " (evidence["from_offset"]) " to " (evidence["to_offset"])
        }
    }
}

fn drawing(status: &Status, entry: &AlertEntry) -> Markup {
    if entry.trace.is_empty() || entry.channels.is_empty() {
        return html! { p.note { "The rows around this alert are not kept." } };
    }
    html! {
        (legend(&[
            ("series", "observed"), ("band", "expected (about 99 % of calm rows)"),
            ("alert", "alert opened; at the foot while it was open"),
        ]))
        (plain_figure(150, |size| api::explanation(status, entry, "", size)))
    }
}

/// The top sensors of the record with which it opened.
fn sensors(record: &Value) -> Markup {
    let top = record["explanation"]["top"].as_array();
    let Some(top) = top.filter(|top| !top.is_empty()) else { return html! {} };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Top sensors" {
            table {
                caption { "Top sensors when it opened" }
                thead { tr {
                    th scope="col" { "Sensor" }
                    th scope="col" { "Share" }
                    th.n scope="col" { "Observed" }
                    th.n scope="col" { "Expected" }
                    th.n scope="col" { "From" }
                    th.n scope="col" { "To" }
                } }
                tbody { @for part in top {
                    @let share = part["share"].as_f64().unwrap_or(0.0);
                    @let name = part["sensor"].as_str().unwrap_or("?");
                    tr {
                        th scope="row" { (name) }
                        td {
                            meter min="0" max="1" value=(format!("{share:.3}")) aria-label={ "Share of " (name) } {}
                            " " (format!("{:.0} %", 100.0 * share))
                        }
                        @for value in measured(part) { td.n { (value) } }
                    }
                } }
            }
        }
    }
}

/// Observed, expected, from, to: with the digits that show whether it lies within.
fn measured(part: &Value) -> [String; 4] {
    let values = ["y", "yhat", "yhat_lower", "yhat_upper"].map(|key| part[key].as_f64());
    let [y, _, lower, upper] = values.map(|value| value.unwrap_or(f64::NAN));
    let apart = apart(y, lower, upper);
    values.map(|value| value.map_or_else(|| "–".to_owned(), |value| told(value, apart)))
}
