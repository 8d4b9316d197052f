//! Which column of a file is what.

use super::table::{Row, Table};
use super::{ReplayArgs, ReplayError, cell};
use crate::config::StreamSettings;
use crate::io::{ChannelParams, EntitySource, TimestampFormat, TimestampSource, timestamp};
use crate::record::EventTime;

/// The columns of one file.
#[derive(Debug)]
pub(super) struct Layout {
    time: usize,
    /// Known from the configuration, else from the first row.
    format: Option<TimestampFormat>,
    /// `None`: the whole file is one series.
    pub entity: Option<usize>,
    /// By channel; `None` if the file does not have it.
    channels: Vec<Option<usize>>,
    label: Option<Label>,
}

/// The column that says which rows are anomalous.
#[derive(Debug)]
struct Label {
    column: usize,
    /// It was asked for by name: then it must read as a label.
    named: bool,
}

/// Name of the label column if no other is named.
pub(super) const LABEL: &str = "label";

impl Layout {
    /// Finds the columns that `stream` names.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Header`] if there is no column for the time or none for any channel.
    pub fn new(
        table: &Table,
        stream: &StreamSettings,
        args: &ReplayArgs,
    ) -> Result<Self, ReplayError> {
        let named = |name: &String| {
            let missing = || table.header_fault(format!("there is no column `{name}`"));
            table.column(name).ok_or_else(missing)
        };
        let (time, format) = match (&args.time, &stream.timestamp) {
            (Some(name), _) => (named(name)?, None),
            (None, TimestampSource::Kafka) => (table.column("timestamp").unwrap_or(0), None),
            (None, TimestampSource::Field { field, format }) => {
                let why =
                    || format!("no column for timestamp.field = `{field}`, name it by --time");
                let time = of_pointer(table, field).ok_or_else(|| table.header_fault(why()))?;
                (time, Some(*format))
            }
        };
        let entity = match (&args.entity, &stream.entity) {
            (Some(name), _) => Some(named(name)?),
            (None, EntitySource::Field { field }) => of_pointer(table, field),
            (None, EntitySource::KafkaKey | EntitySource::Constant { .. }) => None,
        };
        let channels: Vec<_> = stream.channel.iter().map(|c| of_channel(table, c)).collect();
        if channels.iter().all(Option::is_none) {
            let names: Vec<&str> = stream.channel.iter().map(|c| c.name.as_str()).collect();
            let why = format!("there is a column for none of the channels {}", names.join(", "));
            return Err(table.header_fault(why));
        }
        let label = match &args.label {
            Some(name) => Some(Label { column: named(name)?, named: true }),
            None => table.column(LABEL).map(|column| Label { column, named: false }),
        };
        let label = label.filter(|label| !channels.contains(&Some(label.column)));
        let others = [Some(time), entity, label.as_ref().map(|label| label.column)];
        channels.iter().chain(&others).flatten().try_for_each(|column| table.once(*column))?;
        Ok(Self { time, format, entity, channels, label })
    }

    /// Names of the channels that the file does not have.
    pub fn missing<'s>(&self, stream: &'s StreamSettings) -> Vec<&'s str> {
        let pairs = stream.channel.iter().zip(&self.channels);
        pairs.filter(|(_, column)| column.is_none()).map(|(c, _)| c.name.as_str()).collect()
    }

    /// Name of the series of a row, `otherwise` if the rows name none.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Cell`] if it is empty.
    pub fn series<'t>(
        &self,
        row: Row<'t>,
        otherwise: Option<&'t str>,
    ) -> Result<&'t str, ReplayError> {
        match self.entity.map(|column| (column, row.cell(column))) {
            Some((column, "")) => Err(row.fault(column, "the name of a series")),
            Some((_, name)) => Ok(name),
            None => Ok(otherwise.unwrap_or_default()),
        }
    }

    /// Text and value of the event time of a row.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Cell`] if it does not read as one.
    pub fn time<'t>(&mut self, row: Row<'t>) -> Result<(&'t str, EventTime), ReplayError> {
        let text = row.cell(self.time);
        let format = match self.format {
            Some(format) => format,
            None => cell::time_format(text)
                .ok_or_else(|| row.fault(self.time, "a time (name its column by --time)"))?,
        };
        self.format = Some(format);
        let time = timestamp::parse(text, format);
        Ok((text, time.ok_or_else(|| row.fault(self.time, timestamp::expected(format)))?))
    }

    /// Whether a row is marked as anomalous; `None` if the file has no labels. A missing label is
    /// none.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Cell`] if the column was named and the cell is neither 0 nor 1 nor a word for
    /// true or false: a channel that was taken for labels would grade as perfect.
    pub fn label(&mut self, row: Row<'_>) -> Result<Option<bool>, ReplayError> {
        let Some(Label { column, named }) = self.label else { return Ok(None) };
        let text = row.cell(column);
        let label = match text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => match cell::number(text) {
                Some(0.0) => Some(false),
                Some(1.0) => Some(true),
                Some(value) if value.is_nan() => Some(false),
                _ => None,
            },
        };
        if label.is_none() && named {
            return Err(row.fault(column, "0 or 1"));
        }
        if label.is_none() {
            tracing::warn!(
                "column `{LABEL}` is `{}` in line {}, not 0 or 1: it is left out from there on",
                row.shown(column),
                row.line()
            );
            self.label = None;
        }
        Ok(label)
    }

    /// Puts one value per channel into `values`, NaN where nothing was measured.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Cell`] for the first cell that is no finite number.
    pub fn values(&self, row: Row<'_>, values: &mut Vec<f64>) -> Result<(), ReplayError> {
        values.clear();
        for column in &self.channels {
            let value = match *column {
                None => f64::NAN,
                Some(column) => cell::number(row.cell(column))
                    .ok_or_else(|| row.fault(column, "a finite number or nothing"))?,
            };
            values.push(value);
        }
        Ok(())
    }
}

fn of_channel(table: &Table, channel: &ChannelParams) -> Option<usize> {
    let by_field = || channel.field.as_ref().and_then(|field| of_pointer(table, field));
    table.column(&channel.name).or_else(by_field)
}

/// `/oil/temp` is the column `/oil/temp`, `oil/temp`, `oil.temp` or `oil_temp`.
fn of_pointer(table: &Table, pointer: &str) -> Option<usize> {
    let parts = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
    let parts: Vec<String> = parts.collect();
    let joined = ["/", ".", "_"].into_iter().map(|separator| parts.join(separator));
    std::iter::once(pointer.to_owned()).chain(joined).find_map(|name| table.column(&name))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use indicatif::ProgressBar;

    use super::*;
    use crate::config::Layers;

    /// The label of the only row of a file.
    fn label(cell: &str, args: &ReplayArgs) -> Result<Option<bool>, ReplayError> {
        let text = "[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{ name = 'x' }]";
        let settings = Layers::new().toml(text, "a test").unwrap().settings().unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "timestamp,x,label\n1,2,{cell}\n").unwrap();
        let mut table = Table::open(file.path(), &ProgressBar::hidden())?;
        let mut layout = Layout::new(&table, &settings.stream[0], args)?;
        layout.label(table.next()?.unwrap())
    }

    #[test]
    fn labels_are_0_or_1() {
        let named = ReplayArgs { label: Some(LABEL.into()), ..ReplayArgs::default() };
        #[rustfmt::skip]
        let cases = [
            ("1", true), ("0", false), ("1.0", true), ("0.0", false), ("", false), ("NaN", false),
            ("true", true), ("FALSE", false),
        ];
        for (cell, expected) in cases {
            assert_eq!(label(cell, &named).unwrap(), Some(expected), "{cell}");
        }
        for cell in ["50.5", "2", "-1", "0.5", "x"] {
            let fault = label(cell, &named).unwrap_err().to_string();
            let told = format!(":2: column `label` is `{cell}`, expected 0 or 1");
            assert!(fault.ends_with(&told), "{fault}");
            assert_eq!(label(cell, &ReplayArgs::default()).unwrap(), None, "not asked for by name");
        }
    }
}
