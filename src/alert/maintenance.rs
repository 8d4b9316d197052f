//! Maintenance: spans of event time in which series are not scored, not told about, or not learned
//! from. Three switches, each for itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::schedule::{Beginnings, Schedule};
use crate::record::{EventTime, Millis};

/// Most windows that a shard keeps at a time.
const WINDOWS_MAX: usize = 256;
/// A window that ended is kept so long for rows that are still to close.
const KEPT: Millis = Millis::new(86_400_000);

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// Windows are scored, and their features written.
    pub score: bool,
    /// Alerts open; without it they are recorded as suppressed.
    pub alert: bool,
    /// Scaler, calibration and network learn.
    pub learn: bool,
}

impl Switches {
    /// No maintenance.
    pub const ON: Self = Self { score: true, alert: true, learn: true };

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            score: self.score && other.score,
            alert: self.alert && other.alert,
            learn: self.learn && other.learn,
        }
    }
}

/// Names of series, `*` for any text and `?` for one character; an empty list is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entities(pub Vec<String>);

impl Entities {
    /// Whether `entity` is one of them.
    pub fn contain(&self, entity: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| matches(glob, entity))
    }
}

/// Whether `glob` matches the whole of `text`. Time is at most the product of their lengths.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0, 0);
    // Where to go on if the text after the last star does not fit: the star takes one more.
    let mut again = None;
    while t < text.len() {
        match glob.get(g) {
            Some('*') => {
                again = Some((g, t));
                g += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (g, t) = (g + 1, t + 1),
            _ => {
                let Some((star, taken)) = again else { return false };
                again = Some((star, taken + 1));
                (g, t) = (star + 1, taken + 1);
            }
        }
    }
    glob[g..].iter().all(|c| *c == '*')
}

/// When maintenance is.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Once, `from <= time < until`.
    Once {
        /// First instant.
        from: EventTime,
        /// First instant after it.
        until: EventTime,
    },
    /// Again and again.
    Recurring(Box<Schedule>),
}

/// Maintenance that the configuration knows of.
#[derive(Debug, Clone, PartialEq)]
pub struct Maintenance {
    /// Name.
    pub name: Arc<str>,
    /// Of which series.
    pub entities: Entities,
    /// When.
    pub when: When,
    /// What may happen meanwhile.
    pub switches: Switches,
}

/// Maintenance that was announced while the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceWindow {
    /// Another window of the same id takes its place.
    pub id: String,
    /// Streams it is for, with `*` and `?`; empty for all.
    pub streams: Entities,
    /// Of which series.
    pub entities: Entities,
    /// First instant.
    pub from: EventTime,
    /// First instant after it; at or before `from` it is called off.
    pub until: EventTime,
    /// What may happen meanwhile.
    pub switches: Switches,
}

/// All maintenance of a shard. What was announced is state, the rest follows from the settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    windows: BTreeMap<String, MaintenanceWindow>,
    #[serde(skip)]
    fixed: Vec<Fixed>,
}

#[derive(Debug, Clone)]
struct Fixed {
    maintenance: Maintenance,
    /// The last answer of the schedule; it holds from its first to before its second time.
    known: Option<Beginnings>,
}

impl Plan {
    /// The plan of a configuration.
    pub fn new(maintenance: &[Maintenance]) -> Self {
        let fixed = |m: &Maintenance| Fixed { maintenance: m.clone(), known: None };
        Self { windows: BTreeMap::new(), fixed: maintenance.iter().map(fixed).collect() }
    }

    /// What was announced, under the settings of `fresh`.
    #[must_use]
    pub fn adopt(self, fresh: Self) -> Self {
        Self { windows: self.windows, ..fresh }
    }

    /// Takes, replaces or calls off an announced window; `now` is the watermark. Returns whether
    /// the plan holds what was announced: it is full with 256 windows that are not over.
    ///
    /// The same window again changes nothing.
    pub fn announce(&mut self, window: MaintenanceWindow, now: Option<EventTime>) -> bool {
        self.windows.retain(|_, old| now.is_none_or(|now| now < old.until + KEPT));
        if window.until <= window.from {
            self.windows.remove(&window.id);
            return true;
        }
        let room = self.windows.len() < WINDOWS_MAX || self.windows.contains_key(&window.id);
        if room {
            self.windows.insert(window.id.clone(), window);
        }
        room
    }

    /// What was announced.
    pub fn windows(&self) -> impl Iterator<Item = &MaintenanceWindow> {
        self.windows.values()
    }

    /// What may happen to `entity` by the maintenance that overlaps `start <= time < end`; an
    /// empty span is its first instant.
    pub fn switches(&mut self, entity: &str, start: EventTime, end: EventTime) -> Switches {
        let end = end.max(start + Millis::new(1));
        let mut all = Switches::ON;
        for Fixed { maintenance, known } in &mut self.fixed {
            if maintenance.entities.contain(entity) && maintenance.overlaps(known, start, end) {
                all = all.and(maintenance.switches);
            }
        }
        for window in self.windows.values() {
            let overlaps = window.from < end && start < window.until;
            if overlaps && window.entities.contain(entity) {
                all = all.and(window.switches);
            }
        }
        all
    }
}

impl Maintenance {
    fn overlaps(&self, known: &mut Option<Beginnings>, start: EventTime, end: EventTime) -> bool {
        let schedule = match &self.when {
            When::Once { from, until } => return *from < end && start < *until,
            When::Recurring(schedule) => schedule,
        };
        let last = end - Millis::new(1);
        let holds = |(before, after): &Beginnings| {
            before.is_some_and(|b| b <= last) && after.is_some_and(|a| last < a)
        };
        // Spans have one length: the one that began last ends last.
        let (before, _) = match *known {
            Some(known) if holds(&known) => known,
            _ => *known.insert(schedule.beginnings(last)),
        };
        before.is_some_and(|began| start < began + schedule.duration())
    }
}

#[cfg(test)]
#[path = "maintenance_tests.rs"]
mod tests;
