//! Alerts on single channels: a detector that needs no period, no range and no threshold told.
//!
//! A record is first judged by what was known before it, then learned, or not: the caller says so.
//! Of a `counter`, its growth is judged. It meets `normal` (standard deviations of the past) and
//! `clock` (hour, yesterday, last week), then `short`, a masked autoencoder over 32 records, and the
//! average of the networks that its training goes through. Their `errors` are judged by their own past:
//! how rare those of the newest network are (`tail`), and how high those of the average
//! (`calibration`). Then comes `shape`: one `period`, found online, over which `cycle`, a second masked
//! autoencoder, and `discord`, the nearest neighbour of the newest period, look for forms that were
//! never seen. `fusion` makes two numbers of it.
//!
//! What was seen before raises less than what was not, so that a harmless event that comes now and then
//! does not lift the threshold out of reach of a fault.
//!
//! # Limits
//!
//! - The period is looked for up to record 8,000 and up to 4,096 records long: a day is found where steps
//!   are 21 s and longer. What was found is kept.
//! - The surprise is 0 for the first 576 observed records: it needs four blocks of 128.
//!
//! # Invariants
//!
//! - Equal records, seeds and calls give equal bits; nothing ahead of a record is used.
//! - Memory is bounded: about 0.6 MiB a series, of which 8 KiB are calibration. So is the time of a record: at
//!   most three training steps, apart from five searches for the period.
//! - What was not learned is neither a target of training nor a neighbour.

mod calibration;
mod clock;
mod counter;
mod cycle;
mod discord;
mod errors;
mod fusion;
mod masked;
mod normal;
mod period;
mod shape;
mod short;
mod spans;
mod tail;
mod thin;
mod track;

use serde::{Deserialize, Serialize};

use crate::model::MlpSpace;
use clock::Clock;
use counter::{Change, Counter};
use cycle::Cycle;
use errors::{Errors, Residuals};
use normal::Normal;
use shape::Shape;
use short::ShortNet;
use spans::Spans;
use track::Track;

/// Observed records before a series may alarm.
const WARM_UP: u64 = 150;
/// Records with two training steps each.
const EAGER: u64 = 600;
const DAY_S: f64 = 86_400.0;
/// The seed of the period net differs from that of the short net by this.
const SECOND: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scratch memory, for any number of detectors.
#[derive(Debug)]
pub struct Scratch {
    short: MlpSpace,
    cycle: MlpSpace,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { short: ShortNet::new(0).space(), cycle: Cycle::new(1, 0).space() }
    }
}

impl Scratch {
    /// Writes the 8 latent features of the record judged last; the window is full from the 32nd
    /// record on.
    pub fn latent(&self, to: &mut Vec<f32>) {
        ShortNet::latent(&self.short, to);
    }
}

/// What is said of a record before it is learned.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Judgement {
    /// Ranks records: 1 is as high as the worst record of a bad block of 128; 0 to 5, and 0 for the
    /// first 576 observed records.
    pub surprise: f64,
    /// Raises: like the `-log10` of the chance of a calm record; 0 and above.
    pub evidence: f64,
    /// Expected value and the band of 99 % of past errors around it, in the unit of the channel;
    /// NaN while nothing is expected.
    pub yhat: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// As `evidence`, by a past that learns every record, alerts or not: what lasts is no news to it
    /// within some hundred records.
    pub news: f64,
    /// While the series is young: the share of the warm-up that is over, below 1. No evidence then.
    pub warming: Option<f64>,
}

/// The detector of one channel of one series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Univariate {
    seed: u64,
    /// Records, observed or not.
    records: u64,
    /// Observed records learned since the beginning, or since a new normal.
    learned: u64,
    #[serde(default)]
    counter: Counter,
    normal: Normal,
    clock: Clock,
    x: Track,
    short: ShortNet,
    errors: Errors,
    /// The past of the errors as it was when the alert that fires opened: its end is judged by that. In
    /// the warm-up of a new normal, the past of before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standing: Option<Box<Errors>>,
    /// Whether `standing` is what is known after the alert, too: someone has said that nothing of it is to
    /// be learned.
    #[serde(default)]
    keeps_standing: bool,
    shape: Option<Shape>,
    quarantined: Spans,
    last: Option<f64>,
    /// The value judged and not yet learned; none if it was not observed.
    newest: Option<f64>,
    /// The same before a counter's growth was taken.
    #[serde(default)]
    raw: Option<f64>,
}

impl Univariate {
    /// A series of which nothing is known.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            records: 0,
            learned: 0,
            counter: Counter::default(),
            normal: Normal::default(),
            clock: Clock::default(),
            x: Track::new(period::LOOK_BACK),
            short: ShortNet::new(seed),
            errors: Errors::new(),
            standing: None,
            keeps_standing: false,
            shape: None,
            quarantined: Spans::default(),
            last: None,
            newest: None,
            raw: None,
        }
    }

    /// This detector, if it is sound and shaped like `fresh`.
    pub fn adopt(self, fresh: &Self) -> Option<Self> {
        let sound = self.x.fits(&fresh.x) && self.clock.is_sound() && self.quarantined.is_sound();
        sound.then_some(())?;
        let shape = match self.shape {
            Some(shape) => Some(shape.adopt()?),
            None => None,
        };
        let standing = match self.standing {
            Some(standing) => Some(Box::new(standing.adopt()?)),
            None => None,
        };
        let (short, errors) = (self.short.adopt(&fresh.short)?, self.errors.adopt()?);
        Some(Self { short, errors, standing, shape, ..self })
    }

    /// Observed records up to the first that brings evidence.
    pub fn warm_up_left(&self) -> u64 {
        let undecided = if self.counter.is_pending() { counter::DECIDED } else { 0 };
        (WARM_UP + 1 + undecided).saturating_sub(self.learned)
    }

    /// Share of the warm-up that is over, while it is not and nobody else judges.
    fn warming(&self) -> Option<f64> {
        if self.is_renewed() {
            return None;
        }
        let left = self.warm_up_left();
        (left > 1).then(|| self.learned as f64 / (self.learned + left - 1) as f64)
    }

    /// Judges a record by what was known before it. `time_ms`: event time since 1970, should not
    /// fall; `value`: NaN if not observed, which is no reason to alarm.
    ///
    /// Every call is followed by one of [`Univariate::learn`].
    pub fn judge(&mut self, scratch: &mut Scratch, time_ms: i64, value: f64) -> Judgement {
        self.raw = value.is_finite().then_some(value);
        let (value, base) = self.counter.read(value);
        let observed = value.is_finite();
        let x = if observed { self.normal.scale(value) } else { f64::NAN };
        self.records += 1;
        self.newest = observed.then_some(value);
        self.x.push(x as f32);
        self.clock.observe(time_ms, x);
        let context = self.clock.context(time_ms);
        let told = self.short.tell(&mut scratch.short, &self.x, context, &self.normal);
        let shape = self.shape.as_mut();
        let shape = shape.map_or(Default::default(), |s| s.judge(&mut scratch.cycle, x as f32));
        let warming = self.warming();
        let yhat = told.map_or(f64::NAN, |[newest, _]| base + newest.one_step);
        let mut judgement = self.expects(yhat, warming);
        if observed {
            let step = value - self.last.replace(value).unwrap_or(value);
            let residuals = Residuals::of(value, told, step);
            let clock = self.clock.tells();
            let (sum, point) = self.errors.judge(residuals, value, time_ms, clock);
            let (known, renewed) = (self.is_known_season(), self.is_renewed());
            let (surprise, mut evidence) = fusion::fuse(sum, point, shape, clock, known);
            let news = fusion::of_rarities(sum);
            if let Some(standing) = &mut self.standing {
                let (sum, point) = standing.judge(residuals, value, time_ms, clock);
                let fused = || fusion::fuse(sum, point, shape, clock, known).1;
                evidence = if renewed { standing.far_out(value) } else { fused() };
            }
            // What a network errs by on a constant is its own noise.
            if !self.normal.is_constant(value) {
                judgement.surprise = surprise;
                if warming.is_none() {
                    (judgement.evidence, judgement.news) = (evidence, news);
                }
            }
        }
        judgement
    }

    /// A judgement that says no more than what is expected: while an alert fires, in the band that the past
    /// without it calls usual.
    fn expects(&self, yhat: f64, warming: Option<f64>) -> Judgement {
        let band = self.standing.as_ref().map_or_else(|| self.errors.band(), |past| past.band());
        Judgement { yhat, lower: yhat - band, upper: yhat + band, warming, ..Judgement::default() }
    }

    /// Whether a new normal is being learned, and what came before says meanwhile what is news.
    fn is_renewed(&self) -> bool {
        self.standing.is_some() && self.learned < WARM_UP
    }

    /// Learns the record judged last. With `learn` false (while an alert fires) mean and
    /// deviation, the networks and the neighbours never learn it, now or later. The past of the errors
    /// is kept in two forms then: by the one of before, which learns nothing, the alert goes on; the
    /// other learns, so that a fault that comes again is not as unusual as the first.
    pub fn learn(&mut self, scratch: &mut Scratch, learn: bool) {
        if self.begins_anew() {
            return;
        }
        if learn && !self.is_renewed() {
            self.end_standing();
        } else if !learn && self.standing.is_none() && self.warming().is_none() {
            self.standing = Some(Box::new(self.errors.clone()));
        }
        if let Some(value) = self.newest.take() {
            if learn {
                self.normal.learn(value);
            }
            self.errors.learn(self.clock.step_s());
            self.learned += 1;
        }
        self.train(scratch, learn);
    }

    /// Nothing of the alert that fires is learned, in no form, once it is over: how the errors were spread
    /// in it tells what is news while it lasts, and is forgotten then.
    pub fn never_learn(&mut self) {
        self.keeps_standing = self.standing.is_some() && !self.is_renewed();
    }

    fn end_standing(&mut self) {
        let standing = self.standing.take();
        if std::mem::take(&mut self.keeps_standing)
            && let Some(standing) = standing
        {
            self.errors = *standing;
        }
    }

    /// Learns nothing of the record judged last, whatever it is, in no form: it came in maintenance, or
    /// is known to be wrong.
    pub fn pass_over(&mut self, scratch: &mut Scratch) {
        if !self.begins_anew() {
            self.newest = None;
            self.train(scratch, false);
        }
    }

    /// Takes in what the record says of the counter; whether all that was known was of another meaning.
    fn begins_anew(&mut self) -> bool {
        let change = self.counter.learn(self.raw.take().unwrap_or(f64::NAN));
        if change == Change::Meaning {
            *self = Self { counter: self.counter.clone(), ..Self::new(self.seed) };
        }
        change == Change::Meaning
    }

    /// Trains the networks, and looks for the period; without `learn` the record is never a target.
    fn train(&mut self, scratch: &mut Scratch, learn: bool) {
        if learn {
            let steps = if self.records < EAGER { 2 } else { 1 };
            for _ in 0..steps {
                self.short.train(&mut scratch.short, &self.x, &self.quarantined);
            }
        } else {
            self.quarantined.push(self.x.total() - 1);
        }
        if let Some(shape) = &mut self.shape {
            shape.learn(&mut scratch.cycle, learn, self.records);
        }
        let found = Shape::look(self.shape.as_ref(), &self.x, self.records, self.seed ^ SECOND);
        self.shape = found.or(self.shape.take());
    }

    /// What was held back is normal from now on: level and spread of errors are learned anew, in a
    /// new warm-up. If `watched`, what is far beyond all that was seen so far is evident in it; else
    /// nothing is.
    pub fn accept_new_normal(&mut self, watched: bool) {
        self.quarantined.clear();
        self.keeps_standing = false;
        self.standing = watched.then(|| Box::new(self.errors.clone()));
        self.normal.forget();
        self.errors.forget();
        self.learned = 0;
        if let Some(shape) = &mut self.shape {
            shape.accept();
        }
    }

    /// The period in records, once one was found.
    pub fn period(&self) -> Option<usize> {
        self.shape.as_ref().and_then(Shape::period)
    }

    /// Whether the period is a day or a week, within a tenth.
    fn is_known_season(&self) -> bool {
        let step = self.clock.step_s();
        self.period().is_some_and(|period| {
            [DAY_S, 7.0 * DAY_S]
                .iter()
                .any(|season| (period as f64 * step / season - 1.0).abs() < 0.1)
        })
    }
}

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
