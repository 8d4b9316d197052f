//! Alerts against labelled ranges.

use super::Graded;

/// A range of labelled rows, both ends belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// First row.
    pub first: usize,
    /// Last row.
    pub last: usize,
}

/// The labelled ranges of a series, in order.
pub fn events(rows: &[Graded]) -> Vec<Event> {
    let mut found: Vec<Event> = Vec::new();
    for row in (0..rows.len()).filter(|row| rows[*row].label) {
        match found.last_mut() {
            Some(event) if event.last + 1 == row => event.last = row,
            _ => found.push(Event { first: row, last: row }),
        }
    }
    found
}

/// How alerts and labelled ranges met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventCount {
    /// Labelled ranges.
    pub events: usize,
    /// Ranges in which an alert opened, or within the slack around them.
    pub found: usize,
    /// Alerts that opened.
    pub alerts: usize,
    /// Alerts that opened in a range or within the slack around it.
    pub hits: usize,
    /// By range that was found: rows from its start to the first alert, 0 if that came earlier.
    pub delays: Vec<usize>,
}

impl EventCount {
    /// Counts; an alert belongs to a range if it opens at most `slack` rows before its first or
    /// after its last row. An alert that was open already when a range begins does not count as
    /// finding it. `behind` alerts opened after the last row.
    pub fn of(rows: &[Graded], behind: u32, slack: usize) -> Self {
        let opened = rows.iter().map(|row| row.alerts).chain([behind]).enumerate();
        let raised: Vec<(usize, u32)> = opened.filter(|(_, alerts)| 0 < *alerts).collect();
        let ranges = events(rows);
        let near = |row: usize, event: &Event| {
            event.first <= row.saturating_add(slack) && row <= event.last.saturating_add(slack)
        };
        let delays: Vec<usize> = ranges
            .iter()
            .filter_map(|event| raised.iter().find(|(r, _)| near(*r, event)).map(|r| (event, r)))
            .map(|(event, (row, _))| row.saturating_sub(event.first))
            .collect();
        let (mut hits, mut alerts) = (0, 0);
        for (row, count) in raised {
            let is_hit = ranges.iter().any(|event| near(row, event));
            alerts += count as usize;
            hits += if is_hit { count as usize } else { 0 };
        }
        Self { events: ranges.len(), found: delays.len(), alerts, hits, delays }
    }

    /// Adds the counts of another series.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.found += other.found;
        self.alerts += other.alerts;
        self.hits += other.hits;
        self.delays.extend(&other.delays);
    }

    /// Share of alerts that met a range; `None` without an alert.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.hits, self.alerts)
    }

    /// Share of ranges that an alert met; `None` without a range.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found, self.events)
    }

    /// Harmonic mean of precision and recall, 0 if nothing was found; `None` without a range.
    pub fn f1(&self) -> Option<f64> {
        let recall = self.recall()?;
        let precision = self.precision().unwrap_or(0.0);
        let sum = precision + recall;
        Some(if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 })
    }

    /// Median of the delays in rows; `None` if nothing was found.
    pub fn median_delay(&self) -> Option<f64> {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        let (low, high) = (delays.get(delays.len().checked_sub(1)? / 2)?, delays[delays.len() / 2]);
        Some((*low + high) as f64 / 2.0)
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (0 < whole).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::rows;
    use super::*;

    /// `!` in the second text is an alert, a digit that many.
    fn count(labels: &str, raises: &str, slack: usize) -> EventCount {
        let mut rows = rows(&vec![0.0; labels.len()], labels);
        let alerts = |mark: char| mark.to_digit(10).unwrap_or(u32::from(mark == '!'));
        for (row, mark) in rows.iter_mut().zip(raises.chars()) {
            row.alerts = alerts(mark);
        }
        EventCount::of(&rows, raises.chars().nth(rows.len()).map_or(0, alerts), slack)
    }

    #[test]
    fn alerts_are_counted_and_not_their_rows() {
        // Three on a row of the range, one beside it, two after the last row.
        let strict = count("..xx..", "..3.!.2", 0);
        assert_eq!((strict.alerts, strict.hits, strict.precision()), (6, 3, Some(0.5)));
        let wide = count("..xx..", "..3.!.2", 3);
        assert_eq!((wide.alerts, wide.hits, wide.found), (6, 6, 1));
        let behind = count("...xx", ".....1", 1);
        assert_eq!((behind.found, behind.delays.as_slice()), (1, [2].as_slice()));
    }

    #[test]
    fn alerts_and_ranges_are_counted_by_hand() {
        let (labels, raises) = ("..xxx.....xx...x", "...!!.!......!..");
        let strict = count(labels, raises, 0);
        assert_eq!((strict.events, strict.found, strict.alerts, strict.hits), (3, 1, 4, 2));
        assert_eq!((strict.precision(), strict.recall()), (Some(0.5), Some(1.0 / 3.0)));
        assert!((strict.f1().unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(strict.delays, [1]);
        // Two rows of slack: the raise at 6 is behind the first range, that at 13 near two.
        let wide = count(labels, raises, 2);
        assert_eq!((wide.found, wide.hits), (3, 4));
        assert_eq!(
            (wide.delays.as_slice(), wide.median_delay()),
            ([1, 3, 0].as_slice(), Some(1.0))
        );
    }

    #[test]
    fn what_is_not_there_has_no_figure() {
        let calm = count("....", ".!..", 0);
        assert_eq!((calm.recall(), calm.f1(), calm.precision()), (None, None, Some(0.0)));
        let silent = count(".xx.", "....", 0);
        assert_eq!((silent.precision(), silent.recall()), (None, Some(0.0)));
        assert_eq!((silent.f1(), silent.median_delay()), (Some(0.0), None));
    }
}
