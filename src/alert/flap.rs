//! The flap limit: a series that opens alert after alert is told a few times, then only recorded.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{EventTime, Millis};

/// How many openings a span of event time may hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlapLimit {
    /// Openings of one kind and series that are told; further ones are suppressed. 0: no limit.
    #[schemars(range(min = 0, max = 100))]
    pub openings: u32,
    /// Span of event time.
    pub per: Millis,
}

/// The newest openings, suppressed ones included: calm is only what opens nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Flaps {
    recent: VecDeque<EventTime>,
}

impl Flaps {
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    /// Whether an opening at `time` would be within the limit.
    pub fn have_room(&self, limit: &FlapLimit, time: EventTime) -> bool {
        let younger = self.recent.iter().filter(|opened| time < **opened + limit.per).count();
        limit.openings == 0 || younger < limit.openings as usize
    }

    /// Takes note of an opening. Returns whether it is over the limit.
    ///
    /// Any span shorter than `per` holds at most `openings` openings that are not: for the next
    /// one there are `openings` others younger than `per`. At most so many times are kept.
    pub fn opens(&mut self, limit: &FlapLimit, time: EventTime) -> bool {
        let most = limit.openings as usize;
        if most == 0 {
            self.recent.clear();
            return false;
        }
        while self.recent.front().is_some_and(|first| *first + limit.per <= time) {
            self.recent.pop_front();
        }
        let over = self.recent.len() >= most;
        self.recent.push_back(time);
        while self.recent.len() > most {
            self.recent.pop_front();
        }
        over
    }
}
