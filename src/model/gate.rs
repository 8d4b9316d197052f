//! The gate between training and scoring: who is examined when, and what follows.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::exam::{Anchors, Exam, Sat, Verdict};
use super::train::{Reservoir, Trainee};
use super::{Examined, GateParams, Network, WindowShape, Workspace};

/// One learnable window in this many is kept from training.
const KEEP_EVERY: u64 = 8;
/// Windows without which nothing is examined.
const HOLDOUT_MIN: usize = 24;
/// Rejections in a row after which the challenger starts again from the champion.
const REJECTIONS_MAX: u32 = 4;

/// The hold-out, the latent space, and the champion's predecessor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Gate {
    #[serde(skip)]
    params: GateParams,
    holdout: Reservoir,
    /// Windows offered so far.
    offered: u64,
    /// Training steps since the last examination.
    since_exam: u64,
    /// The present latent space; `None` until the gate closes.
    anchors: Option<Arc<Anchors>>,
    /// Counts latent spaces.
    spaces: u32,
    predecessor: Option<Predecessor>,
    rejections: u32,
}

/// The champion before this one, while that is watched.
#[derive(Debug, Serialize, Deserialize)]
struct Predecessor {
    network: Network,
    version: u64,
    exams_left: u32,
    /// Its latent space, if its successor began another.
    anchors: Option<Arc<Anchors>>,
}

impl Gate {
    /// For windows of `width` numbers, targets included.
    pub fn new(params: &GateParams, width: usize) -> Self {
        Self {
            params: params.clone(),
            holdout: Reservoir::new(params.holdout, width),
            offered: 0,
            since_exam: 0,
            anchors: None,
            spaces: 0,
            predecessor: None,
            rejections: 0,
        }
    }

    /// This gate under the settings of `fresh`; `None` if it is of windows of other than `cells`
    /// cells, or of networks unlike `network`.
    pub fn adopt(self, fresh: Self, network: &Network, cells: usize) -> Option<Self> {
        let fit = |anchors: &Option<Arc<Anchors>>| {
            anchors.as_ref().is_none_or(|anchors| anchors.fit(cells, network.latent()))
        };
        let alike = |p: &Predecessor| p.network.is_like(network) && fit(&p.anchors);
        let sound = self.predecessor.as_ref().is_none_or(alike) && fit(&self.anchors);
        let holdout = self.holdout.adopt(&fresh.holdout)?;
        sound.then_some(Self { holdout, params: fresh.params, ..self })
    }

    /// Counts an offered window and says whether it is one to keep from training.
    pub fn keeps_next(&mut self) -> bool {
        self.offered += 1;
        self.params.every > 0 && self.offered.is_multiple_of(KEEP_EVERY)
    }

    /// Keeps a window, and what follows it, from training.
    pub fn keep(&mut self, window: ArrayView1<'_, f32>, targets: &[f32], rng: &mut impl Rng) {
        let kept: Vec<f32> = window.iter().chain(targets).copied().collect();
        self.holdout.insert(&kept, rng);
    }

    /// What was calm is so no more: begins again with an empty hold-out and, once that is filled, a
    /// new latent space. Until then refreshes take effect unseen.
    pub fn reopen(&mut self) {
        self.holdout.clear();
        self.anchors = None;
        self.predecessor = None;
        self.rejections = 0;
    }

    /// Makes the next examination due at once.
    pub fn hurry(&mut self) {
        self.since_exam = u64::from(self.params.every);
    }

    /// Whether weights reach the scoring only through an examination.
    pub fn is_closed(&self) -> bool {
        self.params.every > 0 && self.anchors.is_some()
    }

    /// Counts the steps of a refresh; whether there is enough to examine with.
    pub fn count_refresh(&mut self, steps: u32) -> bool {
        self.since_exam += u64::from(steps);
        self.params.every > 0 && self.holdout.len() >= HOLDOUT_MIN.min(self.params.holdout)
    }

    /// Whether an examination that is over is one of the present latent space.
    pub fn awaits(&self, sat: &Sat) -> bool {
        self.anchors.as_ref().is_some_and(|anchors| anchors.has_shape_of(&sat.codes))
    }

    /// Whether a latent space has begun.
    pub fn has_anchors(&self) -> bool {
        self.anchors.is_some()
    }

    /// Begins a latent space with the codes that `network` gives to the hold-out.
    pub fn begin_latent_space(
        &mut self,
        network: &Network,
        shape: WindowShape,
        space: &mut Workspace,
    ) {
        let windows = self.windows(shape);
        self.anchors = Some(Arc::new(Anchors::new(network, windows, space)));
    }

    /// Name of the latent space after `id`: that of its owner, and a count.
    pub fn next_latent_space(&mut self, id: &str) -> Arc<str> {
        self.spaces += 1;
        let owner = id.split_once('-').map_or(id, |(owner, _)| owner);
        Arc::from(format!("{owner}-{}", self.spaces))
    }

    /// The next examination, if it is time for one.
    pub fn next_exam(
        &mut self,
        champion: &Network,
        shape: WindowShape,
        rng: &mut impl Rng,
    ) -> Option<Exam> {
        let anchors = self.anchors.clone()?;
        if !self.is_closed() || self.since_exam < u64::from(self.params.every) {
            return None;
        }
        self.since_exam = 0;
        Some(Exam {
            champion: champion.clone(),
            predecessor: self.predecessor.as_ref().map(|p| p.network.clone()),
            holdout: self.windows(shape),
            anchors,
            seed: rng.r#gen(),
        })
    }

    /// Puts a verdict into effect on the champion (its network and version) and the challenger.
    pub fn judge(
        &mut self,
        Sat { report, codes }: Sat,
        (network, version): (&mut Network, &mut u64),
        trainee: &mut Trainee,
    ) -> Examined {
        let verdict = report.verdict(&self.params);
        let challenger = trainee.steps();
        let mut new_latent_space = false;
        if let Some(watched) = &mut self.predecessor {
            watched.exams_left = watched.exams_left.saturating_sub(1);
        }
        self.predecessor.take_if(|watched| {
            watched.exams_left == 0 && !matches!(verdict, Verdict::RolledBack(_))
        });
        match verdict {
            Verdict::Promoted => {
                self.rejections = 0;
                new_latent_space = report.alignment_error > self.params.alignment_max.get();
                let left = if new_latent_space { self.anchors.clone() } else { None };
                if let Some(left) = &left {
                    self.anchors = Some(Arc::new(left.with_codes(codes)));
                }
                self.watch(network, *version, left);
                network.assign(trainee.network());
                *version = challenger;
            }
            Verdict::Rejected(_) => {
                self.rejections += 1;
                if self.rejections >= REJECTIONS_MAX {
                    self.rejections = 0;
                    trainee.restart(network);
                }
            }
            Verdict::RolledBack(_) => {
                self.rejections = 0;
                if let Some(before) = self.predecessor.take() {
                    network.assign(&before.network);
                    *version = before.version;
                    new_latent_space = before.anchors.is_some();
                    self.anchors = before.anchors.or(self.anchors.take());
                    trainee.restart(network);
                }
            }
        }
        Examined { verdict, report, challenger, new_latent_space }
    }

    /// Remembers the champion that goes.
    fn watch(&mut self, network: &Network, version: u64, anchors: Option<Arc<Anchors>>) {
        let (network, exams_left) = (network.clone(), self.params.watch);
        self.predecessor =
            (exams_left > 0).then_some(Predecessor { network, version, exams_left, anchors });
    }

    /// The kept windows, `(n, d)`, without their targets.
    fn windows(&self, shape: WindowShape) -> Array2<f32> {
        self.holdout.windows().slice(s![.., ..shape.cells()]).to_owned()
    }
}
