//! `GET /api/v1/models` and `GET /api/v1/forecasts`: records as they went over the wire.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Limit, check, fits, page};
use crate::web::extract::{Json, Params};
use crate::web::history::{Body, Store};
use crate::web::problem::Problem;
use crate::web::server::App;
use crate::web::status::Status;

/// Examinations and drifts, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct ModelsBody {
    #[schemars(with = "Vec<ModelEvent>")]
    models: Vec<Box<RawValue>>,
    /// Records that fit the filters.
    total: u64,
    limit: u32,
    offset: u64,
}

/// Stands for the schemas of the models topic.
#[derive(JsonSchema)]
#[schemars(rename = "ModelEvent")]
struct ModelEvent {}

/// The newest forecast of each series and target.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct ForecastsBody {
    #[schemars(with = "Vec<ForecastRecord>")]
    forecasts: Vec<Box<RawValue>>,
    /// Forecasts that fit the filters.
    total: u64,
    limit: u32,
    offset: u64,
}

/// Stands for the schema of the forecasts topic.
#[derive(JsonSchema)]
#[schemars(rename = "ForecastRecord")]
struct ForecastRecord {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct RecordsQuery {
    stream: Option<String>,
    entity: Option<String>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    offset: u64,
}

pub(in crate::web) async fn models(
    State(app): State<App>,
    Params(query): Params<RecordsQuery>,
) -> Result<Json<ModelsBody>, Problem> {
    let (models, total) = records(&app, &query, |store| Box::new(store.kept.models.iter().rev()))?;
    Ok(Json(ModelsBody { models, total, limit: query.limit.0, offset: query.offset }))
}

pub(in crate::web) async fn forecasts(
    State(app): State<App>,
    Params(query): Params<RecordsQuery>,
) -> Result<Json<ForecastsBody>, Problem> {
    let (forecasts, total) = records(&app, &query, |store| Box::new(store.kept.forecasts()))?;
    Ok(Json(ForecastsBody { forecasts, total, limit: query.limit.0, offset: query.offset }))
}

fn records(
    app: &App,
    query: &RecordsQuery,
    of: impl for<'a> Fn(&'a Store) -> Box<dyn Iterator<Item = &'a Body> + 'a>,
) -> Result<(Vec<Box<RawValue>>, u64), Problem> {
    check(query.limit, query.offset)?;
    let status = app.status.read(Status::clone);
    let name = |index: usize| status.streams.get(index).map_or("", |stream| stream.name.as_str());
    let (bodies, total) = app.history.read(|store| {
        let wanted = of(store).filter(|body| {
            let entity = body.entity.as_deref().unwrap_or_default();
            fits(query.stream.as_ref(), name(body.stream)) && fits(query.entity.as_ref(), entity)
        });
        page(wanted.map(|body| Arc::clone(&body.json)), query.limit, query.offset)
    });
    let raw = |json: Arc<str>| RawValue::from_string(json.to_string()).ok();
    Ok((bodies.into_iter().filter_map(raw).collect(), total))
}
