//! Files that are written.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::ReplayError;

/// A CSV file in the making.
pub(super) struct CsvFile {
    path: PathBuf,
    out: csv::Writer<File>,
}

impl CsvFile {
    pub fn create(path: &Path) -> Result<Self, ReplayError> {
        let file = create(path)?;
        Ok(Self { path: path.into(), out: csv::Writer::from_writer(file) })
    }

    pub fn write<'a>(
        &mut self,
        line: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ReplayError> {
        let written = self.out.write_record(line);
        written.map_err(|source| ReplayError::Csv { path: self.path.clone(), source })
    }

    pub fn finish(&mut self) -> Result<(), ReplayError> {
        self.out.flush().map_err(|source| ReplayError::File { path: self.path.clone(), source })
    }
}

/// A file of one JSON object a line.
pub(super) struct JsonLines {
    path: PathBuf,
    out: BufWriter<File>,
}

impl JsonLines {
    pub fn create(path: &Path) -> Result<Self, ReplayError> {
        Ok(Self { path: path.into(), out: BufWriter::new(create(path)?) })
    }

    pub fn write(&mut self, json: &[u8]) -> Result<(), ReplayError> {
        let written = self.out.write_all(json).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|source| ReplayError::File { path: self.path.clone(), source })
    }

    pub fn finish(&mut self) -> Result<(), ReplayError> {
        self.out.flush().map_err(|source| ReplayError::File { path: self.path.clone(), source })
    }
}

fn create(path: &Path) -> Result<File, ReplayError> {
    File::create(path).map_err(|source| ReplayError::File { path: path.into(), source })
}

/// Refuses outputs that would replace an input.
pub(super) fn check_distinct(inputs: &[PathBuf], outputs: &[&PathBuf]) -> Result<(), ReplayError> {
    // A path that does not exist yet is no input.
    let inputs: Vec<PathBuf> = inputs.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let is_input = |path: &&&PathBuf| path.canonicalize().is_ok_and(|p| inputs.contains(&p));
    match outputs.iter().find(is_input) {
        Some(path) => Err(ReplayError::SameFile { path: (*path).clone() }),
        None => Ok(()),
    }
}
