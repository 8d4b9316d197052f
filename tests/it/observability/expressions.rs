//! Every metric and label that an expression names exists.

use std::collections::{BTreeMap, BTreeSet};

use super::read;

/// Labels that Prometheus and its histograms add.
const FOREIGN: [&str; 3] = ["job", "instance", "le"];
/// Families of the process, and what Prometheus itself knows of a target.
const PROCESS: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
];
#[rustfmt::skip]
const WORDS: [&str; 17] = [
    "and", "or", "unless", "bool", "offset", "group_left", "group_right", "inf", "nan", "atan2", "sum",
    "max", "min", "avg", "count", "start", "end",
];
/// Before a list of labels in brackets.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Names of metrics, each with its labels.
pub struct Catalogue(BTreeMap<String, BTreeSet<String>>);

impl Catalogue {
    /// Of the README, which a unit test holds against the registry, and of the recording rules.
    pub fn new(recorded: &[String]) -> Self {
        let mut all = BTreeMap::new();
        let readme = read("README.md");
        let rows = readme.lines().filter_map(|line| line.strip_prefix("| `latentd_"));
        for row in rows.map(|row| format!("latentd_{row}")) {
            let cells: Vec<&str> = row.split(" | ").collect();
            let [name, kind, labels] = cells[..] else { panic!("`{row}` has not three cells") };
            let name = name.trim_end_matches('`');
            let labels: BTreeSet<String> =
                labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            let suffixes: &[&str] = match kind {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            for suffix in suffixes {
                all.insert(format!("{name}{suffix}"), labels.clone());
            }
        }
        assert!(all.len() > 70, "only {} metrics in the README", all.len());
        for name in PROCESS.into_iter().chain(["up"]) {
            all.insert(name.to_owned(), BTreeSet::new());
        }
        for name in recorded {
            // `stream:...`: the level is what is left of the labels.
            let level = name.split(':').next().unwrap_or_default().split('_').map(str::to_owned);
            all.insert(name.clone(), level.collect());
        }
        Self(all)
    }

    fn has_label(&self, metrics: &BTreeSet<String>, label: &str) -> bool {
        let has = |metric: &String| self.0.get(metric).is_some_and(|l| l.contains(label));
        FOREIGN.contains(&label) || metrics.iter().any(has)
    }

    /// What is wrong with an expression.
    pub fn faults(&self, expression: &str) -> Vec<String> {
        let parts = Parts::of(expression);
        let mut faults = Vec::new();
        for (metric, labels) in &parts.selectors {
            let Some(own) = self.0.get(metric) else {
                faults.push(format!("there is no metric `{metric}`"));
                continue;
            };
            let missing = |l: &&String| !own.contains(*l) && !FOREIGN.contains(&l.as_str());
            let missing = labels.iter().filter(missing);
            faults.extend(missing.map(|label| format!("`{metric}` has no label `{label}`")));
        }
        let metrics = parts.selectors.iter().map(|(metric, _)| metric.clone()).collect();
        let unknown = parts.lists.iter().filter(|label| !self.has_label(&metrics, label));
        faults.extend(unknown.map(|label| format!("no metric here has a label `{label}`")));
        if metrics.is_empty() {
            faults.push("it names no metric".to_owned());
        }
        faults.into_iter().map(|fault| format!("{fault} in {expression}")).collect()
    }
}

/// What an expression names: selectors with the labels they match, and lists of labels.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    selectors: Vec<(String, Vec<String>)>,
    lists: Vec<String>,
}

impl Parts {
    fn of(expression: &str) -> Self {
        let text = without_strings_and_ranges(expression);
        let mut parts = Self::default();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            let tail = &rest[at..];
            let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
            let (name, after) = tail.split_at(end.unwrap_or(tail.len()));
            rest = after;
            let next = after.trim_start();
            let lower = name.to_ascii_lowercase();
            if LISTS.contains(&lower.as_str()) && next.starts_with('(') {
                let (list, after) = next[1..].split_once(')').expect("a list ends");
                parts.lists.extend(names(list));
                rest = after;
            } else if next.starts_with('(')
                || WORDS.contains(&lower.as_str())
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                // A function, a word of the language, a number.
            } else if let Some(matchers) = next.strip_prefix('{') {
                let (matchers, after) = matchers.split_once('}').expect("a selector ends");
                let labels = matchers.split(',').filter_map(|m| names(m).into_iter().next());
                parts.selectors.push((name.to_owned(), labels.collect()));
                rest = after;
            } else {
                parts.selectors.push((name.to_owned(), Vec::new()));
            }
        }
        parts
    }
}

fn names(list: &str) -> Vec<String> {
    let names = list.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Strings become empty ones, ranges vanish.
fn without_strings_and_ranges(expression: &str) -> String {
    let (mut text, mut quoted, mut ranged) = (String::new(), false, false);
    for c in expression.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' => ranged = true,
            ']' => ranged = false,
            _ if ranged => {}
            _ => text.push(c),
        }
    }
    text
}

#[test]
fn names_are_found_in_expressions() {
    let expression = r#"histogram_quantile(0.9, sum by (le, stream) (rate(a_bucket{stream=~"b{,}",x!="[y]"}[5m])))
        / on (job) group_left () b > bool -Inf and c:d offset 1h"#;
    let selector = |name: &str, labels: &[&str]| {
        (name.to_owned(), labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>())
    };
    let expected = Parts {
        selectors: vec![
            selector("a_bucket", &["stream", "x"]),
            selector("b", &[]),
            selector("c:d", &[]),
        ],
        lists: ["le", "stream", "job"].map(str::to_owned).to_vec(),
    };
    assert_eq!(Parts::of(expression), expected);
}

#[test]
fn what_does_not_exist_is_told() {
    let catalogue = Catalogue::new(&["stream:x:sum".to_owned()]);
    #[rustfmt::skip]
    let cases = [
        ("latentd_redy == 0", "there is no metric `latentd_redy` in"),
        ("rate(latentd_anomaly_score[5m])", "there is no metric `latentd_anomaly_score` in"),
        (r#"latentd_alerts_active{level="x"}"#, "`latentd_alerts_active` has no label `level` in"),
        ("sum by (entity) (latentd_entities)", "no metric here has a label `entity` in"),
        ("1 + 1", "it names no metric in"),
    ];
    for (expression, fault) in cases {
        let said = catalogue.faults(expression);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(fault), "{said:?}");
    }
    let fine = r#"sum by (stream, instance) (latentd_entities{state="live"}) / stream:x:sum"#;
    assert_eq!(catalogue.faults(fine), [""; 0]);
}
