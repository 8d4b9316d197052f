//! `latentd run`, and how all commands read their settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::args::{ConfigArgs, RunArgs};
use super::exit::Failure;
use crate::config::Settings;
use crate::daemon::{self, DaemonError, Loader, Options, Shutdown};
use crate::web::Actions;

/// Consumes, learns and emits until a signal.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let settings = load(&args.config)?;
    for note in settings.notes() {
        tracing::info!("{note}");
    }
    let known = |name: &&String| settings.stream.iter().any(|stream| stream.name == **name);
    if let Some(name) = args.reset_state.iter().find(|name| !known(name)) {
        return Err(Failure::usage(format!("--reset-state {name}: there is no such stream")));
    }
    let reset_state = args.reset_state.iter().cloned().collect();
    let config = args.config.clone();
    let load: Loader = Arc::new(move || load(&config).map_err(|failure| failure.to_string()));
    let validate = Some(daemon::validate(environment()));
    let actions = Actions { validate, ..Actions::default() };
    let load = Some(load);
    let options = Options { signals: true, reset_state, load, actions, ..Options::default() };
    let report = daemon::run_on_kafka(&settings, options, &Shutdown::new()).map_err(failure)?;
    tracing::info!("stopped: {report}");
    Ok(())
}

/// The settings of the arguments, of defaults and of the environment.
pub(super) fn load(args: &ConfigArgs) -> Result<Settings, Failure> {
    Settings::load(Some(&args.config), &environment()).map_err(Failure::config)
}

/// The variables of the process, as far as they are text: others cannot be ours.
pub(super) fn environment() -> BTreeMap<String, String> {
    let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(utf8).collect()
}

/// Settings that only their use shows to be wrong are a fault of the configuration, too.
fn failure(error: DaemonError) -> Failure {
    match error {
        DaemonError::Input { .. }
        | DaemonError::TopicTwice { .. }
        | DaemonError::Connect(_)
        | DaemonError::Access(_)
        | DaemonError::Sink(_)
        | DaemonError::Tls(_) => Failure::config(error),
        _ => Failure::failed(error),
    }
}
