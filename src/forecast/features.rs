//! What the models see of an origin, in units of its own level and scale.

use super::design::Design;
use super::history::History;

/// Every value a model sees lies within so many scales of the level.
pub(super) const CLIP: f64 = 6.0;
/// Harmonics of the day.
const HARMONICS: usize = 3;

/// One origin: row `t` is the newest one known.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub design: &'a Design,
    pub history: &'a History,
    pub t: usize,
}

impl View<'_> {
    /// `nz(q) = clip((q - level) / scale, -6, 6)`.
    pub(super) fn standardise(&self, q: f64) -> f64 {
        let (level, scale) = (self.history.level(self.t), self.history.scale(self.t));
        ((q - level) / scale).clamp(-CLIP, CLIP)
    }

    /// Back to the unit of the target.
    pub(super) fn restore(&self, x: f64) -> f64 {
        x * self.history.scale(self.t) + self.history.level(self.t)
    }

    /// Standardised value `back` rows ago; that of the oldest row if there are fewer.
    fn back(&self, back: usize) -> f64 {
        let i = self.t.saturating_sub(back).max(self.history.first());
        self.standardise(self.history.y(i))
    }

    /// Means of consecutive rows, the newest last: `(bins,)`.
    fn bins(&self, bins: usize, rows_of_bin: usize, mut put: impl FnMut(f64)) {
        for bin in (0..bins).rev() {
            let sum: f64 = (0..rows_of_bin).map(|k| self.back(bin * rows_of_bin + k)).sum();
            put(sum / rows_of_bin as f64);
        }
    }

    /// Intercept, newest values, deviations from the seasons, other channels: `few` features.
    pub(super) fn few(&self, out: &mut Vec<f64>) {
        let Self { design, history, t } = *self;
        let m = design.pace;
        let newest = self.back(0);
        out.extend([1.0, newest, self.back(1), self.back(2)]);
        let rows = m.min(design.window);
        out.push((0..rows).map(|k| self.back(k)).sum::<f64>() / rows as f64);
        out.push(newest - self.back((m + 1).min(design.window) - 1));
        out.push(newest - self.back(design.window - 1));
        let scale = history.scale(t);
        for season in (0..design.seasons.len()).rev() {
            for rows in [1, 3, (m / 4).max(4), m] {
                let mean = history.surprise(season, t, rows) / scale;
                out.push(mean.clamp(-CLIP, CLIP));
            }
        }
        for channel in 0..design.exogenous {
            let back =
                |k: usize| history.exogenous(channel, t.saturating_sub(k).max(history.first()));
            out.push(back(0));
            out.push((0..m).map(back).sum::<f64>() / m as f64);
        }
    }

    /// Time of day of the origin, weekday of the next row: `clock` features.
    pub(super) fn clock(&self, mut put: impl FnMut(f64)) {
        let Self { design, history, t } = *self;
        let short = design.short();
        let phase = match design.day_rows {
            day if day == short => history.moment(t).day_fraction(),
            _ => (t % short) as f64 / short as f64,
        };
        for k in 1..=HARMONICS {
            let (sin, cos) = (std::f64::consts::TAU * k as f64 * phase).sin_cos();
            put(sin);
            put(cos);
        }
        let next = history.moment(t + 1);
        (0..7).for_each(|day| put(f64::from(u8::from(next.weekday == day))));
        if design.holidays {
            put(f64::from(u8::from(next.holiday)));
        }
    }

    /// The newest season, `day` values.
    pub(super) fn day(&self, out: &mut Vec<f64>) {
        self.bins(self.design.day(), self.design.day_bin, |x| out.push(x));
    }

    /// The whole window, `lags` values.
    pub(super) fn lags(&self, put: impl FnMut(f64)) {
        self.bins(self.design.lags(), self.design.lag_bin, put);
    }

    /// What is known of each horizon: seasons before, usual course, day off, announced values as they are and
    /// from their mean over the window; `(horizons, future)`, horizon by horizon.
    pub(super) fn future(&self, out: &mut Vec<f64>) {
        let Self { design, history, t } = *self;
        let (scale, last) = (history.scale(t), design.seasons.len() - 1);
        // Values are told from the level of the window, so what is announced is, too.
        let first = (t + 1).saturating_sub(design.window).max(history.first());
        let mean = |channel: usize| {
            (first..=t).map(|i| history.known(channel, i)).sum::<f64>() / (t + 1 - first) as f64
        };
        let usual: Vec<f64> = (0..design.known).map(mean).collect();
        for h in &design.horizons {
            let j = t + h;
            let before =
                |season: usize, newest: usize| history.same_phase(design, season, j, newest);
            for season in (0..=last).rev() {
                let at = before(season, t);
                out.push(at.map_or(0.0, |i| self.standardise(history.y(i))));
                let usual = at.map_or(0.0, |i| history.profile(season, i) / scale);
                out.push(usual.clamp(-CLIP, CLIP));
            }
            let older = t.checked_sub(design.long()).and_then(|newest| before(last, newest));
            let older = older.or_else(|| before(last, t));
            out.push(older.map_or(0.0, |i| self.standardise(history.y(i))));
            let moment = history.moment(j);
            out.push(f64::from(u8::from(moment.is_day_off())));
            if design.holidays {
                out.push(f64::from(u8::from(moment.holiday)));
            }
            for (channel, usual) in usual.iter().enumerate() {
                let known = history.known(channel, j);
                out.extend([known, known - usual]);
            }
        }
    }

    /// What comes true, `(horizons,)`; every row up to the farthest horizon must be known.
    pub(super) fn targets(&self, out: &mut Vec<f64>) {
        let values = self.design.horizons.iter().map(|h| self.history.y(self.t + h));
        out.extend(values.map(|y| self.standardise(y)));
    }

    /// Share of the targets that were observed.
    pub(super) fn observed_targets(&self) -> f64 {
        let horizons = &self.design.horizons;
        let seen = horizons.iter().filter(|h| !self.history.moment(self.t + **h).missing).count();
        seen as f64 / horizons.len().max(1) as f64
    }
}
