//! Forms that change something: they post as forms always did, and come back with a page.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::parts::{segment, series_path};
use super::refusal;
use crate::record::Verdict;
use crate::web::access::Access;
use crate::web::api::{FeedbackRequest, MaintenanceRequest, send};
use crate::web::extract::Segments;
use crate::web::problem::Problem;
use crate::web::server::App;

/// What each verdict does, for the person who gives it.
const VERDICTS: [(Verdict, &str, &str); 4] = [
    (
        Verdict::TruePositive,
        "A fault",
        "nothing of it is learned, and it never becomes normal by lasting",
    ),
    (Verdict::FalsePositive, "No fault", "what was held back is learned as calm, and it closes"),
    (Verdict::Expected, "Expected", "it closes, and nothing is learned"),
    (Verdict::NewNormal, "New normal", "it closes, and what lasts now is learned anew"),
];

#[derive(Debug, Deserialize)]
pub(super) struct FeedbackForm {
    verdict: Verdict,
    #[serde(default)]
    by: String,
    #[serde(default)]
    comment: String,
    token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MaintenanceForm {
    id: String,
    stream: String,
    #[serde(default)]
    entity: String,
    from: String,
    until: String,
    score: Option<String>,
    alert: Option<String>,
    learn: Option<String>,
    token: Option<String>,
}

pub(super) fn feedback_form(access: &Access, alert_id: &str) -> Markup {
    html! {
        h2 #say { "What do you say?" }
        @if access.is_closed() { (closed()) } @else {
            form method="post" action={ "/alerts/" (segment(alert_id)) "/feedback" } aria-labelledby="say" {
                div.fields {
                    label { "Your name (optional)" input name="by" maxlength="256" autocomplete="name"; }
                    label { "Why (optional)" input name="comment" maxlength="4000"; }
                    (token_field(access))
                }
                div.buttons {
                    @for (verdict, words, _) in VERDICTS {
                        button type="submit" name="verdict" value=(verdict.word()) { (words) }
                    }
                }
                ul.note { @for (_, words, effect) in VERDICTS { li { b { (words) } ": " (effect) "." } } }
            }
        }
    }
}

/// A form that announces maintenance of a stream, or of one of its series.
pub(super) fn maintenance_form(access: &Access, stream: &str, entity: Option<&str>) -> Markup {
    html! {
        details {
            summary { "Announce maintenance" }
            @if access.is_closed() { (closed()) } @else {
                form method="post" action="/maintenance" {
                    input type="hidden" name="stream" value=(stream);
                    @if let Some(entity) = entity { input type="hidden" name="entity" value=(entity); }
                    div.fields {
                        label { "Name (another one of the same name takes its place)" input name="id" required maxlength="256"; }
                        label { "From (event time, UTC)" input type="datetime-local" name="from" required; }
                        label { "Until (event time, UTC)" input type="datetime-local" name="until" required; }
                        (token_field(access))
                    }
                    label.check { input type="checkbox" name="score" checked; "Score rows" }
                    label.check { input type="checkbox" name="alert"; "Let alerts open" }
                    label.check { input type="checkbox" name="learn"; "Learn" }
                    div.buttons { button type="submit" { "Announce" } }
                }
            }
        }
    }
}

fn closed() -> Markup {
    html! { p.note {
        "Nothing can be changed here: this address can be reached by others, and there is no "
        code { "http.token_file" } ". Use " code { "latentd feedback" } " or the feedback and control topics."
    } }
}

fn token_field(access: &Access) -> Markup {
    html! {
        @if access.wants_token() {
            label { "Token" input type="password" name="token" required autocomplete="current-password"; }
        }
    }
}

pub(super) async fn feedback(
    State(app): State<App>,
    Segments(alert_id): Segments<String>,
    headers: HeaderMap,
    form: Result<Form<FeedbackForm>, FormRejection>,
) -> Response {
    let back = format!("/alerts/{}", segment(&alert_id));
    let done = async {
        let Form(form) = read(form)?;
        app.access.check(&headers, form.token.as_deref())?;
        let FeedbackForm { verdict, by, comment, .. } = form;
        let (by, comment) = (Some(by), Some(comment));
        let notice = FeedbackRequest { alert_id, verdict, by, comment }.notice()?;
        send(&app, notice).await.map(|_| verdict)
    };
    match done.await {
        Ok(verdict) => Redirect::to(&format!("{back}?told={}", verdict.word())).into_response(),
        Err(problem) => refusal(&problem, Some(&back)),
    }
}

pub(super) async fn maintenance(
    State(app): State<App>,
    headers: HeaderMap,
    form: Result<Form<MaintenanceForm>, FormRejection>,
) -> Response {
    let Form(form) = match read(form) {
        Ok(form) => form,
        Err(problem) => return refusal(&problem, Some("/")),
    };
    let back = match form.entity.as_str() {
        "" => format!("/streams/{}", segment(&form.stream)),
        entity => series_path(&form.stream, entity),
    };
    let done = async {
        app.access.check(&headers, form.token.as_deref())?;
        send(&app, form.request().notice()?).await
    };
    match done.await {
        Ok(_) => Redirect::to(&back).into_response(),
        Err(problem) => refusal(&problem, Some(&back)),
    }
}

fn read<T>(form: Result<Form<T>, FormRejection>) -> Result<Form<T>, Problem> {
    form.map_err(|why| Problem::new(why.status(), why.body_text()))
}

impl MaintenanceForm {
    fn request(self) -> MaintenanceRequest {
        // A browser sends local times without seconds or offset; the form says that they are UTC.
        let utc = |text: String| match text.len() {
            16 => format!("{text}:00Z"),
            19 => format!("{text}Z"),
            _ => text,
        };
        let entities = if self.entity.is_empty() { Vec::new() } else { vec![self.entity] };
        MaintenanceRequest {
            id: self.id,
            streams: vec![self.stream],
            entities,
            from: utc(self.from),
            until: utc(self.until),
            score: self.score.is_some(),
            alert: self.alert.is_some(),
            learn: self.learn.is_some(),
        }
    }
}
