//! The command line: arguments in, an exit code out.

mod args;
mod check;
mod drawing;
mod exit;
mod explain;
mod feedback;
mod manual;
mod replay;
mod run;
mod state;
mod topics;

#[cfg(test)]
mod lines_tests;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Command};
use self::exit::Failure;
use crate::demo;
use crate::telemetry::init_logging;

/// Does what the arguments of the process say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no error; a closed pipe is nobody's.
            let _ = error.print();
            return if error.use_stderr() { exit::usage() } else { ExitCode::SUCCESS };
        }
    };
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn execute(cli: Cli) -> Result<(), Failure> {
    let level = cli.log_level.or_else(|| std::env::var("RUST_LOG").ok());
    let level = level.as_deref().unwrap_or("info");
    init_logging(cli.log_format.into(), level).map_err(Failure::usage)?;
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Topics(args) => topics::run(&args),
        Command::State(args) => state::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Feedback(args) => feedback::run(&args),
        Command::Manual(args) => manual::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Demo(args) => demo::run(args).map_err(Failure::failed),
    }
}
