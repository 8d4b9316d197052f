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

/// Topic and partition.
pub type Place = (String, i32);

/// What a poll may bring.
#[derive(Debug)]
pub enum LogEvent<'a> {
    /// A message.
    Message(MessageRef<'a>),
    /// Partitions that the group gave to this consumer. They are silent until [`Log::start`].
    Assigned(&'a [Place]),
    /// Partitions that the group wants back. They are still owned, and may still bring messages,
    /// so that one more `deliver` can hold their last outputs and their state; they are gone
    /// after [`Log::release`].
    Revoking(&'a [Place]),
    /// The position of a started partition is not part of the log any more: retention was faster,
    /// or the topic was made anew. It is silent until [`Log::seek`].
    Gone {
        /// The partition.
        place: &'a Place,
        /// Where it wants to read.
        position: i64,
        /// What there is.
        bounds: Bounds,
    },
    /// Partitions that are gone already: what was not delivered of them is the next owner's.
    Lost(&'a [Place]),
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

/// What one input partition has to deliver.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Input topic.
    pub topic: String,
    /// Input partition.
    pub partition: i32,
    /// Offset of the next record: last processed + 1. `None` if none was processed yet.
    pub next_offset: Option<i64>,
    /// Results and dead letters, in the order in which they were made.
    pub outputs: Vec<OutMessage>,
    /// Records of the state topic that describe the partition at `next_offset`.
    pub state: Vec<OutMessage>,
}

/// Why a delivery did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// No position has moved; the same parts may be delivered again.
    #[error(transparent)]
    Again(IoError),
    /// This consumer was taken out of the group, or its place was taken: the next poll says
    /// which partitions are lost. The parts belong to their next owner.
    #[error(transparent)]
    Lost(IoError),
    /// Trying again cannot help.
    #[error(transparent)]
    Stop(IoError),
}

/// One record of a topic that is read whole, in the order of its partition.
#[derive(Debug, Clone, Copy)]
pub struct StateRef<'a> {
    /// Offset in its partition.
    pub offset: i64,
    /// Key bytes.
    pub key: &'a [u8],
    /// Value bytes; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
}

/// Offsets between which an input partition can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Offset of the oldest record that is kept.
    pub low: i64,
    /// Offset of the next record that will be written.
    pub high: i64,
}

/// A partitioned log that is read by a consumer group and written to.
///
/// Between two calls of `poll` the caller works on one batch; `deliver` hands over the batch's
/// outputs together with its input positions and state. With exactly-once delivery all of it is
/// one transaction. With at-least-once delivery the outputs are written first, the positions are
/// committed when each output is acknowledged, and the state is written last, so that a stored
/// state is never ahead of the committed position.
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

    /// Delivers all parts, or none.
    ///
    /// # Errors
    ///
    /// [`DeliverError`] says whether to try again.
    fn deliver(&mut self, parts: &[Part]) -> Result<(), DeliverError>;

    /// The committed position of a partition, after the transaction of a former owner has ended;
    /// `None` if the group never committed one.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not say in time; ask again.
    fn committed(&mut self, topic: &str, partition: i32) -> Result<Option<i64>, IoError>;

    /// What is kept of an input partition.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not say in time; ask again.
    fn bounds(&mut self, topic: &str, partition: i32) -> Result<Bounds, IoError>;

    /// Hands over all committed records of the partition of a state topic that belongs to an
    /// input partition, in order. A topic or partition that does not exist is made, and has none.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not deliver in time; ask again.
    fn read_state(
        &mut self,
        state_topic: &str,
        of: &Place,
        each: &mut dyn FnMut(StateRef<'_>),
    ) -> Result<(), IoError>;

    /// Hands over all committed records of a topic, partition after partition. A topic that does
    /// not exist has none.
    ///
    /// # Errors
    ///
    /// As [`Log::read_state`].
    fn read_topic(
        &mut self,
        topic: &str,
        each: &mut dyn FnMut(StateRef<'_>),
    ) -> Result<(), IoError>;

    /// Begins to read assigned partitions at these offsets.
    ///
    /// # Errors
    ///
    /// [`IoError`] for faults that the client cannot mend by itself.
    fn start(&mut self, partitions: &[(Place, i64)]) -> Result<(), IoError>;

    /// Goes on reading a started partition at another offset.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the client does not get there in time.
    fn seek(&mut self, place: &Place, offset: i64) -> Result<(), IoError>;

    /// Gives up partitions that the group wants back.
    ///
    /// # Errors
    ///
    /// [`IoError`] for faults that the client cannot mend by itself.
    fn release(&mut self, partitions: &[Place]) -> Result<(), IoError>;

    /// Hands over what has come in topics that every consumer reads whole, from the beginning and
    /// without a group: once each. Waits only for what was there before the first call; topics that do
    /// not exist are no fault.
    ///
    /// # Errors
    ///
    /// [`IoError`] for faults that the client cannot mend by itself.
    fn poll_inbox(
        &mut self,
        topics: &[&str],
        each: &mut dyn FnMut(MessageRef<'_>),
    ) -> Result<(), IoError>;

    /// Records between the position and the end, per started partition (topic, partition, lag).
    fn lag(&mut self) -> Vec<(String, i32, i64)>;

    /// Leaves the group after the last `deliver`.
    fn close(&mut self);
}
