//! `/alerts`: all that are remembered.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::parts::{Asked, Part, alert_table, asked, pages};
use super::{Place, layout};
use crate::web::api;
use crate::web::server::App;
use crate::web::status::Status;

const LIMIT: u64 = 50;

pub(super) async fn show(State(app): State<App>, part: Asked<Part>) -> Response {
    let offset = asked(part).offset;
    let status = app.status.read(Status::clone);
    let all: Vec<_> = app
        .history
        .read(|store| store.alerts().map(|entry| api::summary(&status, entry)).collect());
    let total = all.len() as u64;
    let shown: Vec<_> = all
        .into_iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(LIMIT as usize)
        .collect();
    let main = html! {
        h1 { "Alerts" }
        p.note { "What this process remembers; all alerts are on the alerts topic." }
        div #alerts data-live {
            @if shown.is_empty() { p { "None so far." } }
            @else { (alert_table("Alerts, newest first", &shown)) }
            (pages("/alerts?", offset, LIMIT, total))
        }
    };
    layout("Alerts", Place::Alerts, &main)
}
