//! Whether the rows of a log came in order, and which row to blame if not.

use std::path::{Path, PathBuf};

use crate::record::{EventTime, Placement};

/// Fewer late rows at the end of a log are no pattern.
const LATE_MIN: u64 = 2;

/// The rows of one log.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Files so far; the last is being read.
    files: Vec<PathBuf>,
    /// The row with the newest time: file, line and time.
    newest: Option<(usize, u64, EventTime)>,
    late: u64,
    /// Late rows since the last row that was in time.
    late_since: u64,
}

impl Order {
    /// The next rows are of this file.
    pub fn file(&mut self, path: &Path) {
        self.files.push(path.to_owned());
    }

    /// A row, in the order of the log.
    pub fn see(&mut self, line: u64, time: EventTime, placement: Placement) {
        match placement {
            Placement::Placed => {
                self.late_since = 0;
                if self.newest.is_none_or(|(_, _, newest)| newest < time) {
                    self.newest = Some((self.files.len().saturating_sub(1), line, time));
                }
            }
            Placement::Late => {
                self.late += 1;
                self.late_since += 1;
            }
            _ => {}
        }
    }

    /// The row behind whose time all later rows were, if that made most rows late: file, line and
    /// time. One clock that was wrong once does so; a file that is not sorted does not.
    pub fn jump(&self) -> Option<String> {
        let (file, line, time) = self.newest?;
        let is_blamed = LATE_MIN <= self.late_since && self.late < 2 * self.late_since;
        let path = self.files.get(file).filter(|_| is_blamed)?;
        Some(format!("{}:{line} is of {time}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows by second; one is late if it is more than two behind the newest.
    fn jump(seconds: &[i64]) -> Option<String> {
        let (mut order, mut newest) = (Order::default(), i64::MIN);
        order.file(Path::new("a.csv"));
        for (line, second) in (2..).zip(seconds) {
            let is_late = *second < newest.saturating_sub(2);
            let placement = if is_late { Placement::Late } else { Placement::Placed };
            order.see(line, EventTime::from_millis(1_000 * second), placement);
            newest = newest.max(*second);
        }
        order.jump()
    }

    #[test]
    fn the_row_of_another_century_is_blamed() {
        let told = Some("a.csv:4 is of 1970-01-02T00:00:00Z".to_owned());
        assert_eq!(jump(&[1, 2, 86_400, 3, 4, 5]), told);
        assert_eq!(jump(&[1, 2, 86_400, 86_399, 4, 5]), told);
        assert_eq!(jump(&[1, 2, 3, 4]), None);
        assert_eq!(jump(&[5, 1, 6, 2, 7, 3, 8]), None, "the file is not sorted");
        assert_eq!(jump(&[7, 8, 9, 1]), None, "one row alone tells nothing");
    }
}
