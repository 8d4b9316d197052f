//! Forecasts of a replay until they have come true, and what became of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::StreamSpec;
use crate::grade::{Checked, ForecastFigures, LEVELS, Scale, Tally};
use crate::record::{
    EventTime, ForecastRecord, FoundSeasons, HorizonGroup, Outbox, SeriesKey, Step,
};

/// Longest seasons that are no part of the figures, unless the arguments say otherwise.
const BEFORE: usize = 4;
/// Longest season that may yet be found.
const FOUND_MAX: usize = 2_048;
/// Series with a picture, at most.
const DRAWN_MAX: usize = 6;
/// Forecasts in a picture.
const ORIGINS: usize = 7;
/// Most rows of a picture.
const ROWS_MAX: usize = 2_000;

/// Time, point and bounds by level.
pub(super) type Said = (EventTime, f64, [[f64; 2]; 2]);

/// Target, series, and figures by group of horizons and of all.
pub(super) type Graded<'a> = (&'a Arc<str>, &'a SeriesKey, [Option<ForecastFigures>; 4]);

/// Listens to the forecasts of a replay.
#[derive(Default)]
pub(in super::super) struct Ledger {
    /// By channel name and series.
    books: BTreeMap<(Arc<str>, SeriesKey), Book>,
    targets: Vec<(usize, Arc<str>)>,
    /// As configured; of a book those that were found, if none is configured.
    seasons: Vec<usize>,
    /// Seasons are to be found.
    open: bool,
    reach: usize,
    step_ms: i64,
    /// Rows of a series that are no part of the figures; `None`: [`BEFORE`] seasons.
    skip: Option<usize>,
    plots: bool,
}

/// One target of one series.
#[derive(Default)]
struct Book {
    /// Grid index of the first row, and rows so far.
    first: Option<i64>,
    /// The newest values, by grid row, the newest last; NaN where missing.
    values: VecDeque<f64>,
    /// Grid row after the newest.
    next: i64,
    /// By the row that is forecast.
    waiting: BTreeMap<i64, Vec<Waiting>>,
    tallies: [Tally; 3],
    scale: Scale,
    seasons: Vec<usize>,
    pub picture: Option<Picture>,
}

struct Waiting {
    group: HorizonGroup,
    yhat: f64,
    naive: Vec<f64>,
    bounds: [[f64; 2]; 2],
}

/// The newest rows and forecasts, for a plot.
#[derive(Default)]
pub(super) struct Picture {
    /// Time and value.
    pub truth: VecDeque<(EventTime, f64)>,
    /// Time, point and bounds by level, forecast by forecast.
    pub said: VecDeque<Vec<Said>>,
    /// Row of the newest forecast that is drawn.
    drawn: Option<i64>,
}

impl Ledger {
    pub fn new(skip: Option<usize>, plots: bool) -> Self {
        Self { skip, plots, ..Self::default() }
    }

    /// The next rows come from a log of this stream.
    pub fn begin(&mut self, spec: &StreamSpec) {
        let (Some(params), Step::Grid(step)) = (&spec.forecast, spec.rows.step) else { return };
        let named = |c: &usize| (*c, Arc::clone(&spec.channels[*c]));
        self.targets = params.targets.iter().map(named).collect();
        self.reach = params.horizons.last().map_or(0, |h| *h as usize);
        self.seasons = params.seasons.iter().map(|s| *s as usize).collect();
        self.open = self.seasons.is_empty();
        if self.open {
            // The last value is the naive forecast of what has no season.
            self.seasons.push(1);
        }
        self.step_ms = step.get();
    }

    /// What the engine has said: each row is followed by the forecasts that were made at it.
    pub fn take(&mut self, outbox: &Outbox) {
        outbox.facts.seasons_found.iter().for_each(|found| self.find(found));
        let mut forecasts = outbox.forecasts.iter().peekable();
        for row in &outbox.rows {
            for at in 0..self.targets.len() {
                let (channel, name) = self.targets[at].clone();
                let value = row.values.get(channel).copied().unwrap_or(f64::NAN);
                self.row((name, &row.entity), row.time, value);
            }
            let here = self.grid(row.time);
            let made_here = |record: &&ForecastRecord| {
                record.entity == row.entity && self.grid(record.issued_at) == here + 1
            };
            let mut made = Vec::new();
            while let Some(record) = forecasts.next_if(|record| made_here(record)) {
                made.push(record);
            }
            made.into_iter().for_each(|record| self.forecast(record));
        }
    }

    fn grid(&self, time: EventTime) -> i64 {
        time.as_millis().div_euclid(self.step_ms.max(1))
    }

    /// Seasons were found in a series: what was counted by others is no part of its figures.
    fn find(&mut self, found: &FoundSeasons) {
        let named = self.targets.iter().find(|(channel, _)| *channel == found.channel);
        let Some(name) = named.map(|(_, name)| Arc::clone(name)) else { return };
        let seasons: Vec<usize> = found.seasons.iter().map(|season| *season as usize).collect();
        let book = self.book(name, &found.entity);
        if !seasons.is_empty() && book.seasons != seasons {
            (book.seasons, book.scale) = (seasons, Scale::default());
            (book.tallies, book.waiting) = Default::default();
        }
    }

    fn book(&mut self, name: Arc<str>, entity: &SeriesKey) -> &mut Book {
        let plots = self.plots && self.books.len() < DRAWN_MAX;
        let Self { books, seasons, .. } = self;
        books.entry((name, Arc::clone(entity))).or_insert_with(|| Book {
            picture: plots.then(Picture::default),
            seasons: seasons.clone(),
            ..Book::default()
        })
    }

    fn row(&mut self, (name, entity): (Arc<str>, &SeriesKey), time: EventTime, value: f64) {
        let (at, reach) = (self.grid(time), self.reach);
        let least = if self.open { FOUND_MAX } else { 1 };
        let book = self.book(name, entity);
        let keep = book.longest().max(least) + reach + 1;
        if book.first.is_none() {
            (book.first, book.next) = (Some(at), at);
        }
        let gap = (at - book.next).clamp(0, keep as i64);
        book.values.extend((0..gap).map(|_| f64::NAN));
        book.values.push_back(value);
        book.next = at + 1;
        book.scale.add(value, book.value(at - book.seasons[0] as i64));
        if let Some(picture) = &mut book.picture {
            picture.truth.push_back((time, value));
            let rows = ((ORIGINS + 1) * reach.max(1)).min(ROWS_MAX);
            picture.truth.drain(..picture.truth.len().saturating_sub(rows));
        }
        while book.values.len() > keep {
            book.values.pop_front();
        }
        book.resolve(at, value);
    }

    fn forecast(&mut self, record: &ForecastRecord) {
        let Some((_, name)) = self.targets.iter().find(|(c, _)| *c == record.channel) else {
            return;
        };
        let Self { skip, reach, .. } = self;
        let key = (Arc::clone(name), Arc::clone(&record.entity));
        let Some(book) = self.books.get_mut(&key) else { return };
        let origin = record.issued_at.as_millis().div_euclid(record.step.get().max(1)) - 1;
        if let Some(picture) = &mut book.picture {
            picture.take(record, origin, *reach as i64);
        }
        let skip = skip.unwrap_or(BEFORE * book.longest()) as i64;
        if origin - book.first.unwrap_or(origin) < skip {
            return;
        }
        for point in &record.points {
            let horizon = i64::from(point.horizon);
            let naive = book.seasons.iter().map(|season| {
                let lag =
                    *season as i64 * (horizon - 1).div_euclid(*season as i64) + *season as i64;
                book.known(origin + horizon - lag, origin)
            });
            let waiting = Waiting {
                group: point.group,
                yhat: point.yhat,
                naive: naive.collect(),
                bounds: bounds(&point.intervals),
            };
            book.waiting.entry(origin + horizon).or_default().push(waiting);
        }
    }

    /// The figures of each target and series, by group and of all horizons.
    pub fn figures(&self) -> Vec<Graded<'_>> {
        let books = self.books.iter();
        books.map(|((name, entity), book)| (name, entity, book.figures())).collect()
    }

    /// What can be drawn.
    pub fn pictures(&self) -> impl Iterator<Item = (&Arc<str>, &SeriesKey, &Picture)> {
        self.books.iter().filter_map(|((name, entity), book)| {
            let picture = book.picture.as_ref().filter(|picture| !picture.said.is_empty())?;
            Some((name, entity, picture))
        })
    }
}

impl Book {
    fn figures(&self) -> [Option<ForecastFigures>; 4] {
        let mut all = Tally::default();
        self.tallies.iter().for_each(|tally| all.join(tally));
        let [near, season, beyond] = &self.tallies;
        [near, season, beyond, &all].map(|tally| tally.figures(&self.scale))
    }

    fn longest(&self) -> usize {
        self.seasons.last().copied().unwrap_or(1)
    }

    /// Value of a grid row; NaN if it is missing or not kept.
    fn value(&self, at: i64) -> f64 {
        let back = usize::try_from(self.next - 1 - at).unwrap_or(usize::MAX);
        let i = self.values.len().checked_sub(back.saturating_add(1));
        i.and_then(|i| self.values.get(i)).copied().unwrap_or(f64::NAN)
    }

    /// The same of what was known at a row.
    fn known(&self, at: i64, origin: i64) -> f64 {
        if at <= origin { self.value(at) } else { f64::NAN }
    }

    /// Row `at` has come true.
    fn resolve(&mut self, at: i64, y: f64) {
        let rest = self.waiting.split_off(&(at + 1));
        let due = std::mem::replace(&mut self.waiting, rest);
        for waiting in due.get(&at).into_iter().flatten() {
            let Waiting { group, yhat, naive, bounds } = waiting;
            let checked = Checked { group: *group, y, yhat: *yhat, naive, bounds: *bounds };
            self.tallies[*group as usize].add(&checked);
        }
    }
}

impl Picture {
    fn take(&mut self, record: &ForecastRecord, origin: i64, reach: i64) {
        if self.drawn.is_some_and(|drawn| origin < drawn + reach) {
            return;
        }
        self.drawn = Some(origin);
        let points = record.points.iter();
        let said = points.map(|p| (p.target_at, p.yhat, bounds(&p.intervals))).collect();
        self.said.push_back(said);
        self.said.drain(..self.said.len().saturating_sub(ORIGINS));
    }
}

/// Bounds by [`LEVELS`]; NaN for a level that is not there.
fn bounds(intervals: &[crate::record::Interval]) -> [[f64; 2]; 2] {
    LEVELS.map(|level| {
        let of_level = intervals.iter().find(|interval| interval.level == level);
        of_level.map_or([f64::NAN; 2], |interval| [interval.lower, interval.upper])
    })
}
