//! Faults whose truth is known, put into copies of calm windows.

use ndarray::{ArrayView1, ArrayViewMut1};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::model::WindowShape;
use crate::record::FaultKind;

/// Size of the faults in scaled units: somewhat more than a standard deviation of the channel.
const SIZE: f32 = 1.5;

/// One fault: kind, channel, direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub kind: FaultKind,
    pub channel: usize,
    /// 1 or -1.
    pub sign: f32,
}

impl Fault {
    /// Writes `window` into `out` as it looks `age` rows after the onset. `other` is a calm window
    /// of another time. Missing cells stay missing.
    pub fn inject(
        self,
        (window, other): (ArrayView1<'_, f32>, ArrayView1<'_, f32>),
        shape: WindowShape,
        age: usize,
        rng: &mut impl Rng,
        mut out: ArrayViewMut1<'_, f32>,
    ) {
        out.assign(&window);
        let onset = shape.rows - age.min(shape.rows);
        let cell = |row: usize| row * shape.channels + self.channel;
        let held = window[cell(onset.saturating_sub(1))];
        for row in onset..shape.rows {
            let at = cell(row);
            let since = (row + 1 - onset) as f32;
            out[at] = match self.kind {
                FaultKind::Spike if row + 1 < shape.rows => out[at],
                FaultKind::Spike | FaultKind::Offset => out[at] + self.sign * SIZE,
                FaultKind::Drift => out[at] + self.sign * 2.0 * SIZE * since / shape.rows as f32,
                FaultKind::Stuck if held.is_nan() || out[at].is_nan() => out[at],
                FaultKind::Stuck => held,
                FaultKind::Noise => {
                    let draw: f32 = StandardNormal.sample(rng);
                    out[at] + SIZE * draw
                }
                FaultKind::Decorrelated if other[at].is_nan() || out[at].is_nan() => out[at],
                FaultKind::Decorrelated => other[at],
            };
        }
    }
}
