//! When the stream of a network is said to have drifted, and what follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{DriftAction, Fraction};

/// Drift of inputs, codes and reconstruction errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftParams {
    /// Chance that a calm stream is said to drift.
    pub confidence: Fraction,
    /// Windows whose mean is one observation; 0 watches nothing.
    pub block: u32,
    /// What follows.
    pub action: DriftAction,
}

impl Default for DriftParams {
    fn default() -> Self {
        Self {
            confidence: Fraction::try_from(0.002).expect("a constant between 0 and 1"),
            block: 64,
            action: DriftAction::None,
        }
    }
}
