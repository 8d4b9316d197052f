//! The life of an alert: pending, firing, calm again, or accepted as the new normal.
//!
//! One machine for all kinds. What it sees is a score (1 is the threshold) a row; it knows nothing
//! of where that comes from. An episode that must not be told (maintenance, flapping, an operator's
//! verdict) lives the same life in silence, so that it is told apart from calm.

use serde::{Deserialize, Serialize};

use super::flap::Flaps;
use super::{LifeParams, severity};
use crate::record::{AlertReason, EventTime, Severity};

/// One row's verdict, as the state machine needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Surprise over threshold; 1 and above is an alarm.
    pub anomaly_score: f64,
    /// The same without what past alerts have lifted the threshold by: what severity looks at.
    pub strength: f64,
    /// Whether direction, smallest deviation and age of the series allow an alert to open here.
    pub eligible: bool,
    /// End of the window.
    pub time: EventTime,
    /// Maintenance: nothing may be told but the end of an alert.
    pub muted: bool,
    /// Whether what lasts may be accepted as the new normal: maintenance and verdicts allow for it.
    pub settles: bool,
    /// As `anomaly_score`, to a past that knows the episode, too.
    pub news: f64,
    /// As `strength`, to that past.
    pub news_strength: f64,
}

/// What a row did to the alert of its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Nothing to tell.
    None,
    /// An alert opened.
    Opened,
    /// An alert would have opened; its `silent` says why it did not.
    Suppressed,
    /// Its severity rose.
    Escalated,
    /// It goes on, and `renotify` has passed since its last record.
    Renotified,
    /// It closed after `keep_firing_for` calm rows.
    Closed,
    /// It ended, and another opened on the same row: see [`AlertState::step`].
    Superseded,
    /// It ended because it lasted `accept_after` rows: what it saw is normal from now on. If it was
    /// silent there is nothing to tell.
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
    /// Why nothing is told about it; `None` for an open alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<AlertReason>,
    rows: u32,
    calm: u32,
    /// Rows that were no news, up to `keep_firing_for` of them in a row.
    #[serde(default)]
    known: u32,
    /// Rows in a row that are clear and news.
    #[serde(default)]
    anew: u32,
    /// Event time of its last record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_at: Option<EventTime>,
}

/// Alert state of one series and kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertState {
    over: u32,
    firing: Option<Firing>,
    #[serde(default, skip_serializing_if = "Flaps::is_empty")]
    flaps: Flaps,
}

impl AlertState {
    /// The open alert.
    pub fn firing(&self) -> Option<&Firing> {
        self.firing.as_ref().filter(|firing| firing.silent.is_none())
    }

    /// The open alert, or the one that lives in silence: the series is not calm.
    pub fn episode(&self) -> Option<&Firing> {
        self.firing.as_ref()
    }

    /// Whether rows were over the threshold, but not yet `for` in a row: nobody knows what they are.
    pub fn is_pending(&self, for_rows: u32) -> bool {
        (1..for_rows).contains(&self.over)
    }

    /// Nothing has ever happened.
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// Takes a row. On `Closed`, `Accepted` and `Superseded` the alert is returned as it ended.
    ///
    /// An episode whose state is known, `keep_firing_for` rows in a row were no news, gives way to
    /// another alert when `for` rows in a row are critical news: what began there is not the same
    /// fault. So does one that nobody is told of because of a verdict.
    pub fn step(&mut self, params: &LifeParams, row: Observation) -> (Transition, Option<Firing>) {
        if let Some(ended) = self.superseded(params, &row) {
            let opened = self.open(params, row);
            let told = ended.silent.is_none();
            return if told {
                (Transition::Superseded, Some(ended))
            } else {
                (opened, self.firing)
            };
        }
        if row.anomaly_score >= 1.0 && row.eligible && self.may_be_told(params, &row) {
            return (self.open(params, row), self.firing);
        }
        match self.firing.as_mut() {
            None => (self.step_calm(params, row), self.firing),
            Some(firing) => {
                let transition = firing.step(params, row);
                let ended = matches!(transition, Transition::Closed | Transition::Accepted);
                let alert = if ended { self.firing.take() } else { self.firing };
                let untold = alert.is_some_and(|alert| alert.silent.is_some());
                let told = transition == Transition::Closed && untold;
                (if told { Transition::None } else { transition }, alert)
            }
        }
    }

    /// The episode as it ends, if the row begins another.
    fn superseded(&mut self, params: &LifeParams, row: &Observation) -> Option<Firing> {
        let room = !row.muted && self.flaps.have_room(&params.flap_limit, row.time);
        let firing = self.firing.as_mut()?;
        if !firing.begins_another(params, row) || !room {
            return None;
        }
        Some(Firing { sequence: firing.sequence + 1, ..*firing })
    }

    /// What lives in silence goes on although the reason for the silence is over.
    fn may_be_told(&self, params: &LifeParams, row: &Observation) -> bool {
        let silent = self.firing.as_ref().and_then(|firing| firing.silent);
        let over = match silent {
            Some(AlertReason::Maintenance) => true,
            Some(AlertReason::Flapping) => self.flaps.have_room(&params.flap_limit, row.time),
            _ => false,
        };
        over && !row.muted
    }

    /// Ends whatever goes on, since nothing more is known of it, and returns the open alert as it
    /// ended, if there was one.
    pub fn end(&mut self) -> Option<Firing> {
        self.over = 0;
        let mut ended = self.firing.take().filter(|firing| firing.silent.is_none())?;
        ended.sequence += 1;
        Some(ended)
    }

    /// Ends the open alert by the word of an operator and returns it as it ended, if there is one.
    /// What it saw goes on in silence until it is calm, or accepted.
    pub fn decide(&mut self, reason: AlertReason) -> Option<Firing> {
        let firing = self.firing.as_mut().filter(|firing| firing.silent.is_none())?;
        firing.sequence += 1;
        let ended = *firing;
        firing.silent = Some(reason);
        Some(ended)
    }

    /// What lives in silence by the word of an operator lives there by another.
    pub fn reword(&mut self, reason: AlertReason) {
        use AlertReason::{Expected, FalsePositive, NewNormal};
        let said = |f: &&mut Firing| matches!(f.silent, Some(Expected | FalsePositive | NewNormal));
        if let Some(firing) = self.firing.as_mut().filter(said) {
            firing.silent = Some(reason);
        }
    }

    /// Ends what lives in silence: the next row is judged as if it had been calm before.
    pub fn forget(&mut self) {
        self.firing = self.firing.filter(|firing| firing.silent.is_none());
    }

    fn step_calm(&mut self, params: &LifeParams, row: Observation) -> Transition {
        if row.anomaly_score < 1.0 {
            self.over = 0;
            return Transition::None;
        }
        self.over = self.over.saturating_add(1);
        if self.over < params.for_rows || !row.eligible {
            return Transition::None;
        }
        self.open(params, row)
    }

    fn open(&mut self, params: &LifeParams, row: Observation) -> Transition {
        self.over = 0;
        let silent = if row.muted {
            Some(AlertReason::Maintenance)
        } else {
            self.flaps.opens(&params.flap_limit, row.time).then_some(AlertReason::Flapping)
        };
        self.firing = Some(Firing {
            starts_at: row.time,
            severity: severity(params, row.strength, 0),
            sequence: 0,
            silent,
            rows: 0,
            calm: 0,
            known: 0,
            anew: 0,
            told_at: Some(row.time),
        });
        if silent.is_some() { Transition::Suppressed } else { Transition::Opened }
    }
}

impl Firing {
    /// Whether nothing may be learned while it goes on: all but what someone has called a false positive.
    pub fn holds_back(&self) -> bool {
        self.silent != Some(AlertReason::FalsePositive)
    }

    /// Event time of its last record.
    pub fn told_at(&self) -> EventTime {
        self.told_at.unwrap_or(self.starts_at)
    }

    /// Takes note of whether the row is known of it; whether it is something else.
    fn begins_another(&mut self, params: &LifeParams, row: &Observation) -> bool {
        let is_alarm = row.eligible && row.news.min(row.anomaly_score) >= 1.0;
        // Not over the threshold itself: the episode has lifted that.
        let clear = is_alarm && row.news_strength.min(row.strength) >= params.critical_ratio;
        self.anew = if clear { self.anew.saturating_add(1) } else { 0 };
        if self.known < params.keep_firing_for {
            self.known = if row.news < 1.0 { self.known + 1 } else { 0 };
            return false;
        }
        self.anew >= params.for_rows
    }

    /// Whether its state has lasted long enough to be normal. It need not be an alarm any more: to wait
    /// for what hovers below to be calm made a third more false alarms of the pump (SKAB).
    fn has_lasted(&self, params: &LifeParams) -> bool {
        // What nobody was told of, because of others before it, may be the fault at last.
        let untold = self.silent == Some(AlertReason::Flapping);
        params.accept_after > 0 && self.rows >= params.accept_after && !untold
    }

    fn step(&mut self, params: &LifeParams, row: Observation) -> Transition {
        self.rows = self.rows.saturating_add(1);
        let calm = row.anomaly_score < params.release_ratio;
        self.calm = if calm { self.calm + 1 } else { 0 };
        let transition = if self.calm >= params.keep_firing_for {
            Transition::Closed
        } else if row.settles && row.news < 1.0 && self.has_lasted(params) {
            Transition::Accepted
        } else if self.silent.is_some() || row.muted {
            return Transition::None;
        } else if self.severity < severity(params, row.strength, self.rows) {
            self.severity = Severity::Critical;
            Transition::Escalated
        } else if params.renotify.get() > 0 && self.told_at() + params.renotify <= row.time {
            Transition::Renotified
        } else {
            return Transition::None;
        };
        self.sequence += 1;
        self.told_at = Some(row.time);
        transition
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
