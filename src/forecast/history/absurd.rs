//! What no reading can be: it must not be felt for months.

use super::{History, MOVES_MIN, TO_SIGMA};
use crate::forecast::Link;
use crate::forecast::design::Design;

/// A value farther than so many usual deviations from the level is no measure of the level, the scale or
/// of anybody's error.
const FAR: f64 = 30.0;
/// Nor is one within so many mean absolute values: a series may stop, or double.
const FAR_SIZES: f64 = 1.5;

impl History {
    /// Usual deviation of rows in which anything happens; `None` until it is known.
    pub(super) fn usual_move(&self) -> Option<f64> {
        let scale = self.scale.0.last().filter(|_| self.moves[1] >= MOVES_MIN)?;
        Some(scale.max(TO_SIGMA * self.moves[0] / self.moves[1]))
    }

    /// Farthest that a deviation counts; infinite until what is usual is known.
    pub(in crate::forecast) fn far(&self) -> f64 {
        self.usual_move().map_or(f64::INFINITY, |usual| FAR * usual)
    }

    /// The same in the unit of the channel: the models live on the scale of `link`.
    pub(in crate::forecast) fn far_in_units(&self, link: Link) -> f64 {
        match (self.usual_move(), self.level.0.last()) {
            (Some(usual), Some(level)) => FAR * (link.invert(level + usual) - link.invert(*level)),
            _ => f64::INFINITY,
        }
    }

    /// `y`, or the nearest value to it that is not absurd: one reading must not be felt for months.
    /// What was a new level after all is reached in a season or two, since the limits grow with it.
    pub(in crate::forecast) fn believable(&self, y: f64) -> f64 {
        let limit = self.far().max(FAR_SIZES * self.mean_absolute);
        match self.level.0.last().filter(|_| limit.is_finite()) {
            Some(level) => y.clamp(level - limit, level + limit),
            None => y,
        }
    }

    /// Once it is known what is usual: takes what came before it anew, what is absurd among it as a usual
    /// value. Whether there was any.
    pub(in crate::forecast) fn settle(&mut self, design: &Design) -> bool {
        if self.settled || self.moves[1] < MOVES_MIN {
            return false;
        }
        self.settled = true;
        let middle = median(self.y.0.clone());
        let moves = self.y.0.iter().map(|y| (y - middle).abs()).filter(|move_| *move_ > 0.0);
        let far = FAR * TO_SIGMA * median(moves.collect());
        let [low, high] = self.range();
        if self.base > 0 || (middle - far <= low && high <= middle + far) {
            return false;
        }
        let old = std::mem::replace(self, Self::new(design));
        (self.moments, self.known, self.settled) = (old.moments, old.known, true);
        for (i, y) in old.y.0.iter().enumerate() {
            let exogenous: Vec<f64> = old.exogenous.iter().map(|column| column.0[i]).collect();
            let y = if (y - middle).abs() > far { middle } else { *y };
            let y = if self.moment(i).missing { f64::NAN } else { y };
            self.push(design, y, &exogenous);
        }
        true
    }
}

/// Of values that are numbers; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
