//! The life of an alert: pending, firing, calm again, or accepted as the new normal.

use serde::{Deserialize, Serialize};

use super::AlertParams;
use crate::record::{EventTime, Severity};

/// One row's verdict, as the state machine needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Surprise over threshold; 1 and above is an alarm.
    pub anomaly_score: f64,
    /// Whether direction and smallest deviation allow an alert to open on this row.
    pub eligible: bool,
    /// Whether the alert may become normal by lasting.
    pub may_accept: bool,
    /// End of the window.
    pub time: EventTime,
}

/// What a row did to the alert of its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Nothing to tell.
    None,
    /// An alert opened.
    Opened,
    /// Its severity rose.
    Escalated,
    /// It closed after `keep_firing_for` calm rows.
    Closed,
    /// It closed because it lasted `accept_after` rows: what it saw is normal from now on.
    Accepted,
}

/// An alert that fires.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// End of the window that opened it.
    pub starts_at: EventTime,
    /// Worst so far.
    pub severity: Severity,
    /// Records written about it so far.
    pub sequence: u32,
    rows: u32,
    calm: u32,
}

/// Alert state of one series.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AlertState {
    over: u32,
    firing: Option<Firing>,
}

impl AlertState {
    /// The open alert.
    pub fn firing(&self) -> Option<&Firing> {
        self.firing.as_ref()
    }

    /// Ends the open alert by the word of a person. Returns it as it ended.
    pub fn end(&mut self) -> Option<Firing> {
        let firing = self.firing.as_mut()?;
        firing.sequence += 1;
        self.firing.take()
    }

    /// Takes a row. On `Closed` and `Accepted` the alert is returned as it ended.
    pub fn step(&mut self, params: &AlertParams, row: Observation) -> (Transition, Option<Firing>) {
        match self.firing.as_mut() {
            None => (self.step_calm(params, row), self.firing),
            Some(firing) => {
                let transition = firing.step(params, row);
                let ended = matches!(transition, Transition::Closed | Transition::Accepted);
                (transition, if ended { self.firing.take() } else { self.firing })
            }
        }
    }

    fn step_calm(&mut self, params: &AlertParams, row: Observation) -> Transition {
        if row.anomaly_score < 1.0 {
            self.over = 0;
            return Transition::None;
        }
        self.over += 1;
        if self.over < params.for_rows || !row.eligible {
            return Transition::None;
        }
        self.over = 0;
        let severity = severity(params, row.anomaly_score);
        self.firing = Some(Firing { starts_at: row.time, severity, sequence: 0, rows: 0, calm: 0 });
        Transition::Opened
    }
}

impl Firing {
    fn step(&mut self, params: &AlertParams, row: Observation) -> Transition {
        self.rows += 1;
        let calm = row.anomaly_score < params.release_ratio.get();
        self.calm = if calm { self.calm + 1 } else { 0 };
        let transition = if self.calm >= params.keep_firing_for {
            Transition::Closed
        } else if self.rows >= params.accept_after && row.may_accept {
            Transition::Accepted
        } else if self.severity < severity(params, row.anomaly_score) {
            self.severity = Severity::Critical;
            Transition::Escalated
        } else {
            return Transition::None;
        };
        self.sequence += 1;
        transition
    }
}

fn severity(params: &AlertParams, anomaly_score: f64) -> Severity {
    if anomaly_score >= params.critical_ratio.get() {
        Severity::Critical
    } else {
        Severity::Warning
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
