//! Everything that is told of a labelled series, and of several together.

use super::{EventCount, Graded, Watched, average_precision, events, roc_auc, vus_pr};

/// Rows that the highest score may always lie from the labelled range: the rule of the UCR archive.
const UCR_ROWS: usize = 100;

/// How a series is graded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Rows of the train part: nothing there is graded. With one, the UCR rule is asked, too.
    pub train: Option<usize>,
    /// Rows that an alert may open beside a labelled range.
    pub slack: usize,
    /// Longest buffer of the volume, in rows.
    pub reach: usize,
    /// Alerts of a series in a week of event time that were promised.
    pub budget: f64,
}

/// The figures of one series, or of several.
///
/// Areas of several series are means of those that have one; everything else is summed. Series without
/// labels add to what needs none: rows, alerts, and their rate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Rows that were judged.
    pub rows: usize,
    /// Rows that were not: late, or second ones of their row. They are in no other figure.
    pub unjudged: usize,
    /// Labelled ones of them.
    pub labelled: usize,
    /// Area under the precision-recall curve.
    pub auc_pr: Option<f64>,
    /// Volume under the precision-recall surface.
    pub vus_pr: Option<f64>,
    /// Area under the receiver operating characteristic.
    pub roc_auc: Option<f64>,
    /// Alerts of all kinds, with labels or without.
    pub alerts: usize,
    /// Alerts against labelled ranges.
    pub events: EventCount,
    /// Alerts that are measured against the budget, which is one of anomalies.
    pub anomalies: usize,
    /// Weeks of event time, summed over series.
    pub weeks: f64,
    /// Alerts that the budget allows in that time.
    pub allowed: f64,
    /// Series whose highest score lies at their labelled range, and series that were asked.
    pub ucr: Option<(usize, usize)>,
}

impl Figures {
    /// Grades the rows of a series behind the train part, and `behind` alerts that opened after the
    /// last of them; each alert is taken for an anomaly.
    pub fn of(rows: &[Graded], behind: u32, terms: &Terms) -> Self {
        let rows = rows.get(terms.train.unwrap_or(0)..).unwrap_or_default();
        let weeks = rows.iter().map(|row| row.time).collect::<Watched>().weeks();
        let events = EventCount::of(rows, behind, terms.slack);
        Self {
            rows: rows.len(),
            unjudged: 0,
            labelled: rows.iter().filter(|row| row.label).count(),
            auc_pr: average_precision(rows),
            vus_pr: vus_pr(rows, terms.reach),
            roc_auc: roc_auc(rows),
            alerts: events.alerts,
            anomalies: events.alerts,
            events,
            weeks,
            allowed: weeks * terms.budget,
            ucr: ucr_hit(rows).filter(|_| terms.train.is_some()).map(|hit| (usize::from(hit), 1)),
        }
    }

    /// The figures of several series together.
    pub fn overall(parts: &[Self]) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.rows += part.rows;
            all.unjudged += part.unjudged;
            all.alerts += part.alerts;
            all.labelled += part.labelled;
            all.events.add(&part.events);
            all.anomalies += part.anomalies;
            all.weeks += part.weeks;
            all.allowed += part.allowed;
            let ucr = all.ucr.get_or_insert_default();
            let (hits, asked) = part.ucr.unwrap_or_default();
            *ucr = (ucr.0 + hits, ucr.1 + asked);
        }
        all.ucr = all.ucr.filter(|(_, asked)| 0 < *asked);
        let mean = |area: fn(&Self) -> Option<f64>| {
            let known: Vec<f64> = parts.iter().filter_map(area).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        all.auc_pr = mean(|part| part.auc_pr);
        all.vus_pr = mean(|part| part.vus_pr);
        all.roc_auc = mean(|part| part.roc_auc);
        all
    }

    /// Anomalies in a week of event time of a series; `None` if no time passed.
    pub fn alerts_per_week(&self) -> Option<f64> {
        (0.0 < self.weeks).then(|| self.anomalies as f64 / self.weeks)
    }

    /// Alerts in a week that the budget promised.
    pub fn budget_per_week(&self) -> Option<f64> {
        (0.0 < self.weeks).then(|| self.allowed / self.weeks)
    }
}

/// Whether the first row of the highest score lies in the labelled range, or as near to it as the
/// range is long, at least [`UCR_ROWS`]; with several ranges, to any. `None` without a label.
///
/// # Source
///
/// The rule of the KDD Cup 2021, as in Rewicki, Denzler and Niebling, "Is it worth it? Comparing six
/// deep and classical methods for unsupervised anomaly detection in time series", 2023; the archive
/// is that of Wu and Keogh, "Current Time Series Anomaly Detection Benchmarks are Flawed and are
/// Creating the Illusion of Progress", TKDE 2021.
fn ucr_hit(rows: &[Graded]) -> Option<bool> {
    let ranges = events(rows);
    let best = (0..rows.len()).reduce(|a, b| if rows[a].score < rows[b].score { b } else { a })?;
    let near = ranges.iter().any(|range| {
        let reach = UCR_ROWS.max(range.last - range.first + 1);
        range.first <= best + reach && best <= range.last + reach
    });
    (!ranges.is_empty()).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::rows;
    use super::*;

    const TERMS: Terms = Terms { train: Some(50), slack: 0, reach: 4, budget: 2.0 };

    /// 1,000 minutes with one labelled range and the highest score at `best`.
    fn series(best: usize) -> Vec<Graded> {
        labelled(best, 500..510)
    }

    fn labelled(best: usize, range: std::ops::Range<usize>) -> Vec<Graded> {
        let labels: String =
            (0..1_000).map(|i| if range.contains(&i) { 'x' } else { '.' }).collect();
        let scores: Vec<f64> = (0..1_000).map(|i| f64::from(u8::from(i == best))).collect();
        rows(&scores, &labels)
    }

    #[test]
    fn the_highest_score_hits_within_a_hundred_rows() {
        let cases =
            [(400, true), (399, false), (505, true), (609, true), (610, false), (20, false)];
        for (best, hit) in cases {
            let figures = Figures::of(&series(best), 0, &TERMS);
            assert_eq!(figures.ucr, Some((usize::from(hit), 1)), "{best}");
        }
        // A long range reaches as far as it is long.
        for (best, hit) in [(250, true), (249, false), (849, true), (850, false)] {
            let figures = Figures::of(&labelled(best, 450..650), 0, &TERMS);
            assert_eq!(figures.ucr, Some((usize::from(hit), 1)), "{best}");
        }
        let untrained = Figures::of(&series(1), 0, &Terms { train: None, ..TERMS });
        assert_eq!(untrained.ucr, None);
    }

    #[test]
    fn figures_of_several_are_sums_and_means() {
        let mut raised = series(505);
        raised[505].alerts = 1;
        raised[10].alerts = 1;
        let [a, b] = [Figures::of(&raised, 0, &TERMS), Figures::of(&series(100), 0, &TERMS)];
        let all = Figures::overall(&[a.clone(), b.clone()]);
        assert_eq!((all.rows, all.labelled, all.ucr), (1_900, 20, Some((1, 2))));
        assert_eq!((all.events.alerts, all.events.recall()), (1, Some(0.5)));
        assert_eq!(all.auc_pr, Some((a.auc_pr.unwrap() + b.auc_pr.unwrap()) / 2.0));
        let weeks = 2.0 * 949.0 / (7.0 * 24.0 * 60.0);
        assert!((all.weeks - weeks).abs() < 1e-12);
        assert!((all.alerts_per_week().unwrap() - 1.0 / weeks).abs() < 1e-9);
        assert!((all.budget_per_week().unwrap() - 2.0).abs() < 1e-12);
        // A series without labels has alerts, but none that is false.
        let unlabelled = Figures { alerts: 3, rows: 7, ..Figures::default() };
        let more = Figures::overall(&[a, b, unlabelled]);
        assert_eq!((more.alerts, more.rows, more.events), (4, 1_907, all.events));
        assert_eq!(Figures::overall(&[]), Figures::default());
        assert_eq!(Figures::of(&[], 0, &TERMS).alerts_per_week(), None);
    }
}
