//! Every command line that is shown to anybody is one that the parser takes.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use super::args::Cli;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder whose names end so.
fn files(folder: &Path, end: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files(&path, end, into);
        } else if path.to_string_lossy().ends_with(end) {
            into.push(path);
        }
    }
}

/// The commands that a text shows: lines of blocks that begin with `latentd `, and what stands between
/// backticks and does so.
fn shown(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, part) in text.split("```").enumerate() {
        if i % 2 == 1 {
            found.extend(
                part.lines().filter(|line| line.starts_with("latentd ")).map(str::to_owned),
            );
        } else {
            let ticks = part.split('`').skip(1).step_by(2);
            found.extend(ticks.filter(|code| code.starts_with("latentd ")).map(str::to_owned));
        }
    }
    found
}

/// What is wrong with a line, if it has arguments: `latentd explain` alone is a name.
fn fault(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap_or(line);
    let command = Cli::command();
    let mut words = line.split_whitespace().skip(1);
    let known = |at: &clap::Command, word| at.find_subcommand(word).cloned();
    let of_command = words.try_fold(command, |at, word| known(&at, word).ok_or(word));
    if of_command.is_ok() {
        return None;
    }
    // What stands for an id in a text is none.
    let is_id = |word: &str| word == "ID" || word == "{alert_id}";
    let words =
        line.split_whitespace().map(|word| if is_id(word) { "a-5f0c9e2b71d4" } else { word });
    let error = Cli::try_parse_from(words).err()?;
    Some(format!("{line}: {error}"))
}

/// A line of markup with a word for each value that is put into it.
fn in_place(code: &str) -> String {
    code.split('"').enumerate().map(|(i, text)| if i % 2 == 0 { text } else { "ID" }).collect()
}

#[test]
fn every_command_that_is_shown_is_one() {
    let mut texts = vec![root().join("README.md"), root().join(".github/CONTRIBUTING.md")];
    for (folder, end) in [("deploy", ".md"), ("deploy", ".toml"), ("config", ".toml")] {
        files(&root().join(folder), end, &mut texts);
    }
    let mut found = Vec::new();
    for path in &texts {
        let text = fs::read_to_string(path).expect("a readable file");
        let name = path.strip_prefix(root()).unwrap_or(path).display();
        found.extend(shown(&text).into_iter().map(|line| (name.to_string(), line)));
    }
    let page = include_str!("../web/page/alert.rs");
    let code = page.split("code { \"").skip(1).filter_map(|rest| rest.split("\" }").next());
    let typed = code.filter(|code| code.starts_with("latentd ")).map(in_place);
    found.extend(typed.chain(shown(page)).map(|line| ("the page".to_owned(), line)));
    assert!(found.len() > 30, "only {} found", found.len());
    let faults: Vec<_> =
        found.iter().filter_map(|(path, line)| Some(format!("{path}: {}", fault(line)?))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_command_without_its_configuration_is_found() {
    let missing = fault("latentd feedback ID expected").expect("--config is missing");
    assert!(missing.contains("--config"), "{missing}");
    assert_eq!(fault("latentd feedback ID expected --config FILE   # why"), None);
    assert_eq!(fault("latentd state verify"), None);
    assert!(fault("latentd stat").is_some());
}
