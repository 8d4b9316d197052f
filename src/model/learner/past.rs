//! When a network was changed and examined last.

use serde::{Deserialize, Serialize};

use crate::model::{Examined, Verdict};
use crate::record::EventTime;

/// When who scores was changed last, and when that was examined: event time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// A network was promoted or rolled back, or, without examinations, a refresh took effect. `None`
    /// before, and in states of before this was kept.
    pub changed_at: Option<EventTime>,
    /// The last examination.
    pub examined_at: Option<EventTime>,
    /// Training steps behind the network that was examined then.
    pub challenger: Option<u64>,
}

impl Past {
    /// Takes note of an examination at event time `now`.
    pub(super) fn note(&mut self, examined: &Examined, now: EventTime) {
        (self.examined_at, self.challenger) = (Some(now), Some(examined.challenger));
        if !matches!(examined.verdict, Verdict::Rejected(_)) {
            self.changed_at = Some(now);
        }
    }
}
