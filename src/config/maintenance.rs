//! `[[stream.maintenance]]`: when nothing should be scored, told or learned.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::rules::{quoted, unique};
use crate::alert::{Entities, Maintenance, Schedule, ScheduleError, Switches, When};
use crate::record::{EventTime, Millis};

/// A span of event time, once or again and again, and what may happen in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceSettings {
    /// Name, one of its own in the stream.
    pub name: String,
    /// Names of series, with `*` and `?`; all if left out.
    pub entities: Option<Vec<String>>,
    /// Five fields of cron: when it begins. Needs `duration`.
    pub cron: Option<String>,
    /// Time zone of `cron`, an IANA name; UTC if left out.
    pub time_zone: Option<String>,
    /// How long it lasts from each time of `cron` on.
    pub duration: Option<Millis>,
    /// RFC 3339: when it begins, once. Needs `until`.
    pub from: Option<String>,
    /// RFC 3339: when it is over.
    pub until: Option<String>,
    /// Whether windows are scored; true if left out.
    pub score: Option<bool>,
    /// Whether alerts open; false if left out.
    pub alert: Option<bool>,
    /// Whether anything is learned; false if left out.
    pub learn: Option<bool>,
}

/// The key that is wrong, its value, and why.
type Wrong = (&'static str, String, String);

impl MaintenanceSettings {
    /// As the engine takes it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn read(&self) -> Result<Maintenance, Wrong> {
        Ok(Maintenance {
            name: Arc::from(self.name.as_str()),
            entities: Entities(self.entities.clone().unwrap_or_default()),
            when: self.when()?,
            switches: Switches {
                score: self.score.unwrap_or(true),
                alert: self.alert.unwrap_or(false),
                learn: self.learn.unwrap_or(false),
            },
        })
    }

    fn when(&self) -> Result<When, Wrong> {
        let missing = |key, why: &str| (key, String::new(), why.to_owned());
        match (&self.cron, &self.from, &self.until) {
            (Some(cron), None, None) => {
                let needed = || missing("duration", "is needed beside `cron`");
                self.recurring(cron, self.duration.ok_or_else(needed)?)
            }
            (None, Some(from), Some(until)) => {
                if self.duration.is_some() || self.time_zone.is_some() {
                    let why =
                        "`duration` and `time_zone` go with `cron`, not with `from` and `until`";
                    return Err(missing("from", why));
                }
                once(from, until)
            }
            (Some(_), _, _) => {
                Err(missing("cron", "goes with `duration`, not with `from` and `until`"))
            }
            _ => Err(missing("", "needs `cron` and `duration`, or `from` and `until`")),
        }
    }

    fn recurring(&self, cron: &str, duration: Millis) -> Result<When, Wrong> {
        if duration < Millis::new(1) {
            return Err(("duration", duration.to_string(), "must be above 0s".into()));
        }
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        let schedule = Schedule::new(cron, zone, duration).map_err(|error| {
            let (key, value) = match error {
                ScheduleError::Zone => ("time_zone", zone),
                ScheduleError::Cron(_) | ScheduleError::Never => ("cron", cron),
            };
            (key, quoted(value), error.to_string())
        })?;
        Ok(When::Recurring(Box::new(schedule)))
    }
}

fn once(from: &str, until: &str) -> Result<When, Wrong> {
    let time = |key, text: &str| match text.parse::<Timestamp>() {
        Ok(time) => Ok(EventTime::from_millis(time.as_millisecond())),
        Err(_) => {
            let why = "expected a time such as 2026-11-20T22:00:00Z or 2026-11-20T23:00:00+01:00";
            Err((key, quoted(text), why.to_owned()))
        }
    };
    let (start, end) = (time("from", from)?, time("until", until)?);
    if end <= start {
        return Err(("until", quoted(until), format!("is not after from = {from}")));
    }
    Ok(When::Once { from: start, until: end })
}

/// Checks all maintenance of a stream; `at` is the path of the stream.
pub(super) fn check(list: &[MaintenanceSettings], at: &str, faults: &mut Vec<Fault>) {
    let path = |i: usize| format!("{at}.maintenance[{i}]");
    for (i, settings) in list.iter().enumerate() {
        if settings.name.trim().is_empty() {
            let why = "must not be empty";
            faults.push(Fault::rule(format!("{}.name", path(i)), quoted(&settings.name), why));
        }
        if settings.entities.as_ref().is_some_and(Vec::is_empty) {
            let why = "is empty: leave it out to mean all";
            faults.push(Fault::new(format!("{}.entities", path(i)), why));
        }
        match settings.read() {
            Ok(_) => {}
            Err(("", _, why)) => faults.push(Fault::new(path(i), why)),
            Err((key, value, why)) if value.is_empty() => {
                faults.push(Fault::new(format!("{}.{key}", path(i)), why));
            }
            Err((key, value, why)) => {
                faults.push(Fault::rule(format!("{}.{key}", path(i)), value, why));
            }
        }
    }
    let names = list.iter().enumerate();
    unique(names.map(|(i, m)| (format!("{}.name", path(i)), m.name.as_str())), faults);
}
