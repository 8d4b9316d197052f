//! The newest rows of a series, what was known of level and scale at each, and the usual course of
//! its seasons.
//!
//! All numbers of a row are fixed once it is past: features of an origin can be made again at any
//! time, and are the same.

mod absurd;
mod phase;

use serde::{Deserialize, Serialize};

use super::calendar::Moment;
use super::design::Design;
use crate::record::raw;

/// Weight of the newest season in the profile of the longest season, and of the others.
const GAINS: [f64; 2] = [0.3, 0.2];
/// Windows after which a deviation counts half in the scale.
const SCALE_WINDOWS: f64 = 4.0;
/// Mean absolute deviation to standard deviation of a normal distribution.
const TO_SIGMA: f64 = 1.25;
/// The usual course follows by at most so many at once.
const FAR_COURSE: f64 = 6.0;
/// Values unlike the one before until the usual deviation is known.
const MOVES_MIN: f64 = 16.0;
/// Share of negative values that counts may have: a return, a sensor's slip.
const NEGATIVES_MAX: f64 = 0.01;
/// The scale is at least this share of the mean absolute value.
const SCALE_MIN: f64 = 1e-6;

/// A list of numbers of which only the newest are kept, by their index since the beginning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Column(#[serde(with = "raw::f64s")] Vec<f64>);

/// One series. Rows are counted from the first observed one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct History {
    /// Index of the first row kept.
    base: usize,
    /// Value, filled where it was missing.
    y: Column,
    /// Mean of the newest window.
    level: Column,
    scale: Column,
    /// Per season: usual deviation from the level at the phase of the row, the row included.
    profiles: Vec<Column>,
    /// Per season: sum of all deviations of rows from their profile.
    surprises: Vec<Column>,
    /// [`Moment::pack`] of each row, and of those up to the farthest horizon.
    #[serde(with = "raw::i64s")]
    moments: Vec<i64>,
    /// Standardised values of the channels beside the target.
    exogenous: Vec<Column>,
    /// Standardised announced values, as far ahead as `moments`.
    known: Vec<Column>,
    /// Discounted sums behind the scale: deviations, weights.
    spread: [f64; 2],
    mean_absolute: f64,
    observed: u64,
    #[serde(default)]
    negatives: u64,
    /// As `spread`, of rows whose value is not that of the row before: those of rare demand are not
    /// lost among the zeros.
    #[serde(default)]
    moves: [f64; 2],
    /// Whether what came before anything was usual has been looked through.
    #[serde(default)]
    settled: bool,
}

impl Column {
    fn trim(&mut self, rows: usize) {
        self.0.drain(..rows.min(self.0.len()));
    }
}

impl History {
    pub(super) fn new(design: &Design) -> Self {
        let seasons = || design.seasons.iter().map(|_| Column::default()).collect();
        let columns = |n: usize| (0..n).map(|_| Column::default()).collect();
        Self {
            base: 0,
            y: Column::default(),
            level: Column::default(),
            scale: Column::default(),
            profiles: seasons(),
            surprises: seasons(),
            moments: Vec::new(),
            exogenous: columns(design.exogenous),
            known: columns(design.known),
            spread: [0.0; 2],
            mean_absolute: 0.0,
            observed: 0,
            negatives: 0,
            settled: false,
            moves: [0.0; 2],
        }
    }

    /// Whether a restored history has the shape of `design`.
    pub(super) fn fits(&self, design: &Design) -> bool {
        let rows = self.y.0.len();
        let full = |columns: &[Column], n: usize, rows: usize| {
            columns.len() == n && columns.iter().all(|c| c.0.len() == rows)
        };
        let ahead = if rows == 0 { self.moments.len() } else { rows + design.reach() };
        self.level.0.len() == rows
            && self.scale.0.len() == rows
            && full(&self.profiles, design.seasons.len(), rows)
            && full(&self.surprises, design.seasons.len(), rows)
            && full(&self.exogenous, design.exogenous, rows)
            && full(&self.known, design.known, ahead)
            && self.moments.len() == ahead
            && rows <= design.keep + design.keep / 4 + 1
    }

    /// Rows since the beginning.
    pub(super) fn rows(&self) -> usize {
        self.base + self.y.0.len()
    }

    /// Index of the first row that is kept.
    pub(super) fn first(&self) -> usize {
        self.base
    }

    /// Whether values are counts or the like: next to none was below zero.
    pub(super) fn is_count(&self) -> bool {
        self.negatives as f64 <= NEGATIVES_MAX * self.observed as f64
    }

    /// A scale for a series of which next to nothing was seen.
    pub(super) fn young_scale(&self) -> f64 {
        let young = (16.0 - self.observed as f64).max(0.0) / 16.0;
        0.5 * young * self.mean_absolute
    }

    /// Value of a kept row.
    pub(super) fn y(&self, i: usize) -> f64 {
        self.y.0[i - self.base]
    }

    /// Values of `rows` rows from `from` on.
    pub(super) fn values(&self, from: usize, rows: usize) -> &[f64] {
        &self.y.0[from - self.base..from - self.base + rows]
    }

    /// Level known at a row.
    pub(super) fn level(&self, i: usize) -> f64 {
        self.level.0[i - self.base]
    }

    /// Scale known at a row.
    pub(super) fn scale(&self, i: usize) -> f64 {
        self.scale.0[i - self.base]
    }

    /// Usual deviation at the phase of row `i`, as known after it.
    pub(super) fn profile(&self, season: usize, i: usize) -> f64 {
        self.profiles[season].0[i - self.base]
    }

    /// Mean deviation of the `rows` rows up to `i` from what was usual before them.
    pub(super) fn surprise(&self, season: usize, i: usize, rows: usize) -> f64 {
        let sums = &self.surprises[season].0;
        let at = i - self.base;
        let before = at.checked_sub(rows).map_or(0.0, |at| sums[at]);
        (sums[at] - before) / rows as f64
    }

    /// What the calendar says of row `i`, which may lie ahead.
    pub(super) fn moment(&self, i: usize) -> Moment {
        Moment::unpack(self.moments[i - self.base])
    }

    /// Standardised value of a channel beside the target.
    pub(super) fn exogenous(&self, channel: usize, i: usize) -> f64 {
        self.exogenous[channel].0[i - self.base]
    }

    /// Standardised announced value, perhaps of a row ahead; 0 where nothing was announced.
    pub(super) fn known(&self, channel: usize, i: usize) -> f64 {
        self.known[channel].0[i - self.base]
    }

    /// The same, if it is still kept and already told.
    pub(super) fn announced(&self, channel: usize, i: usize) -> Option<f64> {
        self.known[channel].0.get(i.checked_sub(self.base)?).copied()
    }

    /// Takes the moments from the next row on, `reach + 1` of them.
    pub(super) fn look_ahead(&mut self, moments: impl Iterator<Item = Moment>) {
        self.moments.truncate(self.y.0.len());
        self.moments.extend(moments.map(Moment::pack));
    }

    /// Takes the moment of the row after the farthest one that is known.
    pub(super) fn look_farther(&mut self, moment: Moment) {
        self.moments.push(moment.pack());
    }

    /// Takes what is announced for the rows from the next one on, `reach + 1` of them.
    pub(super) fn announce(&mut self, channel: usize, values: impl Iterator<Item = f64>) {
        let column = &mut self.known[channel].0;
        column.truncate(self.y.0.len());
        column.extend(values);
    }

    /// Takes the next row, whose moment is known by `look_ahead`. `y` is NaN if missing:
    /// the profile of the longest season fills it. Returns whether there is a row: before the first
    /// observed value there is none.
    pub(super) fn push(&mut self, design: &Design, y: f64, exogenous: &[f64]) -> bool {
        let i = self.rows();
        if y.is_nan() && i == 0 {
            return false;
        }
        let filled = if y.is_nan() { self.usual(design, i) } else { y };
        if y.is_nan() {
            let at = i - self.base;
            self.moments[at] = Moment { missing: true, ..self.moment(i) }.pack();
        } else {
            self.observed += 1;
            self.negatives += u64::from(y < 0.0);
            self.mean_absolute += (y.abs() - self.mean_absolute) / self.observed as f64;
        }
        self.y.0.push(filled);
        self.exogenous.iter_mut().zip(exogenous).for_each(|(column, x)| column.0.push(*x));
        self.push_level(design, y.is_nan());
        self.push_profiles(design, i);
        if self.y.0.len() > design.keep + design.keep / 4 {
            self.trim(self.y.0.len() - design.keep);
        }
        true
    }

    /// What row `i`, the next, would usually be.
    fn usual(&self, design: &Design, i: usize) -> f64 {
        let season = design.seasons.len() - 1;
        match self.same_phase(design, season, i, i - 1) {
            Some(at) => self.level(i - 1) + self.profile(season, at),
            None => self.y(i - 1),
        }
    }

    fn push_level(&mut self, design: &Design, missing: bool) {
        let rows = design.window.min(self.y.0.len());
        let newest = &self.y.0[self.y.0.len() - rows..];
        let level = newest.iter().sum::<f64>() / rows as f64;
        if !missing {
            let keep = 0.5_f64.powf(1.0 / (SCALE_WINDOWS * design.window as f64));
            let deviation = (newest[rows - 1] - level).abs().min(self.far());
            let is_move = rows > 1 && newest[rows - 1] != newest[rows - 2];
            self.spread = [self.spread[0] * keep + deviation, self.spread[1] * keep + 1.0];
            if is_move {
                self.moves = [self.moves[0] * keep + deviation, self.moves[1] * keep + 1.0];
            }
        }
        let scale = TO_SIGMA * self.spread[0] / self.spread[1].max(1.0);
        self.level.0.push(level);
        self.scale.0.push(scale.max(SCALE_MIN * self.mean_absolute).max(f64::MIN_POSITIVE.sqrt()));
    }

    fn push_profiles(&mut self, design: &Design, i: usize) {
        let deviation = self.y(i) - self.level(i);
        let far = self.usual_move().map_or(f64::INFINITY, |usual| FAR_COURSE * usual);
        for season in 0..design.seasons.len() {
            let before = match i {
                0 => None,
                _ => self.same_phase(design, season, i, i - 1),
            };
            let gain = GAINS[usize::from(season + 1 < design.seasons.len())];
            let (usual, surprise) = match before {
                Some(at) => {
                    let was = self.profile(season, at);
                    let surprise = (deviation - was).clamp(-far, far);
                    (was + gain * surprise, surprise)
                }
                None => (deviation, 0.0),
            };
            let sums = &mut self.surprises[season].0;
            let sum = sums.last().copied().unwrap_or(0.0) + surprise;
            sums.push(sum);
            self.profiles[season].0.push(usual);
        }
    }

    fn trim(&mut self, rows: usize) {
        let single = [&mut self.y, &mut self.level, &mut self.scale];
        let many = [&mut self.profiles, &mut self.surprises, &mut self.exogenous, &mut self.known];
        single.into_iter().chain(many.into_iter().flatten()).for_each(|column| column.trim(rows));
        self.moments.drain(..rows);
        self.base += rows;
    }

    /// Smallest and largest kept value.
    pub(super) fn range(&self) -> [f64; 2] {
        let ends = |[low, high]: [f64; 2], y: &f64| [low.min(*y), high.max(*y)];
        self.y.0.iter().fold([f64::INFINITY, f64::NEG_INFINITY], ends)
    }

    pub(super) fn state_bytes(&self) -> usize {
        let columns = 3
            + self.profiles.len()
            + self.surprises.len()
            + self.exogenous.len()
            + self.known.len()
            + 1;
        size_of::<Self>() + 8 * columns * self.y.0.capacity()
    }
}
