//! What several pages use.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use maud::{Markup, PreEscaped, html};

use crate::chart::{self, ChartError, Size};
use crate::web::api::AlertSummary;

/// Size of letters does not shrink with the picture: one for a screen, one for a phone.
const WIDE: (u32, usize) = (1_120, 9);
const SLIM: (u32, usize) = (370, 2);

/// A picture in both widths, with a caption; `label` says in words what it shows.
pub(super) fn figure(
    caption: &str,
    label: &str,
    height: u32,
    draw: impl Fn(Size) -> Result<String, ChartError>,
) -> Markup {
    html! {
        figure {
            @if !caption.is_empty() { figcaption { (caption) } }
            (both(height, |size| draw(size).map(|svg| chart::labelled(&svg, label))))
        }
    }
}

/// The same without a caption, of a picture that says itself what it shows.
pub(super) fn plain_figure(
    height: u32,
    draw: impl Fn(Size) -> Result<String, ChartError>,
) -> Markup {
    html! { figure { (both(height, draw)) } }
}

fn both(height: u32, draw: impl Fn(Size) -> Result<String, ChartError>) -> Markup {
    let picture = |(width, ticks): (u32, usize)| match draw(Size { width, height, ticks }) {
        Ok(svg) => PreEscaped(svg),
        Err(error) => html! { p.note { (error) } },
    };
    html! {
        div.wide { (picture(WIDE)) }
        div.slim { (picture(SLIM)) }
    }
}

/// Colours and what they stand for.
pub(super) fn legend(entries: &[(&str, &str)]) -> Markup {
    html! {
        ul.legend {
            @for (key, what) in entries { li { i class={ "k-" (key) } {} (what) } }
        }
    }
}

/// A segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => safe.push(byte.into()),
            // A segment of nothing but dots means another folder.
            b'.' if !text.bytes().all(|b| b == b'.') => safe.push('.'),
            byte => safe += &format!("%{byte:02X}"),
        }
    }
    safe
}

pub(super) fn series_path(stream: &str, entity: &str) -> String {
    format!("/series/{}/{}", segment(stream), segment(entity))
}

pub(super) fn series_link(stream: &str, entity: &str) -> Markup {
    html! { a href=(series_path(stream, entity)) { (entity) } }
}

pub(super) fn stream_link(stream: &str) -> Markup {
    html! { a href={ "/streams/" (segment(stream)) } { (stream) } }
}

/// A time without what is the same everywhere.
pub(super) fn time(text: &str) -> Markup {
    let short = text.replacen('T', " ", 1);
    let short = short.split('.').next().unwrap_or_default().trim_end_matches('Z');
    html! { time datetime=(text) { (short) } }
}

pub(super) fn time_or_dash(text: Option<&String>) -> Markup {
    match text {
        Some(text) => time(text),
        None => html! { "–" },
    }
}

pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), chart::short)
}

pub(super) fn count(value: Option<i64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

/// A state as a word with a colour.
pub(super) fn badge(class: &str, word: &str) -> Markup {
    html! { span class={ "state " (class) } { (word) } }
}

pub(super) fn alert_badge(alert: &AlertSummary) -> Markup {
    match (alert.state, alert.severity) {
        ("firing", "critical") => badge("bad", "critical"),
        ("firing", severity) => badge("warn", severity),
        (state, _) => badge("calm", state),
    }
}

/// Alerts as a table.
pub(super) fn alert_table(caption: &str, alerts: &[AlertSummary]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr {
                    th scope="col" { "Series" }
                    th scope="col" { "State" }
                    th scope="col" { "Kind" }
                    th.n scope="col" { "Score" }
                    th scope="col" { "Since" }
                    th scope="col" { "Until" }
                    th scope="col" { "Alert" }
                } }
                tbody { @for alert in alerts { tr {
                    th scope="row" { (series_link(&alert.stream, &alert.entity)) }
                    td { (alert_badge(alert)) }
                    td { (alert.kind.replace('_', " ")) }
                    td.n { (number(alert.anomaly_score)) }
                    td { (time(&alert.starts_at)) }
                    td { (time_or_dash(alert.ends_at.as_ref())) }
                    td { a href={ "/alerts/" (segment(&alert.alert_id)) } { (alert.alert_id) } }
                } } }
            }
        }
    }
}

/// Links to the parts of a list before and after this one.
pub(super) fn pages(path: &str, offset: u64, limit: u64, total: u64) -> Markup {
    html! {
        @if total > limit {
            nav.pages aria-label="Parts of the list" {
                @if offset > 0 {
                    a rel="prev" href={ (path) "offset=" (offset.saturating_sub(limit)) } { "Before" }
                }
                span { (offset + 1) " to " (total.min(offset + limit)) " of " (total) }
                @if offset + limit < total {
                    a rel="next" href={ (path) "offset=" (offset + limit) } { "After" }
                }
            }
        }
    }
}

/// Which part of a list is shown.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    pub offset: u64,
}

/// Parameters of the query of a page.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

/// What was asked for; nonsense counts as nothing.
pub(super) fn asked<T: Default>(asked: Asked<T>) -> T {
    asked.map(|Query(asked)| asked).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_series_are_segments_and_no_markup() {
        assert_eq!(series_path("a/b", "../<x>"), "/series/a%2Fb/..%2F%3Cx%3E");
        assert_eq!(segment(".."), "%2E%2E");
        let link = series_link("s", "\"><script>").into_string();
        assert_eq!(link, "<a href=\"/series/s/%22%3E%3Cscript%3E\">&quot;&gt;&lt;script&gt;</a>");
    }
}
