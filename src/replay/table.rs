//! CSV files, packed or not, row by row with their places.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::StringRecord;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;

use super::ReplayError;

/// First bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Separators that are tried, by their number in the header.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
/// Most characters of a cell in an error text.
const SHOWN_MAX: usize = 64;

/// An open file, behind its header.
pub(super) struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: csv::Reader<Box<dyn Read>>,
    record: StringRecord,
    read: u64,
}

/// One row of cells.
#[derive(Clone, Copy)]
pub(super) struct Row<'t> {
    table: &'t Table,
    /// Number of the row in its file, from 0; the header does not count.
    pub number: u64,
}

impl Table {
    /// Opens a file and reads its header. `progress` moves by the bytes of the file, packed or not.
    pub fn open(path: &Path, progress: &ProgressBar) -> Result<Self, ReplayError> {
        let fault = |source| ReplayError::File { path: path.into(), source };
        let file = progress.wrap_read(File::open(path).map_err(fault)?);
        let mut packed = BufReader::with_capacity(1 << 16, file);
        let mut plain: Box<dyn BufRead> = if packed.fill_buf().map_err(fault)?.starts_with(&GZIP) {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(packed)))
        } else {
            Box::new(packed)
        };
        let separator = separator(plain.fill_buf().map_err(fault)?);
        let mut rows = csv::ReaderBuilder::new()
            .delimiter(separator)
            .from_reader(Box::new(plain) as Box<dyn Read>);
        let csv = |source| ReplayError::Csv { path: path.into(), source };
        let header: Vec<String> = rows
            .headers()
            .map_err(csv)?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
            .collect();
        Ok(Self { path: path.into(), header, rows, record: StringRecord::new(), read: 0 })
    }

    pub fn header(&self) -> &[String] {
        &self.header
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// Refuses a column whose name another one has, too: nobody knows which is meant.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Header`] with the name.
    pub fn once(&self, column: usize) -> Result<(), ReplayError> {
        let name = &self.header[column];
        match self.header.iter().filter(|other| *other == name).count() {
            0 | 1 => Ok(()),
            2 => Err(self.header_fault(format!("column `{name}` is there twice"))),
            times => Err(self.header_fault(format!("column `{name}` is there {times} times"))),
        }
    }

    /// The next row; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Row<'_>>, ReplayError> {
        let more = self.rows.read_record(&mut self.record);
        if !more.map_err(|source| ReplayError::Csv { path: self.path.clone(), source })? {
            return Ok(None);
        }
        self.read += 1;
        Ok(Some(Row { number: self.read - 1, table: self }))
    }

    pub fn header_fault(&self, why: impl Into<String>) -> ReplayError {
        ReplayError::Header { path: self.path.clone(), why: why.into() }
    }
}

impl<'t> Row<'t> {
    /// The cell of a column, without blanks around it.
    pub fn cell(self, column: usize) -> &'t str {
        self.table.record.get(column).unwrap_or_default().trim()
    }

    /// Line of the row in its file, from 1.
    pub fn line(self) -> u64 {
        self.table.record.position().map_or(0, csv::Position::line)
    }

    /// A cell for an error text.
    pub fn shown(self, column: usize) -> String {
        self.cell(column).chars().take(SHOWN_MAX).collect()
    }

    /// The fault of a cell that is not what it should be.
    pub fn fault(self, column: usize, expected: &'static str) -> ReplayError {
        ReplayError::Cell {
            path: self.table.path.clone(),
            line: self.line(),
            column: self.table.header.get(column).cloned().unwrap_or_default(),
            text: self.shown(column),
            expected,
        }
    }
}

/// The separator that the header has most of; a comma if it has none.
fn separator(start: &[u8]) -> u8 {
    let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| line.iter().filter(|b| *b == separator).count();
    SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn cells(bytes: &[u8]) -> Result<Vec<Vec<String>>, ReplayError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut table = Table::open(file.path(), &ProgressBar::hidden())?;
        let mut all = vec![table.header().to_vec()];
        let width = all[0].len();
        while let Some(row) = table.next()? {
            all.push((0..width).map(|c| row.cell(c).to_owned()).collect());
        }
        Ok(all)
    }

    #[test]
    fn files_of_all_common_dresses_read_the_same() {
        let plain = "a,b\n1, 2\n";
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(plain.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        for bytes in [
            plain.as_bytes(),
            b"\xef\xbb\xbfa;b\r\n1;2\r\n".as_slice(),
            b"a\tb\n1\t2".as_slice(),
            packed.as_slice(),
        ] {
            assert_eq!(cells(bytes).unwrap(), [["a", "b"], ["1", "2"]]);
        }
    }

    #[test]
    fn a_short_row_is_told_with_its_line() {
        let fault = cells(b"a,b\n1,2\n3\n").unwrap_err();
        let ReplayError::Csv { source, .. } = fault else { panic!("{fault}") };
        assert!(source.to_string().contains("line: 3"), "{source}");
    }
}
