//! Two configurations over the same files: which alerts appear, vanish or move.

use super::Outcome;
use super::series::{Note, Series};
use super::table::Table;
use crate::grade::{Pair, pair};
use crate::record::AlertKind;

/// Changes that a table names, at most.
const NAMED_MAX: usize = 200;

/// The alerts of two outcomes, series by series.
pub(super) struct Change<'o> {
    first: &'o Outcome,
    second: &'o Outcome,
    /// Series, and its alerts in both.
    pairs: Vec<(&'o Series, Option<&'o Note>, Option<&'o Note>)>,
    tolerance: u64,
}

impl<'o> Change<'o> {
    /// Pairs alerts of a series and kind that opened at most `tolerance` rows apart.
    pub fn of(first: &'o Outcome, second: &'o Outcome, tolerance: u64) -> Self {
        let mut pairs = Vec::new();
        let nothing: &[Note] = &[];
        for series in &first.lab.series {
            let same = second.lab.series.iter().find(|other| other.name == series.name);
            let both = [&series.notes[..], same.map_or(nothing, |other| &other.notes)];
            for kind in AlertKind::ALL {
                let [a, b] = both.map(|notes| by_row(notes, kind));
                let [x, y] =
                    [&a, &b].map(|notes| notes.iter().map(|note| note.row).collect::<Vec<_>>());
                pairs.extend(pair(&x, &y, tolerance).into_iter().map(|pair| match pair {
                    Pair::Both(i, j, _) => (series, Some(a[i]), Some(b[j])),
                    Pair::Vanished(i) => (series, Some(a[i]), None),
                    Pair::Appeared(j) => (series, None, Some(b[j])),
                }));
            }
        }
        Self { first, second, pairs, tolerance }
    }

    /// The alerts of the second configuration in a series.
    pub fn others(&self, series: &Series) -> &'o [Note] {
        let same = self.second.lab.series.iter().find(|other| other.name == series.name);
        same.map_or(&[], |other| &other.notes)
    }

    /// Counts, and a row for each alert that is not the same.
    pub fn table(&self) -> Table {
        let moved = |a: &Note, b: &Note| b.row as i64 - a.row as i64;
        let [mut same, mut shifted, mut vanished, mut appeared] = [0_usize; 4];
        let mut rows = Vec::new();
        for (series, a, b) in &self.pairs {
            let (what, count) = match (a, b) {
                (Some(a), Some(b)) if moved(a, b) == 0 => ("same".to_owned(), &mut same),
                (Some(a), Some(b)) => (format!("moved {:+} rows", moved(a, b)), &mut shifted),
                (Some(_), None) => ("vanished".to_owned(), &mut vanished),
                _ => ("appeared".to_owned(), &mut appeared),
            };
            *count += 1;
            if what == "same" || NAMED_MAX <= rows.len() {
                continue;
            }
            let time = a.or(*b).map_or(String::new(), |note| note.opened.to_string());
            let kind = a.or(*b).map_or("", |note| note.kind.word());
            let score = |n: &Option<&Note>| n.map_or("–".into(), |n| format!("{:.2}", n.worst));
            rows.push(vec![
                series.name.to_string(),
                kind.to_owned(),
                what,
                time,
                score(a),
                score(b),
            ]);
        }
        let unnamed = shifted + vanished + appeared - rows.len();
        let more =
            if 0 < unnamed { format!(" {unnamed} more are not listed.") } else { String::new() };
        Table {
            title: "Alerts that changed".into(),
            note: format!(
                "{same} alerts are in both, {shifted} moved by up to {} rows, {vanished} vanished, \
                 {appeared} appeared.{more}",
                self.tolerance
            ),
            header: vec![
                "series".into(),
                "kind".into(),
                "change".into(),
                "opened".into(),
                format!("score by {}", self.first.name),
                format!("score by {}", self.second.name),
            ],
            rows,
            total: false,
        }
    }
}

/// The alerts of a kind in the order of their rows.
fn by_row(notes: &[Note], kind: AlertKind) -> Vec<&Note> {
    let mut of_kind: Vec<&Note> = notes.iter().filter(|note| note.kind == kind).collect();
    of_kind.sort_by_key(|note| note.row);
    of_kind
}
