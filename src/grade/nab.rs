//! The rule of the Numenta Anomaly Benchmark.
//!
//! A window is worth most at its left end and nothing at its right end; of several rows over the
//! threshold in it the best counts. A row outside costs, little right behind a window, up to the
//! whole weight far from any. One threshold is chosen in hindsight for the whole corpus, and the
//! sum is put on a scale where silence is 0 and the first row of each window, and nothing else,
//! is 100. The first 15 % of a file, at most 750 rows, do not count.
//!
//! # Source
//!
//! Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms – the Numenta Anomaly
//! Benchmark", ICMLA 2015; `nab/sweeper.py` and `config/profiles.json` of the benchmark.

use super::GradeError;
use super::ranking::Ranking;
use crate::record::EventTime;

/// Share of a file that does not count, and its end in rows.
const PROBATION: (f64, f64) = (0.15, 750.0);
/// Window widths behind a window from which a row costs its whole weight.
const FAR: f64 = 3.0;

/// What a find, a miss and a false row are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// As people call it.
    pub name: &'static str,
    /// Of a window found on its first row.
    pub found: f64,
    /// Of a window that was missed.
    pub missed: f64,
    /// Of a row over the threshold far from any window.
    pub false_row: f64,
}

impl Profile {
    /// The three of the benchmark.
    #[rustfmt::skip]
    pub const ALL: [Self; 3] = [
        Self { name: "standard", found: 1.0, missed: 1.0, false_row: 0.11 },
        Self { name: "low FP",   found: 1.0, missed: 1.0, false_row: 0.22 },
        Self { name: "low FN",   found: 1.0, missed: 2.0, false_row: 0.11 },
    ];
}

/// A labelled window, both ends belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Time of the first row.
    pub from: EventTime,
    /// Time of the last row.
    pub to: EventTime,
}

/// A score and the threshold that gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Swept {
    /// On the scale of the benchmark: 0 for silence, 100 for perfect.
    pub score: f64,
    /// Rows of at least this score count; infinite if silence is best.
    pub threshold: f64,
}

/// What a threshold finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detected {
    /// Windows of all files.
    pub windows: usize,
    /// Windows with a row over the threshold.
    pub found: usize,
    /// Rows over the threshold outside of windows.
    pub false_rows: usize,
}

/// The rows of files that count.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    scores: Vec<f64>,
    /// Worth of a row: of its window from 0 to 1, outside of windows −1 to 0.
    worth: Vec<f64>,
    /// Number of the window, over all files.
    window: Vec<Option<u32>>,
    windows: usize,
    /// Windows with a row that counts.
    scorable: usize,
}

impl Corpus {
    /// Adds a file: times and scores of its rows, and its windows in order.
    ///
    /// # Errors
    ///
    /// [`GradeError`] if the lengths differ or a window has no row; then nothing is added.
    pub fn add(
        &mut self,
        file: &str,
        times: &[EventTime],
        scores: &[f64],
        windows: &[Window],
    ) -> Result<(), GradeError> {
        if times.len() != scores.len() {
            let (times, scores) = (times.len(), scores.len());
            return Err(GradeError::Length { file: file.into(), times, scores });
        }
        let at = |time: EventTime| {
            let missing = || GradeError::NoRow { file: file.into(), time: time.to_string() };
            times.iter().position(|t| *t == time).ok_or_else(missing)
        };
        let ranges = windows.iter().map(|window| Ok((at(window.from)?, at(window.to)?)));
        let ranges = ranges.collect::<Result<Vec<_>, GradeError>>()?;
        let probation = f64::min((PROBATION.0 * times.len() as f64).floor(), PROBATION.1) as usize;
        let mut seen = None;
        for (row, (worth, window)) in worths(times.len(), &ranges).into_iter().enumerate() {
            if probation <= row {
                self.scores.push(scores[row]);
                self.worth.push(worth);
                self.window.push(window.map(|w| (self.windows + w) as u32));
                self.scorable += usize::from(window.is_some() && window != seen);
                seen = window.or(seen);
            }
        }
        self.windows += windows.len();
        Ok(())
    }

    /// The best score that one threshold for all files can have.
    pub fn sweep(&self, profile: &Profile) -> Option<Swept> {
        let mut tally = Tally::new(self, profile);
        let mut best = (tally.total, f64::INFINITY);
        for run in Ranking::of(self.scores.iter().copied()).runs() {
            run.iter().for_each(|row| tally.take(*row as usize));
            if best.0 < tally.total {
                best = (tally.total, self.scores[run[0] as usize]);
            }
        }
        Some(Swept { score: self.scale(profile, best.0)?, threshold: best.1 })
    }

    /// The score at a threshold; `None` without a window.
    pub fn at(&self, profile: &Profile, threshold: f64) -> Option<f64> {
        let mut tally = Tally::new(self, profile);
        self.over(threshold).for_each(|row| tally.take(row));
        self.scale(profile, tally.total)
    }

    /// What a threshold finds.
    pub fn detected(&self, threshold: f64) -> Detected {
        let mut found: Vec<u32> = self.over(threshold).filter_map(|row| self.window[row]).collect();
        found.sort_unstable();
        found.dedup();
        Detected {
            windows: self.windows,
            found: found.len(),
            false_rows: self.over(threshold).filter(|row| self.window[*row].is_none()).count(),
        }
    }

    fn over(&self, threshold: f64) -> impl Iterator<Item = usize> {
        (0..self.scores.len()).filter(move |row| threshold <= self.scores[*row])
    }

    fn scale(&self, profile: &Profile, total: f64) -> Option<f64> {
        let silent = -profile.missed * self.scorable as f64;
        let perfect = profile.found * self.windows as f64;
        (0 < self.windows).then(|| 100.0 * (total - silent) / (perfect - silent))
    }
}

/// The sum while rows are taken.
struct Tally<'c> {
    corpus: &'c Corpus,
    profile: &'c Profile,
    /// By window, what it gives.
    best: Vec<f64>,
    total: f64,
}

impl<'c> Tally<'c> {
    fn new(corpus: &'c Corpus, profile: &'c Profile) -> Self {
        let best = vec![-profile.missed; corpus.windows];
        let total = -profile.missed * corpus.scorable as f64;
        Self { corpus, profile, best, total }
    }

    fn take(&mut self, row: usize) {
        let worth = self.corpus.worth[row];
        match self.corpus.window[row] {
            Some(window) => {
                let best = &mut self.best[window as usize];
                let now = best.max(worth * self.profile.found);
                self.total += now - *best;
                *best = now;
            }
            None => self.total += worth * self.profile.false_row,
        }
    }
}

/// Worth and window of each row of a file.
fn worths(rows: usize, ranges: &[(usize, usize)]) -> Vec<(f64, Option<usize>)> {
    let mut next = 0;
    let mut before: Option<(usize, f64)> = None;
    let mut all = Vec::with_capacity(rows);
    while all.len() < rows {
        let row = all.len();
        match ranges.get(next) {
            Some((first, last)) if *first == row => {
                let width = (last - first + 1) as f64;
                let worth = |row: usize| sigmoid(-((last - row + 1) as f64) / width);
                all.extend((row..=*last).map(|row| (worth(row) / sigmoid(-1.0), Some(next))));
                before = Some((*last, width));
                next += 1;
            }
            _ => {
                let past = |(last, width): (usize, f64)| (row - last) as f64 / (width - 1.0);
                all.push((before.map_or(-1.0, |window| sigmoid(past(window))), None));
            }
        }
    }
    all
}

/// 1 far to the left of 0, −1 far to the right, and −1 from [`FAR`] on.
fn sigmoid(x: f64) -> f64 {
    if FAR <= x { -1.0 } else { 2.0 / (1.0 + (5.0 * x).exp()) - 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(rows: usize) -> Vec<EventTime> {
        (0..rows as i64).map(|row| EventTime::from_millis(row * 300_000)).collect()
    }

    fn window(from: usize, to: usize) -> Window {
        Window { from: times(from + 1)[from], to: times(to + 1)[to] }
    }

    fn corpus(rows: usize, windows: &[Window], raised: &[usize]) -> Corpus {
        let mut corpus = Corpus::default();
        let scores: Vec<f64> =
            (0..rows).map(|row| f64::from(u8::from(raised.contains(&row)))).collect();
        corpus.add("a", &times(rows), &scores, windows).unwrap();
        corpus
    }

    #[test]
    fn the_first_row_of_each_window_is_perfect_and_silence_is_nothing() {
        let windows = [window(200, 299), window(600, 619)];
        let [standard, low_fp, low_fn] = Profile::ALL;
        for profile in Profile::ALL {
            let perfect = corpus(1_000, &windows, &[200, 600]).at(&profile, 0.5).unwrap();
            assert!((perfect - 100.0).abs() < 1e-9, "{perfect}");
            assert_eq!(corpus(1_000, &windows, &[]).at(&profile, 0.5), Some(0.0));
        }
        // One of two windows, and a row far from any: (1 - 0.11 - 1 + 2) / 4, and so on.
        let half = corpus(1_000, &windows, &[160, 200, 250]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        close(half.at(&standard, 0.5).unwrap(), 100.0 * 1.89 / 4.0);
        close(half.at(&low_fp, 0.5).unwrap(), 100.0 * 1.78 / 4.0);
        close(half.at(&low_fn, 0.5).unwrap(), 100.0 * 2.89 / 6.0);
        assert_eq!(half.detected(0.5), Detected { windows: 2, found: 1, false_rows: 1 });
        // Rows in the probation neither cost nor count.
        assert_eq!(corpus(1_000, &windows, &[0, 149]).at(&standard, 0.5), Some(0.0));
    }

    #[test]
    fn worth_falls_through_the_window_and_behind_it() {
        let worths = worths(500, &[(100, 199)]);
        assert_eq!((worths[0], worths[99].1), ((-1.0, None), None));
        assert!((worths[100].0 - 1.0).abs() < 1e-12);
        assert!(worths[100..498].windows(2).all(|pair| pair[1].0 <= pair[0].0));
        let middle = 2.0 / (1.0 + (-2.5_f64).exp()) - 1.0;
        assert!((worths[150].0 - middle / sigmoid(-1.0)).abs() < 1e-12);
        assert_eq!((worths[199].1, worths[200].1, worths[496].0), (Some(0), None, -1.0));
    }

    #[test]
    fn a_sweep_is_the_best_of_all_thresholds_and_never_worse_than_silence() {
        let mut corpus = Corpus::default();
        let scores: Vec<f64> = (0..800).map(|row| ((row * 331) % 797) as f64).collect();
        corpus.add("a", &times(800), &scores, &[window(300, 340), window(500, 510)]).unwrap();
        for profile in Profile::ALL {
            let swept = corpus.sweep(&profile).unwrap();
            let all = (0..800).filter_map(|t| corpus.at(&profile, f64::from(t)));
            let best = all.fold(0.0, f64::max);
            assert!((swept.score - best).abs() < 1e-9, "{swept:?} {best}");
            assert!(swept.score == 0.0 || corpus.at(&profile, swept.threshold) == Some(best));
        }
        assert_eq!(Corpus::default().sweep(&Profile::ALL[0]), None);
    }

    #[test]
    fn a_file_that_does_not_fit_its_windows_is_refused() {
        let mut corpus = Corpus::default();
        let fault = corpus.add("a/b.csv", &times(3), &[0.0; 2], &[]).unwrap_err();
        assert_eq!(fault.to_string(), "a/b.csv: 3 rows and 2 scores");
        let fault = corpus.add("a/b.csv", &times(3), &[0.0; 3], &[window(1, 3)]).unwrap_err();
        let text = "a/b.csv: no row at 1970-01-01T00:15:00Z, where a window begins or ends";
        assert_eq!(fault.to_string(), text);
        assert_eq!(corpus.sweep(&Profile::ALL[0]), None);
    }
}
