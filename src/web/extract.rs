//! What handlers take from a request; what does not fit is a [`Problem`] that says why.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::server::App;

/// The parameters of the query; unknown ones are refused if their type says so.
#[derive(Debug)]
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let refused = |why: QueryRejection| Problem::bad_request(why.body_text());
        let Query(params) = Query::from_request_parts(parts, app).await.map_err(refused)?;
        Ok(Self(params))
    }
}

/// The variable segments of the path.
#[derive(Debug)]
pub(super) struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let refused = |why: PathRejection| Problem::bad_request(why.body_text());
        let Path(segments) = Path::from_request_parts(parts, app).await.map_err(refused)?;
        Ok(Self(segments))
    }
}

/// A JSON body.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let refused = |why: JsonRejection| Problem::new(why.status(), why.body_text());
        let axum::Json(body) = axum::Json::from_request(request, app).await.map_err(refused)?;
        Ok(Self(body))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Whoever sends this may change something.
#[derive(Debug)]
pub(super) struct MayWrite;

impl FromRequestParts<App> for MayWrite {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        app.access.check(&parts.headers, None).map(|()| Self)
    }
}
