//! Who scores from now on.

use serde::{Deserialize, Serialize};

use super::Report;
use crate::model::GateParams;
use crate::record::Marks;

/// The outcome of an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The challenger scores from now on.
    Promoted,
    /// The champion stays.
    Rejected(Reason),
    /// The champion's predecessor scores again.
    RolledBack(Reason),
}

/// What speaks against a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It does not know what it has to.
    NotFinite,
    /// More calm windows would be alarms.
    FalseAlarms,
    /// Fewer injected faults are found.
    Recall,
    /// Calm windows are reconstructed worse.
    Loss,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NotFinite, Self::FalseAlarms, Self::Recall, Self::Loss];

    /// Its name in metrics and records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFinite => "not_finite",
            Self::FalseAlarms => "false_alarms",
            Self::Recall => "recall",
            Self::Loss => "loss",
        }
    }
}

/// How much worse than a reference is too much.
#[derive(Debug, Clone, Copy)]
struct Margins {
    false_alarms: f64,
    recall: f64,
    /// Of one kind of fault.
    recall_of_kind: f64,
    loss: f64,
}

impl Margins {
    fn worse(self, marks: &Marks, reference: &Marks) -> Option<Reason> {
        let kinds = marks.recall.iter().zip(reference.recall);
        let kind_lost = kinds.into_iter().any(|(is, was)| *is < was - self.recall_of_kind);
        if !(marks.loss.is_finite() && marks.mean_recall().is_finite()) {
            Some(Reason::NotFinite)
        } else if marks.false_alarms > reference.false_alarms + self.false_alarms {
            Some(Reason::FalseAlarms)
        } else if marks.mean_recall() < reference.mean_recall() - self.recall || kind_lost {
            Some(Reason::Recall)
        } else if marks.loss > reference.loss * self.loss + 1e-9 {
            Some(Reason::Loss)
        } else {
            None
        }
    }
}

impl Report {
    /// Compares. A watched champion that has become clearly worse than its predecessor goes first; a
    /// challenger must hold its own against both, else many small losses would add up unseen.
    pub fn verdict(&self, params: &GateParams) -> Verdict {
        let margins = Margins {
            false_alarms: params.false_alarms,
            recall: params.recall_drop,
            recall_of_kind: 3.0 * params.recall_drop,
            loss: params.loss_ratio,
        };
        // Twice as patient: a promotion is not undone for noise.
        let patient = Margins {
            false_alarms: 2.0 * margins.false_alarms,
            recall: 2.0 * margins.recall,
            recall_of_kind: 2.0 * margins.recall_of_kind,
            loss: 2.0 * margins.loss - 1.0,
        };
        let predecessor = self.predecessor.as_ref();
        let fallen = predecessor.and_then(|was| patient.worse(&self.champion, was));
        let against = margins
            .worse(&self.challenger, &self.champion)
            .or_else(|| predecessor.and_then(|was| margins.worse(&self.challenger, was)));
        match (fallen, against) {
            // A challenger that mends what the champion lost is the better way out.
            (_, None) => Verdict::Promoted,
            (Some(reason), Some(_)) => Verdict::RolledBack(reason),
            (None, Some(reason)) => Verdict::Rejected(reason),
        }
    }
}
