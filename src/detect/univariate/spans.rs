//! Which records must not be learned from: those of alerts.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Spans remembered; older ones are taken for learnable again.
const SPANS_MAX: usize = 64;

/// Half-open spans of record numbers, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Spans {
    spans: VecDeque<(u64, u64)>,
}

impl Spans {
    /// Adds a number larger than all before.
    pub(super) fn push(&mut self, number: u64) {
        match self.spans.back_mut() {
            Some(last) if last.1 == number => last.1 += 1,
            _ => self.spans.push_back((number, number + 1)),
        }
        if self.spans.len() > SPANS_MAX {
            self.spans.pop_front();
        }
    }

    /// Makes numbers of `values`, the first of which is number `from`, not observed.
    pub(super) fn hide(&self, from: u64, values: &mut [f32]) {
        let to = from + values.len() as u64;
        for span in self.spans.iter().rev().take_while(|span| span.1 > from) {
            let (start, end) = (span.0.clamp(from, to) - from, span.1.min(to) - from);
            values[start as usize..end as usize].fill(f32::NAN);
        }
    }

    /// Forgets all: what they held is the new normal.
    pub(super) fn clear(&mut self) {
        self.spans.clear();
    }

    pub(super) fn is_sound(&self) -> bool {
        self.spans.len() <= SPANS_MAX && self.spans.iter().all(|span| span.0 < span.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_spans_are_hidden() {
        let mut spans = Spans::default();
        [3, 4, 7, 9].into_iter().for_each(|n| spans.push(n));
        assert_eq!(spans.spans, [(3, 5), (7, 8), (9, 10)]);
        let mut values = [1.0; 6];
        spans.hide(4, &mut values);
        let hidden: Vec<bool> = values.iter().map(|v| v.is_nan()).collect();
        assert_eq!(hidden, [true, false, false, true, false, true]);
        (10..1_000).step_by(2).for_each(|n| spans.push(n + 1));
        assert!(spans.is_sound());
    }
}
