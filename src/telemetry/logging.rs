//! Log lines: to standard error, as text for people or as JSON for collectors. Answers of commands: to
//! standard output.

use std::io::{IsTerminal, Write as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One readable line an event; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object an event.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogSetupError {
    /// The filter is not one.
    #[error("log level `{filter}` cannot be read")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Another part of the process was first.
    #[error(transparent)]
    Taken(#[from] TryInitError),
}

/// Sends log lines of the whole process to standard error.
///
/// `filter` is a level (`info`) or a list as in `RUST_LOG` (`info,latentd::io=debug`).
///
/// # Errors
///
/// [`LogSetupError`] if `filter` cannot be read or logging was set up before.
pub fn init_logging(format: LogFormat, filter: &str) -> Result<(), LogSetupError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| LogSetupError::Filter { filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => lines.with_target(false).finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// Prints a line of a command's answer on standard output.
pub fn say(line: &str) {
    // A reader that has closed the pipe has seen enough.
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_told_with_its_text() {
        let error = init_logging(LogFormat::Text, "latentd=loud").unwrap_err();
        assert_eq!(error.to_string(), "log level `latentd=loud` cannot be read");
    }
}
