//! Entities whose clock is wrong: a large share of their records comes late or from the future.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Millis;

/// Records before anything is said.
const RECORDS_MIN: u32 = 20;
/// Records over which the share is averaged.
const MEMORY: f64 = 100.0;

/// When the clock of an entity is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkewLimit {
    /// Share of records, of the last hundred or so, that may be late or ahead. 0: not watched.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// A record further ahead of its Kafka time than this counts.
    pub ahead: Millis,
}

/// The share of wrong times of one series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Skew {
    records: u32,
    share: f64,
}

impl Skew {
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Share of wrong records, of the last hundred or so; 0 for the first few.
    pub fn share(&self) -> f64 {
        if self.records < RECORDS_MIN { 0.0 } else { self.share }
    }

    /// Takes a record. Returns the share of wrong ones over the allowed one; 0 for the first few.
    pub fn step(&mut self, limit: &SkewLimit, wrong: bool) -> f64 {
        self.records = self.records.saturating_add(1);
        let rate = (1.0 / f64::from(self.records)).max(1.0 / MEMORY);
        self.share += rate * (f64::from(u8::from(wrong)) - self.share);
        self.share() / limit.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_late_records_are_fine_and_many_are_not() {
        let limit = SkewLimit { share: 0.5, ahead: Millis::ZERO };
        let worst = |every: u32| {
            let mut skew = Skew::default();
            (0..2_000).map(|i| skew.step(&limit, i % every == 0)).fold(0.0, f64::max)
        };
        assert!(worst(4) < 0.7, "{}", worst(4));
        assert_eq!(worst(1), 2.0);
    }
}
