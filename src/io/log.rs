//! The outside log as the daemon sees it: one trait, a Kafka and an in-memory implementation.

use std::time::Duration;

use super::IoError;

/// One message, borrowed from the client's buffer for the length of the call.
#[derive(Debug, Clone, Copy)]
pub struct MessageRef<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka time in milliseconds since 1970; `None` if the broker has none.
    pub timestamp_ms: Option<i64>,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Header names and values, in order.
    pub headers: &'a [(String, Vec<u8>)],
}

/// What a poll may bring.
#[derive(Debug)]
pub enum LogEvent<'a> {
    /// A message.
    Message(MessageRef<'a>),
    /// Partitions now owned by this consumer: `(topic, partition)`.
    Assigned(&'a [(String, i32)]),
    /// Partitions no longer owned; what was not delivered of them belongs to the next owner.
    Revoked(&'a [(String, i32)]),
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct OutMessage {
    /// Topic.
    pub topic: String,
    /// Partition; `None` lets the client hash the key.
    pub partition: Option<i32>,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Header names and values.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// The next offset to read of one input partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset of the next record: last processed + 1.
    pub next_offset: i64,
}

/// A partitioned log that is read by a consumer group and written to.
///
/// Between two calls of `poll` the caller works on one batch; `deliver` hands over the batch's
/// outputs together with its input positions, so that an implementation can make both one
/// transaction. At-least-once implementations write the outputs, wait until each is
/// acknowledged, and only then commit the positions.
pub trait Log {
    /// Waits up to `wait` for at least one event, then hands over what is there, at most `max`
    /// messages. Returns the number of messages.
    ///
    /// # Errors
    ///
    /// [`IoError`] only for faults that the client cannot mend by itself.
    fn poll(
        &mut self,
        max: usize,
        wait: Duration,
        each: &mut dyn FnMut(LogEvent<'_>),
    ) -> Result<usize, IoError>;

    /// Writes `outputs`, then commits `positions`.
    ///
    /// # Errors
    ///
    /// [`IoError`] if an output was not acknowledged; positions are then not committed.
    fn deliver(&mut self, outputs: Vec<OutMessage>, positions: &[Position]) -> Result<(), IoError>;

    /// Records between the position and the end, per assigned partition (topic, partition, lag).
    fn lag(&mut self) -> Vec<(String, i32, i64)>;

    /// Leaves the group after the last `deliver`.
    fn close(&mut self);
}
