//! When a challenger may take over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Positive;

/// The examination of challengers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateParams {
    /// Training steps from one examination to the next; 0 examines nothing, and every refresh
    /// takes effect.
    pub every: u32,
    /// Calm windows that are kept from training.
    #[schemars(range(min = 16, max = 4_096))]
    pub holdout: usize,
    /// Largest growth of the share of calm windows that would be alarms.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub false_alarms: f64,
    /// Largest loss of recall on injected faults; of one kind, three times as much.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub recall_drop: f64,
    /// Largest ratio of reconstruction errors of calm windows.
    #[schemars(range(min = 1.0))]
    pub loss_ratio: f64,
    /// Examinations in which a new champion is compared with its predecessor.
    pub watch: u32,
    /// Distance of codes from the latent space, over their spread, above which a promotion begins
    /// a new one.
    pub alignment_max: Positive,
}

// The values of `config/default.toml`; a test compares them.
impl Default for GateParams {
    fn default() -> Self {
        Self {
            every: 64,
            holdout: 64,
            false_alarms: 0.06,
            recall_drop: 0.06,
            loss_ratio: 1.1,
            watch: 4,
            alignment_max: Positive::try_from(0.5).expect("a constant above 0"),
        }
    }
}
