//! What a file without a configuration says about itself.

use std::collections::BTreeMap;

use super::table::Row;
use super::{ReplayArgs, ReplayError, cell, grid, table::Table};
use crate::io::{TimestampFormat, timestamp};
use crate::record::{Millis, Step};

/// Rows that are looked at.
const SAMPLE_ROWS: u64 = 100_000;
/// Columns with names that begin so are labels of the data, never inputs.
const NOT_INPUTS: [&str; 2] = ["label", "meta_"];

/// Columns of a file and the spacing of its rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inferred {
    pub time: String,
    pub format: TimestampFormat,
    /// The time is a row number: whole numbers from 0 or 1 on, one more each row.
    pub numbered: bool,
    pub entity: Option<String>,
    pub step: Step,
    /// How far rows come before the instant of the grid that they are meant for, if they lie around it.
    pub lead: Millis,
    /// How far rows come behind the newest time before them.
    pub disorder: Millis,
    /// Names of the numeric columns, in the order of the file.
    pub channels: Vec<String>,
    /// Why columns that are not excluded by their name are no channels.
    pub passed_over: Vec<String>,
    /// Distinct series in the sample.
    pub series: usize,
}

/// Looks at the beginning of a file.
///
/// # Errors
///
/// [`ReplayError`] if the file is no CSV, has no row, no time or no numeric column.
pub(super) fn infer(table: &mut Table, args: &ReplayArgs) -> Result<Inferred, ReplayError> {
    let time = match &args.time {
        Some(name) => find(table, name)?,
        None => table.column("timestamp").unwrap_or(0),
    };
    let entity = args.entity.as_ref().map(|name| find(table, name)).transpose()?;
    let header = table.header().to_vec();
    let candidates = candidates(&header, args, (time, entity));
    check_names(table, &candidates)?;
    let mut sample = Sample::new(time, entity, candidates.into_iter());
    while let Some(row) = table.next()? {
        if row.number >= SAMPLE_ROWS {
            break;
        }
        sample.take(row)?;
    }
    let Some(format) = sample.format else {
        return Err(table.header_fault("no row follows the header"));
    };
    let step = grid::step(&mut sample.steps);
    let lead = grid::lead(&sample.times, step);
    let (numeric, other): (Vec<&Column>, Vec<&Column>) =
        sample.columns.iter().partition(|column| column.word.is_none() && column.seen);
    let passed_over: Vec<String> = other.iter().map(|column| column.why(&header)).collect();
    if numeric.is_empty() {
        let why = passed_over.join(", ");
        return Err(table.header_fault(format!("no column holds numbers: {why}")));
    }
    Ok(Inferred {
        time: header[time].clone(),
        format,
        numbered: sample.numbered,
        entity: args.entity.clone(),
        step,
        lead,
        disorder: Millis::new(sample.disorder),
        channels: numeric.iter().map(|column| header[column.at].clone()).collect(),
        passed_over,
        series: sample.last.len(),
    })
}

/// Columns that may be channels: not time and series, and no labels.
fn candidates(
    header: &[String],
    args: &ReplayArgs,
    (time, entity): (usize, Option<usize>),
) -> Vec<usize> {
    let candidate = |c: &usize| {
        let named = args.label.as_ref() != Some(&header[*c])
            && !NOT_INPUTS.iter().any(|prefix| header[*c].starts_with(prefix));
        named && *c != time && Some(*c) != entity && !header[*c].is_empty()
    };
    (0..header.len()).filter(candidate).collect()
}

/// Refuses a header that is none, and columns that cannot be told from each other.
fn check_names(table: &Table, columns: &[usize]) -> Result<(), ReplayError> {
    if is_of_values(table.header()) {
        let why = "the first line holds values and no names: put a line with the names before it";
        return Err(table.header_fault(why));
    }
    columns.iter().try_for_each(|column| table.once(*column))
}

/// Whether a line of names holds none: numbers and times only. Tools that know no names count
/// columns, from 0 or 1.
fn is_of_values(header: &[String]) -> bool {
    let counted = |from: usize| (from..).zip(header).all(|(i, name)| *name == i.to_string());
    let is_value = |name: &String| name.is_empty() || cell::time_format(name).is_some();
    let named = header.iter().any(|name| !name.is_empty());
    named && header.iter().all(is_value) && !counted(0) && !counted(1)
}

fn find(table: &Table, name: &str) -> Result<usize, ReplayError> {
    let missing = || table.header_fault(format!("there is no column `{name}`"));
    table.column(name).ok_or_else(missing)
}

struct Column {
    at: usize,
    /// The first cell that is no number, with its line.
    word: Option<(u64, String)>,
    /// At least one number is there.
    seen: bool,
}

impl Column {
    fn why(&self, header: &[String]) -> String {
        match &self.word {
            Some((line, word)) => format!("line {line} of `{}` is `{word}`", header[self.at]),
            None => format!("`{}` is empty", header[self.at]),
        }
    }
}

struct Sample {
    time: usize,
    entity: Option<usize>,
    format: Option<TimestampFormat>,
    numbered: bool,
    first: Option<i64>,
    rows: i64,
    columns: Vec<Column>,
    newest: i64,
    disorder: i64,
    /// Newest time of each series.
    last: BTreeMap<String, i64>,
    /// Steps forward of a series, in milliseconds.
    steps: Vec<i64>,
    /// Of all rows, in milliseconds.
    times: Vec<i64>,
}

impl Sample {
    fn new(time: usize, entity: Option<usize>, columns: impl Iterator<Item = usize>) -> Self {
        Self {
            time,
            entity,
            format: None,
            numbered: true,
            first: None,
            rows: 0,
            columns: columns.map(|at| Column { at, word: None, seen: false }).collect(),
            newest: i64::MIN,
            disorder: 0,
            last: BTreeMap::new(),
            steps: Vec::new(),
            times: Vec::new(),
        }
    }

    fn take(&mut self, row: Row<'_>) -> Result<(), ReplayError> {
        let text = row.cell(self.time);
        let format = match self.format {
            Some(format) => format,
            None => cell::time_format(text)
                .ok_or_else(|| row.fault(self.time, "a time (name its column with --time)"))?,
        };
        self.format = Some(format);
        let time = timestamp::parse(text, format)
            .ok_or_else(|| row.fault(self.time, timestamp::expected(format)))?
            .as_millis();
        let of_first = time - 1_000 * self.rows;
        let first = *self.first.get_or_insert(time);
        self.numbered &= format == TimestampFormat::EpochS
            && first == of_first
            && (first == 0 || first == 1_000);
        self.rows += 1;
        self.times.push(time);
        self.disorder = self.disorder.max(self.newest.saturating_sub(time));
        self.newest = self.newest.max(time);
        let entity = self.entity.map_or("", |column| row.cell(column));
        match self.last.get_mut(entity) {
            Some(last) => {
                let step = time - *last;
                self.steps.extend((0 < step).then_some(step));
                *last = time.max(*last);
            }
            None => drop(self.last.insert(entity.to_owned(), time)),
        }
        for column in &mut self.columns {
            let value = cell::number(row.cell(column.at));
            if value.is_none() && column.word.is_none() {
                column.word = Some((row.line(), row.shown(column.at)));
            }
            column.seen |= value.is_some_and(|v| !v.is_nan());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use indicatif::ProgressBar;

    use super::*;

    const HEADLESS: &str =
        ":1: the first line holds values and no names: put a line with the names before it";

    fn inferred(text: &str, args: &ReplayArgs) -> Result<Inferred, ReplayError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        infer(&mut Table::open(file.path(), &ProgressBar::hidden())?, args)
    }

    #[test]
    fn time_step_and_numeric_channels_are_found() {
        let text = "site,timestamp,a,b,label,meta_x,note,empty\n\
            1,2014-07-01 00:00:00,1,,0,5,x,\n\
            1,2014-07-01 00:30:00,2,0.5,0,5,y,\n\
            1,2014-07-01 02:00:00,NA,1e3,1,5,3,\n\
            1,2014-07-01 01:30:00,4,7,1,5,3,\n\
            1,2014-07-01 02:30:00,4,7,1,5,3,\n";
        let found = inferred(text, &ReplayArgs::default()).unwrap();
        assert_eq!((found.time.as_str(), found.format), ("timestamp", TimestampFormat::Rfc3339));
        assert_eq!(found.step, Step::Grid(Millis::new(30 * 60_000)));
        assert_eq!(found.disorder, Millis::new(30 * 60_000));
        assert_eq!(found.channels, ["site", "a", "b"]);
        assert_eq!(found.passed_over, ["line 2 of `note` is `x`", "`empty` is empty"]);
        assert!(!found.numbered);
        let args = ReplayArgs { entity: Some("site".into()), ..ReplayArgs::default() };
        assert_eq!(inferred(text, &args).unwrap().channels, ["a", "b"]);
    }

    #[test]
    fn row_numbers_are_told_from_times() {
        let numbered = |text: &str| inferred(text, &ReplayArgs::default()).unwrap().numbered;
        assert!(numbered("t,x\n0,1\n1,2\n2,3\n") && numbered("t,x\n1,1\n2,2\n3,3\n"));
        for other in
            ["t,x\n0,1\n60,2\n120,3\n", "t,x\n1700000000,1\n1700000001,2\n", "t,x\n0,1\n2,2\n"]
        {
            assert!(!numbered(other), "{other}");
        }
    }

    #[test]
    fn steps_are_those_of_each_series() {
        let mut text = String::from("t,m,x\n");
        for row in 0..20 {
            for machine in 0..5 {
                text += &format!("{},m{machine},1\n", row * 60 + machine);
            }
        }
        let args = ReplayArgs { entity: Some("m".into()), ..ReplayArgs::default() };
        let found = inferred(&text, &args).unwrap();
        assert_eq!((found.step, found.series), (Step::Grid(Millis::new(60_000)), 5));
    }

    #[test]
    fn a_file_that_cannot_be_used_says_where_and_why() {
        let named = ReplayArgs { time: Some("when".into()), ..ReplayArgs::default() };
        #[rustfmt::skip]
        let cases = [
            ("t,x\n",               &ReplayArgs::default(), ":1: no row follows the header"),
            ("t,x\n1,a\n",          &ReplayArgs::default(), ":1: no column holds numbers: line 2 of `x` is `a`"),
            ("t,x\n1,2\nmonday,3\n", &ReplayArgs::default(), ":3: column `t` is `monday`, expected seconds since 1970"),
            ("t,x\n1,2\n",          &named, ":1: there is no column `when`"),
            ("t,x,x\n1,2,3\n",      &ReplayArgs::default(), ":1: column `x` is there twice"),
            ("1700000000,1.5\n1700000060,2\n", &ReplayArgs::default(), HEADLESS),
            ("2014-07-01 00:00:00,7\n2014-07-01 00:01:00,7\n", &ReplayArgs::default(), HEADLESS),
        ];
        for (text, args, expected) in cases {
            let fault = inferred(text, args).unwrap_err().to_string();
            assert!(fault.ends_with(expected), "{fault}");
        }
        for fine in ["0,1,2\n5,1,1\n6,2,2\n", "1,2\n5,1\n6,2\n", "t,x,label,label\n1,5,0,0\n"] {
            let found = inferred(fine, &ReplayArgs::default());
            assert!(found.is_ok(), "{found:?}");
        }
    }
}
