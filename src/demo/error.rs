//! What can stop the demo.

use std::path::PathBuf;

use rdkafka::error::KafkaError;

use crate::config::ConfigError;
use crate::daemon::DaemonError;

/// Why the demo could not run, or could not tell its result.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The broker in the process, or a client of it, failed.
    #[error("demo broker, {operation}")]
    Kafka {
        /// What was attempted.
        operation: &'static str,
        /// What the client said.
        source: KafkaError,
    },
    /// Records were not taken by the broker.
    #[error("demo broker: {failed} of {produced} records were not acknowledged")]
    Undelivered {
        /// Records without acknowledgement.
        failed: u64,
        /// Records handed over.
        produced: u64,
    },
    /// The settings of the demo were refused: a bug.
    #[error("settings of the demo")]
    Settings(#[from] ConfigError),
    /// The daemon did not start or did not go on.
    #[error("daemon")]
    Daemon(#[from] DaemonError),
    /// A thread could not be started, or ended by a bug.
    #[error("demo thread `{thread}`: {detail}")]
    Thread {
        /// Name of the thread.
        thread: &'static str,
        /// System text.
        detail: String,
    },
    /// The summary could not be written.
    #[error("summary {}: {detail}", path.display())]
    Summary {
        /// Path.
        path: PathBuf,
        /// System text.
        detail: String,
    },
}

impl DemoError {
    /// Says what was attempted when a client of the broker failed.
    pub(super) fn kafka(operation: &'static str) -> impl Fn(KafkaError) -> Self {
        move |source| Self::Kafka { operation, source }
    }

    /// Says which thread failed.
    pub(super) fn thread(thread: &'static str, detail: impl ToString) -> Self {
        Self::Thread { thread, detail: detail.to_string() }
    }
}
