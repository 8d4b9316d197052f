//! What was said of a row, held against the row.

use super::ForecastParams;
use super::skill::group_of;
use super::target::Target;

impl Target {
    /// Scores what was said for this row.
    pub(super) fn check(&mut self, params: &ForecastParams, y: f64) {
        let (design, link) = (&self.design, params.link);
        let horizons = design.horizons.len();
        let slot = self.slot(self.history.rows());
        self.mix.fade();
        let (far, most) = (self.history.far(), self.history.far_in_units(link));
        // The mean is wanted of intermittent demand; absolute errors would ask for the median, zero.
        let cost = |said: f64, square: bool| {
            let error = (link.invert(y) - link.invert(said)).abs();
            // Not `min`: it would make a number of NaN, for what was not said.
            let error = if error > most { most } else { error };
            if square { error * error } else { error }
        };
        let square = self.hurdle.active;
        for (k, h) in design.horizons.iter().enumerate() {
            let Some(origin) = self.origins.len().checked_sub(*h).and_then(|i| self.origins.get(i))
            else {
                continue;
            };
            if origin.is_silent() {
                continue;
            }
            for (expert, said) in origin.said.chunks_exact(horizons).enumerate() {
                self.mix.learn(expert, k, cost(said[k], square));
            }
            let seasons = design.seasons.len();
            let mut errors = vec![cost(origin.mixed[k], square), cost(origin.last, square)];
            errors.extend((0..seasons).map(|s| cost(origin.naive(s, k, horizons), square)));
            let group = group_of(design, *h) as usize;
            self.contests[group].learn(&errors);
            let taus = self.bands.taus();
            let bounds = &origin.bounds[k * taus..(k + 1) * taus];
            self.bands.learn((k, *h, slot), (y, origin.point[k], bounds), (link, far));
        }
    }
}
