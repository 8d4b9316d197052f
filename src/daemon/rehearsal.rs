//! What would end a run at its start although the settings break no rule.

use super::{DaemonError, http};
use crate::config::Settings;
use crate::io::kafka::trial;
use crate::notify::sink_faults;

/// Opens the files that the settings name and makes the clients that a run would make, without the
/// addresses of brokers: contacts nobody. All faults of different parts, in the order of
/// `config/default.toml`.
pub fn rehearse(settings: &Settings) -> Vec<DaemonError> {
    let kafka = trial(&settings.kafka).map_err(DaemonError::Connect).err();
    let sinks = sink_faults(&settings.alerting).into_iter().map(DaemonError::Sink);
    kafka.into_iter().chain(http::faults(settings)).chain(sinks).collect()
}
