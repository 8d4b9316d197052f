//! One line of scores per input row, in the order of the input.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ReplayError;
use super::cell::write_number;
use super::files::CsvFile;
use crate::record::{EventTime, RowScore, SeriesKey};

const HEADER: [&str; 7] =
    ["series", "timestamp", "surprise", "anomaly_score", "raised", "firing", "warming"];

/// Lines wait until the row that they are part of is closed and scored.
pub(super) struct ScoreLines {
    out: CsvFile,
    lines: VecDeque<Line>,
    /// Number of the first line that waits.
    first: u64,
    series: FxHashMap<SeriesKey, usize>,
    /// By series: rows that are open, with a line of each.
    waiting: Vec<Vec<(EventTime, u64)>>,
}

struct Line {
    series: SeriesKey,
    timestamp: Box<str>,
    numbers: Numbers,
}

#[derive(Clone, Copy)]
enum Numbers {
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

impl ScoreLines {
    pub fn new(mut out: CsvFile) -> Result<Self, ReplayError> {
        out.write(HEADER)?;
        Ok(Self {
            out,
            lines: VecDeque::new(),
            first: 0,
            series: FxHashMap::default(),
            waiting: Vec::new(),
        })
    }

    /// Takes note of an input row; `row` is the start of the row that it became a part of.
    pub fn expect(&mut self, series: &str, timestamp: &str, row: Option<EventTime>) {
        let (key, index) = match self.series.get_key_value(series) {
            Some((key, index)) => (Arc::clone(key), *index),
            None => {
                let key: SeriesKey = Arc::from(series);
                self.waiting.push(Vec::new());
                self.series.insert(Arc::clone(&key), self.waiting.len() - 1);
                (key, self.waiting.len() - 1)
            }
        };
        let numbers = if row.is_some() { Numbers::Waiting } else { Numbers::None };
        let line = self.first + self.lines.len() as u64;
        self.waiting[index].extend(row.map(|row| (row, line)));
        self.lines.push_back(Line { series: key, timestamp: timestamp.into(), numbers });
    }

    /// Fills in the numbers of closed rows and writes the lines that wait for nothing any more.
    ///
    /// If several input rows became one row, each has its numbers; an alert is raised on the
    /// first.
    pub fn settle(&mut self, rows: &[RowScore]) -> Result<(), ReplayError> {
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
            write_line(&mut self.out, line)?;
            self.lines.pop_front();
            self.first += 1;
        }
        Ok(())
    }

    /// Writes what is left to the file.
    pub fn finish(&mut self) -> Result<(), ReplayError> {
        debug_assert!(self.lines.is_empty(), "every row is closed at the end of its log");
        self.out.finish()
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
