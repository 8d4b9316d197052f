//! What ends the daemon.

use super::RestoreError;
use crate::engine::SnapshotError;
use crate::io::{InputError, IoError};
use crate::notify::NotifyError;
use crate::web::{AccessError, TlsError};

/// Why the daemon did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The input of a stream cannot be set up.
    #[error("stream `{stream}`")]
    Input {
        /// Name of the stream.
        stream: String,
        /// Why.
        source: InputError,
    },
    /// A topic of two streams: its positions would belong to neither.
    #[error("topic `{topic}` is read by the streams `{first}` and `{second}`")]
    TopicTwice {
        /// Topic.
        topic: String,
        /// Stream that names it first.
        first: String,
        /// Stream that names it again.
        second: String,
    },
    /// The Kafka client refused its settings.
    #[error(transparent)]
    Connect(IoError),
    /// The HTTP address cannot be used.
    #[error("http.listen = `{address}`")]
    Listen {
        /// From the settings.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The token of the HTTP server cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Its certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refused a thread.
    #[error("could not start a thread")]
    Thread(#[source] std::io::Error),
    /// A sink of alerts cannot be used.
    #[error(transparent)]
    Sink(NotifyError),
    /// The system does not let us catch signals.
    #[error("signals")]
    Signals(#[source] std::io::Error),
    /// Two metrics of one name.
    #[error("metrics")]
    Metrics(#[from] prometheus::Error),
    /// Reading failed for good.
    #[error("reading stopped")]
    Poll(#[source] IoError),
    /// A partition cannot go on from its state.
    #[error(transparent)]
    Restore(RestoreError),
    /// The state does not fit settings that were said to keep it: a bug.
    #[error("new settings")]
    Reload(#[source] SnapshotError),
    /// The broker will never take an output, or the group never take us back.
    #[error("delivery stopped")]
    Refused(#[source] IoError),
    /// The state topics cannot be set up.
    #[error("state topics")]
    StateTopics(#[source] IoError),
    /// The stop came before the broker took the last outputs. Their input was not committed.
    #[error(
        "stopped with {outputs} outputs that were not acknowledged, their input will be read again"
    )]
    Undelivered {
        /// Outputs of the batch.
        outputs: usize,
        /// The last attempt.
        source: IoError,
    },
    /// The pipeline did not stop in time.
    #[error("the pipeline did not stop within {seconds} s, its last batch will be read again")]
    Stuck {
        /// Seconds waited.
        seconds: u64,
    },
    /// A bug.
    #[error("the pipeline panicked: {message}")]
    Panicked {
        /// Text of the panic.
        message: String,
    },
}
