//! Known values of a file, announced before their rows come.
//!
//! What a configuration calls known is known beforehand: a second reader of the file runs ahead of the first
//! and tells the shard.

use std::path::Path;

use indicatif::ProgressBar;

use super::layout::Layout;
use super::table::Table;
use super::{ReplayArgs, ReplayError};
use crate::config::StreamSettings;
use crate::engine::{Shard, StreamSpec};
use crate::record::{Announcement, EventTime, Millis, Outbox, Step};

/// The second reader.
pub(super) struct Ahead {
    table: Table,
    layout: Layout,
    /// Channels whose values are announced.
    known: Vec<usize>,
    /// How far ahead a forecast looks.
    reach: Millis,
    /// Newest time that was read.
    read: Option<EventTime>,
    position: i64,
    refused: usize,
    is_over: bool,
}

impl Ahead {
    /// `None` if nothing is known beforehand. `before` has read the file before this one.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if the file cannot be read.
    pub(super) fn open(
        file: &Path,
        (stream, spec): (&StreamSettings, &StreamSpec),
        args: &ReplayArgs,
        before: Option<Self>,
    ) -> Result<Option<Self>, ReplayError> {
        let (Some(params), Step::Grid(step)) = (&spec.forecast, spec.rows.step) else {
            return Ok(None);
        };
        if params.known.is_empty() {
            return Ok(None);
        }
        let table = Table::open(file, &ProgressBar::hidden())?;
        let layout = Layout::new(&table, stream, args)?;
        let rows = params.horizons.last().map_or(1, |rows| i64::from(*rows) + 1);
        let reach = Millis::new(rows * step.get() + spec.rows.max_out_of_order.get());
        let known = params.known.clone();
        let ahead = Self {
            table,
            layout,
            known,
            reach,
            read: None,
            position: before.map_or(0, |before| before.position),
            refused: 0,
            is_over: false,
        };
        Ok(Some(ahead))
    }

    /// Tells `shard` what will be known once rows up to `now` have come.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: the place in the file that cannot be read.
    pub(super) fn announce(
        &mut self,
        now: EventTime,
        series: Option<&str>,
        shard: &mut Shard,
        out: &mut Outbox,
    ) -> Result<(), ReplayError> {
        if self.is_over || self.read.is_some_and(|read| now + self.reach <= read) {
            return Ok(());
        }
        shard.settle(out);
        let mut values = Vec::new();
        while self.read.is_none_or(|read| read < now + self.reach + self.reach) {
            let Some(row) = self.table.next()? else {
                self.is_over = true;
                break;
            };
            let (_, time) = self.layout.time(row)?;
            self.layout.values(row, &mut values)?;
            let entity = self.layout.series(row, series)?;
            for channel in self.known.iter().filter(|channel| values[**channel].is_finite()) {
                self.position += 1;
                let news = Announcement {
                    stream: String::new(),
                    entity: entity.to_owned(),
                    channel: shard.channels()[*channel].to_string(),
                    from: time,
                    values: vec![values[*channel]],
                    position: self.position,
                };
                self.refused += shard.apply_announcement(&news).refused;
            }
            self.read = self.read.max(Some(time));
        }
        if self.is_over && self.refused > 0 {
            tracing::warn!(values = self.refused, "no room for known values");
        }
        Ok(())
    }
}
