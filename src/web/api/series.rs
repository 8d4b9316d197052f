//! `GET /api/v1/series` and one of them with its newest rows.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Limit, check, fits, page, text};
use crate::engine::SeriesStatus;
use crate::record::{OpenAlert, Severity};
use crate::web::extract::{Json, Params, Segments};
use crate::web::history::{Cell, HistoryRow};
use crate::web::problem::Problem;
use crate::web::server::App;
use crate::web::status::Status;

/// Series of all streams.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct SeriesList {
    series: Vec<SeriesItem>,
    /// Series that fit the filters.
    total: u64,
    limit: u32,
    offset: u64,
}

/// A series.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct SeriesItem {
    pub stream: String,
    pub entity: String,
    pub topic: String,
    pub partition: i32,
    /// Rows since it began, gaps included.
    pub rows: u64,
    /// Start of the newest row.
    pub last_row: Option<String>,
    /// While it learns what normal is and raises no alerts.
    pub warming: Option<WarmingBody>,
    pub alerts: Vec<OpenAlertBody>,
    /// While an anomaly goes on that is not told.
    pub silenced: Option<SilencedBody>,
}

/// An anomaly that goes on and is not told.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct SilencedBody {
    /// `maintenance`, `flapping`, or the verdict that closed its alert.
    pub because: &'static str,
    pub since: String,
}

/// How far a series is from its first alert.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct WarmingBody {
    /// 0 to 1.
    pub done_ratio: f64,
    /// Rows up to the first that may raise an alert, if each can be used.
    pub rows_left: u64,
    /// Event time after the last of them; null without a grid.
    pub until: Option<String>,
}

/// An open alert.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct OpenAlertBody {
    pub alert_id: String,
    pub kind: &'static str,
    pub severity: &'static str,
    pub starts_at: String,
}

/// A series with its newest rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct PointsBody {
    series: SeriesItem,
    /// Whether rows are kept. If not, they are from now on, if there is room: ask again.
    kept: bool,
    /// Names of the channels, in the order of the channels of a point.
    channels: Vec<String>,
    /// Oldest first.
    points: Vec<PointBody>,
}

/// A row.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct PointBody {
    /// Start of the row.
    at: String,
    surprise: Option<f32>,
    /// 1 and above is an alarm.
    anomaly_score: Option<f32>,
    /// An alert opened here.
    raised: bool,
    firing: bool,
    warming: bool,
    channels: Vec<CellBody>,
}

/// A channel of a row, to seven digits.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct CellBody {
    pub y: Option<f32>,
    pub yhat: Option<f32>,
    pub lower: Option<f32>,
    pub upper: Option<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct SeriesQuery {
    stream: Option<String>,
    entity: Option<String>,
    state: Option<SeriesState>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    offset: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SeriesState {
    Warming,
    Alert,
    Silenced,
    Calm,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct PointsQuery {
    limit: Option<Limit>,
}

pub(in crate::web) async fn series(
    State(app): State<App>,
    Params(query): Params<SeriesQuery>,
) -> Result<Json<SeriesList>, Problem> {
    check(query.limit, query.offset)?;
    let status = app.status.read(Status::clone);
    let wanted = |item: &SeriesItem| match query.state {
        None => true,
        Some(SeriesState::Warming) => item.warming.is_some(),
        Some(SeriesState::Alert) => !item.alerts.is_empty(),
        Some(SeriesState::Silenced) => item.silenced.is_some(),
        Some(SeriesState::Calm) => {
            item.warming.is_none() && item.alerts.is_empty() && item.silenced.is_none()
        }
    };
    let all = items(&status, query.stream.as_ref(), query.entity.as_ref()).filter(wanted);
    let (series, total) = page(all, query.limit, query.offset);
    Ok(Json(SeriesList { series, total, limit: query.limit.0, offset: query.offset }))
}

pub(in crate::web) async fn one_series(
    State(app): State<App>,
    Segments((stream, entity)): Segments<(String, String)>,
    Params(query): Params<PointsQuery>,
) -> Result<Json<PointsBody>, Problem> {
    let limit = query.limit.unwrap_or(Limit(super::LIMIT_MAX));
    check(limit, 0)?;
    let status = app.status.read(Status::clone);
    let (index, series) = found(&status, &stream, &entity)?;
    app.history.look_at(index, &entity);
    let rows = app.history.read(|store| {
        let ring = store.ring(index, &entity)?;
        let rows = ring.newest(limit.0 as usize).map(|(row, cells)| (*row, cells));
        Some(rows.collect::<Vec<_>>())
    });
    let channels = status.streams[index].channels.clone();
    let kept = rows.is_some();
    let points = rows.unwrap_or_default().into_iter().map(PointBody::from).collect();
    Ok(Json(PointsBody { series, kept, channels, points }))
}

/// All series that are listed and fit the filters.
pub(in crate::web) fn items<'a>(
    status: &'a Status,
    stream: Option<&'a String>,
    entity: Option<&'a String>,
) -> impl Iterator<Item = SeriesItem> + 'a {
    let streams = status.streams.iter().filter(move |s| fits(stream, &s.name));
    let partitions = streams.flat_map(|s| s.partitions.iter().map(move |p| (&s.name, p)));
    partitions.flat_map(move |(name, partition)| {
        let listed = partition.listed.iter().filter(move |s| fits(entity, &s.entity));
        listed.map(move |series| {
            SeriesItem::new(name, &partition.topic, partition.shard.partition, series)
        })
    })
}

/// A series by its names, and the number of its stream.
pub(in crate::web) fn found(
    status: &Status,
    stream: &String,
    entity: &String,
) -> Result<(usize, SeriesItem), Problem> {
    let index = status.streams.iter().position(|s| s.name == *stream);
    let index = index.ok_or_else(|| Problem::not_found(format!("no stream `{stream}`")))?;
    let item = items(status, Some(stream), Some(entity)).next();
    let missing = || {
        Problem::not_found(format!(
            "this process has no series `{entity}` of stream `{stream}`, or too many to list it"
        ))
    };
    item.map(|item| (index, item)).ok_or_else(missing)
}

impl SeriesItem {
    fn new(stream: &str, topic: &str, partition: i32, series: &SeriesStatus) -> Self {
        Self {
            stream: stream.to_owned(),
            entity: series.entity.to_string(),
            topic: topic.to_owned(),
            partition,
            rows: series.rows,
            last_row: series.last_row.map(text),
            warming: series.warming.map(|warming| WarmingBody {
                done_ratio: warming.done,
                rows_left: warming.rows_left,
                until: warming.until.map(text),
            }),
            alerts: series.open.iter().map(OpenAlertBody::from).collect(),
            silenced: series.silenced.map(|(because, since)| SilencedBody {
                because: because.word(),
                since: text(since),
            }),
        }
    }
}

impl From<&OpenAlert> for OpenAlertBody {
    fn from(open: &OpenAlert) -> Self {
        Self {
            alert_id: open.alert_id.clone(),
            kind: open.kind.word(),
            severity: severity(open.severity),
            starts_at: text(open.starts_at),
        }
    }
}

pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

impl From<(HistoryRow, Vec<Cell>)> for PointBody {
    fn from((row, cells): (HistoryRow, Vec<Cell>)) -> Self {
        Self {
            at: text(row.time),
            surprise: finite(row.surprise),
            anomaly_score: finite(row.anomaly_score),
            raised: row.raised,
            firing: row.firing,
            warming: row.warming,
            channels: cells.into_iter().map(CellBody::from).collect(),
        }
    }
}

impl From<Cell> for CellBody {
    fn from(cell: Cell) -> Self {
        let Cell { y, yhat, lower, upper } = cell;
        Self { y: finite(y), yhat: finite(yhat), lower: finite(lower), upper: finite(upper) }
    }
}

fn finite(value: f32) -> Option<f32> {
    value.is_finite().then_some(value)
}
