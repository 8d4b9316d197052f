//! Labelled files of `../shared/data`, where it is there.

use std::io::Read;
use std::path::{Path, PathBuf};

/// The folder, or a word that nothing is measured.
pub fn root() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !root.is_dir() {
        println!("skipped: there is no {}", root.display());
        return None;
    }
    Some(root)
}

/// A CSV file, compressed or not.
pub fn table(path: &Path) -> csv::Reader<Box<dyn Read>> {
    let file = std::fs::File::open(path).expect("a readable file");
    let reader: Box<dyn Read> = match path.extension().is_some_and(|e| e == "gz") {
        true => Box::new(flate2::read::MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    csv::Reader::from_reader(reader)
}

/// The files of a folder, with the rows of their train parts.
pub fn files(root: &Path, folder: &str) -> Vec<(PathBuf, usize)> {
    let mut reader = table(&root.join(folder).join("index.csv"));
    let header = reader.headers().expect("a header").clone();
    let at = |name: &str| header.iter().position(|n| n == name);
    let (file, train) = (at("file").expect("a column"), at("train_rows"));
    let row = |record: csv::StringRecord| {
        let train = train.and_then(|at| record[at].parse().ok()).unwrap_or(0);
        (root.join(folder).join(&record[file]), train)
    };
    reader.into_records().map(|record| row(record.expect("a row"))).collect()
}

/// Values of the channels, NaN where there is none, and whether the row is labelled.
pub fn rows(path: &Path) -> Vec<(Vec<f64>, bool)> {
    let mut reader = table(path);
    let header = reader.headers().expect("a header").clone();
    let label = header.iter().position(|name| name == "label");
    let is_value = |name: &str| {
        name != "timestamp" && !name.starts_with("label") && !name.starts_with("meta_")
    };
    let columns: Vec<usize> =
        header.iter().enumerate().filter(|(_, n)| is_value(n)).map(|(i, _)| i).collect();
    let row = |record: csv::StringRecord| {
        let values = columns.iter().map(|at| record[*at].parse().unwrap_or(f64::NAN)).collect();
        let label = label.is_some_and(|at| record[at].parse::<f64>().is_ok_and(|v| v > 0.0));
        (values, label)
    };
    reader.into_records().map(|record| row(record.expect("a row"))).collect()
}
