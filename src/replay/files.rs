//! Files that are written.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::ReplayError;

/// Links to links that are followed.
const LINKS_MAX: u32 = 16;

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

/// Creates a file that is written at the end: what cannot be written is told at the beginning.
pub(super) fn reserve(path: &Path) -> Result<(), ReplayError> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|source| ReplayError::File { path: path.into(), source })
}

/// Refuses outputs that would replace an input or each other.
pub(super) fn check_distinct(inputs: &[PathBuf], outputs: &[&PathBuf]) -> Result<(), ReplayError> {
    // A path that does not exist yet is no input.
    let inputs: Vec<PathBuf> = inputs.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut taken = Vec::new();
    for path in outputs {
        let place = place(path, LINKS_MAX);
        if inputs.contains(&place) {
            return Err(ReplayError::SameFile { path: (*path).clone() });
        }
        // Devices and pipes take everything: two outputs may go to /dev/null.
        if place.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            continue;
        }
        if taken.contains(&place) {
            return Err(ReplayError::TwoOutputs { path: (*path).clone() });
        }
        taken.push(place);
    }
    Ok(())
}

/// Where a file is, or will be: a link may lead to what does not exist yet.
fn place(path: &Path, links: u32) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    match path.read_link() {
        Ok(to) if 0 < links => place(&folder.join(to), links - 1),
        _ => {
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            let folder = here.canonicalize().unwrap_or(folder);
            path.file_name().map_or(path.to_owned(), |name| folder.join(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_outputs_are_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("input"), "t,x").unwrap();
        std::fs::create_dir(path("sub")).unwrap();
        let fault = |outputs: &[&str]| {
            let outputs: Vec<PathBuf> = outputs.iter().map(|name| path(name)).collect();
            let outputs: Vec<&PathBuf> = outputs.iter().collect();
            check_distinct(&[path("input")], &outputs).err().map(|fault| fault.to_string())
        };
        assert_eq!(fault(&["a", "b", "sub/a"]), None);
        for same in ["a", "./a", "sub/../a"] {
            let told = fault(&["a", same]).unwrap();
            assert!(told.ends_with("a is the file of two outputs"), "{told}");
        }
        assert!(fault(&["sub/../input"]).unwrap().ends_with("input is an input, too"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_take_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        std::os::unix::fs::symlink("b", path("a")).unwrap();
        let (link, target) = (path("link"), path("b"));
        assert!(check_distinct(&[], &[&target, &link]).is_err(), "b does not exist yet");
        std::fs::write(&target, "").unwrap();
        assert!(check_distinct(&[], &[&target, &link]).is_err());
        assert!(check_distinct(std::slice::from_ref(&target), &[&link]).is_err());
        std::os::unix::fs::symlink("loop", path("loop")).unwrap();
        assert!(check_distinct(&[], &[&path("loop"), &target]).is_ok());
        let null = PathBuf::from("/dev/null");
        assert!(check_distinct(&[], &[&null, &null]).is_ok());
    }

    #[test]
    fn what_cannot_be_written_is_told_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        std::fs::write(&path, "before").unwrap();
        reserve(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        let fault = reserve(&folder.path().join("nope/report.html")).unwrap_err().to_string();
        assert!(fault.ends_with("nope/report.html"), "{fault}");
    }
}
