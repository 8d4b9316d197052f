//! The short net: what the last 32 records and the clock say about the newest one.

use serde::{Deserialize, Serialize};

use super::clock::CONTEXT;
use super::masked::{self, BATCH, Masked, MaskedSpec};
use super::normal::Normal;
use super::spans::Spans;
use super::track::Track;
use crate::model::MlpSpace;

/// Records a window.
pub(super) const WINDOW: usize = 32;
/// Past windows that training draws from.
const REPLAY: usize = 2_000;

pub(super) const SPEC: MaskedSpec = MaskedSpec {
    window: WINDOW,
    context: CONTEXT,
    hidden: [24, 8],
    depths: &[1, 4, 32],
    spread: false,
    average: Some(500.0),
};

/// Newest records hidden: one step, and blind.
const DEPTHS: [usize; 2] = [1, WINDOW];

/// What a record should have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// By the records before it.
    pub(super) one_step: f64,
    /// By clock and past days alone.
    pub(super) blind: f64,
}

/// A masked autoencoder over the last 32 records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ShortNet {
    net: Masked,
    /// Context of the newest records, side by side.
    contexts: Track,
}

impl ShortNet {
    pub(super) fn new(seed: u64) -> Self {
        Self { net: Masked::new(&SPEC, seed), contexts: Track::new(CONTEXT * (REPLAY + 1)) }
    }

    pub(super) fn space(&self) -> MlpSpace {
        self.net.space()
    }

    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let fits = self.contexts.fits(&fresh.contexts);
        fits.then_some(Self { net: self.net.adopt(&fresh.net)?, contexts: self.contexts })
    }

    /// Expectations of the newest record of `x` in the unit of the channel, by the newest network and by
    /// the averaged one; `None` while the window is not full.
    pub(super) fn tell(
        &mut self,
        space: &mut MlpSpace,
        x: &Track,
        context: [f32; CONTEXT],
        normal: &Normal,
    ) -> Option<[Told; 2]> {
        context.iter().for_each(|value| self.contexts.push(*value));
        if x.len() < WINDOW {
            return None;
        }
        let told = |space: &MlpSpace| {
            let last = |row: usize| {
                normal.unscale(f64::from(space.output(DEPTHS.len())[(row, WINDOW - 1)]))
            };
            Told { one_step: last(0), blind: last(1) }
        };
        masked::show(&SPEC, space, x.newest(WINDOW), &context, &DEPTHS);
        self.net.tell_averaged(space, DEPTHS.len());
        let averaged = told(space);
        // Latent features are those of the last to tell.
        self.net.tell(space, DEPTHS.len());
        Some([told(space), averaged])
    }

    /// Latent features of the newest window as it was last told with its newest record hidden.
    pub(super) fn latent(space: &MlpSpace, to: &mut Vec<f32>) {
        Masked::latent(space, 0, to);
    }

    /// A training step on the newest window and on others of the last 2,000.
    pub(super) fn train(&mut self, space: &mut MlpSpace, x: &Track, quarantined: &Spans) {
        let kept = x.newest(REPLAY + WINDOW);
        if kept.len() < WINDOW {
            return;
        }
        let ends = kept.len() - WINDOW + 1;
        let first = x.total() - kept.len() as u64;
        let mut windows = [0.0_f32; BATCH * WINDOW];
        let mut at = [0_usize; BATCH];
        for (i, window) in windows.chunks_exact_mut(WINDOW).enumerate() {
            let start = if i == 0 { ends - 1 } else { self.net.draw(ends) };
            at[i] = ends - 1 - start;
            window.copy_from_slice(&kept[start..start + WINDOW]);
            quarantined.hide(first + start as u64, window);
        }
        let contexts = self.contexts.kept();
        let context = |back: usize| {
            let end = contexts.len() - CONTEXT * back;
            &contexts[end - CONTEXT..end]
        };
        let samples: Vec<(&[f32], &[f32])> =
            windows.chunks_exact(WINDOW).zip(at).map(|(w, back)| (w, context(back))).collect();
        self.net.train(&SPEC, space, &samples);
    }
}
