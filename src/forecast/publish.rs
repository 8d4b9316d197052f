//! What is published of a forecast: the mix or a naive one, and bounds around it.

use super::origin::Origin;
use super::skill::group_of;
use super::target::Target;
use super::{ForecastParams, NonNegative};
use crate::record::ForecastSource;

/// Intervals of a series that has not been checked yet are so many scales wide.
const WIDE: f64 = 2.0;
/// Residuals of so many seasons before their size is believed alone.
const TRUSTED: f64 = 2.0;
/// A mix is called after the hurdle if it has this share of it.
const HURDLE_MIN: f64 = 0.05;

impl Target {
    /// Mixes horizon index `k`, decides what is published, and puts bounds around it.
    pub(super) fn publish(
        &self,
        params: &ForecastParams,
        (t, k): (usize, usize),
        by: &[f64],
        origin: &mut Origin,
    ) {
        let horizons = self.design.horizons.len();
        let (mut mixed, mut total) = (0.0, 0.0);
        for (weights, said) in by.chunks_exact(horizons).zip(origin.said.chunks_exact(horizons)) {
            if weights[k] > 0.0 {
                mixed += weights[k] * said[k];
                total += weights[k];
            }
        }
        // The last seat is that of the hurdle.
        let hurdle = by[by.len() - horizons + k] >= HURDLE_MIN;
        let group = group_of(&self.design, self.design.horizons[k]) as usize;
        let contest = &self.contests[group];
        origin.mixed[k] = if total > 0.0 { mixed } else { origin.naive(0, k, horizons) };
        let season = contest.best_season();
        (origin.point[k], _) = match (total > 0.0 && contest.publishes_mix(), hurdle) {
            (true, true) => (origin.mixed[k], origin.sources.push(ForecastSource::Hurdle)),
            (true, false) => (origin.mixed[k], origin.sources.push(ForecastSource::Mix)),
            (false, _) => {
                let naive = origin.said[season * horizons + k];
                let seasonal = self.design.is_seasonal() && !naive.is_nan();
                let source = match seasonal {
                    true => ForecastSource::SeasonalNaive,
                    false => ForecastSource::LastValue,
                };
                (origin.naive(season, k, horizons), origin.sources.push(source))
            }
        };
        self.put_bounds(params, (t, k), origin);
    }

    fn put_bounds(&self, params: &ForecastParams, (t, k): (usize, usize), origin: &mut Origin) {
        let slot = self.slot(t + self.design.horizons[k]);
        let scale = self.scale(t, k, slot);
        let offsets = self.bands.offsets(k);
        // The mean of rare demand may lie outside of an interval; other points do not.
        let (point, middle) = (origin.point[k], offsets.len() / 2);
        let inside = origin.sources[k] != ForecastSource::Hurdle;
        origin.bounds.extend(offsets.iter().enumerate().map(|(i, q)| {
            let bound = self.floor(params, point + q * scale);
            match i < middle {
                _ if !inside => bound,
                true => bound.min(point),
                false => bound.max(point),
            }
        }));
    }

    /// Usual size of the residual; wide while few were seen.
    fn scale(&self, t: usize, k: usize, slot: usize) -> f64 {
        let young = WIDE * self.history.scale(t).max(self.history.young_scale());
        let need = TRUSTED * self.design.pace as f64;
        let trust = (self.bands.checked(k) / need).min(1.0);
        match self.bands.scale(k, slot) {
            Some(scale) if trust >= 1.0 => scale,
            Some(scale) => scale.max((1.0 - trust) * young),
            None => young,
        }
    }

    /// Counts never go below zero. Keeps NaN.
    pub(super) fn floor(&self, params: &ForecastParams, value: f64) -> f64 {
        let at_zero = match params.non_negative {
            NonNegative::Always => true,
            NonNegative::Never => false,
            NonNegative::Auto => self.history.is_count(),
        };
        if at_zero && value < 0.0 { 0.0 } else { value }
    }
}
