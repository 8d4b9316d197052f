//! Which forecasters of a stored state go on under the settings of the day.
//!
//! Forecasts lean on the detectors and not the other way round: a forecaster that does not fit begins anew
//! alone, and nothing else of the state is lost by it.

use super::snapshot::{Change, Fingerprint};

/// Keys of the fingerprint that say something of forecasts alone.
pub(super) const FORECAST: &str = "forecast.";
const TARGETS: &str = "forecast.targets";
/// What numbers mean that are stored: shapes would fit although the meaning does not.
const MEANING: [&str; 3] = ["forecast.exogenous", "forecast.known", "forecast.link"];

/// Learned forecasts that were not taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DroppedForecasts {
    /// How many forecasters: one a series and target.
    pub forecasters: usize,
    /// Settings of forecasts that are others than those of the state.
    pub changes: Vec<Change>,
}

/// For each target of the settings its place among the stored ones; `None` to begin anew.
#[derive(Debug)]
pub(super) struct Carry {
    from: Vec<Option<usize>>,
    pub dropped: DroppedForecasts,
}

impl Carry {
    pub(super) fn new(was: &Fingerprint, is: &Fingerprint, changes: Vec<Change>) -> Self {
        let names = |of: &Fingerprint| -> Vec<String> {
            let list = of.get(TARGETS).map(|list| list.split(',').map(str::to_owned).collect());
            list.unwrap_or_default()
        };
        let (stored, wanted) = (names(was), names(is));
        let same_meaning = MEANING.iter().all(|key| was.get(*key) == is.get(*key));
        let place = |name: &String| stored.iter().position(|s| s == name).filter(|_| same_meaning);
        let from = wanted.iter().map(place).collect();
        Self { from, dropped: DroppedForecasts { forecasters: 0, changes } }
    }

    /// One of `stored` a target, where it goes on.
    pub(super) fn pick<T>(&self, stored: Vec<T>) -> Vec<Option<T>> {
        let mut stored: Vec<Option<T>> = stored.into_iter().map(Some).collect();
        let mut take = |from: &Option<usize>| stored.get_mut((*from)?)?.take();
        self.from.iter().map(&mut take).collect()
    }

    /// Nothing of a target goes on.
    pub(super) fn drop_target(&mut self, target: usize) {
        if let Some(from) = self.from.get_mut(target) {
            *from = None;
        }
    }
}
