//! `replay` as a laboratory: figures, the report, another configuration, NAB.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use latentd::replay::{self, ReplayArgs};
use tempfile::TempDir;

const ROWS: usize = 1_500;
const FAULT: std::ops::Range<usize> = 1_000..1_010;

/// Minutes of a wave with noise and a labelled fault of ten rows.
fn minutes() -> Vec<String> {
    let value = |i: usize| {
        let noise = ((i * 7_919 + 13) % 101) as f64 / 101.0;
        10.0 * (i as f64 / 60.0).sin() + noise + if FAULT.contains(&i) { 30.0 } else { 0.0 }
    };
    let label = |i: usize| u8::from(FAULT.contains(&i));
    (0..ROWS).map(|i| format!("{},{:.4},{}", 1_700_000_040 + i * 60, value(i), label(i))).collect()
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn series(folder: &Path, name: &str, label: &str) -> PathBuf {
    write(folder, name, &format!("timestamp,value,{label}\n{}\n", minutes().join("\n")))
}

fn config(folder: &Path, name: &str, budget: f64, limit: f64) -> PathBuf {
    let stream = format!(
        "[[stream]]\nname = 'pumps'\ntopics = ['in']\nchannel = [{{ name = 'value' }}]\n\
         step = '1m'\nalert = {{ budget = {{ alerts = {budget}, per = '1w' }}, \
         min_dev_from_expected = {limit} }}\n"
    );
    write(folder, name, &stream)
}

/// Standard output of `latentd replay`.
fn said(arguments: &[&Path]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_latentd"))
        .arg("replay")
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{}", text(&out.stderr));
    text(&out.stdout)
}

/// The cell of a printed table: by title, first word of the row, and name of the column.
fn cell(text: &str, title: &str, row: &str, column: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with(title)).skip(1);
    let words = |line: &str| -> Vec<String> {
        let line =
            line.replace("low ", "low_").replace("a week", "a_week").replace("false a", "false_a");
        line.split_whitespace().map(str::to_owned).collect()
    };
    let table: Vec<Vec<String>> = lines.take_while(|line| !line.is_empty()).map(words).collect();
    let at = table[0].iter().position(|name| name == column).expect(column);
    table.iter().find(|line| line[0] == row).expect(row)[at].clone()
}

#[test]
fn labels_give_figures_of_each_file_and_of_all() {
    let folder = TempDir::new().expect("a folder");
    let files = ["a.csv", "b.csv"].map(|name| series(folder.path(), name, "label"));
    let train = [Path::new("--train-rows"), Path::new("500")];
    let text = said(&[&files[0], &files[1], train[0], train[1]]);
    let of = |row: &str, column: &str| cell(&text, "Figures", row, column);
    assert_eq!((of("a", "rows"), of("a", "labelled")), ("1000".into(), "10".into()));
    assert_eq!((of("b", "found"), of("all", "found")), ("1/1".into(), "2/2".into()));
    assert_eq!((of("all", "UCR"), of("all", "recall")), ("2/2".into(), "1.000".into()));
    assert!(of("a", "AUC-PR").parse::<f64>().expect("a number") > 0.3, "{text}");
    assert!(text.lines().next().expect("alerts first").contains("(score "), "{text}");
    // With so much slack no alert is beside a label.
    let slack = said(&[&files[0], Path::new("--slack"), Path::new("2000")]);
    assert_eq!(cell(&slack, "Figures", "a", "precision"), "1.000");
    // Another name is found only if it is told, and is then no channel.
    let named = series(folder.path(), "c.csv", "broken");
    assert!(!said(&[&named]).contains("Figures"));
    let text = said(&[&named, Path::new("--label"), Path::new("broken")]);
    assert_eq!(cell(&text, "Figures", "c", "found"), "1/1");
}

/// Rows that nobody judged were graded as the calmest of all: with each row doubled half of the labels
/// could not be found.
#[test]
fn rows_that_were_not_judged_are_in_no_figure() {
    let folder = TempDir::new().expect("a folder");
    let plain = said(&[&series(folder.path(), "pump.csv", "label")]);
    let doubled: String = minutes().iter().map(|line| format!("{line}\n{line}\n")).collect();
    let text = format!("timestamp,value,label\n{doubled}");
    let text = said(&[&write(folder.path(), "pump.csv", &text)]);
    for column in ["rows", "labelled", "AUC-PR", "AUC-ROC", "found", "precision", "a_week"] {
        let [once, twice] = [&plain, &text].map(|text| cell(text, "Figures", "pump", column));
        assert_eq!(once, twice, "{column}");
    }
    let told =
        "1500 rows were not judged (late, or second ones of their row): they are in no figure";
    assert!(text.contains(told) && !plain.contains("not judged"), "{text}");
}

/// Alerts of files without labels are neither right nor wrong.
#[test]
fn figures_of_all_that_need_labels_are_of_files_with_labels() {
    let folder = TempDir::new().expect("a folder");
    let labelled = series(folder.path(), "a.csv", "label");
    let other = series(folder.path(), "b.csv", "broken");
    let text = said(&[&labelled, &other]);
    let of = |row: &str, column: &str| cell(&text, "Figures", row, column);
    for column in ["labelled", "AUC-PR", "found", "precision", "recall", "F1"] {
        assert_eq!(of("all", column), of("a", column), "{column}: {text}");
    }
    let number = |row: &str, column: &str| of(row, column).parse::<usize>().expect("a number");
    assert!(0 < number("b", "alerts"), "{text}");
    for column in ["rows", "alerts"] {
        assert_eq!(number("all", column), number("a", column) + number("b", column), "{text}");
    }
    // Without labels, too, nothing of the train part counts.
    let part = said(&[&labelled, &other, Path::new("--train-rows"), Path::new("1005")]);
    for (column, expected) in [("rows", "495"), ("alerts", "0"), ("a_week", "0.0")] {
        assert_eq!(cell(&part, "Figures", "b", column), expected, "{part}");
    }
}

#[test]
fn one_wrong_clock_is_named_and_makes_no_century() {
    let folder = TempDir::new().expect("a folder");
    let mut lines = minutes();
    lines[1_300] = format!("4922726400,{}", lines[1_300].split_once(',').expect("a time").1);
    let text = format!("timestamp,value,label\n{}\n", lines.join("\n"));
    let file = write(folder.path(), "pump.csv", &text);
    let out = Command::new(env!("CARGO_BIN_EXE_latentd")).arg("replay").arg(&file).output();
    let out = out.expect("the program starts");
    let [figures, told] = [out.stdout, out.stderr].map(|b| String::from_utf8(b).expect("text"));
    let row = format!("199 late rows ({}:1302 is of 2125-12-30T00:00:00Z, and all", file.display());
    assert!(told.contains(&row), "{told}");
    let rate: f64 = cell(&figures, "Figures", "pump", "a_week").parse().expect("a rate");
    assert!(1.0 < rate, "in a day there was an alert: {figures}");
    assert!(figures.contains("199 rows were not judged"), "{figures}");
}

#[test]
fn a_label_that_is_no_number_is_refused_if_it_was_named() {
    let folder = TempDir::new().expect("a folder");
    let text = minutes().join(",fine\n");
    let file = write(folder.path(), "w.csv", &format!("timestamp,value,x,label\n{text},fine\n"));
    let args = ReplayArgs { files: vec![file], ..ReplayArgs::default() };
    replay::run(&args, &BTreeMap::new()).expect("an unknown label is left out");
    let named = ReplayArgs { label: Some("label".into()), ..args };
    let fault = replay::run(&named, &BTreeMap::new()).expect_err("a word").to_string();
    assert!(fault.ends_with("w.csv:2: column `label` is `fine`, expected 0 or 1"), "{fault}");
}

#[test]
fn the_report_needs_nothing_else_and_changes_no_number() {
    let folder = TempDir::new().expect("a folder");
    let file = series(folder.path(), "pump <1> & more.csv", "label");
    let out = |name: &str| Some(folder.path().join(name));
    let plain = ReplayArgs { files: vec![file], scores: out("a.csv"), ..ReplayArgs::default() };
    let report = ReplayArgs { scores: out("b.csv"), report: out("r.html"), ..plain.clone() };
    for args in [&plain, &report] {
        replay::run(args, &BTreeMap::new()).expect("a good file");
    }
    let read =
        |path: Option<PathBuf>| std::fs::read_to_string(path.expect("asked")).expect("there");
    assert_eq!(read(plain.scores), read(report.scores));
    let page = read(report.report);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<h2>pump &lt;1&gt; &amp; more</h2>") && !page.contains("<1>"));
    for word in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    let addresses = page.matches("http").count();
    assert_eq!(addresses, page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    assert_eq!(page.matches("<svg").count(), 6, "a channel, surprise and score, wide and slim");
    assert!(page.contains("<figcaption>surprise"), "what ranks rows is drawn");
    for colour in ["#010104", "#010105", "#010106", "#010107"] {
        assert!(page.contains(&format!("fill=\"{colour}\"")), "nothing is drawn in {colour}");
    }
}

#[test]
fn alerts_of_two_configurations_are_paired() {
    let folder = TempDir::new().expect("a folder");
    let file = series(folder.path(), "pump.csv", "label");
    let [a, deaf] = [("a.toml", 0.0), ("deaf.toml", 1e6)]
        .map(|(name, limit)| config(folder.path(), name, 2.0, limit));
    let page = folder.path().join("r.html");
    let compare = |other: &Path| {
        let [config, against, report] = ["--config", "--against", "--report"].map(Path::new);
        said(&[&file, config, &a, against, other, report, &page])
    };
    let same = compare(&a);
    assert!(same.contains(" 0 moved by up to 16 rows, 0 vanished, 0 appeared"), "{same}");
    let text = compare(&deaf);
    assert!(text.contains("\n0 alerts are in both, 0 moved by up to 16 rows, "), "{text}");
    assert!(text.contains("  vanished  ") && text.contains(", 0 appeared"), "{text}");
    assert!(text.contains("All series, side by side\nfigure"), "{text}");
    let page = std::fs::read_to_string(&page).expect("written");
    assert!(page.contains("<h2>Alerts that changed</h2>") && page.contains("deaf.toml"));
}

/// Alerts of other kinds count as found, by the row they opened on, but not against the budget, which is
/// one of anomalies.
#[test]
fn values_out_of_range_are_found_where_they_are() {
    let folder = TempDir::new().expect("a folder");
    let file = series(folder.path(), "pump.csv", "label");
    let deaf = config(folder.path(), "deaf.toml", 2.0, 1e6);
    let text = std::fs::read_to_string(&deaf).expect("just written");
    let text = text.replace("name = 'value'", "name = 'value', data_range = [-20, 15]");
    let range = write(folder.path(), "range.toml", &text);
    let [config, against] = ["--config", "--against"].map(Path::new);
    let text = said(&[&file, config, &range]);
    let of = |column: &str| cell(&text, "Figures", "pump", column);
    assert_eq!((of("found"), of("delay"), of("alerts")), ("1/1".into(), "0.0".into(), "1".into()));
    assert_eq!((of("precision"), of("a_week")), ("1.000".into(), "0.0".into()), "{text}");
    let line = "2023-11-15T14:55:00Z pump: value is outside its range (score ";
    assert!(text.starts_with(line), "{text}");
    let text = said(&[&file, config, &range, against, &deaf]);
    assert!(text.contains("0 alerts are in both, 0 moved by up to 16 rows, 1 vanished"), "{text}");
    assert!(text.contains("out_of_range  vanished"), "{text}");
    let text = said(&[&file, config, &range, against, &range]);
    assert!(text.contains("1 alerts are in both, 0 moved"), "{text}");
}

#[test]
fn what_maintenance_suppresses_is_not_printed_as_an_alert() {
    let folder = TempDir::new().expect("a folder");
    let file = series(folder.path(), "pump.csv", "broken");
    let plain = config(folder.path(), "plain.toml", 2.0, 0.0);
    let text = std::fs::read_to_string(&plain).expect("just written");
    let window = "[[stream.maintenance]]\nname = 'all'\nfrom = '2023-11-14T00:00:00Z'\n\
                  until = '2023-11-17T00:00:00Z'\nlearn = true\n";
    let quiet = write(folder.path(), "quiet.toml", &format!("{text}{window}"));
    let config = Path::new("--config");
    assert!(said(&[&file, config, &plain]).contains(" (score "));
    assert_eq!(said(&[&file, config, &quiet]), "");
}

/// A small benchmark in the shape of NAB: one file with a window around the fault, one without.
#[test]
fn a_benchmark_is_scored_by_its_own_rule() {
    let folder = TempDir::new().expect("a folder");
    let [data, labels] = ["data/real", "labels"].map(|name| folder.path().join(name));
    for path in [&data, &labels] {
        std::fs::create_dir_all(path).expect("made");
    }
    let time = |row: usize| {
        let seconds = 1_700_000_040 + 60 * row as i64;
        let time = jiff::Timestamp::from_second(seconds).expect("in range");
        time.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let value = |line: &String| line.split(',').nth(1).expect("a value").to_owned();
    let lines = minutes();
    let rows = |fault: bool| -> String {
        let calm = |row: usize| if fault || !FAULT.contains(&row) { row } else { row - 377 };
        let line = |row| format!("{},{}\n", time(row), value(&lines[calm(row)]));
        "timestamp,value\n".to_owned() + &(0..ROWS).map(line).collect::<String>()
    };
    write(&data, "fault.csv", &rows(true));
    write(&data, "calm.csv", &rows(false));
    let window = format!("[[\"{}.000000\", \"{}.000000\"]]", time(990), time(1_040));
    let named = format!("{{\"real/fault.csv\": {window}, \"real/calm.csv\": []}}");
    write(&labels, "combined_windows.json", &named);
    let nab = [Path::new("--nab"), folder.path()];
    let text = said(&nab);
    assert_eq!(cell(&text, "NAB, alerts only", "all", "found"), "1/1", "{text}");
    assert_eq!(text, said(&nab), "threads change nothing");
    let score = |row: &str| cell(&text, "NAB, the best", row, "standard").parse::<f64>();
    let (all, real) = (score("all").expect("a number"), score("real").expect("a number"));
    assert!(all == real && 80.0 < all && all <= 100.0, "{text}");
    // The detector of a configuration with the files' own columns and step.
    let deaf = config(folder.path(), "deaf.toml", 2.0, 1e6);
    let text = said(&[nab[0], nab[1], Path::new("--config"), &deaf]);
    assert_eq!(cell(&text, "NAB, alerts only", "all", "found"), "0/1", "{text}");
}

/// Hours of a daily wave with a quiet weekend and noise.
fn hours(rows: usize) -> Vec<f64> {
    let value = |i: usize| {
        let noise = ((i * 7_919 + 13) % 1_009) as f64 / 1_009.0;
        let share = if i / 24 % 7 < 5 { 1.0 } else { 0.5 };
        100.0 + 40.0 * share * (i as f64 * std::f64::consts::TAU / 24.0).sin() + 20.0 * noise
    };
    (0..rows).map(value).collect()
}

#[test]
fn forecasts_are_graded_beside_the_naive_and_drawn() {
    let (folder, first) = (TempDir::new().expect("a folder"), 1_700_006_400_i64);
    let values = hours(1_200);
    let lines = values.iter().enumerate();
    let lines = lines.map(|(i, v)| format!("{},{v:.6}\n", first + i as i64 * 3_600));
    let text = format!("timestamp,units\n{}", lines.collect::<String>());
    let file = write(folder.path(), "shop.csv", &text);
    let [out, page] = ["f.csv", "page.html"].map(|name| folder.path().join(name));
    let options = ["--forecasts", "--report", "--horizons", "--season", "--train-rows"];
    let [forecasts, report, horizons, season, train] = options.map(Path::new);
    let text = said(&[
        &file,
        forecasts,
        &out,
        report,
        &page,
        horizons,
        Path::new("1..24"),
        season,
        Path::new("24,168"),
        train,
        Path::new("700"),
    ]);
    let lines = text.lines().skip_while(|line| !line.starts_with("Forecasts")).skip(2);
    let rows: Vec<Vec<String>> = lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.replace(" %", "").split_whitespace().map(str::to_owned).collect())
        .collect();
    let all = rows.iter().find(|row| row[1] == "all").expect("all horizons");
    let number = |i: usize| all[i].parse::<f64>().expect("a number");
    assert_eq!(rows.iter().filter(|row| row[0] == "units").count(), 3, "{text}");
    // The same from the file.
    let (mut sum, mut n) = (0.0, 0.0);
    for record in csv::Reader::from_path(&out).expect("a file").records() {
        let record = record.expect("a row");
        let issued: jiff::Timestamp = record[2].parse().expect("a time");
        let target: jiff::Timestamp = record[3].parse().expect("a time");
        let row = |t: jiff::Timestamp| ((t.as_second() - first) / 3_600) as usize;
        if row(issued) > 700 && row(target) < values.len() {
            let yhat: f64 = record[5].parse().expect("a number");
            (sum, n) = (sum + (yhat - values[row(target)]).abs(), n + 1.0);
        }
    }
    let scale: f64 = (24..values.len()).map(|t| (values[t] - values[t - 24]).abs()).sum();
    let mase = sum / n / (scale / (values.len() - 24) as f64);
    assert_eq!(number(2), n, "{text}");
    assert!((number(3) - mase).abs() < 6e-4, "{mase}: {text}");
    assert!(number(3) < 0.9 * number(9), "better than the naive: {text}");
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("Forecasts against the truth") && page.contains("intervals of 80"));
}

/// A configuration without seasons finds them, as the daemon does, and is compared with their naive
/// forecasts; what it calls known is known before its rows.
#[test]
fn found_seasons_and_known_values_of_a_configuration_are_those_of_a_replay() {
    let (folder, first) = (TempDir::new().expect("a folder"), 1_700_006_400_i64);
    let promoted = |i: usize| (i / 24 * 7_919 + 3) % 11 < 3;
    let line = |(i, v): (usize, &f64)| {
        let (time, more) = (first + i as i64 * 3_600, u8::from(promoted(i)));
        format!("{time},{:.6},{more}\n", v + 60.0 * f64::from(more))
    };
    let lines: String = hours(1_600).iter().enumerate().map(line).collect();
    let file = write(folder.path(), "shop.csv", &format!("timestamp,units,promotion\n{lines}"));
    let figures = |name: &str, known: &str| -> [f64; 3] {
        let text = format!(
            "[[stream]]\nname = 'shops'\ntopics = ['in']\nstep = '1h'\n\
             channel = [{{ name = 'units' }}, {{ name = 'promotion' }}]\n\
             forecast = {{ targets = ['units'], horizons = ['1h', '12h', '1d'], known = [{known}] }}\n"
        );
        let config = write(folder.path(), name, &text);
        let out = folder.path().join("f.csv");
        let [with, forecasts, train] = ["--config", "--forecasts", "--train-rows"].map(Path::new);
        let text = said(&[&file, with, &config, forecasts, &out, train, Path::new("1000")]);
        let lines = text.lines().skip_while(|line| !line.starts_with("Forecasts")).skip(2);
        let all = lines.map(|line| line.replace(" %", ""));
        let all = all.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let all = all.take_while(|row| !row.is_empty()).find(|row| row[1] == "all");
        let all = all.unwrap_or_else(|| panic!("{text}"));
        [2, 3, 9].map(|i| all[i].parse().expect("a number"))
    };
    let [plain, known] = [figures("plain.toml", ""), figures("known.toml", "'promotion'")];
    assert!(known[1] < 0.8 * plain[1], "{known:?} {plain:?}");
    // Of the same forecasts, against the same naive ones: those of a day or a week, not of the last hour.
    assert_eq!((known[0], known[2]), (plain[0], plain[2]));
    assert!(0.5 < known[2] && known[2] < 1.3, "{known:?}");
}
