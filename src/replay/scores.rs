//! One line of scores per input row, in the order of the input.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ReplayError;
use super::cell::write_number;
use super::files::CsvFile;
use super::lab::Lab;
use crate::record::{EventTime, RowScore, SeriesKey};

const HEADER: [&str; 7] =
    ["series", "timestamp", "surprise", "anomaly_score", "raised", "firing", "warming"];

/// Lines wait until the row that they are part of is closed and scored.
pub(super) struct ScoreLines {
    /// `None` if only the laboratory reads them.
    out: Option<CsvFile>,
    lines: VecDeque<Line>,
    /// Number of the first line that waits.
    first: u64,
    series: FxHashMap<SeriesKey, usize>,
    /// By series: rows that are open, with a line of each.
    waiting: Vec<Vec<(EventTime, u64)>>,
}

/// An input row that was taken in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub series: &'a str,
    pub timestamp: &'a str,
    pub time: EventTime,
    /// Whether it is marked as anomalous; `None` without labels.
    pub label: Option<bool>,
    /// Start of the row that it became a part of, if it did.
    pub row: Option<EventTime>,
}

/// An input row with its numbers.
pub(super) struct Line {
    pub series: SeriesKey,
    timestamp: Box<str>,
    pub time: EventTime,
    pub label: Option<bool>,
    pub numbers: Numbers,
}

#[derive(Clone, Copy)]
pub(super) enum Numbers {
    Waiting,
    /// The row was late, double, or refused.
    None,
    Known {
        surprise: f64,
        anomaly_score: f64,
        raised: bool,
        firing: bool,
        warming: bool,
    },
}

#[cfg(test)]
impl Line {
    /// A row with a number, on which an anomaly may have opened.
    pub fn scored(series: &str, time: EventTime, raised: bool) -> Self {
        let numbers = Numbers::Known {
            surprise: 0.0,
            anomaly_score: 0.0,
            raised,
            firing: raised,
            warming: false,
        };
        Self { series: Arc::from(series), timestamp: "".into(), time, label: None, numbers }
    }
}

impl ScoreLines {
    pub fn new(mut out: Option<CsvFile>) -> Result<Self, ReplayError> {
        if let Some(out) = &mut out {
            out.write(HEADER)?;
        }
        Ok(Self {
            out,
            lines: VecDeque::new(),
            first: 0,
            series: FxHashMap::default(),
            waiting: Vec::new(),
        })
    }

    /// Takes note of an input row.
    pub fn expect(&mut self, input: Input<'_>) {
        let (key, index) = match self.series.get_key_value(input.series) {
            Some((key, index)) => (Arc::clone(key), *index),
            None => {
                let key: SeriesKey = Arc::from(input.series);
                self.waiting.push(Vec::new());
                self.series.insert(Arc::clone(&key), self.waiting.len() - 1);
                (key, self.waiting.len() - 1)
            }
        };
        let Input { time, label, row, .. } = input;
        let numbers = if row.is_some() { Numbers::Waiting } else { Numbers::None };
        let line = self.first + self.lines.len() as u64;
        self.waiting[index].extend(row.map(|row| (row, line)));
        let timestamp = if self.out.is_some() { input.timestamp } else { "" }.into();
        self.lines.push_back(Line { series: key, timestamp, time, label, numbers });
    }

    /// Fills in the numbers of closed rows and writes the lines that wait for nothing any more.
    ///
    /// If several input rows became one row, each has its numbers; an alert is raised on the
    /// first.
    pub fn settle(
        &mut self,
        rows: &[RowScore],
        mut lab: Option<&mut Lab>,
    ) -> Result<(), ReplayError> {
        for row in rows {
            let Some(index) = self.series.get(&row.entity) else { continue };
            let (lines, first) = (&mut self.lines, self.first);
            let mut raised = row.raised;
            self.waiting[*index].retain(|(time, line)| {
                if *time != row.time {
                    return true;
                }
                if let Some(line) = lines.get_mut((line - first) as usize) {
                    line.numbers = Numbers::Known {
                        surprise: row.surprise,
                        anomaly_score: row.anomaly_score,
                        raised: std::mem::take(&mut raised),
                        firing: row.firing,
                        warming: row.warming,
                    };
                }
                false
            });
        }
        while let Some(line) = self.lines.front()
            && !matches!(line.numbers, Numbers::Waiting)
        {
            if let Some(out) = &mut self.out {
                write_line(out, line)?;
            }
            if let Some(lab) = &mut lab {
                lab.line(line);
            }
            self.lines.pop_front();
            self.first += 1;
        }
        Ok(())
    }

    /// Writes what is left to the file.
    pub fn finish(&mut self) -> Result<(), ReplayError> {
        debug_assert!(self.lines.is_empty(), "every row is closed at the end of its log");
        self.out.as_mut().map_or(Ok(()), CsvFile::finish)
    }
}

fn write_line(out: &mut CsvFile, line: &Line) -> Result<(), ReplayError> {
    let (mut surprise, mut score) = (String::new(), String::new());
    let flag = |on: bool| if on { "1" } else { "0" };
    let flags = match line.numbers {
        Numbers::Known { surprise: s, anomaly_score, raised, firing, warming } => {
            write_number(s, &mut surprise);
            write_number(anomaly_score, &mut score);
            [flag(raised), flag(firing), flag(warming)]
        }
        Numbers::Waiting | Numbers::None => [""; 3],
    };
    let [raised, firing, warming] = flags;
    out.write([&*line.series, &*line.timestamp, &surprise, &score, raised, firing, warming])
}
