//! What is known of a stream, and how unusual a row is against it.

use serde::{Deserialize, Serialize};

use super::Tuning;
use super::evidence::{BLOCK, Blocks, join, row_rarity};
use super::exceedance::Exceedances;
use super::range::Range;
use super::related::Related;
use super::relation::WIDEST;
use super::scale::Scale;
use super::track::{Learned, QUIET, Track};

/// Least spread of a prediction error, standard deviations of the sensor.
const ERROR_LEAST: f64 = 0.05;
/// Rows of the first fit that are passed over while the smoothed signals come in.
const SETTLE: usize = 20;
/// What was evident is held at most so many spreads above the usual block maximum, about where an alert
/// opens: it bridges lulls of a fault, and is gone within some thirty rows of its end.
const HELD_MAX: f64 = 4.0;
/// What a fault counts among the blocks that were as unusual: one that comes back as often as alerts
/// are allowed for must go on being told.
const FAULT: f64 = 0.25;
/// Share of the blocks from which on what they show is common. What is rarer the fitted tail may call as
/// rare as it likes: faults come back, too.
const COMMON: f64 = 0.01;
/// A row that is common is at most so many times rarer than that: of few blocks the share says no more.
const DOUBT: f64 = 3.0;
/// Blocks after which what was seen counts half.
const SEEN: f64 = 20_000.0 / BLOCK as f64;

/// Scales, tracked statistics and calibration: all of the detector but its network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) sensors: Scale,
    pub(super) errors: Scale,
    pub(super) raw: Vec<Track>,
    pub(super) error_tracks: Vec<Track>,
    /// One a statistic: tracks of the sensors, then of the errors.
    pub(super) calibration: Vec<Blocks>,
    joined: Blocks,
    /// Largest joined values of the blocks, and of the faults.
    #[serde(default)]
    pub(super) before: Exceedances,
    /// What calm rows have shown; `None` in a state from before there was one.
    #[serde(default)]
    pub(super) range: Option<Range>,
    /// How sensors go together; `None` of many, and in a state from before it was looked at.
    #[serde(default)]
    pub(super) related: Option<Related>,
    /// Factor of the weight of the errors.
    trust: f64,
    held: f64,
    #[serde(skip)]
    pub(super) last: Seen,
}

/// The newest row as a memory sees it, and what it makes of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) values: Vec<f64>,
    /// Brought to within reach of the mean.
    clipped: Vec<f64>,
    /// In standard deviations.
    pub(super) standard: Vec<f64>,
    pub(super) seen: Vec<bool>,
    error: Vec<f64>,
    scores: Vec<Option<f64>>,
    now: f64,
    /// `-log10` of the chance that the statistics of a block of 32 calm rows get here.
    pub(super) surprise: f64,
    /// `-log10` of the chance that a calm row gets here.
    own: f64,
    /// The same of being so far out of range.
    outside: f64,
    /// As `surprise`, of how the sensors go together; `None` where that says little.
    related: Option<f64>,
}

impl Memory {
    /// From the first rows `(n * channels,)` and the prediction errors of the last `m` of them,
    /// `(m * channels,)`, made by a network that had not seen these.
    pub(super) fn fit(
        rows: &[f64],
        errors: &[f64],
        sensors: Scale,
        channels: usize,
        tuning: &Tuning,
    ) -> Self {
        let of_errors = Scale::fit_errors(errors, channels, ERROR_LEAST);
        let track = |how: &super::TrackTuning, scale: &Scale, rows: &[f64]| {
            Track::new(*how, scale, channels, (rows.len() / channels.max(1)) as f64)
        };
        let statistics = tuning.raw.len() + tuning.errors.len();
        let mut memory = Self {
            raw: tuning.raw.iter().map(|how| track(how, &sensors, rows)).collect(),
            error_tracks: tuning.errors.iter().map(|how| track(how, &of_errors, errors)).collect(),
            sensors,
            errors: of_errors,
            calibration: vec![Blocks::new(1.0); statistics],
            joined: Blocks::new(5.0),
            before: Exceedances::default(),
            range: Some(Range::new(channels)),
            related: None,
            trust: 1.0,
            held: f64::MIN,
            last: Seen::default(),
        };
        memory.fit_tracks(rows, errors, channels);
        memory.last.seen = vec![true; channels];
        if (2..=WIDEST).contains(&channels) {
            memory.related = Some(Related::fit(&memory.sensors.standard(rows), channels, tuning));
        }
        memory.trust = memory.trust_in_errors(tuning);
        memory.calibrate(rows, errors, channels, tuning);
        memory
    }

    fn fit_tracks(&mut self, rows: &[f64], errors: &[f64], channels: usize) {
        let Self { raw, error_tracks, sensors, errors: scale, .. } = self;
        for (tracks, rows, scale) in [(raw, rows, sensors), (error_tracks, errors, scale)] {
            for track in tracks {
                let mut signals = Vec::with_capacity(rows.len());
                for (i, row) in rows.chunks_exact(channels).enumerate() {
                    let clipped: Vec<f64> =
                        row.iter().enumerate().map(|(j, x)| scale.clip(j, *x)).collect();
                    track.push(&clipped);
                    if i >= SETTLE {
                        signals.extend_from_slice(track.signal());
                    }
                }
                track.fit(&signals);
            }
        }
    }

    /// Goes over the first rows again, as if they were new, for the calibration alone.
    fn calibrate(&mut self, rows: &[f64], errors: &[f64], channels: usize, tuning: &Tuning) {
        let all = rows.chunks_exact(channels).enumerate();
        let first = (rows.len() - errors.len()) / channels.max(1);
        for track in self.raw.iter_mut().chain(&mut self.error_tracks) {
            track.rest();
        }
        let mut scores = Vec::new();
        for (i, row) in all {
            self.see(row);
            self.learn_range();
            let error = i.checked_sub(first).map(|k| &errors[k * channels..][..channels]);
            self.see_error(error);
            self.score(None, error.is_some() && i >= first + SETTLE);
            if i >= SETTLE && self.last.seen.contains(&true) {
                self.learn_statistics(tuning);
                scores.push(self.last.scores.clone());
            }
        }
        for of_row in scores {
            self.last.scores = of_row;
            self.join(tuning.hold, tuning);
            self.learn_joined(1.0, tuning);
        }
    }

    /// Brings a row to scale.
    pub(super) fn see(&mut self, values: &[f64]) {
        let Self { sensors, last, raw, related, .. } = self;
        last.values.clear();
        last.values.extend_from_slice(values);
        last.seen.clear();
        let seen = |(j, x): (usize, &f64)| !x.is_nan() && sensors.knows(j);
        last.seen.extend(values.iter().enumerate().map(seen));
        last.clipped.clear();
        let clip =
            |(j, x): (usize, &f64)| if sensors.knows(j) { sensors.clip(j, *x) } else { f64::NAN };
        last.clipped.extend(values.iter().enumerate().map(clip));
        last.standard.clear();
        let standard = |(j, x): (usize, &f64)| (x - sensors.mean(j)) / sensors.sd(j);
        last.standard.extend(last.clipped.iter().enumerate().map(standard));
        raw.iter_mut().for_each(|track| track.push(&last.clipped));
        if let Some(related) = related {
            related.see(&last.standard, |j| sensors.is_constant(j));
        }
    }

    /// Takes the row's prediction error, NaN where missing.
    pub(super) fn see_error(&mut self, error: Option<&[f64]>) {
        let Some(error) = error else { return };
        let Self { errors, last, error_tracks, .. } = self;
        last.error.clear();
        last.error.extend(error.iter().enumerate().map(|(j, e)| errors.clip(j, *e)));
        error_tracks.iter_mut().for_each(|track| track.push(&last.error));
    }

    /// Judges the row; what was evident fades by `hold` a row.
    pub(super) fn judge(&mut self, bin: Option<usize>, hold: f64, tuning: &Tuning) {
        self.score(bin, true);
        self.join(hold, tuning);
        let some = self.last.seen.contains(&true);
        let outside = self.range.as_ref().map_or(0.0, |range| range.evidence(&self.last.values));
        self.last.outside = outside;
        let says = |related: &&Related| related.left(self.moving()) < tuning.related_left;
        self.last.related = self.related.as_ref().filter(says).map(Related::surprise);
        self.last.surprise = if some { self.joined.surprise(self.held) } else { 0.0 };
        self.last.own = if some { self.usual(self.joined.evidence(self.held)) } else { 0.0 };
        if !some {
            self.last.related = None;
        }
    }

    /// What is evident, if it is common no rarer than it has been: the tail of what was fitted knows
    /// nothing of a signal that comes back.
    fn usual(&self, evidence: f64) -> f64 {
        let seen = self.before.seen(self.held);
        if seen > COMMON { evidence.min(row_rarity(seen / DOUBT)) } else { evidence }
    }

    /// How the sensors go together, where that has a say.
    pub(super) fn relation(&self) -> Option<&Related> {
        self.related.as_ref().filter(|_| self.last.related.is_some())
    }

    /// What is evident if it is how the sensors go together.
    pub(super) fn leading_relation(&self) -> Option<&Related> {
        let leads = self.last.related.is_some_and(|related| related > self.last.surprise);
        self.related.as_ref().filter(|_| leads)
    }

    /// Sensors that were seen now and have moved.
    fn moving(&self) -> impl Iterator<Item = usize> {
        let Self { sensors, last, .. } = self;
        (0..last.seen.len()).filter(|j| sensors.knows(*j) && !sensors.is_constant(*j))
    }

    /// Evidence of the newest row: of the statistics, or of the range if that is clearer.
    pub(super) fn evidence(&self) -> f64 {
        let Some(related) = self.relation() else { return self.last.own.max(self.last.outside) };
        // Two looks at one row: Bonferroni.
        let own = self.last.own.max(related.evidence()) - std::f64::consts::LOG10_2;
        own.max(self.last.outside).max(0.0)
    }

    /// How unusual the newest row is, like `-log10` of the chance that a block of calm rows gets there: by
    /// the statistics, by how the sensors go together, or by how far one is out of its range.
    pub(super) fn surprise(&self) -> f64 {
        let outside = self.last.outside - f64::from(BLOCK).log10();
        self.last.surprise.max(self.last.related.unwrap_or(0.0)).max(outside)
    }

    /// Takes note of the row that was judged last while an alert fires.
    pub(super) fn pass(&mut self) {
        if let Some(range) = &mut self.range {
            range.pass(&self.last.values);
        }
        if self.last.seen.contains(&true) {
            self.before.pass(self.last.now, 1.0 / f64::from(BLOCK), SEEN);
        }
    }

    /// How often something was evident is what `judging` knows: to it what lasted was one fault, here
    /// it is many rows.
    pub(super) fn keep_exceedances(&mut self, judging: Self) {
        self.before = judging.before;
    }

    fn learn_joined(&mut self, weight: f64, tuning: &Tuning) {
        if let Some(largest) = self.joined.learn(self.last.now, weight, tuning) {
            self.before.learn(largest, FAULT, SEEN);
        }
    }

    fn learn_range(&mut self) {
        if let Some(range) = &mut self.range {
            range.learn(&self.last.values);
        }
    }

    /// Surprise if the statistics had been `scores`.
    pub(super) fn surprise_of(&self, scores: &[Option<f64>], tuning: &Tuning) -> f64 {
        self.joined.surprise(self.join_of(scores, tuning))
    }

    fn score(&mut self, bin: Option<usize>, errors: bool) {
        let Self { raw, error_tracks, sensors, errors: scale, last, .. } = self;
        let seen = &last.seen;
        last.scores.clear();
        last.scores.extend(raw.iter_mut().map(|t| Some(t.score(sensors, seen, bin).max(QUIET))));
        let of_errors = error_tracks.iter_mut().map(|t| t.score(scale, seen, bin).max(QUIET));
        last.scores.extend(of_errors.map(|score| errors.then_some(score)));
        if let Some(related) = &mut self.related {
            related.score(&last.seen);
        }
    }

    fn join(&mut self, hold: f64, tuning: &Tuning) {
        self.last.now = self.join_of(&self.last.scores, tuning);
        let loss = hold * self.trust.min(tuning.hold_trust);
        let held = (self.held - loss).min(self.joined.at(HELD_MAX));
        self.held = held.max(self.last.now).max(-20.0);
    }

    fn join_of(&self, scores: &[Option<f64>], tuning: &Tuning) -> f64 {
        let tracks = self.raw.iter().chain(&self.error_tracks).map(|t| t.weight(self.trust));
        let parts = self.calibration.iter().zip(scores).zip(tracks);
        let parts = parts.filter_map(|((blocks, score), weight)| {
            let known = blocks.count() >= 1.0 && weight > 0.0;
            score.filter(|_| known).map(|score| (weight, blocks.z(score)))
        });
        join(parts, tuning)
    }

    /// Learns the row that was judged last with `weight` in 0 to 1.
    pub(super) fn learn(&mut self, weight: f64, bin: Option<usize>, tuning: &Tuning) {
        if !self.last.seen.contains(&true) {
            return;
        }
        self.learn_range();
        let Self { raw, error_tracks, sensors, errors, last, .. } = self;
        let row = Learned { seen: &last.seen, weight, bin };
        raw.iter_mut().for_each(|t| t.learn(sensors, row, tuning));
        sensors.learn(&last.clipped, weight, tuning);
        error_tracks.iter_mut().for_each(|t| t.learn(errors, row, tuning));
        errors.learn(&last.error, weight, tuning);
        self.trust = self.trust_in_errors(tuning);
        if let Some(related) = &mut self.related {
            related.learn(&self.last.seen, weight, tuning);
        }
        self.learn_statistics(tuning);
        self.learn_joined(weight, tuning);
    }

    /// How much more the errors count than they usually do: where the network explains most of what
    /// the sensors do, what is left says more than the sensors themselves.
    fn trust_in_errors(&self, tuning: &Tuning) -> f64 {
        let left = self.moving().map(|j| self.errors.sd(j).powi(2).min(1.0));
        let (n, sum) = left.fold((0.0, 0.0), |(n, sum), left| (n + 1.0, sum + left));
        if sum > 0.0 { (tuning.skill * n / sum).max(1.0).powf(tuning.skill_power) } else { 1.0 }
    }

    fn learn_statistics(&mut self, tuning: &Tuning) {
        for (blocks, score) in self.calibration.iter_mut().zip(&self.last.scores) {
            if let Some(score) = score {
                blocks.learn(*score, 1.0, tuning);
            }
        }
    }

    /// Takes note of the range of the row that was judged last, normal or not.
    pub(super) fn see_units(&mut self, tuning: &Tuning) {
        let Self { sensors, errors, raw, error_tracks, last, related, .. } = self;
        sensors.see(&last.values, tuning, |j, scale| {
            raw.iter_mut().for_each(|track| track.start(j, scale));
            // The network has not learned it yet: its errors are as large as itself.
            errors.assume(j, 1.0);
            error_tracks.iter_mut().for_each(|track| track.start(j, errors));
            related.iter_mut().for_each(|related| related.start(j));
        });
    }

    pub(super) fn forget_phase(&mut self) {
        self.raw.iter_mut().chain(&mut self.error_tracks).for_each(Track::forget_phase);
    }

    /// Learns faster from now on, as if it knew `rows` rows only.
    pub(super) fn doubt(&mut self, rows: f64) {
        let tracks = self.raw.iter_mut().chain(&mut self.error_tracks);
        tracks.for_each(|track| track.doubt(rows));
        self.related.iter_mut().for_each(|related| related.doubt(rows));
        self.calibration.iter_mut().for_each(|blocks| blocks.doubt(rows / f64::from(BLOCK)));
        self.joined.doubt(rows / f64::from(BLOCK));
    }

    /// What is, is normal: baselines start from here, known for `rows` rows at most, and nothing of
    /// what was evident is held. What is usual around a baseline, and the range, stay.
    pub(super) fn rebase(&mut self, rows: f64) {
        self.raw.iter_mut().chain(&mut self.error_tracks).for_each(|track| track.rebase(rows));
        self.related.iter_mut().for_each(|related| related.rebase(rows));
        self.held = f64::MIN;
    }
}
