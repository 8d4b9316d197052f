//! Paths, limits and headers.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use prometheus::{TEXT_FORMAT, TextEncoder};

use super::problem::Problem;
use super::server::App;
use super::{api, openapi, page};

/// For answers that are no page: nothing in them may run or load anything.
const BARE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
#[rustfmt::skip]
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

pub(super) fn router(app: App) -> Router {
    let body_bytes_max = app.limits.body_bytes_max;
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/-/reload", post(api::reload))
        .nest("/api/v1", api_routes())
        .merge(page::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(middleware::from_fn_with_state(app.clone(), limit_time))
        .layer(middleware::map_response(add_headers))
        .with_state(app)
}

fn api_routes() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/streams", get(api::streams))
        .route("/series", get(api::series))
        .route("/series/{stream}/{entity}", get(api::one_series))
        .route("/alerts", get(api::alerts))
        .route("/alerts/{alert_id}", get(api::one_alert))
        .route("/alerts/{alert_id}/explain", get(api::explain))
        .route("/models", get(api::models))
        .route("/forecasts", get(api::forecasts))
        .route("/feedback", post(api::feedback))
        .route("/maintenance", post(api::maintenance))
        .route("/config/validate", post(api::validate))
}

async fn limit_time(State(app): State<App>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(app.limits.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "the request took longer than `http.request_timeout`";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
        }
    }
}

async fn add_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(BARE_POLICY);
    response
}

async fn unknown(request: Request) -> Response {
    match request.uri().path() {
        path if path.starts_with("/api/") => {
            Problem::not_found(format!("there is nothing at {path}; see /api/v1/openapi.json"))
                .into_response()
        }
        _ => page::not_found("There is no such page."),
    }
}

async fn other_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the method is not one of those in `Allow`")
}

async fn metrics(State(app): State<App>) -> Response {
    match TextEncoder::new().encode_to_string(&app.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response()
        }
    }
}

async fn healthz(State(app): State<App>) -> (StatusCode, String) {
    app.status.read(|status| match &status.stalled {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n")),
    })
}

async fn readyz(State(app): State<App>) -> (StatusCode, String) {
    app.status.read(|status| match &status.not_ready {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    })
}
