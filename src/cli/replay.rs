//! `latentd replay`.

use super::exit::Failure;
use super::run::environment;
use crate::daemon::Clock;
use crate::replay::{self, ReplayArgs, ReplayError};

/// Replays files and tells what was seen.
pub(super) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let clock = Clock::system();
    let summary = replay::run(args, &environment()).map_err(failure)?;
    let rate = summary.records as f64 / clock.steady().as_secs_f64().max(1e-3);
    eprintln!("{summary}; {rate:.0} rows/s");
    Ok(())
}

fn failure(error: ReplayError) -> Failure {
    if error.is_config() { Failure::config(error) } else { Failure::failed(error) }
}
