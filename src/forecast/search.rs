//! The rows of a series whose seasons are looked for, to begin again with what is found in them.

use serde::{Deserialize, Serialize};

use super::ForecastParams;
use super::head::Scratch;
use super::target::Target;
use crate::record::{EventTime, raw};

/// Rows after which seasons are looked for; each further search is after twice as many.
const FIRST: usize = 128;
/// Rows after which nothing new is found.
const LAST: usize = 8_192;
/// Searches are put off by up to a quarter, in so many steps: series that began together take turns.
const TURNS: usize = 64;

/// Rows so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Search {
    #[serde(with = "raw::i64s")]
    times: Vec<i64>,
    #[serde(with = "raw::f64s")]
    y: Vec<f64>,
    /// Standardised, row by row.
    #[serde(with = "raw::f64s")]
    exogenous: Vec<f64>,
    /// Rows at which to look next.
    #[serde(default)]
    next: usize,
}

impl Search {
    /// Whether a restored one has the shape of `params`.
    pub(super) fn fits(&self, params: &ForecastParams) -> bool {
        self.times.len() == self.y.len()
            && self.exogenous.len() == self.y.len() * params.exogenous.len()
            && self.y.len() <= 2 * LAST
    }

    pub(super) fn push(&mut self, time: EventTime, y: f64, exogenous: &[f64]) {
        self.times.push(time.as_millis());
        self.y.push(y);
        self.exogenous.extend_from_slice(exogenous);
    }

    /// Whether it is time to look; then the next time is later.
    pub(super) fn is_due(&mut self, seed: u64) -> bool {
        let (rows, turn) = (self.y.len(), (seed % TURNS as u64) as usize);
        if rows < self.next.max(FIRST + turn * FIRST / (4 * TURNS)) {
            return false;
        }
        let doubled = (rows + 1).next_power_of_two();
        self.next = doubled + turn * doubled / (4 * TURNS);
        true
    }

    /// Whether the last look is behind.
    pub(super) fn is_over(&self) -> bool {
        LAST <= self.y.len()
    }

    /// `fresh` with all rows, as if it had seen them; what was announced is what `old` has heard. The
    /// weights are fitted after 1, 2, 4, ... seasons and at the end: at every season is too long a wait.
    pub(super) fn replay(
        &self,
        params: &ForecastParams,
        old: &Target,
        mut fresh: Target,
        scratch: &mut Scratch,
    ) -> Target {
        let channels = params.exogenous.len();
        let step = params.calendar.step().get().max(1);
        let known = |channel: usize, time: EventTime| {
            let time = time.as_millis();
            let row = match self.times.last() {
                Some(newest) if *newest < time => {
                    Some(self.times.len() - 1 + ((time - newest) / step) as usize)
                }
                _ => self.times.binary_search(&time).ok(),
            };
            row.and_then(|row| old.history.announced(channel, row)).unwrap_or(0.0)
        };
        let rows = self.y.len();
        for (i, (time, y)) in self.times.iter().zip(&self.y).enumerate() {
            let exogenous = &self.exogenous[i * channels..(i + 1) * channels];
            let row = (EventTime::from_millis(*time), *y, exogenous);
            let wanted = |season: usize, pace: usize| season.is_power_of_two() || rows - i <= pace;
            fresh.observe_if(params, row, (&known, None), scratch, wanted);
        }
        fresh
    }

    pub(super) fn state_bytes(&self) -> usize {
        16 * self.y.capacity() + 8 * self.exogenous.capacity()
    }
}
