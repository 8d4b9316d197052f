//! From heights and rarities to the two numbers of a record: one ranks, the other raises.
//!
//! They differ by measurement: block maxima rank best and raise badly, sums of rarities raise well
//! and rank badly.

use super::calibration::HEIGHT_WORTH;
use super::{errors, shape};

/// What each height counts for in the surprise.
#[derive(Debug, Clone, Copy)]
struct Weights {
    cycle: f64,
    discord: f64,
    mean_4: f64,
    mean_16: f64,
    one_step: f64,
    step: f64,
}

/// Signals without hours: shapes tell.
const SIGNAL: Weights =
    Weights { cycle: 1.0, discord: 6.0, mean_4: 0.25, mean_16: 0.25, one_step: 0.0, step: 0.0 };
/// Metrics with days and weeks: single records tell.
const METRIC: Weights =
    Weights { cycle: 1.0, discord: 0.0, mean_4: 1.0, mean_16: 0.5, one_step: 1.5, step: 1.5 };
/// Of the period net, where the period is a day or a week: the short net knows it already.
const CYCLE_KNOWN: f64 = 0.25;
/// Heights from which shape and point raise too, and how much at most.
const SHAPE_FROM: f64 = 0.7;
const POINT_FROM: f64 = 0.8;
const BONUS_MAX: f64 = 2.0;
/// Sum of rarities that is an evidence of [`UNIT`].
const SUM_ONE: f64 = 5.2;
/// `-log10` of the share of calm records that reach [`SUM_ONE`].
const UNIT: f64 = 2.8;

/// Surprise and evidence, from the sum of rarities and the heights that rank and that raise.
pub(super) fn fuse(
    sum: f64,
    point: [errors::Heights; 2],
    shape: [shape::Heights; 2],
    clock: bool,
    known: bool,
) -> (f64, f64) {
    let [ranks, raises] = [0, 1].map(|i| join(point[i], shape[i], clock, known));
    let bonus = |height: f64, from: f64| (height - from).clamp(0.0, BONUS_MAX);
    let sum = sum + bonus(shape[1].cycle, SHAPE_FROM) + bonus(raises.points, POINT_FROM);
    (ranks.all, of_rarities(sum).max(HEIGHT_WORTH * raises.all))
}

/// Evidence of a sum of rarities alone.
pub(super) fn of_rarities(sum: f64) -> f64 {
    UNIT * sum / SUM_ONE
}

/// Heights as one.
#[derive(Debug, Clone, Copy)]
struct Joined {
    points: f64,
    all: f64,
}

fn join(point: errors::Heights, shape: shape::Heights, clock: bool, known: bool) -> Joined {
    let w = if clock { METRIC } else { SIGNAL };
    let cycle = if clock && known { CYCLE_KNOWN } else { w.cycle };
    let square = w.mean_4 * point.mean_4.powi(2)
        + w.mean_16 * point.mean_16.powi(2)
        + w.one_step * point.one_step.powi(2)
        + w.step * point.step.powi(2);
    let weight = w.mean_4 + w.mean_16 + w.one_step + w.step;
    let all = square + cycle * shape.cycle.powi(2) + w.discord * shape.discord.powi(2);
    let all = (all / (weight + cycle + w.discord)).sqrt();
    Joined { points: (square / weight).sqrt(), all }
}
