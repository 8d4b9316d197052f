//! The gate between training and scoring: who is examined when, and what follows.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::exam::{Anchors, Exam, Sat, Verdict};
use super::train::{Reservoir, Trainee};
use super::{Examined, GateParams, Network, WindowShape, Workspace};

/// Windows without which nothing is examined.
const HOLDOUT_MIN: usize = 24;
/// Windows whose codes say what the coordinates of a latent space are.
const ANCHORS: usize = 64;
/// Rejections in a row after which the challenger starts again from the champion.
const REJECTIONS_MAX: u32 = 4;

/// The hold-out, the latent space, and the champion's predecessor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Gate {
    #[serde(skip)]
    params: GateParams,
    holdout: Reservoir,
    /// Training steps since the last examination.
    since_exam: u64,
    /// The present latent space; `None` until the gate closes.
    anchors: Option<Arc<Anchors>>,
    /// Counts latent spaces.
    spaces: u32,
    predecessor: Option<Predecessor>,
    rejections: u32,
}

/// The champion of `watch` examinations ago, or the first since then.
///
/// It stays while its successors follow each other: each may be a little worse than the one before,
/// all together may not.
#[derive(Debug, Serialize, Deserialize)]
struct Predecessor {
    network: Network,
    version: u64,
    exams_left: u32,
    /// Its latent space, if a successor began another.
    anchors: Option<Arc<Anchors>>,
    /// Name of that space; states of before it was kept do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latent_space_id: Option<Arc<str>>,
}

/// The network that scores, as an examination may change it.
#[derive(Debug)]
pub(super) struct Champion<'a> {
    pub network: &'a mut Network,
    /// Training steps behind it.
    pub version: &'a mut u64,
    /// Names the coordinates of its codes.
    pub latent_space_id: &'a mut Arc<str>,
}

impl Gate {
    /// For windows of `width` numbers, targets included.
    pub fn new(params: &GateParams, width: usize) -> Self {
        Self {
            params: params.clone(),
            holdout: Reservoir::new(params.holdout, width),
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

    /// Whether windows are kept from training.
    pub fn is_on(&self) -> bool {
        self.params.every > 0
    }

    /// Keeps a window, and what follows it, from training.
    pub fn keep(&mut self, window: ArrayView1<'_, f32>, targets: &[f32], rng: &mut impl Rng) {
        let kept: Vec<f32> = window.iter().chain(targets).copied().collect();
        self.holdout.insert(&kept, rng);
    }

    /// What was calm is so no more: begins again with an empty hold-out and, once that is filled, a
    /// new latent space. Until then refreshes take effect unseen, and codes have no fixed coordinates.
    pub fn reopen(&mut self) {
        self.holdout.clear();
        self.anchors = None;
        self.predecessor = None;
        self.rejections = 0;
    }

    /// Makes an examination due as soon as there are enough windows of now: by those of the past a
    /// challenger that has followed a drift would fail.
    pub fn forget_past(&mut self) {
        self.holdout.clear();
        self.since_exam = u64::from(self.params.every);
    }

    /// Whether weights reach the scoring only through an examination.
    pub fn is_closed(&self) -> bool {
        self.params.every > 0 && self.anchors.is_some()
    }

    /// Counts the steps of a refresh; whether there is enough to examine with.
    pub fn count_refresh(&mut self, steps: u32) -> bool {
        self.since_exam += u64::from(steps);
        self.params.every > 0 && self.has_enough()
    }

    fn has_enough(&self) -> bool {
        self.holdout.len() >= HOLDOUT_MIN.min(self.params.holdout)
    }

    /// Whether an examination that is over is one of the present latent space.
    pub fn awaits(&self, sat: &Sat) -> bool {
        self.anchors.as_ref().is_some_and(|anchors| anchors.has_shape_of(&sat.codes))
    }

    /// Whether a latent space has begun.
    pub fn has_anchors(&self) -> bool {
        self.anchors.is_some()
    }

    /// Begins a latent space with the codes that `network` gives to windows of all ages: the hold-out,
    /// in its few stretches, would not tie all directions down.
    pub fn begin_latent_space(
        &mut self,
        network: &Network,
        past: &Reservoir,
        shape: WindowShape,
        space: &mut Workspace,
    ) {
        let windows = past.spread(ANCHORS, shape.cells());
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
        let is_due = self.since_exam >= u64::from(self.params.every);
        if !(self.is_closed() && is_due && self.has_enough()) {
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

    /// Puts a verdict into effect on the champion and the challenger.
    pub fn judge(
        &mut self,
        Sat { report, codes }: Sat,
        champion: Champion<'_>,
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
                self.watch(&champion, new_latent_space);
                champion.network.assign(trainee.network());
                *champion.version = challenger;
                if new_latent_space {
                    let anchors = self.anchors.take();
                    self.anchors =
                        anchors.map(|left| Arc::new(left.with_codes(codes, trainee.network())));
                    *champion.latent_space_id = self.next_latent_space(champion.latent_space_id);
                }
            }
            Verdict::Rejected(_) => {
                self.rejections += 1;
                if self.rejections >= REJECTIONS_MAX {
                    self.rejections = 0;
                    trainee.restart(champion.network);
                }
            }
            Verdict::RolledBack(_) => {
                self.rejections = 0;
                if let Some(before) = self.predecessor.take() {
                    new_latent_space = self.bring_back(before, champion, trainee);
                }
            }
        }
        Examined { verdict, report, challenger, new_latent_space }
    }

    /// Remembers the champion that goes, unless an older one is watched, and the latent space that it
    /// leaves.
    fn watch(&mut self, champion: &Champion<'_>, leaves_space: bool) {
        if self.params.watch == 0 {
            return;
        }
        let predecessor = self.predecessor.get_or_insert_with(|| Predecessor {
            network: champion.network.clone(),
            version: *champion.version,
            exams_left: self.params.watch,
            anchors: None,
            latent_space_id: None,
        });
        if leaves_space && predecessor.anchors.is_none() {
            predecessor.anchors = self.anchors.clone();
            predecessor.latent_space_id = Some(Arc::clone(champion.latent_space_id));
        }
    }

    /// Lets a predecessor score again, in its own coordinates. Whether these are others than those of
    /// the champion.
    fn bring_back(
        &mut self,
        before: Predecessor,
        champion: Champion<'_>,
        trainee: &mut Trainee,
    ) -> bool {
        champion.network.assign(&before.network);
        *champion.version = before.version;
        trainee.restart(champion.network);
        let Some(anchors) = before.anchors else { return false };
        self.anchors = Some(anchors);
        *champion.latent_space_id = before
            .latent_space_id
            .unwrap_or_else(|| self.next_latent_space(champion.latent_space_id));
        true
    }

    /// The kept windows, `(n, d)`, without their targets.
    fn windows(&self, shape: WindowShape) -> Array2<f32> {
        self.holdout.windows().slice(s![.., ..shape.cells()]).to_owned()
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
