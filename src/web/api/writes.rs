//! Requests that change something, and the check of a configuration.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::record::{Saying, Verdict};
use crate::web::actions::{ConfigFormat, Notice, NoticeKind, Written};
use crate::web::extract::{Json, MayWrite};
use crate::web::problem::Problem;
use crate::web::server::App;

/// Longest name, id or pattern, in characters.
const NAME_MAX: usize = 256;
/// Most patterns of streams or series.
const PATTERNS_MAX: usize = 256;

/// A verdict on an alert.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct FeedbackRequest {
    /// Id of the alert.
    #[schemars(regex(pattern = r"^a-[0-9a-f]{12}$"))]
    pub alert_id: String,
    /// What is said of it.
    pub verdict: Verdict,
    /// Who says so; for people.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub by: Option<String>,
    /// Why; for people.
    #[serde(default)]
    #[schemars(length(max = 4000))]
    pub comment: Option<String>,
}

/// An announcement of maintenance. Another one of the same id takes its place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct MaintenanceRequest {
    /// Its name.
    #[schemars(length(min = 1, max = 256))]
    pub id: String,
    /// Names of streams, with * and ?; all if empty.
    #[serde(default)]
    #[schemars(length(max = 256), inner(length(max = 256)))]
    pub streams: Vec<String>,
    /// Names of series, with * and ?; all if empty.
    #[serde(default)]
    #[schemars(length(max = 256), inner(length(max = 256)))]
    pub entities: Vec<String>,
    /// Begin, in event time.
    #[schemars(extend("format" = "date-time"))]
    pub from: String,
    /// End, in event time; at or before `from`: it is called off.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// Whether windows are scored.
    #[serde(default = "yes")]
    pub score: bool,
    /// Whether alerts open; else they are recorded as suppressed.
    #[serde(default)]
    pub alert: bool,
    /// Whether anything is learned.
    #[serde(default)]
    pub learn: bool,
}

fn yes() -> bool {
    true
}

/// Where a record was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct WrittenBody {
    topic: String,
    partition: i32,
    offset: i64,
}

/// What is wrong with a configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct ValidatedBody {
    /// Whether it could be run.
    valid: bool,
    problems: Vec<ConfigProblemBody>,
}

/// One fault of a configuration.
#[derive(Debug, Serialize, JsonSchema)]
struct ConfigProblemBody {
    /// Path of the key; empty if the text cannot be parsed.
    path: String,
    message: String,
}

/// What a reload came to.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct ReloadedBody {
    message: String,
}

pub(in crate::web) async fn feedback(
    _: MayWrite,
    State(app): State<App>,
    Json(request): Json<FeedbackRequest>,
) -> Result<(StatusCode, Json<WrittenBody>), Problem> {
    let written = send(&app, request.notice()?).await?;
    Ok((StatusCode::ACCEPTED, Json(written)))
}

pub(in crate::web) async fn maintenance(
    _: MayWrite,
    State(app): State<App>,
    Json(request): Json<MaintenanceRequest>,
) -> Result<(StatusCode, Json<WrittenBody>), Problem> {
    let written = send(&app, request.notice()?).await?;
    Ok((StatusCode::ACCEPTED, Json(written)))
}

pub(in crate::web) async fn validate(
    _: MayWrite,
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<String, axum::extract::rejection::StringRejection>,
) -> Result<Json<ValidatedBody>, Problem> {
    let format = format(&headers)?;
    let text = body.map_err(|why| Problem::new(why.status(), why.body_text()))?;
    let validate = app.actions.validate.clone().ok_or_else(|| absent("check configurations"))?;
    let found = apart(move || validate(&text, format)).await?;
    let problems: Vec<ConfigProblemBody> = found
        .into_iter()
        .map(|problem| ConfigProblemBody { path: problem.path, message: problem.message })
        .collect();
    Ok(Json(ValidatedBody { valid: problems.is_empty(), problems }))
}

pub(in crate::web) async fn reload(
    _: MayWrite,
    State(app): State<App>,
) -> Result<Json<ReloadedBody>, Problem> {
    let reload = app.actions.reload.clone().ok_or_else(|| absent("reload its configuration"))?;
    match apart(move || reload()).await? {
        Ok(message) => Ok(Json(ReloadedBody { message })),
        Err(why) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why)),
    }
}

/// Writes a notice to its topic.
pub(in crate::web) async fn send(app: &App, notice: Notice) -> Result<WrittenBody, Problem> {
    let write = app.actions.write.clone().ok_or_else(|| absent("write to Kafka"))?;
    match apart(move || write(&notice)).await? {
        Ok(Written { topic, partition, offset }) => Ok(WrittenBody { topic, partition, offset }),
        Err(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

/// Runs what blocks on a thread where that stops nobody.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn absent(what: &str) -> Problem {
    Problem::not_found(format!("this process cannot {what}"))
}

fn format(headers: &HeaderMap) -> Result<ConfigFormat, Problem> {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = text.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/toml" => Ok(ConfigFormat::Toml),
        "application/yaml" => Ok(ConfigFormat::Yaml),
        "application/json" => Ok(ConfigFormat::Json),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected the content type application/toml, application/yaml or application/json",
        )),
    }
}

fn check_length(what: &str, text: &str, least: usize, most: usize) -> Result<(), Problem> {
    let length = text.chars().count();
    if least <= length && length <= most {
        return Ok(());
    }
    Err(Problem::bad_request(format!(
        "{what}: expected {least} to {most} characters, got {length}"
    )))
}

impl FeedbackRequest {
    pub fn notice(self) -> Result<Notice, Problem> {
        let Self { alert_id, verdict, by, comment } = self;
        let said = Saying { alert_id, verdict, by, comment };
        let said = said.checked().map_err(Problem::bad_request)?;
        let body = json!(said);
        Ok(Notice { kind: NoticeKind::Verdict, key: said.alert_id, body })
    }
}

impl MaintenanceRequest {
    pub fn notice(self) -> Result<Notice, Problem> {
        let Self { id, streams, entities, from, until, score, alert, learn } = self;
        check_length("id", &id, 1, NAME_MAX)?;
        for (what, names) in [("streams", &streams), ("entities", &entities)] {
            if names.len() > PATTERNS_MAX {
                return Err(Problem::bad_request(format!("{what}: at most {PATTERNS_MAX}")));
            }
            names.iter().try_for_each(|name| check_length(what, name, 0, NAME_MAX))?;
        }
        for (what, time) in [("from", &from), ("until", &until)] {
            let parsed: Result<jiff::Timestamp, _> = time.parse();
            parsed.map_err(|error| Problem::bad_request(format!("{what}: {error}")))?;
        }
        let body = json!({
            "kind": "maintenance", "id": id, "streams": streams, "entities": entities,
            "from": from, "until": until, "score": score, "alert": alert, "learn": learn,
        });
        Ok(Notice { kind: NoticeKind::Maintenance, key: id, body })
    }
}
