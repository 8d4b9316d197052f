//! What one row has to teach: taken in at once, or held back while its series is at fault.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::judge::Judged;
use super::score::{Context, Scored};
use super::series::{Awaiting, Series};
use super::spec::StreamSpec;
use crate::model::{HeadKind, Learner, Role};
use crate::record::{EventTime, raw};

/// Windows that are rarer than this are not what others are compared with.
const TYPICAL: f64 = 0.05;

/// A judged row, as everything that says what calm is takes it in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Lesson {
    /// Start of the row.
    pub(super) start: EventTime,
    /// Of the row, one a channel.
    #[serde(with = "raw::f64s")]
    pub(super) values: Vec<f64>,
    /// The scaled window that ends with it; empty if none was scored.
    #[serde(with = "raw::f32s")]
    pub(super) window: Vec<f32>,
    /// Reconstruction of its newest row.
    #[serde(with = "raw::f32s")]
    pub(super) xhat: Vec<f32>,
    /// Of the window and of its newest row.
    pub(super) errors: [f64; 2],
    pub(super) p_value: f64,
    /// Rows of the series at its end.
    pub(super) rows: u64,
}

impl Lesson {
    pub(super) fn of(
        context: &Context<'_>,
        series: &Series,
        scored: Option<Scored<'_>>,
        judged: Judged,
    ) -> Self {
        let newest = |s: &Scored<'_>| s.xhat.len() - context.spec.channels.len();
        let xhat = |s: Scored<'_>| s.xhat.iter().skip(newest(&s)).copied().collect();
        Self {
            start: context.row.start,
            values: context.row.values.clone(),
            window: scored.map_or(Vec::new(), |scored| scored.x.to_vec()),
            xhat: scored.map_or(Vec::new(), xhat),
            errors: judged.errors,
            p_value: judged.p_value,
            rows: series.rows,
        }
    }

    /// Whether a window ends with the row.
    pub(super) fn has_window(&self) -> bool {
        !self.window.is_empty()
    }

    /// Takes the row into calibration, scaler and training; not into the detector of the series.
    pub(super) fn take_in(&self, spec: &StreamSpec, series: &mut Series, learner: &mut Learner) {
        if !self.has_window() {
            return series.scaler.learn(&self.values);
        }
        // Errors of an untrained network say nothing about the trained one.
        let settled = 2 * series.windows > u64::from(spec.model.warmup);
        if settled && series.detector.is_none() {
            series.tails.iter_mut().zip(self.errors).for_each(|(tail, e)| tail.learn(e));
        }
        let rare = series.detector.as_ref().map_or(TYPICAL, |detector| detector.rare(TYPICAL));
        let newest = &self.window[self.window.len() - self.xhat.len()..];
        series.residuals.learn(newest, &self.xhat);
        series.scaler.learn(&self.values);
        self.offer(spec, series, learner, settled && self.p_value > rare);
        learner.compare(ArrayView1::from(&self.window), self.errors[0].powi(2));
    }

    /// Gives the window to the learner; if a layer on top of the code is to say something about the
    /// next one, only when that is known. What is `typical` may be what others are compared with.
    fn offer(&self, spec: &StreamSpec, series: &mut Series, learner: &mut Learner, typical: bool) {
        let window = &self.window;
        let salt = series.key.bytes().fold(spec.seed, |salt, byte| {
            (salt ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let role = |rows: u64| match Role::of(rows, spec.window.length, salt) {
            Role::Examine if !typical => Role::Apart,
            role => role,
        };
        let Some(kind) = learner.head() else {
            return learner.offer(window.as_slice().into(), &[], role(self.rows));
        };
        let next = Awaiting { window: window.clone(), rows: self.rows };
        let before = series.awaiting.replace(next);
        let stride = spec.window.stride as u64;
        let Some(before) = before.filter(|before| before.rows + stride == self.rows) else {
            return;
        };
        let from = window.len() - spec.channels.len();
        let newest = window.iter().zip(&before.window).skip(from);
        let targets: Vec<f32> = newest
            .map(|(next, now)| match kind {
                HeadKind::Logistic if next.is_nan() || now.is_nan() => f32::NAN,
                HeadKind::Logistic => f32::from(u8::from(next > now)),
                HeadKind::Linear | HeadKind::None => *next,
            })
            .collect();
        learner.offer(before.window.as_slice().into(), &targets, role(before.rows));
    }
}
