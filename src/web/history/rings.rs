//! The newest rows of some series, within a budget of bytes.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::record::{EventTime, RowScore, SeriesKey};

/// A channel of a row, to seven digits; NaN where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Observed.
    pub y: f32,
    /// Expected.
    pub yhat: f32,
    /// Lower end of what was expected.
    pub lower: f32,
    /// Upper end of what was expected.
    pub upper: f32,
}

const NOTHING: Cell = Cell { y: f32::NAN, yhat: f32::NAN, lower: f32::NAN, upper: f32::NAN };

/// A row without its channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryRow {
    /// Start of the row.
    pub time: EventTime,
    /// Ranks rows.
    pub surprise: f32,
    /// 1 and above is an alarm.
    pub anomaly_score: f32,
    /// An alert opened here.
    pub raised: bool,
    /// An alert was open after it.
    pub firing: bool,
    /// The series was still learning what normal is.
    pub warming: bool,
}

/// The newest rows of one series.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Name of the series.
    pub entity: SeriesKey,
    channels: usize,
    rows: VecDeque<HistoryRow>,
    /// By row, then by channel.
    cells: VecDeque<Cell>,
    /// When somebody cared for it last: looked at it, or an alert opened; counts up.
    interest: u64,
}

impl Ring {
    /// Takes all of its memory at once: growing by halves would take more than was set aside.
    fn new(entity: SeriesKey, channels: usize, rows_max: usize, interest: u64) -> Self {
        let (rows, cells) = (VecDeque::with_capacity(rows_max), rows_max * channels);
        Self { entity, channels, rows, cells: VecDeque::with_capacity(cells), interest }
    }

    fn push(&mut self, row: &RowScore, most: usize) {
        if self.rows.len() >= most {
            self.rows.pop_front();
            self.cells.drain(..self.channels);
        }
        self.rows.push_back(HistoryRow {
            time: row.time,
            surprise: row.surprise as f32,
            anomaly_score: row.anomaly_score as f32,
            raised: row.raised,
            firing: row.firing,
            warming: row.warming,
        });
        let from = self.cells.len();
        self.cells.extend(std::iter::repeat_n(NOTHING, self.channels));
        for part in row.channels.iter().filter(|part| part.channel < self.channels) {
            self.cells[from + part.channel] = Cell {
                y: part.y as f32,
                yhat: part.yhat as f32,
                lower: part.lower as f32,
                upper: part.upper as f32,
            };
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The newest `most` rows, oldest first, each with its cells by channel.
    pub fn newest(&self, most: usize) -> impl Iterator<Item = (&HistoryRow, Vec<Cell>)> {
        let from = self.rows.len().saturating_sub(most);
        self.rows.iter().enumerate().skip(from).map(|(i, row)| {
            let cells = self.cells.range(i * self.channels..(i + 1) * self.channels);
            (row, cells.copied().collect())
        })
    }
}

/// Rings of the series of all streams.
#[derive(Debug)]
pub(super) struct Rings {
    rows_max: usize,
    bytes_max: usize,
    bytes: usize,
    /// By number of the stream and name of the series.
    by_name: FxHashMap<(usize, SeriesKey), Ring>,
    /// Counts up when somebody cares for a series.
    interests: u64,
    /// Counts up when the set of series changes.
    pub(super) version: u64,
}

impl Rings {
    pub(super) fn new(rows_max: usize, bytes_max: usize) -> Self {
        let by_name = FxHashMap::default();
        Self { rows_max, bytes_max, bytes: 0, by_name, interests: 0, version: 0 }
    }

    /// Bytes of a full ring.
    pub(super) fn ring_bytes(&self, channels: usize) -> usize {
        self.rows_max * (size_of::<HistoryRow>() + channels * size_of::<Cell>())
    }

    pub(super) fn get(&self, stream: usize, entity: &str) -> Option<&Ring> {
        self.by_name.get(&(stream, SeriesKey::from(entity)))
    }

    /// Whether the rows of a series are wanted; makes room for it if there is some.
    pub(super) fn wants(&mut self, stream: usize, entity: &SeriesKey, channels: usize) -> bool {
        let key = (stream, entity.clone());
        if self.by_name.contains_key(&key) {
            return true;
        }
        let bytes = self.ring_bytes(channels);
        if self.bytes + bytes > self.bytes_max {
            return false;
        }
        self.bytes += bytes;
        self.version += 1;
        self.by_name.insert(key, Ring::new(entity.clone(), channels, self.rows_max, 0));
        true
    }

    /// Whether another series of this width would find room.
    pub(super) fn has_room(&self, channels: usize) -> bool {
        self.bytes + self.ring_bytes(channels) <= self.bytes_max
    }

    /// Somebody cares for a series: it takes the place of those for which nobody has cared for
    /// longest. Returns whether there is a place for it at all.
    pub(super) fn care(&mut self, stream: usize, entity: &SeriesKey, channels: usize) -> bool {
        let needed = self.ring_bytes(channels);
        if needed > self.bytes_max {
            return false;
        }
        while !self.wants(stream, entity, channels) {
            let oldest = self.by_name.iter().min_by_key(|(_, ring)| ring.interest);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return false };
            let freed = self.by_name.remove(&key).map_or(0, |ring| ring.channels);
            self.bytes -= self.ring_bytes(freed);
            self.version += 1;
        }
        self.interests += 1;
        if let Some(ring) = self.by_name.get_mut(&(stream, entity.clone())) {
            ring.interest = self.interests;
        }
        true
    }

    /// Takes a row, if its series is wanted.
    pub(super) fn push(&mut self, stream: usize, row: &RowScore, channels: usize) {
        let key = (stream, row.entity.clone());
        let known = self.by_name.contains_key(&key) || self.wants(stream, &row.entity, channels);
        if let Some(ring) = self.by_name.get_mut(&key).filter(|_| known) {
            ring.push(row, self.rows_max);
        }
    }

    /// Number of series and bytes that they may take.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.by_name.len(), self.bytes)
    }
}
