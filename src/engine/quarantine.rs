//! What a series at fault would have taught: held back until a verdict says what to do with it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::detector::{Detector, Eyes};
use super::lesson::Lesson;
use super::spec::StreamSpec;
use crate::record::{EventTime, Step};

/// Most rows held back of one series.
const ROWS_MAX: usize = 1_024;
/// Most cells of windows held back of one series: 4 MiB of them.
const CELLS_MAX: usize = 1 << 20;

/// Rows that were not learned from because of one alert, oldest first; the oldest go first if there
/// are too many.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Quarantine {
    /// Start of the alert because of which they are held.
    because: Option<EventTime>,
    rows: VecDeque<Lesson>,
    past: Option<Past>,
}

/// The detector as if the row on which the alert opened had been calm, and all rows since, to be
/// judged again.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Past {
    detector: Detector,
    rows: VecDeque<(EventTime, Vec<f64>)>,
    /// Start of the row on which the alert opened; states of before it was kept do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<EventTime>,
}

impl Quarantine {
    /// Rows held back.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Holds a row back because of the alert that started then. Rows of an earlier alert go: nobody
    /// has said anything about them. `detector` has judged the row and not learned it.
    pub(super) fn hold(
        &mut self,
        because: EventTime,
        lesson: Lesson,
        (detector, eyes): (Option<&Detector>, &mut Eyes),
    ) {
        if self.because == Some(because) {
            self.remember(&lesson);
        } else {
            self.rows.clear();
            self.because = Some(because);
            self.past = detector.map(|detector| {
                let mut detector = detector.clone();
                // What it has judged and not learned would not survive being stored.
                detector.learn(eyes, true);
                Past { detector, rows: VecDeque::new(), opened: Some(lesson.start) }
            });
        }
        if !lesson.has_window() {
            return;
        }
        let most = (CELLS_MAX / lesson.window.len().max(1)).clamp(1, ROWS_MAX);
        while self.rows.len() >= most {
            self.rows.pop_front();
        }
        self.rows.push_back(lesson);
    }

    /// A row after the alert, which was learned: needed to judge all again.
    pub(super) fn follow(&mut self, lesson: Lesson) {
        if self.past.is_some() {
            self.remember(&lesson);
        }
    }

    fn remember(&mut self, lesson: &Lesson) {
        let Some(past) = &mut self.past else { return };
        past.rows.push_back((lesson.start, lesson.values.clone()));
        if past.rows.len() > ROWS_MAX {
            // Too long ago to be judged again.
            self.past = None;
        }
    }

    /// Takes out what is held because of an alert; `None` if that was another one. While the alert
    /// goes on, what comes is still held because of it.
    pub(super) fn release(&mut self, because: EventTime) -> Option<Released> {
        (self.because == Some(because))
            .then(|| Released { rows: std::mem::take(&mut self.rows), past: self.past.take() })
    }

    /// Drops everything: nobody will ask for it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether all rows are of the shapes of a stream.
    pub(super) fn fits(&self, spec: &StreamSpec) -> bool {
        let (cells, channels) = (spec.shape().cells(), spec.channels.len());
        let rows = self.rows.iter().all(|lesson| {
            let shape = (lesson.window.len(), lesson.xhat.len(), lesson.values.len());
            shape == (cells, channels, channels)
        });
        let past = self.past.iter().flat_map(|past| &past.rows);
        rows && past.into_iter().all(|(_, values)| values.len() == channels)
    }

    /// This quarantine, with a detector of the shape of `fresh` or without one.
    pub(super) fn adopt(self, fresh: Option<&Detector>) -> Self {
        let past = self
            .past
            .zip(fresh)
            .and_then(|(past, fresh)| Some(Past { detector: past.detector.adopt(fresh)?, ..past }));
        Self { past, ..self }
    }
}

/// What was held back.
#[derive(Debug)]
pub(super) struct Released {
    /// Rows with windows.
    pub(super) rows: VecDeque<Lesson>,
    past: Option<Past>,
}

impl Released {
    /// The detector as if no row had been held back; if `anew`, what came is normal in the place of
    /// what was. `None` if it is too long ago.
    pub(super) fn relive(&mut self, eyes: &mut Eyes, step: Step, anew: bool) -> Option<Detector> {
        let Past { mut detector, rows, opened } = self.past.take()?;
        if anew {
            // What is old says nothing of what someone calls normal.
            detector.accept_new_normal(false);
        } else {
            detector.welcome(rows.len());
        }
        let mut last = opened;
        for (time, values) in rows {
            if let (Step::Grid(step), Some(last)) = (step, last) {
                let gap = (time - last).get() / step.get() - 1;
                detector.pass(eyes, u64::try_from(gap).unwrap_or(0), (time, step.get()), true);
            }
            detector.judge(eyes, time, &values);
            detector.learn(eyes, true);
            last = Some(time);
        }
        Some(detector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::univariate::{Scratch, Univariate};

    fn lesson(value: f64) -> Lesson {
        Lesson {
            start: EventTime::from_millis(0),
            values: vec![value],
            window: vec![0.0; 4],
            xhat: vec![0.0],
            errors: [0.0; 2],
            p_value: 1.0,
            rows: 0,
        }
    }

    #[test]
    fn rows_of_one_alert_are_held_in_order_and_bounded() {
        let at = EventTime::from_millis;
        let mut held = Quarantine::default();
        held.hold(at(1), lesson(-1.0), (None, &mut Eyes::None));
        for i in 0..ROWS_MAX + 3 {
            held.hold(at(2), lesson(i as f64), (None, &mut Eyes::None));
        }
        assert_eq!(held.rows.len(), ROWS_MAX);
        assert!(held.release(at(1)).is_none(), "rows of an earlier alert are gone");
        let rows = held.release(at(2)).expect("held").rows;
        assert_eq!((rows[0].values[0], rows.len()), (3.0, ROWS_MAX));
        assert!(held.release(at(2)).expect("its alert may go on").rows.is_empty());
        held.clear();
        assert!(held.release(at(2)).is_none());
    }

    /// A detector that has learned 200 rows.
    fn judged(eyes: &mut Eyes) -> Detector {
        let mut detector = Detector::Univariate(Box::new(Univariate::new(1)));
        for i in 0..200 {
            detector.judge(eyes, minute(i), &[value(i)]);
            detector.learn(eyes, true);
        }
        detector
    }

    fn minute(i: i64) -> EventTime {
        EventTime::from_millis(60_000 * i)
    }

    fn value(i: i64) -> f64 {
        (i as f64 / 9.0).sin() + ((i * 7_919) % 101) as f64 / 500.0
    }

    fn lesson_at(i: i64) -> Lesson {
        Lesson { start: minute(i), ..lesson(value(i)) }
    }

    /// Rows without a record are part of the past that is judged again.
    #[test]
    fn what_is_judged_again_is_judged_as_if_it_had_been_calm() {
        let eyes = &mut Eyes::One(Scratch::default());
        let mut calm = judged(eyes);
        let mut held = Quarantine::default();
        calm.judge(eyes, minute(200), &[value(200)]);
        held.hold(minute(201), lesson_at(200), (Some(&calm), eyes));
        calm.learn(eyes, true);
        for i in [201, 202, 208, 209] {
            if i == 208 {
                calm.pass(eyes, 5, (minute(i), 60_000), true);
            }
            calm.judge(eyes, minute(i), &[value(i)]);
            calm.learn(eyes, true);
            held.hold(minute(201), lesson_at(i), (Some(&calm), eyes));
        }
        let mut released = held.release(minute(201)).expect("held");
        let step = Step::Grid(crate::record::Millis::new(60_000));
        let relived = released.relive(eyes, step, false).expect("not too long ago");
        let bytes = |detector: &Detector| rmp_serde::to_vec(detector).expect("bytes");
        assert_eq!(bytes(&relived), bytes(&calm));
    }

    /// After a verdict a fault that goes on is as little calm as before it.
    #[test]
    fn a_fault_that_goes_on_after_a_verdict_begins_no_past() {
        let eyes = &mut Eyes::One(Scratch::default());
        let mut detector = judged(eyes);
        let mut held = Quarantine::default();
        for i in 200..210 {
            detector.judge(eyes, minute(i), &[9.0]);
            held.hold(minute(201), lesson_at(i), (Some(&detector), eyes));
            detector.learn(eyes, false);
            if i == 204 {
                assert_eq!(held.release(minute(201)).map(|held| held.rows.len()), Some(5));
            }
        }
        assert!(held.past.is_none());
        assert_eq!(held.len(), 5, "what came since may still be learned by a later word");
    }
}
