//! From what the short net told to the errors that are judged.

use serde::{Deserialize, Serialize};

use super::calibration::{BlockMax, HourScale};
use super::short::Told;
use super::tail::LogTail;
use super::track::Track;

/// Largest rarity that one error contributes.
const RARITY_MAX: f64 = 3.5;
/// Records that each of the four errors is of. Neighbouring ones share them, so that a past of `n` records
/// holds `n / length` independent errors.
const LENGTHS: [f64; 4] = [1.0, 16.0, 32.0, 64.0];
/// How much rarer than one in those an error may be taken for.
const RARER: f64 = 10.0;
/// What a value outside the range of the past contributes.
const OUTSIDE: f64 = 4.0;
/// How far outside, as a share of the range.
const OUTSIDE_SHARE: f64 = 0.05;
/// Out of the range by so many ranges is far; over how many the chance falls by a factor e.
const FAR: f64 = 0.5;
const FAR_SCALE: f64 = 0.25;
/// Records before the first error counts.
const SETTLE: u64 = 64;
/// Share of one-step errors outside the expected band.
const BAND: f64 = 0.01;

/// Raw errors of a record, in the unit of the channel.
// A state from before two networks told has other fields here; what it knew of one record is no loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Residuals {
    /// Of the newest network: it follows at once what is new, and says what is rare.
    pub(super) newest: Told,
    /// Of the averaged one: steadier, and so what is high stands out more.
    pub(super) averaged: Told,
    /// Difference to the record before.
    pub(super) step: f64,
}

impl Residuals {
    /// Of `value` where the newest and the averaged network have `told` what it should be; 0 where they
    /// have not.
    pub(super) fn of(value: f64, told: Option<[Told; 2]>, step: f64) -> Self {
        let error =
            |told: Told| Told { one_step: value - told.one_step, blind: value - told.blind };
        let [newest, averaged] = told.map_or(Default::default(), |told| told.map(error));
        Self { newest, averaged, step }
    }

    /// Those that heights are made of: one step, blind, and the step itself.
    fn high(&self) -> [f64; 3] {
        [self.averaged.one_step, self.averaged.blind, self.step]
    }
}

/// Block-maximum ratios of a record: 1 is as high as the worst record of a bad block.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Heights {
    /// Mean of the last 4 and 16 blind errors.
    pub(super) mean_4: f64,
    pub(super) mean_16: f64,
    /// One-step error.
    pub(super) one_step: f64,
    /// Step from the record before.
    pub(super) step: f64,
}

impl From<[f64; 4]> for Heights {
    fn from([mean_4, mean_16, one_step, step]: [f64; 4]) -> Self {
        Self { mean_4, mean_16, one_step, step }
    }
}

/// The past of the errors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Errors {
    records: u64,
    one_step: Track,
    blind: Track,
    scaled: Track,
    /// Of the blind error, its means over 16 and 32 records, the deviation of 64 one-step errors,
    /// and the one-step error.
    tails: [LogTail; 5],
    hours: [HourScale; 3],
    blocks: [BlockMax; 4],
    range: Option<(f64, f64)>,
    newest: Newest,
}

/// What is learned after it was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Newest {
    residuals: Residuals,
    value: f64,
    time_ms: i64,
    errors: [f64; 5],
    heights: [f64; 4],
}

impl Errors {
    pub(super) fn new() -> Self {
        Self {
            records: 0,
            one_step: Track::new(64),
            blind: Track::new(32),
            scaled: Track::new(16),
            tails: Default::default(),
            hours: Default::default(),
            blocks: Default::default(),
            range: None,
            newest: Newest::default(),
        }
    }

    /// Judges an observed record: the sum of its rarities, its heights, and those that it may raise with.
    pub(super) fn judge(
        &mut self,
        residuals: Residuals,
        value: f64,
        time_ms: i64,
        clock: bool,
    ) -> (f64, [Heights; 2]) {
        let Residuals { newest: Told { one_step, blind }, .. } = residuals;
        self.one_step.push(one_step as f32);
        self.blind.push(blind as f32);
        let high = residuals.high();
        let [h_one, h_blind, h_step] = [0, 1, 2].map(|i| self.hours[i].of(high[i], time_ms, clock));
        self.scaled.push(h_blind as f32);
        let errors = [
            blind.abs(),
            self.blind.mean(16).abs(),
            self.blind.mean(32).abs(),
            self.deviation(),
            one_step.abs(),
        ];
        let recent = |n: usize| (self.scaled.mean(n.min(self.scaled.len()))).abs();
        let heights = [recent(4), recent(16), h_one.abs(), h_step.abs()];
        self.newest = Newest { residuals, value, time_ms, errors, heights };
        let rarity = |i: usize| self.tails[i].rarity(errors[i]).min(self.rarity_max(LENGTHS[i]));
        let sum = (0..4).map(rarity).sum::<f64>() + self.outside(value);
        let ranks = [0, 1, 2, 3].map(|i| self.blocks[i].of(heights[i]));
        let raises = [0, 1, 2, 3].map(|i| ranks[i].min(self.blocks[i].bound(heights[i])));
        (sum, [ranks, raises].map(Heights::from))
    }

    /// Largest rarity of an error over `length` records: a mean over half an hour that is the highest of
    /// one morning is not rare, however far above the others it is.
    fn rarity_max(&self, length: f64) -> f64 {
        let independent = self.records as f64 / length;
        (RARER * independent).max(1.0).log10().min(RARITY_MAX)
    }

    /// What says how high an error is.
    #[cfg(test)]
    pub(super) fn calibration(&self) -> impl Serialize {
        (&self.tails, &self.hours, &self.blocks, self.range)
    }

    /// Learns the record judged last; `step_s`: seconds between records.
    pub(super) fn learn(&mut self, step_s: f64) {
        let Newest { residuals, value, time_ms, errors, heights } = self.newest;
        self.records += 1;
        let (low, high) = self.range.unwrap_or((value, value));
        self.range = Some((low.min(value), high.max(value)));
        if self.records > 40 {
            let all = self.hours.iter_mut().zip(residuals.high());
            all.for_each(|(hours, residual)| hours.learn(residual, time_ms, step_s));
        }
        if self.records > SETTLE {
            self.blocks.iter_mut().zip(heights).for_each(|(block, height)| block.learn(height));
            self.tails.iter_mut().zip(errors).for_each(|(tail, error)| tail.learn(error));
        }
    }

    /// Half the width of the band that 99 % of one-step errors stay in.
    pub(super) fn band(&self) -> f64 {
        self.tails[4].quantile(BAND)
    }

    /// Forgets how errors were spread, not how they differ by the hour.
    pub(super) fn forget(&mut self) {
        self.tails = Default::default();
        self.records = 0;
        self.range = None;
    }

    /// Root mean square of the last 64 one-step errors.
    fn deviation(&self) -> f64 {
        if self.one_step.len() < 64 {
            return 0.0;
        }
        let squares = self.one_step.kept().iter().map(|e| f64::from(*e).powi(2));
        (squares.sum::<f64>() / 64.0).sqrt()
    }

    fn outside(&self, value: f64) -> f64 {
        let Some((low, high)) = self.range.filter(|(low, high)| high > low) else { return 0.0 };
        let far = OUTSIDE_SHARE * (high - low);
        if value > high + far || value < low - far { OUTSIDE } else { 0.0 }
    }

    /// Evidence of a value that is far out of the range of all that was learned: all that can be said
    /// when what errors were is no measure, since what is expected changes. 0 up to half a range.
    pub(super) fn far_out(&self, value: f64) -> f64 {
        let Some((low, high)) = self.range.filter(|(low, high)| high > low) else { return 0.0 };
        let excess = (value - high).max(low - value) / (high - low);
        let nats = excess / FAR_SCALE + (self.records as f64).max(1.0).ln();
        if excess > FAR { nats / std::f64::consts::LN_10 } else { 0.0 }
    }

    /// Stored errors, if they are sound.
    pub(super) fn adopt(self) -> Option<Self> {
        let fresh = Self::new();
        let sound = self.one_step.fits(&fresh.one_step)
            && self.blind.fits(&fresh.blind)
            && self.scaled.fits(&fresh.scaled)
            && self.blocks.iter().all(BlockMax::is_sound);
        sound.then_some(())?;
        let tails: Option<Vec<LogTail>> = self.tails.into_iter().map(LogTail::adopt).collect();
        Some(Self { tails: tails?.try_into().ok()?, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of rarities when the blind error rises and stays, after so many calm minutes.
    fn rise_after(records: i64) -> f64 {
        let mut errors = Errors::new();
        let mut judge = |i: i64, off: f64| {
            let calm = ((i * 7_919) % 1_013) as f64 / 1_013.0 - 0.5;
            let told = Told { one_step: 0.1 * calm, blind: calm + off };
            let residuals = Residuals { newest: told, averaged: told, step: 0.0 };
            let (sum, _) = errors.judge(residuals, 1.0, 60_000 * i, true);
            errors.learn(60.0);
            sum
        };
        for i in 0..records {
            judge(i, 0.0);
        }
        (records..records + 32).map(|i| judge(i, 3.0)).fold(0.0, f64::max)
    }

    #[test]
    fn means_over_many_records_are_as_rare_as_few_independent_ones_can_be() {
        let mut errors = Errors::new();
        errors.records = 320;
        let most = LENGTHS.map(|length| errors.rarity_max(length));
        assert_eq!(most, [RARITY_MAX, 200_f64.log10(), 2.0, 50_f64.log10()]);
        errors.records = 0;
        assert_eq!(errors.rarity_max(1.0), 0.0);
        let (morning, week) = (rise_after(300), rise_after(10_000));
        assert!(week > morning + 2.0, "{morning} {week}");
    }
}
