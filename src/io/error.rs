//! What can go wrong outside.

/// A fault of the world outside, not of the data.
#[derive(Debug, thiserror::Error)]
pub enum IoError {
    /// The client library refused its settings.
    #[error("kafka client: {0}")]
    Client(String),
    /// A request to the broker failed for good.
    #[error("kafka {operation}: {detail}")]
    Broker {
        /// What was attempted.
        operation: &'static str,
        /// What the client said.
        detail: String,
    },
    /// An output was not acknowledged.
    #[error("{failed} of {sent} records were not acknowledged, first: {detail}")]
    Undelivered {
        /// Records handed over.
        sent: usize,
        /// Records without acknowledgement.
        failed: usize,
        /// First reason.
        detail: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {detail}")]
    File {
        /// Path, with the key that names it.
        path: String,
        /// System text.
        detail: String,
    },
}
