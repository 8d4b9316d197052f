//! One input partition: its series, their rows and windows, the networks that learn from them.

use std::sync::Arc;

use super::StreamSpec;
use crate::record::{EventTime, Outbox, Placement, RecordRef};

/// The engine of one partition.
///
/// Its state is a function of (spec, partition, the records in order, the `close_until` calls):
/// how the records are cut into batches and when [`Shard::settle`] is called changes no output.
#[derive(Debug)]
pub struct Shard {
    _spec: Arc<StreamSpec>,
    _partition: i32,
}

/// A picture of a shard for the API and gauges.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShardStatus {
    /// Input partition.
    pub partition: i32,
    /// Series held.
    pub series: usize,
    /// Series still warming up.
    pub warming: usize,
    /// Alerts open now, by severity (warning, critical).
    pub firing: [usize; 2],
    /// Event-time watermark.
    pub watermark: Option<EventTime>,
    /// Rows not closed yet, over all series.
    pub open_rows: usize,
    /// Training steps so far, over all networks.
    pub model_version: u64,
    /// Exponentially weighted mean of the reconstruction error of scored windows.
    pub reconstruction_loss: Option<f64>,
}

impl Shard {
    /// An empty shard.
    pub fn new(spec: Arc<StreamSpec>, partition: i32) -> Self {
        Self { _spec: spec, _partition: partition }
    }

    /// Takes one record. `log_time` is the record's Kafka time, the bound of `ahead_max`.
    ///
    /// Results of rows it closes may stay pending until [`Shard::settle`].
    ///
    /// # Panics
    ///
    /// If `record.values` does not have one value per channel: decoders guarantee it.
    pub fn push(
        &mut self,
        _record: RecordRef<'_>,
        _log_time: EventTime,
        _out: &mut Outbox,
    ) -> Placement {
        Placement::Placed
    }

    /// Puts the results of all rows closed so far into `out`. Call at the end of each batch.
    pub fn settle(&mut self, _out: &mut Outbox) {}

    /// Closes every row that ends at or before `time`, as if the watermark had reached it:
    /// quiet partitions, end of a file (`EventTime::from_millis(i64::MAX)`).
    pub fn close_until(&mut self, _time: EventTime, _out: &mut Outbox) {}

    /// A picture for the API and gauges.
    pub fn status(&self) -> ShardStatus {
        ShardStatus::default()
    }
}
