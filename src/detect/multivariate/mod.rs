//! Many sensors at once: is this row like the rows before it, and if not, because of which sensor?
//!
//! A row goes two ways. `track` smooths each sensor and holds it against a baseline that follows
//! slowly, in the spread that is usual there (an exponentially weighted moving average chart of many
//! variables: Lowry et al., Technometrics 1992, without the covariance, which gained nothing); and once
//! more against a baseline of weeks, in the spread of this phase of the period, since the other one learns
//! a fault of hours.
//! `predictor`, a masked autoencoder, says what the row should have been given the rows before; its
//! errors are tracked in the same way, and so are their squares, for faults that change the spread.
//! `relation` regresses each sensor on the others over a long memory: where these leave hardly anything
//! open, a slow drift or a sensor that stands still is seen for as long as it lasts. `scale` is the long
//! memory of each sensor's unit, `period` finds a period and `profile` remembers what is usual in each
//! phase of it. `evidence` calibrates each statistic by its largest value in blocks of 32 rows and joins
//! them: the sensors count three times as much as the errors, unless the network explains most of what the
//! sensors do on the rows it learned; then its errors count up to all (`memory`). `range` sees at once
//! what leaves all that calm rows have shown. `exceedance` remembers how often something was seen:
//! whatever a fitted tail says, what comes back is not rarer than that. `explain` names the sensors.
//!
//! All that is known is held twice (`memory`): the one that decides about alerts stands still while
//! an alert fires, so that a long fault stays evident; the other learns every row, ranks rows
//! (`surprise`), and is what is known if the new state is accepted. `running` feeds both.
//!
//! # A life
//!
//! Rows 1 to 200 are gathered; during rows 201 to 400 the network learns the first half, a few steps
//! a row; at row 400 all is fitted, without glitches, the errors on rows the network has not seen.
//! Everything goes on learning after that. Rows in which nothing is seen do not count up to there.
//!
//! # Cost
//!
//! Time is `O(p)` a row and memory, plus the network (`5 p + 8` inputs, at most 64 hidden) and its
//! training: a step of 64 rows about every other row until row 3,200, then every sixteenth. Up to 128
//! sensors are related to each other: `O(p²)` a row, and 64 KiB of moments and their inverse for 32.
//! Memory: the calibration is about 4 KiB; per sensor about 0.5 KiB, profiles 96 numbers seven times,
//! and kept rows of 16 bytes a sensor: 4,096 up to 32 sensors, fewer above (at least 256).
//!
//! # Invariants
//!
//! - No clock, thread or file: equal rows and an equal seed give equal bits.
//! - A row is judged by what was known before it.
//! - Constant sensors, missing sensors and rows without any are no evidence.

mod evidence;
mod exceedance;
mod explain;
mod memory;
mod period;
mod predictor;
mod profile;
mod range;
mod related;
mod relation;
mod running;
mod scale;
mod stored;
mod track;
mod tuning;

use serde::{Deserialize, Serialize};

use crate::model::MlpSpace;
use crate::record::raw;

pub use evidence::BLOCK;
pub use explain::{FaultHint, SensorView};
use predictor::Predictor;
use running::{Running, Starting};
pub use track::TrackTuning;
pub use tuning::Tuning;

/// How unusual a row is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Judgement {
    /// Ranks rows; 0 and above. By the memory that learns every row.
    pub surprise: f64,
    /// Opens and closes alerts: `-log10` of the chance that a calm row opens one at this value. A
    /// budget of `l` alerts a row has the level `-log10 l`. By the memory that stands still while an
    /// alert fires.
    pub evidence: f64,
    /// How much of the warm-up is done, 0 to 1; `None` after it.
    pub warming: Option<f64>,
}

/// Detector of one series of 2 to 512 sensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Multivariate {
    channels: usize,
    /// That of the program, not of the state.
    #[serde(skip)]
    tuning: Tuning,
    /// Until the first fit, rows that were learned and in which anything was seen; after it, all.
    rows: u64,
    /// The row judged last, before the first fit, if anything was seen in it.
    #[serde(skip)]
    newest: Vec<f64>,
    /// Rows until the first fit, `(n * channels,)`.
    #[serde(with = "raw::f64s")]
    gathered: Vec<f64>,
    /// Of the network, for the first fit.
    seed: u64,
    starting: Option<Box<Starting>>,
    running: Option<Box<Running>>,
}

/// Scratch memory for detectors of one number of channels.
#[derive(Debug)]
pub struct MultivariateSpace {
    network: MlpSpace,
}

impl MultivariateSpace {
    /// For detectors of `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { network: Predictor::new(channels, 0).space() }
    }
}

impl Multivariate {
    /// Nothing known about `channels` sensors.
    pub fn new(channels: usize, tuning: Tuning, seed: u64) -> Self {
        Self {
            channels,
            tuning,
            rows: 0,
            newest: Vec::new(),
            gathered: Vec::new(),
            seed,
            starting: None,
            running: None,
        }
    }

    /// What this detector knows, under the settings of `fresh`; `None` if its shapes are others.
    pub fn adopt(self, fresh: Self) -> Option<Self> {
        let p = fresh.channels;
        let running = self.running.map(|running| Box::new(running.completed(p, &fresh.tuning)));
        let sound = self.channels == p
            && self.gathered.len() <= p * fresh.tuning.first_fit as usize
            && self.gathered.len().is_multiple_of(p.max(1))
            && running.as_ref().is_none_or(|running| running.fits(p, &fresh.tuning))
            && self.starting.as_ref().is_none_or(|starting| starting.fits(p));
        sound.then_some(Self { tuning: fresh.tuning, running, ..self })
    }

    /// Number of sensors.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows in which anything is seen, up to the first that brings evidence.
    pub fn warm_up_left(&self) -> u64 {
        (self.tuning.warmup + 1).saturating_sub(self.rows)
    }

    /// Judges a row of `channels` values, NaN where missing, by what was known before it.
    pub fn judge(&mut self, values: &[f64], space: &mut MultivariateSpace) -> Judgement {
        let Some(running) = &mut self.running else {
            self.newest.clear();
            if values.iter().any(|x| !x.is_nan()) {
                self.newest.extend_from_slice(values);
            }
            let progress = self.rows as f64 / self.tuning.warmup as f64;
            return Judgement { warming: Some(progress.min(1.0)), ..Judgement::default() };
        };
        self.rows += 1;
        let judged = running.judge(values, &self.tuning, space);
        if self.rows <= self.tuning.warmup {
            let progress = self.rows as f64 / self.tuning.warmup as f64;
            return Judgement { warming: Some(progress), ..Judgement::default() };
        }
        judged
    }

    /// Learns the row that was judged last; `learn` false while an alert fires.
    pub fn learn(&mut self, learn: bool, space: &mut MultivariateSpace) {
        if let Some(running) = &mut self.running {
            return running.learn(learn, &self.tuning, space);
        }
        let row = std::mem::take(&mut self.newest);
        if row.is_empty() || !learn {
            return;
        }
        self.rows += 1;
        self.gathered.extend_from_slice(&row);
        let Self { channels, tuning, rows, gathered, starting, .. } = self;
        let (half, all) = (tuning.first_fit / 2, tuning.first_fit);
        if *rows == half {
            let new = Starting::new(gathered, *channels, tuning, self.seed);
            *starting = Some(Box::new(new));
        } else if let Some(started) = starting {
            started.train(all - half, tuning, space);
        }
        if *rows >= all {
            let rows = std::mem::take(gathered);
            let started = starting.take();
            self.running =
                started.map(|started| Box::new(started.finish(rows, *channels, tuning, space)));
        }
    }

    /// Learns nothing of the row judged last, whatever it is, in no form: it came in maintenance, or is
    /// known to be wrong.
    pub fn pass_over(&mut self) {
        self.newest.clear();
        if let Some(running) = &mut self.running {
            running.pass_over();
        }
    }

    /// Time goes on by `rows` rows that are not judged: phases of a period go on, too.
    pub fn skip(&mut self, rows: u64) {
        if let Some(running) = &mut self.running {
            running.skip(rows);
        }
    }

    /// What is, or what comes next, is normal from now on: an alert lasted long enough, or someone said so.
    pub fn accept_new_normal(&mut self) {
        if let Some(running) = &mut self.running {
            running.accept_new_normal(&self.tuning);
        }
    }

    /// The next rows are learned in full, however unusual they look.
    pub fn welcome(&mut self, rows: usize) {
        if let Some(running) = &mut self.running {
            running.welcome(rows);
        }
    }

    /// Why the row that was judged last is as unusual as it is; empty while warming.
    pub fn explain(&self) -> Vec<SensorView> {
        self.running.as_ref().map_or(Vec::new(), |running| running.explain(&self.tuning))
    }

    /// Whether the last row's evidence hangs on one sensor.
    pub fn hint(&self) -> Option<FaultHint> {
        self.running.as_ref().map(|running| running.hint(&self.tuning))
    }
}

#[cfg(test)]
mod glitch_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
