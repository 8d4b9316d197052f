//! One network for the latent experts of all series of a shard.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::ForecastParams;
use super::design::Design;
use super::encoder::{Bench, Encoder, Sample};
use super::features::View;
use crate::record::EventTime;

/// Windows that are kept to train on.
const RESERVOIR: usize = 4_096;
/// Windows offered after which an old one is as likely gone as not, over `RESERVOIR`.
const SPAN: u64 = 256;
/// Training steps per step that a single series would take: many series have more to tell.
const MORE_STEPS: i64 = 8;
/// Windows before training begins.
const WINDOWS_MIN: usize = 256;

/// The network of a shard and target, its last two versions, and a sample of past windows.
///
/// Training steps and versions come at multiples of event time: they follow from the rows, not from
/// when anything is called.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shared {
    trainee: Encoder,
    current: Encoder,
    previous: Encoder,
    samples: Vec<Sample>,
    offered: u64,
    rng: Xoshiro256PlusPlus,
    /// Count of `pace / steps` since 1970 up to the newest row.
    slot: Option<i64>,
    /// Training steps since the last version.
    steps: i64,
}

impl Shared {
    /// For series of one design; `None` if seasons are to be found or there is no latent expert.
    pub fn new(params: &ForecastParams, seed: u64) -> Option<Self> {
        if !params.shared || !params.latent.enabled || params.seasons.is_empty() {
            return None;
        }
        let design = Design::new(params, &params.seasons);
        let trainee = Encoder::new(&design, &params.latent, seed);
        Some(Self {
            current: trainee.clone(),
            previous: trainee.clone(),
            trainee,
            samples: Vec::new(),
            offered: 0,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed),
            slot: None,
            steps: 0,
        })
    }

    /// This network under the settings of `fresh`; `None` if its shapes are others.
    pub fn adopt(self, fresh: &Self, params: &ForecastParams) -> Option<Self> {
        let design = Design::new(params, &params.seasons);
        let fits = |s: &Sample| s.x.len() == design.inputs() && s.y.len() == design.horizons.len();
        let sound = self.samples.len() <= RESERVOIR && self.samples.iter().all(fits);
        sound.then_some(())?;
        Some(Self {
            trainee: self.trainee.adopt(&fresh.trainee)?,
            current: self.current.adopt(&fresh.current)?,
            previous: self.previous.adopt(&fresh.previous)?,
            ..self
        })
    }

    /// The newest version.
    pub(super) fn current(&self) -> &Encoder {
        &self.current
    }

    /// A version, if it is one of the last two.
    pub(super) fn version(&self, version: u64) -> Option<&Encoder> {
        [&self.current, &self.previous].into_iter().find(|encoder| encoder.version == version)
    }

    /// Takes a window whose future is known now.
    pub(super) fn offer(&mut self, view: &View<'_>) {
        self.offered = (self.offered + 1).min(RESERVOIR as u64 * SPAN);
        if self.samples.len() < RESERVOIR {
            self.samples.push(Sample::of(view));
            return;
        }
        let at = self.rng.gen_range(0..self.offered) as usize;
        if let Some(sample) = self.samples.get_mut(at) {
            *sample = Sample::of(view);
        }
    }

    /// The newest row of the shard begins at `time`: trains if it is time.
    pub(super) fn advance(
        &mut self,
        params: &ForecastParams,
        pace: usize,
        time: EventTime,
        bench: &mut Option<Bench>,
    ) {
        let season = params.calendar.step().get().max(1) * pace as i64;
        let steps = i64::from(params.latent.steps) * MORE_STEPS;
        let slot = i128::from(time.as_millis()) * i128::from(steps) / i128::from(season);
        let slot = i64::try_from(slot).unwrap_or(i64::MAX);
        let due = match self.slot {
            Some(before) => slot.saturating_sub(before).clamp(0, steps),
            None => 0,
        };
        self.slot = Some(self.slot.map_or(slot, |before| before.max(slot)));
        if self.samples.len() < WINDOWS_MIN {
            return;
        }
        for _ in 0..due {
            let Self { trainee, samples, .. } = self;
            let scratch = trainee.bench(&params.latent, bench);
            trainee.train(&params.latent, scratch, |rng, x, y| {
                let sample = &samples[rng.gen_range(0..samples.len())];
                x.copy_from_slice(&sample.x);
                y.copy_from_slice(&sample.y);
            });
            self.steps += 1;
            // The first version comes after a season, however long the later ones last.
            let seasons = if self.current.version == 0 { 1 } else { params.latent.refresh.max(1) };
            if self.steps >= steps * i64::from(seasons) {
                self.steps = 0;
                let newest = self.trainee.clone();
                self.previous = std::mem::replace(&mut self.current, newest);
            }
        }
    }

    /// Bytes that are kept.
    pub fn state_bytes(&self) -> usize {
        let sample = self.samples.first().map_or(0, |s| 4 * (s.x.len() + s.y.len()));
        3 * self.trainee.state_bytes() + sample * self.samples.len()
    }
}
