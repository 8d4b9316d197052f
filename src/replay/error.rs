//! What can stop a replay.

use std::path::PathBuf;

use crate::config::{ConfigError, Faults};
use crate::grade::GradeError;

/// Why files were not replayed to their end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is in a configuration, with the arguments.
    #[error("{}: {faults}", path.display())]
    InConfig {
        /// The configuration.
        path: PathBuf,
        /// What is wrong.
        faults: Faults,
    },
    /// What the arguments and the file make of settings.
    #[error(transparent)]
    Settings(#[from] Faults),
    /// The configuration has several streams, or not the one that was named.
    #[error("{}: {why}: the configuration has {}", path.display(), streams.join(", "))]
    Stream {
        /// The configuration.
        path: PathBuf,
        /// What is missing.
        why: String,
        /// Its streams.
        streams: Vec<String>,
    },
    /// Forecasts were asked of a stream of single events.
    #[error("forecasts need a grid of rows, and the step is `event`")]
    NoGrid,
    /// The system gives no thread.
    #[error("a thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// A metric family exists twice.
    #[error("metrics cannot be registered")]
    Metrics(#[source] prometheus::Error),
    /// The system lost a thread that replayed a file.
    #[error("a thread that replayed files has ended early")]
    Lost,
    /// A benchmark does not fit its files.
    #[error(transparent)]
    Grade(#[from] GradeError),
    /// The windows of NAB are not as they should be.
    #[error("{}: {why}", path.display())]
    Windows {
        /// Path.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A picture could not be drawn.
    #[error(transparent)]
    Plot(#[from] crate::chart::ChartError),
    /// An output would replace an input.
    #[error("{} is an input, too", path.display())]
    SameFile {
        /// The output.
        path: PathBuf,
    },
    /// Two outputs would be written over each other.
    #[error("{} is the file of two outputs", path.display())]
    TwoOutputs {
        /// The second of them.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}", path.display())]
    File {
        /// Path.
        path: PathBuf,
        /// System text.
        source: std::io::Error,
    },
    /// A file is not CSV.
    #[error("{}", path.display())]
    Csv {
        /// Path.
        path: PathBuf,
        /// Which line and why.
        source: csv::Error,
    },
    /// The header does not have what is needed.
    #[error("{}:1: {why}", path.display())]
    Header {
        /// Path.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// A cell does not read as what its column holds.
    #[error("{}:{line}: column `{column}` is `{text}`, expected {expected}", path.display())]
    Cell {
        /// Path.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Name in the header.
        column: String,
        /// The cell, cut to 64 characters.
        text: String,
        /// What is needed there.
        expected: &'static str,
    },
}

impl ReplayError {
    /// Whether arguments or configuration are at fault, and not a file or the system.
    pub fn is_config(&self) -> bool {
        matches!(
            self,
            Self::Config(_)
                | Self::InConfig { .. }
                | Self::Settings(_)
                | Self::Stream { .. }
                | Self::NoGrid
        )
    }
}
