//! What a network makes of calm windows and of faulty copies of them.

use ndarray::{Array2, ArrayView2, s};
use rand::Rng;

use super::faults::Fault;
use crate::model::{Network, WindowShape, Workspace};
use crate::record::{FaultKind, Marks};

/// Share of calm windows above the bar of a network.
const ABOVE_BAR: f64 = 0.05;
/// Windows that get faults: they are spread over the hold-out.
const FAULTY: usize = 24;
/// Smallest bar of a window's error, and smallest usual residual, in scaled units. A network that
/// gives back whatever it is given must not pass for one that finds faults by their rounding.
const ERROR_MIN: f32 = 0.02;

/// Errors above it are alarms: root mean squared residual of the window, largest relative residual
/// of its newest row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Yardstick {
    bar: [f32; 2],
    /// Usual residual of each channel.
    scales: Vec<f32>,
}

impl Yardstick {
    /// Of the residuals of calm windows, `(n, d)`.
    fn new(residuals: &Array2<f32>, shape: WindowShape) -> Self {
        let newest = residuals.slice(s![.., shape.cells() - shape.channels..]);
        let scale = |column: ndarray::ArrayView1<'_, f32>| {
            let seen = column.iter().filter(|r| !r.is_nan());
            let (sum, n) = seen.fold((0.0, 0), |(sum, n), r| (sum + r.abs(), n + 1));
            (sum / n.max(1) as f32).max(ERROR_MIN)
        };
        let scales = newest.columns().into_iter().map(scale).collect();
        let mut yardstick = Self { bar: [0.0; 2], scales };
        let errors: Vec<[f32; 2]> =
            residuals.rows().into_iter().map(|row| yardstick.errors(row)).collect();
        for (which, bar) in yardstick.bar.iter_mut().enumerate() {
            let mut all: Vec<f32> = errors.iter().map(|e| e[which]).collect();
            all.sort_unstable_by(|a, b| b.total_cmp(a));
            let least = [ERROR_MIN, 1.0][which];
            *bar = all[((all.len() as f64 * ABOVE_BAR) as usize).min(all.len() - 1)].max(least);
        }
        yardstick
    }

    fn errors(&self, residuals: ndarray::ArrayView1<'_, f32>) -> [f32; 2] {
        let seen = residuals.iter().filter(|r| !r.is_nan());
        let (sum, n) = seen.fold((0.0, 0), |(sum, n), r| (sum + r * r, n + 1));
        let newest = residuals.iter().rev().zip(self.scales.iter().rev());
        let newest = newest.map(|(r, scale)| r.abs() / scale).fold(0.0, f32::max);
        [(sum / n.max(1) as f32).sqrt(), newest]
    }

    fn is_above(&self, residuals: ndarray::ArrayView1<'_, f32>) -> bool {
        self.errors(residuals).iter().zip(self.bar).any(|(error, bar)| *error > bar)
    }
}

/// Residuals of windows, `(n, d)`; NaN where nothing was observed.
fn residuals(
    network: &Network,
    windows: ArrayView2<'_, f32>,
    space: &mut Workspace,
) -> Array2<f32> {
    let mut out = Array2::zeros(windows.dim());
    space.in_parts(windows, |space, rows| {
        network.reconstruct(space, rows.len());
        let mut out = out.slice_mut(s![rows.clone(), ..]);
        out.assign(&space.reconstructions(rows.len()));
        out -= &space.windows(rows.len());
    });
    out
}

/// Marks of a network on calm windows `(n, d)`; false alarms by the yardstick of the network that was
/// there first, or by its own, which is returned.
pub(super) fn mark(
    network: &Network,
    holdout: &Array2<f32>,
    shape: WindowShape,
    first: Option<&Yardstick>,
    space: &mut Workspace,
    rng: &mut impl Rng,
) -> (Marks, Yardstick) {
    let calm = residuals(network, holdout.view(), space);
    let own = Yardstick::new(&calm, shape);
    let seen = calm.iter().filter(|r| !r.is_nan());
    let (sum, n) = seen.fold((0.0_f64, 0_u64), |(sum, n), r| (sum + f64::from(r * r), n + 1));
    let bar = first.unwrap_or(&own);
    let above = calm.rows().into_iter().filter(|row| bar.is_above(*row)).count();
    let mut marks = Marks {
        false_alarms: above as f64 / calm.nrows() as f64,
        loss: sum / n.max(1) as f64,
        recall: [0.0; 6],
        delay: [f64::NAN; 6],
    };
    for (i, kind) in FaultKind::ALL.into_iter().enumerate() {
        (marks.recall[i], marks.delay[i]) =
            recall(network, holdout, (shape, kind), &own, space, rng);
    }
    (marks, own)
}

/// Share of faults that are found, and the mean age at which they are.
fn recall(
    network: &Network,
    holdout: &Array2<f32>,
    (shape, kind): (WindowShape, FaultKind),
    bar: &Yardstick,
    space: &mut Workspace,
    rng: &mut impl Rng,
) -> (f64, f64) {
    let n = holdout.nrows();
    let faulty = FAULTY.min(n);
    let ages = ages(kind, shape.rows);
    let mut windows = Array2::zeros((faulty * ages.len(), shape.cells()));
    for i in 0..faulty {
        let at = i * n / faulty;
        let pair = (holdout.row(at), holdout.row((at + n / 2) % n));
        let sign = if rng.gen_bool(0.5) { 1.0 } else { -1.0 };
        let fault = Fault { kind, channel: rng.gen_range(0..shape.channels), sign };
        for (j, age) in ages.iter().enumerate() {
            fault.inject(pair, shape, *age, rng, windows.row_mut(i * ages.len() + j));
        }
    }
    let residuals = residuals(network, windows.view(), space);
    let (mut found, mut delay) = (0, 0);
    for rows in residuals.axis_chunks_iter(ndarray::Axis(0), ages.len()) {
        let mut by_age = rows.rows().into_iter().zip(&ages);
        if let Some((_, age)) = by_age.find(|(row, _)| bar.is_above(*row)) {
            (found, delay) = (found + 1, delay + age);
        }
    }
    let delay = if found > 0 { delay as f64 / f64::from(found) } else { f64::NAN };
    (f64::from(found) / faulty as f64, delay)
}

/// Ages of a fault at which it is looked at, in rows since its onset.
fn ages(kind: FaultKind, rows: usize) -> Vec<usize> {
    if kind == FaultKind::Spike {
        return vec![1];
    }
    let mut ages = vec![1.max(rows / 4), 1.max(rows / 2), rows];
    ages.dedup();
    ages
}
