//! The input of a partition, read again from a state that is kept or from its first record.

use std::collections::VecDeque;
use std::sync::Arc;

use super::DaemonError;
use super::notices::catch_up;
use super::stream::Stream;
use crate::engine::Shard;
use crate::io::snapshot::{JournalEntry, Recovered};
use crate::io::{MessageRef, PartitionReader, Place};
use crate::record::{EventTime, Outbox};

/// Records between two settlements, as in every replay. Changes no output.
const SETTLE_EVERY: u64 = 1_024;

/// A scratch engine at an offset of the input.
pub(super) struct Rerun {
    shard: Shard,
    /// What happened without a record from there on.
    journal: VecDeque<JournalEntry>,
    /// Offset of the first record that is read.
    pub from: i64,
    /// It begins with nothing, and what people and silence did from then on is not known.
    pub blind: bool,
    pub out: Outbox,
}

impl Rerun {
    /// In the state `kept`, if the input since then is there; else before the first record, if
    /// that is. `low` is the oldest offset of the input. Or why neither can be.
    pub fn begin(
        stream: &Stream,
        partition: i32,
        kept: Option<Recovered>,
        low: i64,
    ) -> Result<Self, String> {
        let out = Outbox::default();
        match kept.filter(|kept| kept.manifest.next_offset >= low) {
            Some(Recovered { manifest, bytes, journal, .. }) => {
                let shard = Shard::restore(Arc::clone(&stream.spec), partition, &bytes);
                let shard = shard
                    .map_err(|error| format!("the state is of another configuration: {error}"))?;
                let (from, journal) = (manifest.next_offset, journal.into());
                Ok(Self { shard, journal, from, blind: false, out })
            }
            None if low == 0 => {
                let shard = Shard::new(Arc::clone(&stream.spec), partition);
                Ok(Self { shard, journal: VecDeque::new(), from: 0, blind: true, out })
            }
            None => Err("no state from before is kept, and the first records are gone".to_owned()),
        }
    }

    /// Reads on to the record before `to`, or to the last one; shows what was said after each, until
    /// `each` returns false.
    ///
    /// # Errors
    ///
    /// [`DaemonError`] if the broker does not deliver.
    pub fn run(
        &mut self,
        (reader, stream): (&mut PartitionReader, &mut Stream),
        place: &Place,
        to: Option<i64>,
        each: &mut dyn FnMut(&mut Outbox) -> bool,
    ) -> Result<(), DaemonError> {
        let Self { shard, journal, from, out, .. } = self;
        let to = to.unwrap_or(i64::MAX);
        let (mut records, mut goes_on) = (0_u64, true);
        let mut feed = |message: MessageRef<'_>| {
            if message.offset >= to {
                return false;
            }
            catch_up(shard, journal, message.offset, out);
            if let Ok(record) = stream.decoder.decode(&message) {
                let log_time = message.timestamp_ms.map_or(record.time, EventTime::from_millis);
                shard.push(record, log_time, out);
            }
            records += 1;
            if records.is_multiple_of(SETTLE_EVERY) {
                shard.settle(out);
            }
            goes_on = each(out);
            goes_on && message.offset + 1 < to
        };
        if *from < to {
            reader.read(&place.0, place.1, Some(*from), &mut feed).map_err(DaemonError::Poll)?;
        }
        if goes_on {
            catch_up(shard, journal, to, out);
            shard.settle(out);
            each(out);
        }
        Ok(())
    }

    /// The state it has come to.
    pub fn state_bytes(&mut self) -> Vec<u8> {
        self.shard.save()
    }
}
