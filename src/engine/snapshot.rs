//! A shard as bytes and back: everything that its future depends on.
//!
//! # Format
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `latentd\0` |
//! | 2 | format, little end first: 2 |
//! | rest | MessagePack: a map with `fingerprint`, `partition` and `state` |
//!
//! Structs are maps with the names of their fields, so that a later version can add fields. Long
//! lists of numbers are their bytes ([`crate::record::raw`]). What follows from the configuration
//! (learning rate, paces, budgets) is taken from the configuration of the day;
//! what shapes or interprets the state is part of the fingerprint and must not change. Where only
//! settings of forecasts have changed, forecasters that do not fit begin anew and all else goes on
//! ([`Shard::dropped_forecasts`]).
//!
//! Format 1 had no trainee beside the scoring network; it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::StreamSpec;
use super::carry::{Carry, FORECAST};
use super::shard::{Shard, Stored};
use crate::record::Step;

const MAGIC: &[u8; 8] = b"latentd\0";
/// The format that is written.
pub const SNAPSHOT_FORMAT: u16 = 2;

/// What shapes a state: readable keys and values.
pub type Fingerprint = BTreeMap<String, String>;

/// Why bytes did not become a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// They are something else.
    #[error("this is no snapshot of latentd")]
    Foreign,
    /// A later version wrote them.
    #[error("written by a newer latentd: format {format}, this one reads up to {SNAPSHOT_FORMAT}")]
    Newer {
        /// Their format.
        format: u16,
    },
    /// They do not decode, or contradict themselves.
    #[error("the snapshot is damaged: {detail}")]
    Damaged {
        /// What is wrong.
        detail: String,
    },
    /// They are of another configuration.
    #[error(
        "the state does not fit the configuration: {}; the models, calibration, windows and open \
         alerts of {series} series would be dropped",
        list(changes)
    )]
    Unfit {
        /// What differs.
        changes: Vec<Change>,
        /// Series in the state.
        series: usize,
    },
}

/// A key of the fingerprint that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Key.
    pub key: String,
    /// In the state.
    pub was: String,
    /// In the configuration.
    pub is: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was {} and is {}", self.key, self.was, self.is)
    }
}

fn list(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
struct Saved<'a> {
    fingerprint: &'a Fingerprint,
    partition: i32,
    series: usize,
    state: &'a Shard,
}

/// What tells whether the state can be used, before it is read.
#[derive(Deserialize)]
struct Label {
    fingerprint: Fingerprint,
    partition: i32,
    series: usize,
}

#[derive(Deserialize)]
struct Body {
    state: Stored,
}

impl StreamSpec {
    /// What shapes the state of a shard of this stream.
    pub fn fingerprint(&self) -> Fingerprint {
        let list = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(",");
        let mut keys = BTreeMap::new();
        let mut put = |key: &str, value: String| _ = keys.insert(key.to_owned(), value);
        put("seed", self.seed.to_string());
        put("name", self.name.to_string());
        put("channel", list(&mut self.channels.iter().map(ToString::to_string)));
        put(
            "step",
            match self.rows.step {
                Step::Event => "event".to_owned(),
                // In the words of the versions before: the text is part of stored states.
                Step::Grid(step) => humantime::format_duration(step.to_duration()).to_string(),
            },
        );
        put("aggregate", list(&mut self.rows.aggregates.iter().map(|how| format!("{how:?}"))));
        put("window.length", self.window.length.to_string());
        put("model.variant", format!("{:?}", self.model.variant));
        put("model.scope", format!("{:?}", self.model.scope));
        put("model.hidden", list(&mut self.model.hidden.iter().map(ToString::to_string)));
        put("model.latent", self.model.latent.to_string());
        put("model.activation", format!("{:?}", self.model.activation));
        self.model.shaping(|key, value| put(&format!("model.{key}"), value));
        self.forecast_keys(&mut put);
        keys
    }

    fn forecast_keys(&self, put: &mut dyn FnMut(&str, String)) {
        let list = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(",");
        let Some(forecast) = &self.forecast else { return };
        let name =
            |target: &usize| self.channels.get(*target).map_or("?".into(), |n| n.to_string());
        put("forecast.targets", list(&mut forecast.targets.iter().map(name)));
        put("forecast.horizons", list(&mut forecast.horizons.iter().map(ToString::to_string)));
        put("forecast.seasons", list(&mut forecast.seasons.iter().map(ToString::to_string)));
        let names = |of: &[usize]| list(&mut of.iter().map(name));
        put("forecast.exogenous", names(&forecast.exogenous));
        put("forecast.known", names(&forecast.known));
        put("forecast.link", format!("{:?}", forecast.link));
        put("forecast.holidays", forecast.calendar.has_holidays().to_string());
        put("forecast.memory", forecast.memory.to_string());
        let latent = &forecast.latent;
        put("forecast.latent.enabled", latent.enabled.to_string());
        put("forecast.latent.width", latent.width.to_string());
        put("forecast.latent.hidden", latent.hidden.to_string());
        put("forecast.latent.cross_fitted", latent.cross_fitted.to_string());
        put("forecast.latent.w_rec", (latent.w_rec > 0.0).to_string());
        put("forecast.levels", list(&mut forecast.levels.iter().map(|l| l.get().to_string())));
    }
}

impl Shard {
    /// What shapes the state of this shard.
    pub fn fingerprint(&self) -> Fingerprint {
        self.spec.fingerprint()
    }

    /// The state as bytes. Waits for training that runs elsewhere. Call after [`Shard::settle`]:
    /// rows that wait for their result are no part of it.
    pub fn save(&mut self) -> Vec<u8> {
        debug_assert!(self.pending.is_empty(), "save only a settled shard");
        self.settle_training();
        let fingerprint = self.fingerprint();
        let mut bytes = Vec::with_capacity(1 << 16);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&SNAPSHOT_FORMAT.to_le_bytes());
        let saved = Saved {
            fingerprint: &fingerprint,
            partition: self.partition,
            series: self.series.len(),
            state: self,
        };
        saved
            .serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map())
            .expect("a Vec takes every byte, and lists know their lengths");
        bytes
    }

    /// A shard that goes on where the saved one was.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; whatever the bytes are, nothing panics.
    pub fn restore(
        spec: Arc<StreamSpec>,
        partition: i32,
        bytes: &[u8],
    ) -> Result<Self, SnapshotError> {
        let body = body(bytes)?;
        let damaged =
            |error: rmp_serde::decode::Error| SnapshotError::Damaged { detail: error.to_string() };
        let label: Label = rmp_serde::from_slice(body).map_err(damaged)?;
        let is = spec.fingerprint();
        let (forecasts, mut changes): (Vec<_>, Vec<_>) = differences(&label.fingerprint, &is)
            .into_iter()
            .partition(|change| change.key.starts_with(FORECAST));
        if label.partition != partition {
            let (was, is) = (label.partition.to_string(), partition.to_string());
            changes.push(Change { key: "partition".to_owned(), was, is });
        }
        if !changes.is_empty() {
            return Err(SnapshotError::Unfit { changes, series: label.series });
        }
        let Body { state } = rmp_serde::from_slice(body).map_err(damaged)?;
        let contradiction = || SnapshotError::Damaged { detail: "shapes differ".to_owned() };
        let carry = Carry::new(&label.fingerprint, &is, forecasts);
        Self::adopt(spec, partition, state, carry).ok_or_else(contradiction)
    }
}

/// What follows the header.
fn body(bytes: &[u8]) -> Result<&[u8], SnapshotError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Foreign)?;
    let (format, body) = rest.split_first_chunk::<2>().ok_or(SnapshotError::Foreign)?;
    match u16::from_le_bytes(*format) {
        1..=SNAPSHOT_FORMAT => Ok(body),
        0 => Err(SnapshotError::Foreign),
        format => Err(SnapshotError::Newer { format }),
    }
}

fn differences(was: &Fingerprint, is: &Fingerprint) -> Vec<Change> {
    let keys: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let of =
        |map: &Fingerprint, key: &str| map.get(key).cloned().unwrap_or_else(|| "not set".into());
    keys.into_iter()
        .filter(|key| was.get(*key) != is.get(*key))
        .map(|key| Change { key: key.clone(), was: of(was, key), is: of(is, key) })
        .collect()
}
