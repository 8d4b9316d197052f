//! Why a stream's input cannot be set up, and why one message did not become a record.

use crate::record::{EventTime, Millis};

/// Why the description of an input was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Not a JSON pointer of RFC 6901.
    #[error("`{pointer}` is not a JSON pointer: {detail}")]
    Pointer {
        /// The text.
        pointer: String,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// One pointer leads into the value of another.
    #[error("`{inner}` lies inside `{outer}`, which is read as a plain value")]
    Nested {
        /// The shorter pointer.
        outer: String,
        /// The longer pointer.
        inner: String,
    },
    /// Not one field per channel, or none at all.
    #[error("{fields} fields for {channels} channels, expected one for each and at least one")]
    Fields {
        /// Fields given.
        fields: usize,
        /// Channels given.
        channels: usize,
    },
    /// The constant name of the series is empty or too long.
    #[error("the constant entity has {bytes} bytes, expected 1 to {bytes_max}")]
    Constant {
        /// Its length.
        bytes: usize,
        /// Longest allowed.
        bytes_max: usize,
    },
}

/// Why one message did not become a record.
///
/// This is data, not a failure of the daemon: the message goes to the dead-letter topic with this
/// text, a counter grows, and reading goes on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The message has no value.
    #[error("the message has no value (a tombstone)")]
    Tombstone,
    /// Over `kafka.message_bytes_max`.
    #[error("value of {bytes} bytes is longer than `kafka.message_bytes_max` = {bytes_max}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// Longest allowed.
        bytes_max: usize,
    },
    /// The value is not text.
    #[error("value is not valid UTF-8 at byte {byte}")]
    Utf8 {
        /// Position of the first bad byte, from 0.
        byte: usize,
    },
    /// The value is not JSON.
    #[error("value is not valid JSON at line {line}, column {column}: {detail}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 for the start of a line.
        column: usize,
        /// The parser's words.
        detail: String,
    },
    /// A number that 64-bit floating point cannot hold.
    #[error("number out of range at line {line}, column {column}")]
    NumberRange {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A structured CloudEvent whose data is not JSON in the `data` member.
    #[error("structured CloudEvent: {detail}")]
    Envelope {
        /// What is missing.
        detail: &'static str,
    },
    /// A channel holds something that is neither a number nor null.
    #[error("channel `{channel}` at `{pointer}` is {found}, expected a number or null")]
    ChannelType {
        /// Channel name.
        channel: String,
        /// Its pointer.
        pointer: String,
        /// What was there, with an article.
        found: &'static str,
    },
    /// None of the channels is in the message, not even as null.
    #[error("none of the {channels} channels is present, first expected at `{pointer}`")]
    NoChannel {
        /// Channels configured.
        channels: usize,
        /// Pointer of the first channel.
        pointer: String,
    },
    /// The entity field is absent or null, or the Kafka key is.
    #[error("no entity: {place} is missing or empty")]
    EntityMissing {
        /// The pointer, or the Kafka key.
        place: String,
    },
    /// The entity field is neither text nor a whole number.
    #[error("entity at `{pointer}` is {found}, expected a string or a whole number")]
    EntityType {
        /// Its pointer.
        pointer: String,
        /// What was there, with an article.
        found: &'static str,
    },
    /// The Kafka key is not text.
    #[error("the Kafka key is not valid UTF-8 at byte {byte}")]
    EntityUtf8 {
        /// Position of the first bad byte, from 0.
        byte: usize,
    },
    /// The entity is too long to be a name.
    #[error("entity of {bytes} bytes is longer than {bytes_max}")]
    EntityTooLong {
        /// Its length.
        bytes: usize,
        /// Longest allowed.
        bytes_max: usize,
    },
    /// The timestamp field is absent or null, or the Kafka record has no time.
    #[error("no timestamp: {place} is missing")]
    TimestampMissing {
        /// The pointer, or the Kafka time.
        place: String,
    },
    /// The timestamp field is of another kind than its format needs.
    #[error("timestamp at `{pointer}` is {found}, expected {expected}")]
    TimestampType {
        /// Its pointer.
        pointer: String,
        /// What was there, with an article.
        found: &'static str,
        /// What the format needs.
        expected: &'static str,
    },
    /// The timestamp does not read as its format says.
    #[error("timestamp `{text}` at `{pointer}` does not read as {expected}")]
    TimestampFormat {
        /// Its pointer.
        pointer: String,
        /// The text, cut to 64 characters.
        text: String,
        /// What the format needs.
        expected: &'static str,
    },
    /// Before 1980: a clock that was never set.
    #[error("timestamp {time} is before 1980-01-01T00:00:00Z")]
    TimestampOld {
        /// The event time.
        time: EventTime,
    },
    /// Further ahead of the Kafka time than allowed.
    #[error("timestamp {time} is {ahead} ahead of its Kafka time, allowed are {ahead_max}")]
    TimestampAhead {
        /// The event time.
        time: EventTime,
        /// How far ahead.
        ahead: Millis,
        /// `ahead_max`.
        ahead_max: Millis,
    },
}

impl DecodeError {
    /// Every [`DecodeError::reason`] there is.
    #[rustfmt::skip]
    pub const REASONS: [&str; 17] = [
        "tombstone", "too_long", "utf8", "json", "number_range", "envelope", "channel_type", "no_channel",
        "entity_missing", "entity_type", "entity_utf8", "entity_too_long", "timestamp_missing",
        "timestamp_type", "timestamp_format", "timestamp_old", "timestamp_ahead",
    ];

    /// The `reason` of metrics and dead letters: one of a bounded set, never the message text.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::TooLong { .. } => "too_long",
            Self::Utf8 { .. } => "utf8",
            Self::Json { .. } => "json",
            Self::NumberRange { .. } => "number_range",
            Self::Envelope { .. } => "envelope",
            Self::ChannelType { .. } => "channel_type",
            Self::NoChannel { .. } => "no_channel",
            Self::EntityMissing { .. } => "entity_missing",
            Self::EntityType { .. } => "entity_type",
            Self::EntityUtf8 { .. } => "entity_utf8",
            Self::EntityTooLong { .. } => "entity_too_long",
            Self::TimestampMissing { .. } => "timestamp_missing",
            Self::TimestampType { .. } => "timestamp_type",
            Self::TimestampFormat { .. } => "timestamp_format",
            Self::TimestampOld { .. } => "timestamp_old",
            Self::TimestampAhead { .. } => "timestamp_ahead",
        }
    }
}
