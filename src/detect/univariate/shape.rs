//! The channels that look at whole periods: the period net and the left discord.

use serde::{Deserialize, Serialize};

use super::calibration::BlockMax;
use super::cycle::{self, Cycle};
use super::discord::Discord;
use super::period;
use super::track::Track;
use crate::model::MlpSpace;

/// Records from which a series without a period is taken to have [`NO_PERIOD`].
const GIVE_UP: u64 = 1_000;
const NO_PERIOD: usize = 64;
/// Of the training steps that the past is worth.
const OWED_MAX: u64 = 2_000;

/// Heights of a record: 1 is as high as the worst record of a bad block.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Heights {
    pub(super) cycle: f64,
    pub(super) discord: f64,
}

/// One period of a series, and what is usual in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Shape {
    /// In records.
    period: usize,
    /// Found, not assumed.
    found: bool,
    cycle: Cycle,
    discord: Discord,
    /// Values of the newest completed points; 0 while nothing can be said.
    cycle_error: f64,
    distance: f64,
    blocks: [BlockMax; 2],
    /// Which of the two completed a point with the newest record.
    completed: [bool; 2],
}

impl Shape {
    /// Looks for the period in the past `x` of a series of `records` records, at the records where
    /// that is due. Returns what takes the place of `known`.
    pub(super) fn look(known: Option<&Self>, x: &Track, records: u64, seed: u64) -> Option<Self> {
        if !period::CHECKS.contains(&records) || known.is_some_and(|shape| shape.found) {
            return None;
        }
        let mut held = 0.0;
        let hold = |x: &f32| {
            held = if x.is_nan() { held } else { f64::from(*x) };
            held
        };
        let past: Vec<f64> = x.kept().iter().map(hold).collect();
        match period::find_period(&past) {
            Some(period) => Some(Self::new(period, true, x, records, seed)),
            None if records >= GIVE_UP && known.is_none() => {
                Some(Self::new(NO_PERIOD, false, x, records, seed))
            }
            None => None,
        }
    }

    fn new(period: usize, found: bool, x: &Track, records: u64, seed: u64) -> Self {
        let mut cycle = Cycle::new(cycle::stride(period), seed);
        let mut discord = Discord::new(period);
        for x in x.kept() {
            cycle.push(*x);
            discord.push(*x);
        }
        cycle.owe((2 * records).min(OWED_MAX) as u32);
        Self {
            period,
            found,
            cycle,
            discord,
            cycle_error: 0.0,
            distance: 0.0,
            blocks: Default::default(),
            completed: [false; 2],
        }
    }

    /// The period in records, if one was found.
    pub(super) fn period(&self) -> Option<usize> {
        self.found.then_some(self.period)
    }

    /// Takes a scaled record (NaN: not observed) and judges what it completes: heights that rank, and
    /// heights that raise.
    pub(super) fn judge(&mut self, space: &mut MlpSpace, x: f32) -> [Heights; 2] {
        self.completed = [self.cycle.push(x), self.discord.push(x)];
        if self.completed[0] {
            self.cycle_error = self.cycle.judge(space).unwrap_or(0.0);
        }
        if self.completed[1] {
            self.distance = self.discord.distance().unwrap_or(0.0);
        }
        let [cycles, discords] = &self.blocks;
        let (cycle, discord) = (cycles.of(self.cycle_error), discords.of(self.distance));
        let raises = Heights {
            cycle: cycle.min(cycles.bound(self.cycle_error)),
            discord: discord.min(discords.bound(self.distance)),
        };
        [Heights { cycle, discord }, raises]
    }

    /// Learns how high the newest record was, and, unless it must not be learned, its form.
    pub(super) fn learn(&mut self, space: &mut MlpSpace, learn: bool, records: u64) {
        if self.completed[0] {
            self.cycle.learn(learn);
        }
        let all = self.blocks.iter_mut().zip([self.cycle_error, self.distance]);
        all.filter(|(_, error)| *error > 0.0).for_each(|(block, error)| block.learn(error));
        if learn {
            self.cycle.train(space, records);
        } else if self.completed[1] {
            self.discord.quarantine();
        }
    }

    #[cfg(test)]
    pub(super) fn calibration(&self) -> impl Serialize {
        (&self.blocks, self.cycle.calibration())
    }

    /// What was held back is the new normal.
    pub(super) fn accept(&mut self) {
        self.cycle.accept();
    }

    pub(super) fn adopt(self) -> Option<Self> {
        let sound = self.discord.is_sound() && self.blocks.iter().all(BlockMax::is_sound);
        sound.then_some(())?;
        Some(Self { cycle: self.cycle.adopt()?, ..self })
    }
}
