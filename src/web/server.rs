//! Routes, limits and answers.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use tokio::net::TcpListener;

use super::api::StreamsBody;
use super::status::SharedStatus;

const PAGE: &str = include_str!("page.html");
/// The page may run its own script and ask its own server, nothing else.
const PAGE_POLICY: &str =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";
/// Nothing here waits for anything, so an answer that takes longer will never come.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: usize = 16 * 1024;

/// What the handlers read.
#[derive(Debug, Clone)]
pub struct App {
    /// State of the daemon.
    pub status: SharedStatus,
    /// Metrics.
    pub registry: Registry,
}

/// Answers requests on `listener` until `shutdown` is done and open answers are written.
///
/// # Errors
///
/// If the listener breaks.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(app)).with_graceful_shutdown(shutdown).await
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1/streams", get(streams))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(limit_time))
        .with_state(app)
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "took too long\n").into_response(),
    }
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(PAGE))
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

async fn streams(State(app): State<App>) -> Response {
    app.status.read(|status| Json(StreamsBody::from(status)).into_response())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
