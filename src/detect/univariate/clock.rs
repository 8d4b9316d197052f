//! What time tells: step, hour of the day, and what was one day and one week ago.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Numbers of context: sine and cosine of the time of day; mean and flag of a day ago; of a week ago.
pub(super) const CONTEXT: usize = 6;
const DAY_MS: i64 = 86_400_000;
/// A slot is this long or as long as a step, whichever is longer.
const SLOT_MIN_MS: i64 = 300_000;
/// Records before the length of a slot is settled.
const SETTLE: u32 = 8;
/// Slots on both sides of the one a day or a week ago.
const BESIDE: i64 = 2;
/// With a step this long or longer, hours are told from the first day on.
const STEP_CLOCK_MS: f64 = 30_000.0;
/// With shorter ones, once this much was seen.
const SEEN_CLOCK_MS: i64 = 2 * DAY_MS;
const STEP_MEMORY: f64 = 500.0;

/// The clock of a series: event time only. At most 9 KiB.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Clock {
    first_ms: Option<i64>,
    last_ms: i64,
    steps: u32,
    step_ms: f64,
    slot_ms: i64,
    /// Mean scaled value of each slot of the last eight days, NaN where there was none.
    #[serde(with = "raw::f32s")]
    slots: Vec<f32>,
    newest: i64,
    in_slot: u32,
}

impl Clock {
    /// Takes note of a record at `time_ms` with scaled value `x` (NaN: not observed).
    pub(super) fn observe(&mut self, time_ms: i64, x: f64) {
        if self.first_ms.is_none() {
            self.first_ms = Some(time_ms);
            self.last_ms = time_ms;
            return;
        }
        let step = time_ms.saturating_sub(self.last_ms).max(0) as f64;
        self.last_ms = self.last_ms.max(time_ms);
        self.steps = self.steps.saturating_add(1);
        // A gap says little about the step.
        let step = if self.steps > SETTLE { step.min(10.0 * self.step_ms) } else { step };
        self.step_ms +=
            (step - self.step_ms) * (1.0 / f64::from(self.steps)).max(1.0 / STEP_MEMORY);
        if self.steps == SETTLE {
            self.slot_ms = (self.step_ms as i64).clamp(SLOT_MIN_MS, DAY_MS);
            let slots = 8 * DAY_MS / self.slot_ms;
            self.slots = vec![f32::NAN; slots as usize];
            self.newest = time_ms.div_euclid(self.slot_ms);
        }
        if self.steps >= SETTLE && !x.is_nan() {
            self.enter(time_ms.div_euclid(self.slot_ms), x as f32);
        }
    }

    fn enter(&mut self, slot: i64, x: f32) {
        if slot < self.newest {
            return;
        }
        let n = self.slots.len() as i64;
        if slot > self.newest {
            let empty = (slot - self.newest).min(n);
            (0..empty).for_each(|back| self.slots[(slot - back).rem_euclid(n) as usize] = f32::NAN);
            (self.newest, self.in_slot) = (slot, 0);
        }
        self.in_slot += 1;
        let mean = &mut self.slots[slot.rem_euclid(n) as usize];
        let before = if mean.is_nan() { 0.0 } else { *mean };
        *mean = before + (x - before) / self.in_slot as f32;
    }

    /// Mean seconds between records.
    pub(super) fn step_s(&self) -> f64 {
        self.step_ms / 1e3
    }

    /// Whether the hour of the day means something: steps are long, or days were seen.
    pub(super) fn tells(&self) -> bool {
        let seen = self.first_ms.map_or(0, |first| self.last_ms.saturating_sub(first));
        self.steps >= SETTLE && (self.step_ms >= STEP_CLOCK_MS || seen >= SEEN_CLOCK_MS)
    }

    /// Context at `time_ms`; all 0 while the clock does not tell.
    pub(super) fn context(&self, time_ms: i64) -> [f32; CONTEXT] {
        if !self.tells() {
            return [0.0; CONTEXT];
        }
        let day = time_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
        let (sin, cos) = (day * std::f64::consts::TAU).sin_cos();
        let (day, day_known) = self.around(time_ms, DAY_MS);
        let (week, week_known) = self.around(time_ms, 7 * DAY_MS);
        [sin as f32, cos as f32, day, day_known, week, week_known]
    }

    /// Mean of the slots around the time `ago_ms` before, and 1 if there is any. With long steps the slot
    /// of now is one of them: it is left out.
    fn around(&self, time_ms: i64, ago_ms: i64) -> (f32, f32) {
        let slot = |time: i64| time.div_euclid(self.slot_ms.max(1));
        let (at, now) = (slot(time_ms - ago_ms), slot(time_ms));
        let n = self.slots.len() as i64;
        let is_past = |slot: &i64| *slot <= self.newest && *slot < now;
        let kept = |slot: &i64| n > 0 && *slot > self.newest - n && is_past(slot);
        let seen = (at - BESIDE..=at + BESIDE).filter(kept);
        let seen = seen.map(|slot| self.slots[slot.rem_euclid(n) as usize]).filter(|x| !x.is_nan());
        let (sum, count) = seen.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
        if count > 0.0 { (sum / count, 1.0) } else { (0.0, 0.0) }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.slots.len() as i64 <= 8 * DAY_MS / SLOT_MIN_MS
            && (self.slots.is_empty() || self.slot_ms > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yesterday_and_last_week_are_found() {
        let mut clock = Clock::default();
        let at = |day: i64, slot: i64| day * DAY_MS + slot * 300_000;
        for i in 0..288 * 9_i64 {
            clock.observe(i * 300_000, (i / 288) as f64);
        }
        let context = clock.context(at(9, 0) - 300_000 * 100);
        assert_eq!(context[2..], [7.0, 1.0, 1.0, 1.0]);
        assert!(clock.tells());
        assert!((clock.step_s() - 300.0).abs() < 1e-6);
    }

    /// With a record a day, what is known of yesterday must not be what came today.
    #[test]
    fn the_present_is_not_part_of_the_past() {
        for step in [DAY_MS, DAY_MS / 2, 10 * 3_600_000] {
            let [told, other] = [0.0, 100.0].map(|newest| {
                let mut clock = Clock::default();
                (0..20).for_each(|i| clock.observe(i * step, 1.0));
                clock.observe(20 * step, newest);
                clock.context(20 * step)
            });
            assert_eq!(told, other, "a step of {step} ms");
            assert_eq!(told[3], 1.0);
        }
    }

    #[test]
    fn seconds_tell_no_hour_before_days_were_seen() {
        let mut clock = Clock::default();
        (0..65_000).for_each(|i| clock.observe(i * 1_000, 1.0));
        assert_eq!(clock.context(65_000_000), [0.0; CONTEXT]);
    }

    #[test]
    fn gaps_and_steps_back_do_no_harm() {
        let mut clock = Clock::default();
        let times =
            (0..100).map(|i| i * 60_000).chain([i64::MAX / 2, 0, -5, i64::MAX / 2 + 60_000]);
        times.for_each(|time| clock.observe(time, 1.0));
        assert_eq!(clock.context(0)[3], 0.0);
    }
}
