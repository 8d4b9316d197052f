//! Maintenance: spans of event time in which series are not scored, not told about, or not learned
//! from. Three switches, each for itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::schedule::{Beginnings, Schedule};
use crate::record::{EventTime, Millis};

/// Most announced windows that a shard keeps at a time.
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
    let (mut glob, mut text) = (glob.chars(), text.chars());
    // Where to go on if the text after the last star does not fit: the star takes one more.
    let mut again = None;
    loop {
        let (mut later_glob, mut later_text) = (glob.clone(), text.clone());
        let Some(c) = later_text.next() else { return glob.all(|rest| rest == '*') };
        match later_glob.next() {
            Some('*') => {
                glob = later_glob;
                again = Some((glob.clone(), text.clone()));
            }
            Some(wanted) if wanted == '?' || wanted == c => (glob, text) = (later_glob, later_text),
            _ => {
                let Some((star, taken)) = &mut again else { return false };
                taken.next();
                (glob, text) = (star.clone(), taken.clone());
            }
        }
    }
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

/// What became of an announced window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It was taken, replaced or called off.
    Changed,
    /// It was known, is over, or was never there.
    Unchanged,
    /// There is no room for it.
    Refused,
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

    /// Takes, replaces or calls off an announced window; `now` is the watermark, where one is known.
    ///
    /// One that was over a day before `now` is as good as called off. Where 256 are kept, the one
    /// that ends first makes room if it is over; if nothing tells what is over, if it ends first.
    pub fn announce(&mut self, window: MaintenanceWindow, now: Option<EventTime>) -> Planned {
        let is_past =
            |window: &MaintenanceWindow| now.is_some_and(|now| window.until + KEPT <= now);
        self.windows.retain(|_, old| !is_past(old));
        if window.until <= window.from || is_past(&window) {
            let known = self.windows.remove(&window.id).is_some();
            return if known { Planned::Changed } else { Planned::Unchanged };
        }
        if self.windows.get(&window.id) == Some(&window) {
            return Planned::Unchanged;
        }
        if !self.windows.contains_key(&window.id) && !self.has_room_until(window.until, now) {
            return Planned::Refused;
        }
        self.windows.insert(window.id.clone(), window);
        Planned::Changed
    }

    /// Whether there is room for a window of that end, perhaps after another one has gone.
    fn has_room_until(&mut self, until: EventTime, now: Option<EventTime>) -> bool {
        let first = self.windows.values().min_by_key(|window| window.until);
        let Some(first) = first.filter(|_| self.windows.len() >= WINDOWS_MAX) else { return true };
        let goes = now.map_or(first.until < until, |now| first.until <= now);
        if goes {
            let id = first.id.clone();
            self.windows.remove(&id);
        }
        goes
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
