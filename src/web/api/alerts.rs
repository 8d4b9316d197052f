//! `GET /api/v1/alerts`, one of them, and its explanation.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::series::{CellBody, severity};
use super::{Limit, check, finite, fits, page, text};
use crate::chart::{self, Mark, Panel, Point, Size};
use crate::record::AlertChange;
use crate::web::extract::{Json, Params, Segments};
use crate::web::history::AlertEntry;
use crate::web::problem::Problem;
use crate::web::server::App;
use crate::web::status::Status;

/// A picture is its own document, with the colours of its reader's theme.
const PICTURE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);
const PICTURE: Size = Size { width: 1_120, height: 180, ticks: 9 };

/// Alerts that this process remembers, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct AlertsBody {
    alerts: Vec<AlertSummary>,
    /// Alerts that fit the filters.
    total: u64,
    limit: u32,
    offset: u64,
}

/// An alert in short.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct AlertSummary {
    pub alert_id: String,
    pub stream: String,
    pub entity: String,
    pub kind: &'static str,
    pub severity: &'static str,
    /// firing, resolved or suppressed.
    pub state: &'static str,
    pub starts_at: String,
    pub ends_at: Option<String>,
    /// Highest in its records; null if an earlier life of the process wrote them.
    pub anomaly_score: Option<f64>,
    pub links: AlertLinks,
}

/// Where there is more.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct AlertLinks {
    page: String,
    explain: String,
}

/// An alert with its records, as they are on the alerts topic.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct AlertBody {
    pub alert: AlertSummary,
    /// The record with which it opened, or was suppressed; null if an earlier life of the process wrote it.
    #[schemars(with = "Option<AlertRecord>")]
    pub opened: Option<Box<RawValue>>,
    /// The newest record.
    #[schemars(with = "Option<AlertRecord>")]
    pub newest: Option<Box<RawValue>>,
}

/// Stands for the schema of the alerts topic.
#[derive(JsonSchema)]
#[schemars(rename = "AlertRecord")]
struct AlertRecord {}

/// Observed against expected around an alert.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct AlertExplanation {
    pub alert: AlertSummary,
    /// Its top channels, the largest share first.
    sensors: Vec<SensorBody>,
    /// The record with which it opened, with shares and cause.
    #[schemars(with = "Option<AlertRecord>")]
    opened: Option<Box<RawValue>>,
}

/// A channel of an alert.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct SensorBody {
    sensor: String,
    /// Rows before, during and after it, oldest first.
    points: Vec<TracePointBody>,
}

/// A row of a channel.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct TracePointBody {
    at: String,
    #[serde(flatten)]
    cell: CellBody,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct AlertsQuery {
    stream: Option<String>,
    entity: Option<String>,
    state: Option<AlertState>,
    severity: Option<AlertSeverity>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AlertState {
    Firing,
    Resolved,
    Suppressed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AlertSeverity {
    Warning,
    Critical,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct ExplainQuery {
    format: Option<ExplainFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExplainFormat {
    Json,
    Svg,
}

pub(in crate::web) async fn alerts(
    State(app): State<App>,
    Params(query): Params<AlertsQuery>,
) -> Result<Json<AlertsBody>, Problem> {
    check(query.limit, query.offset)?;
    let status = app.status.read(Status::clone);
    let all: Vec<AlertSummary> =
        app.history.read(|store| store.alerts().map(|entry| summary(&status, entry)).collect());
    let word = |state| match state {
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
        AlertState::Suppressed => "suppressed",
    };
    let critical = query.severity.map(|severity| severity == AlertSeverity::Critical);
    let wanted = all.into_iter().filter(|alert| {
        fits(query.stream.as_ref(), &alert.stream)
            && fits(query.entity.as_ref(), &alert.entity)
            && query.state.is_none_or(|state| alert.state == word(state))
            && critical.is_none_or(|critical| (alert.severity == "critical") == critical)
    });
    let (alerts, total) = page(wanted, query.limit, query.offset);
    Ok(Json(AlertsBody { alerts, total, limit: query.limit.0, offset: query.offset }))
}

pub(in crate::web) async fn one_alert(
    State(app): State<App>,
    Segments(alert_id): Segments<String>,
) -> Result<Json<AlertBody>, Problem> {
    let status = app.status.read(Status::clone);
    let entry = entry(&app, &alert_id)?;
    let alert = summary(&status, &entry);
    Ok(Json(AlertBody { alert, opened: raw(entry.opened), newest: raw(entry.newest) }))
}

pub(in crate::web) async fn explain(
    State(app): State<App>,
    Segments(alert_id): Segments<String>,
    Params(query): Params<ExplainQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let status = app.status.read(Status::clone);
    let entry = entry(&app, &alert_id)?;
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let svg = match query.format {
        Some(format) => format == ExplainFormat::Svg,
        None => accepts.is_some_and(|accept| accept.starts_with("image/svg+xml")),
    };
    if svg {
        let title = format!("{}: {}, {}", entry.alert_id, entry.entity, text(entry.starts_at));
        let picture = explanation(&status, &entry, &title, PICTURE).map_err(|error| {
            Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        })?;
        let picture = chart::standalone(&picture);
        let mut response = picture.into_response();
        let svg = HeaderValue::from_static("image/svg+xml");
        response.headers_mut().insert(header::CONTENT_TYPE, svg);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, PICTURE_POLICY);
        return Ok(response);
    }
    let alert = summary(&status, &entry);
    let sensors = entry.channels.iter().enumerate().map(|(i, channel)| SensorBody {
        sensor: name(&status, entry.stream, *channel),
        points: entry
            .trace
            .iter()
            .filter_map(|row| Some((row.time, *row.cells.get(i)?)))
            .map(|(time, cell)| TracePointBody { at: text(time), cell: cell.into() })
            .collect(),
    });
    let sensors = sensors.collect();
    Ok(Json(AlertExplanation { alert, sensors, opened: raw(entry.opened) }).into_response())
}

/// Observed against expected of the top channels of an alert, as SVG.
pub(in crate::web) fn explanation(
    status: &Status,
    entry: &AlertEntry,
    title: &str,
    size: Size,
) -> Result<String, chart::ChartError> {
    let panels = entry.channels.iter().enumerate().map(|(i, channel)| Panel {
        name: name(status, entry.stream, *channel),
        points: entry
            .trace
            .iter()
            .filter_map(|row| Some((row.time, *row.cells.get(i)?)))
            .map(|(time, cell)| Point {
                time,
                y: cell.y.into(),
                yhat: cell.yhat.into(),
                lower: cell.lower.into(),
                upper: cell.upper.into(),
            })
            .collect(),
    });
    let mark = Mark { opened: entry.starts_at, closed: entry.ends_at, other: false };
    chart::explanation(title, &panels.collect::<Vec<_>>(), &[mark], size)
}

fn entry(app: &App, alert_id: &str) -> Result<AlertEntry, Problem> {
    let found = app.history.read(|store| store.alert(alert_id).cloned());
    found.ok_or_else(|| {
        Problem::not_found(format!(
            "this process does not remember an alert `{alert_id}`; `latentd explain` reads it from Kafka"
        ))
    })
}

fn raw(json: Option<std::sync::Arc<str>>) -> Option<Box<RawValue>> {
    RawValue::from_string(json?.to_string()).ok()
}

fn name(status: &Status, stream: usize, channel: usize) -> String {
    let stream = status.streams.get(stream);
    stream.and_then(|stream| stream.channels.get(channel)).cloned().unwrap_or_default()
}

/// An alert in short.
pub(in crate::web) fn summary(status: &Status, entry: &AlertEntry) -> AlertSummary {
    let stream = status.streams.get(entry.stream).map_or("", |stream| &stream.name);
    let state = match entry.change {
        None | Some(AlertChange::Opened | AlertChange::Updated) => "firing",
        Some(AlertChange::Closed) => "resolved",
        Some(AlertChange::Suppressed) => "suppressed",
    };
    AlertSummary {
        alert_id: entry.alert_id.clone(),
        stream: stream.to_owned(),
        entity: entry.entity.to_string(),
        kind: entry.kind.word(),
        severity: severity(entry.severity),
        state,
        starts_at: text(entry.starts_at),
        ends_at: entry.ends_at.map(text),
        anomaly_score: finite(entry.anomaly_score),
        links: AlertLinks {
            page: format!("/alerts/{}", entry.alert_id),
            explain: format!("/api/v1/alerts/{}/explain", entry.alert_id),
        },
    }
}
