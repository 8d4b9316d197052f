//! What cannot be graded.

/// Why rows have no grade.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GradeError {
    /// Rows and scores of a file do not belong together.
    #[error("{file}: {times} rows and {scores} scores")]
    Length {
        /// Name of the file.
        file: String,
        /// Rows.
        times: usize,
        /// Scores.
        scores: usize,
    },
    /// A window begins or ends at a time that no row has.
    #[error("{file}: no row at {time}, where a window begins or ends")]
    NoRow {
        /// Name of the file.
        file: String,
        /// The time.
        time: String,
    },
}
