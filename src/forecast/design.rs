//! The sizes that follow from seasons and horizons: how much past is looked at, and how finely.

use serde::{Deserialize, Serialize};

use super::ForecastParams;

/// Most values of a window that the lag expert and the network see; longer windows are averaged.
const LAGS_MAX: usize = 336;
/// Most values of the newest season that the skip expert sees.
const DAY_MAX: usize = 48;
/// Most slots of a season that have an error scale of their own.
const SLOTS_MAX: usize = 48;
/// Rows of a window of a series without seasons.
const PLAIN_WINDOW: usize = 48;
/// Rows from one refresh to the next where there is no season.
const PLAIN_PACE: usize = 24;
/// Rows that stand for a long gap: at most so many, more only if three seasons are longer.
const GAP_MAX: u64 = 65_536;
/// Shorter seasons are no pace.
const PACE_MIN: usize = 4;

/// The sizes of a forecaster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Design {
    /// Season lengths in rows, ascending; `[1]` if there is none.
    pub seasons: Vec<usize>,
    /// Rows ahead, ascending.
    pub horizons: Vec<usize>,
    /// Rows of the window, and of the mean that is the level.
    pub window: usize,
    /// Rows that are averaged to one value of the window.
    pub lag_bin: usize,
    /// The same for the newest season.
    pub day_bin: usize,
    /// Rows from one refresh to the next.
    pub pace: usize,
    /// Rows kept.
    pub keep: usize,
    /// Most training windows.
    pub memory: usize,
    /// Channels whose past is an input.
    pub exogenous: usize,
    /// Channels whose future is known.
    pub known: usize,
    /// Whether there are holidays.
    pub holidays: bool,
    /// Rows of a day; 0 if days are no whole number of rows.
    pub day_rows: usize,
}

impl Design {
    pub(super) fn new(params: &ForecastParams, seasons: &[u32]) -> Self {
        let mut seasons: Vec<usize> = seasons.iter().map(|s| *s as usize).collect();
        if seasons.is_empty() {
            seasons.push(1);
        }
        let horizons: Vec<usize> = params.horizons.iter().map(|h| *h as usize).collect();
        let (short, long) = (seasons[0], seasons[seasons.len() - 1]);
        let window = if long == 1 { PLAIN_WINDOW } else { long.max(2 * short) };
        let reach = horizons.last().copied().unwrap_or(1);
        let memory = params.memory.max(2 * window);
        Self {
            lag_bin: window.div_ceil(LAGS_MAX),
            day_bin: short.div_ceil(DAY_MAX),
            pace: match short {
                PACE_MIN.. => short,
                _ => PLAIN_PACE,
            },
            keep: memory + window + 2 * long + reach + 2,
            memory,
            exogenous: params.exogenous.len(),
            known: params.known.len(),
            holidays: params.calendar.has_holidays(),
            day_rows: params.calendar.day_rows().unwrap_or(0),
            seasons,
            horizons,
            window,
        }
    }

    /// Shortest season.
    pub(super) fn short(&self) -> usize {
        self.seasons[0]
    }

    /// Longest season.
    pub(super) fn long(&self) -> usize {
        self.seasons[self.seasons.len() - 1]
    }

    /// Whether a season is a whole number of days, so that it follows local time.
    pub(super) fn is_civil(&self, season: usize) -> bool {
        self.day_rows > 0 && season.is_multiple_of(self.day_rows)
    }

    /// Whether a season is a whole number of weeks.
    pub(super) fn is_weekly(&self, season: usize) -> bool {
        self.is_civil(season) && season.is_multiple_of(7 * self.day_rows)
    }

    /// Whether there is any season.
    pub(super) fn is_seasonal(&self) -> bool {
        self.long() > 1
    }

    /// Farthest horizon in rows.
    pub(super) fn reach(&self) -> usize {
        self.horizons.last().copied().unwrap_or(1)
    }

    /// Rows to take instead of a gap of `rows`: a few seasons, at the same phase of all of them.
    pub(super) fn cut(&self, rows: u64) -> u64 {
        let (long, most) = (self.long() as u64, 3 * self.long().max(64) as u64);
        if rows <= most {
            return rows;
        }
        let least = most - most % long + rows % long;
        // The longest season fits all of these; where the others never do, they are off by least.
        let off = |n: &u64| -> f64 {
            let seasons = self.seasons.iter().map(|season| *season as u64);
            let off = |season: u64| ((rows - n) % season).min(season - (rows - n) % season);
            seasons.map(|season| off(season) as f64 / season as f64).sum()
        };
        let cuts =
            (0..).map(|k| least + k * long).take_while(|n| *n <= rows.min(GAP_MAX.max(least)));
        cuts.min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(rows)
    }

    /// First row from which on every feature has its past.
    pub(super) fn first_origin(&self) -> usize {
        self.window.max(self.long())
    }

    /// Values of the window.
    pub(super) fn lags(&self) -> usize {
        self.window / self.lag_bin
    }

    /// Values of the newest season.
    pub(super) fn day(&self) -> usize {
        (self.short() / self.day_bin).min(self.lags())
    }

    /// Intercept, newest values, deviations from the seasons, channels beside the target.
    pub(super) fn few(&self) -> usize {
        7 + 4 * self.seasons.len() + 2 * self.exogenous
    }

    /// Calendar features of an origin.
    pub(super) fn clock(&self) -> usize {
        13 + usize::from(self.holidays)
    }

    /// Features that each horizon has for itself.
    pub(super) fn future(&self) -> usize {
        2 * self.seasons.len() + 2 + usize::from(self.holidays) + 2 * self.known
    }

    /// Inputs of the network.
    pub(super) fn inputs(&self) -> usize {
        self.lags() + self.clock()
    }

    /// Slots of the shortest season with error scales of their own.
    pub(super) fn slots(&self) -> usize {
        self.short().min(SLOTS_MAX)
    }
}
