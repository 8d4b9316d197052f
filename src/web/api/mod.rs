//! `/api/v1`: handlers and the JSON they answer with.
//!
//! Types of their own, so that inner types can change. Handlers copy what they need and format it after
//! the locks are gone.

mod alerts;
mod lists;
mod series;
mod streams;
mod writes;

pub(super) use alerts::{
    AlertBody, AlertExplanation, AlertSummary, AlertsBody, alerts, explain, explanation, one_alert,
    summary,
};
pub(super) use lists::{ForecastsBody, ModelsBody, forecasts, models};
pub(super) use series::{PointsBody, SeriesItem, SeriesList, found, items, one_series, series};
pub(super) use streams::{PartitionBody, StreamBody, StreamsBody, streams};
pub(super) use writes::{
    FeedbackRequest, MaintenanceRequest, ReloadedBody, ValidatedBody, WrittenBody, feedback,
    maintenance, reload, send, validate,
};

use serde::Deserialize;

use super::problem::Problem;
use crate::record::EventTime;

/// Items of a list that are answered at once, unless the request says otherwise.
const LIMIT: u32 = 100;
/// Items of a list that are answered at once, at most.
pub(super) const LIMIT_MAX: u32 = 1_000;
/// Items that may be skipped: a number that every client can write.
pub(super) const OFFSET_MAX: u64 = 1 << 53;

/// A part of a list.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
struct Limit(u32);

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT)
    }
}

/// Counts all items, and collects those from `offset` on, at most `limit`.
fn page<T>(all: impl Iterator<Item = T>, limit: Limit, offset: u64) -> (Vec<T>, u64) {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let (mut items, mut total) = (Vec::new(), 0_u64);
    for (i, item) in all.enumerate() {
        total += 1;
        if offset <= i && items.len() < limit.0 as usize {
            items.push(item);
        }
    }
    (items, total)
}

/// The same for the page.
pub(super) fn page_of<T>(all: impl Iterator<Item = T>, limit: u32, offset: u64) -> (Vec<T>, u64) {
    page(all, Limit(limit), offset)
}

/// Refuses a part that is none.
fn check(limit: Limit, offset: u64) -> Result<(), Problem> {
    if !(1..=LIMIT_MAX).contains(&limit.0) {
        return Err(Problem::bad_request(format!("limit: expected 1 to {LIMIT_MAX}")));
    }
    if offset > OFFSET_MAX {
        return Err(Problem::bad_request(format!("offset: expected at most {OFFSET_MAX}")));
    }
    Ok(())
}

/// Whether a filter lets a name through.
fn fits(filter: Option<&String>, name: &str) -> bool {
    filter.is_none_or(|wanted| wanted == name)
}

/// Numbers that JSON has; others are null.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A time as RFC 3339.
fn text(time: EventTime) -> String {
    time.to_string()
}
