//! How far event time has certainly come.

use serde::{Deserialize, Serialize};

use crate::record::{EventTime, Millis};

/// The watermark of one partition: the largest event time seen minus the allowed disorder.
///
/// It never moves back. (Akidau et al., "The Dataflow Model", VLDB 2015, section 3.2.)
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watermark {
    max_out_of_order: Millis,
    current: Option<EventTime>,
}

impl Watermark {
    /// A watermark that stays `max_out_of_order` behind the largest event time.
    pub fn new(max_out_of_order: Millis) -> Self {
        Self { max_out_of_order, current: None }
    }

    /// This watermark under the settings of `fresh`.
    pub fn adopt(self, fresh: &Self) -> Self {
        Self { max_out_of_order: fresh.max_out_of_order, ..self }
    }

    /// Takes note of a record's event time. Returns whether the watermark moved.
    pub fn observe(&mut self, time: EventTime) -> bool {
        self.advance_to(time - self.max_out_of_order)
    }

    /// Moves the watermark itself, for quiet partitions and the end of a file.
    pub fn advance_to(&mut self, time: EventTime) -> bool {
        let moved = self.current.is_none_or(|current| current < time);
        if moved {
            self.current = Some(time);
        }
        moved
    }

    /// No record before this time is accepted any more; `None` before the first record.
    pub fn current(&self) -> Option<EventTime> {
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lags_the_largest_time_and_never_moves_back() {
        let mut watermark = Watermark::new(Millis::new(30));
        assert_eq!(watermark.current(), None);
        assert!(watermark.observe(EventTime::from_millis(100)));
        assert_eq!(watermark.current(), Some(EventTime::from_millis(70)));
        assert!(!watermark.observe(EventTime::from_millis(90)));
        assert_eq!(watermark.current(), Some(EventTime::from_millis(70)));
    }
}
