//! What the command line may say.

use std::path::PathBuf;
use std::str::FromStr;

use crate::model::Variant;

/// Most horizons or seasons of one forecast.
const LIST_MAX: usize = 1_000;
/// Rows beside a labelled range that are as good as in it: the length of a window by default.
const SLACK: usize = 16;

/// Arguments of `latentd replay`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub struct ReplayArgs {
    /// CSV files with a header, .gz or not. Without an entity column each is one series, named
    /// after the file; with one they are read one after the other as one log
    #[arg(required_unless_present = "nab", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Use this configuration; columns are found by channel name or JSON pointer (`/oil/temp` or
    /// `oil.temp`). Without it, time, step and numeric channels are inferred from the file
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Name of the stream in the configuration, if it has several
    #[arg(long, value_name = "NAME", requires = "config")]
    pub stream: Option<String>,

    /// Column of the event time [default: `timestamp`, else the first]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,

    /// Column that names the series of each row
    #[arg(long, value_name = "COLUMN")]
    pub entity: Option<String>,

    /// Column with 1 where a row is known to be anomalous, 0 where not; figures of detection follow
    /// [default: `label`, if there]
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,

    /// Rows at the beginning of each series that are its train part: figures are of the rest, and
    /// the UCR rule (does the highest score lie as near to the label as it is long, at least 100 rows?) is asked
    #[arg(long, value_name = "N")]
    pub train_rows: Option<usize>,

    /// Rows that an alert may open beside a labelled range and still have found it; with --against
    /// also the rows that two alerts may lie apart and still be one
    #[arg(long, value_name = "ROWS", default_value_t = SLACK)]
    pub slack: usize,

    /// Write a page with plots, figures and alerts: one HTML file that needs no other
    #[arg(long, value_name = "OUT.html")]
    pub report: Option<PathBuf>,

    /// Replay with this configuration, too, and tell which alerts appear, vanish or move
    #[arg(long, value_name = "FILE", requires = "config")]
    pub against: Option<PathBuf>,

    /// Score the Numenta Anomaly Benchmark: a folder with its `data` (.gz or not) and `labels`. With
    /// --config, window, model and alert settings are those of the configuration
    #[arg(long, value_name = "DIR", conflicts_with_all = ["files", "scores", "alerts", "forecasts",
        "features", "report", "against", "label", "train_rows", "entity", "time"])]
    pub nab: Option<PathBuf>,

    /// Write one line per input row: series, timestamp, surprise, anomaly_score, raised, ...
    #[arg(long, value_name = "OUT.csv")]
    pub scores: Option<PathBuf>,

    /// Write one JSON object per change of an alert, as on the alerts topic
    #[arg(long, value_name = "OUT.jsonl")]
    pub alerts: Option<PathBuf>,

    /// Forecast the channels, and write one line per horizon of each forecast
    #[arg(long, value_name = "OUT.csv")]
    pub forecasts: Option<PathBuf>,

    /// Write one line per scored window: latent code and errors
    #[arg(long, value_name = "OUT.csv")]
    pub features: Option<PathBuf>,

    /// Horizons of the forecasts in rows: 1..24 or 1,6,24 [default: of the configuration, else 1..24]
    #[arg(long, value_name = "ROWS", requires = "forecasts")]
    pub horizons: Option<RowList>,

    /// Seasons of the forecasts in rows: 24,168 [default: of the configuration, else found in the
    /// data, as the daemon finds them]
    #[arg(long, value_name = "ROWS", requires = "forecasts")]
    pub season: Option<RowList>,

    /// Member of the autoencoder family: undercomplete, deep, stacked, sparse, denoising, vae, vq_vae;
    /// its errors judge the rows unless the configuration sets `alert.detector`
    /// [default: of the configuration, else undercomplete]
    #[arg(long, value_name = "NAME", value_parser = variant)]
    pub variant: Option<Variant>,

    /// Root of every random number [default: of the configuration]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

fn variant(text: &str) -> Result<Variant, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
}

/// Numbers of rows, ascending, from 1: `1..24` (both ends belong), `1,6,24`, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowList(pub Vec<u32>);

impl FromStr for RowList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| match part.trim().parse::<u32>() {
            Ok(rows) if 0 < rows => Ok(rows),
            _ => Err(format!("expected rows such as 1..24 or 24,168, got `{text}`")),
        };
        let mut rows = Vec::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once("..") {
                Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
                None => (number(part)?, number(part)?),
            };
            if last < first || LIST_MAX < (last - first) as usize {
                return Err(format!("`{part}` is not a range of 1 to {LIST_MAX} rows"));
            }
            rows.extend(first..=last);
        }
        rows.sort_unstable();
        rows.dedup();
        if rows.len() > LIST_MAX {
            return Err(format!("{} numbers of rows, at most {LIST_MAX}", rows.len()));
        }
        Ok(Self(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_rows_are_ranges_numbers_or_both() {
        #[rustfmt::skip]
        let cases = [
            ("1..3",      Some(vec![1, 2, 3])),
            ("1..=3",     Some(vec![1, 2, 3])),
            ("168,24",    Some(vec![24, 168])),
            ("1..2, 2,9", Some(vec![1, 2, 9])),
            ("0..3",      None),
            ("3..1",      None),
            ("1..100000", None),
            ("a",         None),
            ("",          None),
        ];
        for (text, rows) in cases {
            assert_eq!(text.parse::<RowList>().ok(), rows.map(RowList), "{text}");
        }
    }
}
