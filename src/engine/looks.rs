//! When series that may have fallen silent are looked at.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::record::{EventTime, Millis};

/// How far the records of a partition have come, and which series is looked at when.
///
/// Time is that of records only. The watermark may also be moved by a clock, which is no part of
/// the log, and a partition in which nobody speaks says nothing about one of its series.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Looks {
    /// Largest event time of a record, less `max_out_of_order`.
    pub heard: Option<EventTime>,
    /// Event time from which the partition has not been silent as a whole for as long as a series may
    /// be: after a gap of all series each has the full time to come back.
    pub alive_since: Option<EventTime>,
    #[serde(skip)]
    due: BTreeSet<(EventTime, usize)>,
}

impl Looks {
    /// Takes note of a record; series may be silent for `most`.
    pub fn hear(&mut self, time: EventTime, most: Millis) {
        if self.heard.is_none_or(|before| before + most < time) {
            self.alive_since = Some(time);
        }
        self.heard = self.heard.max(Some(time));
    }

    /// Looks at the series of `index` at `next` rather than at `planned`, where that is kept.
    pub fn plan(&mut self, index: usize, planned: &mut Option<EventTime>, next: Option<EventTime>) {
        if let Some(old) = std::mem::replace(planned, next) {
            self.due.remove(&(old, index));
        }
        self.due.extend(next.map(|next| (next, index)));
    }

    /// The first look whose time has come.
    pub fn due(&self) -> Option<(EventTime, usize)> {
        let first = self.due.first().copied();
        first.filter(|(due, _)| self.heard.is_some_and(|heard| *due <= heard))
    }
}
