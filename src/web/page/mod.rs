//! The page: HTML that is whole without scripts, pictures included. Text goes in through `maud`, which
//! escapes it; pictures are our own and escape theirs.
//!
//! `parts` has what several pages use. A small script brings sections that are marked as live up to date.

mod alert;
mod alerts;
mod forecasts;
mod forms;
mod latent;
mod models;
mod overview;
mod parts;
mod series;
mod stream;

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::server::App;
use crate::chart;

const PAGE_CSS: &str = include_str!("page.css");
const PAGE_JS: &str = include_str!("page.js");
/// A wave, and what it was expected to be.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">\
<rect width=\"32\" height=\"32\" rx=\"7\" fill=\"#2459a9\"/>\
<path d=\"M4 20q6-16 12-4t12-6\" fill=\"none\" stroke=\"#8fb5e6\" stroke-width=\"7\" stroke-linecap=\"round\"/>\
<path d=\"M4 20q6-16 12-4t12-6\" fill=\"none\" stroke=\"#fff\" stroke-width=\"2.5\" stroke-linecap=\"round\"/></svg>";
/// Only this server's own style, script and answers; forms go here; nobody frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// Assets have their content in their address.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

static STYLE: LazyLock<String> = LazyLock::new(|| chart::css() + PAGE_CSS);
/// Changes with the content of the assets.
static STAMP: LazyLock<String> = LazyLock::new(|| {
    let hash =
        Sha256::new().chain_update(&*STYLE).chain_update(PAGE_JS).chain_update(ICON).finalize();
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(overview::show))
        .route("/streams/{stream}", get(stream::show))
        .route("/series/{stream}/{entity}", get(series::show))
        .route("/alerts", get(alerts::show))
        .route("/alerts/{alert_id}", get(alert::show))
        .route("/alerts/{alert_id}/feedback", post(forms::feedback))
        .route("/maintenance", post(forms::maintenance))
        .route("/models", get(models::show))
        .route("/forecasts", get(forecasts::show))
        .route("/assets/page.css", get(style))
        .route("/assets/page.js", get(script))
        .route("/assets/icon.svg", get(icon))
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", &STYLE)
}

async fn script() -> Response {
    asset("text/javascript; charset=utf-8", PAGE_JS)
}

async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, text: &str) -> Response {
    let mut response = text.to_owned().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, CACHED);
    response
}

/// What stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Overview,
    Alerts,
    Models,
    Forecasts,
    Elsewhere,
}

/// A whole page around its main part.
fn layout(title: &str, place: Place, main: &Markup) -> Response {
    let links = [
        ("/", "Overview", Place::Overview),
        ("/alerts", "Alerts", Place::Alerts),
        ("/models", "Models", Place::Models),
        ("/forecasts", "Forecasts", Place::Forecasts),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · latentd" }
                link rel="icon" type="image/svg+xml" href={ "/assets/icon.svg?v=" (*STAMP) };
                link rel="stylesheet" href={ "/assets/page.css?v=" (*STAMP) };
                script src={ "/assets/page.js?v=" (*STAMP) } defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header {
                    div {
                        a.name href="/" { "latentd" }
                        nav aria-label="Main" {
                            @for (href, text, of) in links {
                                a href=(href) aria-current=[(of == place).then_some("page")] { (text) }
                            }
                        }
                        span #lost .bad role="status" { "No answer from latentd" }
                        button #pause type="button" aria-pressed="false" hidden { "Pause updates" }
                    }
                }
                main #main tabindex="-1" { (main) }
                footer {
                    span { "latentd " (env!("CARGO_PKG_VERSION")) }
                    span { "All times are UTC." }
                    a href="/metrics" { "Metrics" }
                    a href="/api/v1/openapi.json" { "API" }
                    a href="/readyz" { "Readiness" }
                }
            }
        }
    };
    let mut response = Html(page.into_string()).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// A page that says why there is no other.
fn refusal(problem: &Problem, back: Option<&str>) -> Response {
    let title = problem.status.canonical_reason().unwrap_or("Error");
    let main = html! {
        h1 { (title) }
        p role="alert" { (problem.detail) }
        @if let Some(back) = back { p { a href=(back) { "Back" } } }
    };
    let mut response = layout(title, Place::Elsewhere, &main);
    *response.status_mut() = problem.status;
    response
}

/// There is no such page.
pub(super) fn not_found(detail: &str) -> Response {
    refusal(&Problem::new(StatusCode::NOT_FOUND, detail), Some("/"))
}
