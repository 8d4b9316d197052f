//! Why the state topic cannot be used.

/// Records of the state topic that do not make a state. Places are `topic/partition` of the state
/// topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A record does not read as its key says.
    #[error("{place}, offset {offset}: `{key}` does not read: {detail}")]
    Record {
        /// Where.
        place: String,
        /// Offset.
        offset: i64,
        /// Key.
        key: String,
        /// Why.
        detail: String,
    },
    /// A later version wrote the manifest.
    #[error("{place}: `{key}` is of format {format}, this latentd reads up to {known}")]
    Newer {
        /// Where.
        place: String,
        /// Key.
        key: String,
        /// Format.
        format: u32,
        /// Newest format that is known.
        known: u32,
    },
    /// A piece is gone.
    #[error("{place}: `{key}` is missing")]
    Missing {
        /// Where.
        place: String,
        /// Key.
        key: String,
    },
    /// The pieces are not those that were written.
    #[error("{place}: the snapshot that `{key}` describes is damaged: {detail}")]
    Damaged {
        /// Where.
        place: String,
        /// Key of the manifest.
        key: String,
        /// What does not fit.
        detail: String,
    },
}
