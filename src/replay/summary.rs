//! What a replay has seen.

use std::fmt;

use crate::record::{Facts, Placement};

/// Counts over all files.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Files read.
    pub files: usize,
    /// Input rows.
    pub records: u64,
    /// Distinct series.
    pub series: usize,
    /// Rows that came after their row on the grid was closed.
    pub late: u64,
    /// The row behind which all later rows of its log were late, if that made most of them so.
    pub jump: Option<String>,
    /// Rows of an instant that was there already.
    pub duplicates: u64,
    /// Rows of series over `series_max`.
    pub refused: u64,
    /// Rows on the grid.
    pub rows: u64,
    /// Rows on the grid for which nothing came.
    pub gap_rows: u64,
    /// Windows scored.
    pub windows: u64,
    /// Alerts opened.
    pub alerts: u64,
    /// Latent features.
    pub features: u64,
    /// Forecasts (of one channel, all horizons).
    pub forecasts: u64,
}

impl ReplaySummary {
    pub(super) fn add(&mut self, facts: &Facts) {
        self.rows += facts.rows;
        self.gap_rows += facts.gap_rows;
        self.windows += facts.windows_scored;
        self.alerts += facts.alerts_opened.iter().flatten().sum::<u64>();
        self.features += facts.features;
        self.forecasts += facts.forecasts;
    }

    /// Adds what another replay has seen.
    pub(super) fn merge(&mut self, other: &Self) {
        self.files += other.files;
        self.records += other.records;
        self.series += other.series;
        self.late += other.late;
        self.jump = self.jump.take().or(other.jump.clone());
        self.duplicates += other.duplicates;
        self.refused += other.refused;
        self.rows += other.rows;
        self.gap_rows += other.gap_rows;
        self.windows += other.windows;
        self.alerts += other.alerts;
        self.features += other.features;
        self.forecasts += other.forecasts;
    }

    pub(super) fn count(&mut self, placement: Placement) {
        self.records += 1;
        match placement {
            Placement::Late => self.late += 1,
            Placement::Duplicate | Placement::Replaced => self.duplicates += 1,
            Placement::SeriesLimit | Placement::Ahead => self.refused += 1,
            Placement::Placed => {}
        }
    }
}

/// `4032 rows of 1 series in 1 file: 4017 windows scored, 2 alerts`, and what went wrong.
impl fmt::Display for ReplaySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(
            f,
            "{} rows of {} series in {} file{}: {} windows scored, {} alert{}",
            self.records,
            self.series,
            self.files,
            plural(self.files),
            self.windows,
            self.alerts,
            plural(self.alerts as usize),
        )?;
        let extra = [(self.forecasts, "forecasts"), (self.features, "features")];
        for (count, what) in extra.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        let late = match &self.jump {
            Some(jump) => format!("late rows ({jump}, and all later rows are behind it)"),
            None => "late rows (sort the file by time)".to_owned(),
        };
        let wrong = [
            (self.gap_rows, "missing rows"),
            (self.duplicates, "double rows"),
            (self.late, late.as_str()),
            (self.refused, "rows of series over series_max"),
        ];
        for (count, what) in wrong.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_sentence() {
        let mut summary = ReplaySummary { files: 1, series: 1, ..ReplaySummary::default() };
        summary.count(Placement::Placed);
        summary.count(Placement::Late);
        summary.add(&Facts {
            windows_scored: 3,
            alerts_opened: [[1, 0], [0; 2], [0; 2], [0; 2], [0; 2]],
            ..Facts::default()
        });
        let text = "2 rows of 1 series in 1 file: 3 windows scored, 1 alert, \
            1 late rows (sort the file by time)";
        assert_eq!(summary.to_string(), text);
        summary.jump = Some("a.csv:4 is of 2126-01-01T00:00:00Z".into());
        let text =
            "1 late rows (a.csv:4 is of 2126-01-01T00:00:00Z, and all later rows are behind it)";
        assert!(summary.to_string().ends_with(text), "{summary}");
    }
}
