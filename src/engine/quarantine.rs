//! What a series at fault would have taught: held back until a verdict says what to do with it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::lesson::Lesson;
use super::spec::StreamSpec;
use crate::record::EventTime;

/// Most rows held back of one series.
const ROWS_MAX: usize = 1_024;
/// Most cells of windows held back of one series: 4 MiB of them.
const CELLS_MAX: usize = 1 << 20;

/// Rows that were not learned from because of one alert, oldest first; the oldest go first if there
/// are too many.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Quarantine {
    /// Start of the alert because of which they are held.
    because: Option<EventTime>,
    rows: VecDeque<Lesson>,
}

impl Quarantine {
    /// Holds a row back because of the alert that started then. Rows of an earlier alert go: nobody
    /// has said anything about them.
    pub(super) fn hold(&mut self, because: EventTime, lesson: Lesson) {
        if self.because != Some(because) {
            self.rows.clear();
            self.because = Some(because);
        }
        let most = (CELLS_MAX / lesson.window.len().max(1)).clamp(1, ROWS_MAX);
        while self.rows.len() >= most {
            self.rows.pop_front();
        }
        self.rows.push_back(lesson);
    }

    /// Takes out what is held because of an alert.
    pub(super) fn release(&mut self, because: EventTime) -> VecDeque<Lesson> {
        if self.because != Some(because) {
            return VecDeque::new();
        }
        self.because = None;
        std::mem::take(&mut self.rows)
    }

    /// Whether all rows are of the shapes of a stream.
    pub(super) fn fits(&self, spec: &StreamSpec) -> bool {
        let (cells, channels) = (spec.shape().cells(), spec.channels.len());
        self.rows.iter().all(|lesson| {
            let shape = (lesson.window.len(), lesson.xhat.len(), lesson.values.len());
            shape == (cells, channels, channels)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(value: f64) -> Lesson {
        let (window, xhat) = (vec![0.0; 4], vec![0.0]);
        Lesson { values: vec![value], window, xhat, errors: [0.0; 2], p_value: 1.0, rows: 0 }
    }

    #[test]
    fn rows_of_one_alert_are_held_in_order_and_bounded() {
        let at = EventTime::from_millis;
        let mut held = Quarantine::default();
        held.hold(at(1), lesson(-1.0));
        for i in 0..ROWS_MAX + 3 {
            held.hold(at(2), lesson(i as f64));
        }
        assert_eq!(held.rows.len(), ROWS_MAX);
        assert!(held.release(at(1)).is_empty(), "rows of an earlier alert are gone");
        let rows = held.release(at(2));
        assert_eq!((rows[0].values[0], rows.len()), (3.0, ROWS_MAX));
        assert!(held.release(at(2)).is_empty());
    }
}
