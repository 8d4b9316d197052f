//! The layer rule of the tree and what its files may hold, checked on the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

/// A room may name rooms of a strictly lower layer only.
#[rustfmt::skip]
const LAYERS: &[(&str, u8)] = &[
    ("record", 0),
    ("window", 1), ("model", 1), ("alert", 1),
    ("grade", 1), ("chart", 1),
    ("detect", 2), ("forecast", 2), ("telemetry", 2), ("sim", 2),
    ("engine", 3),
    ("io", 4), ("web", 4), ("pool", 4), ("notify", 4),
    ("config", 5),
    ("daemon", 6), ("replay", 6),
    ("demo", 7),
    ("cli", 8),
];

/// The core does no I/O, reads no clock, spawns nothing, and takes its random numbers.
const CORE: &[&str] = &[
    "record", "window", "model", "alert", "detect", "forecast", "engine", "sim", "grade", "chart",
];
#[rustfmt::skip]
const BANNED_IN_CORE: &[&str] = &[
    "tokio", "rdkafka", "prometheus", "tracing", "std::fs", "std::net", "std::thread",
    "SystemTime", "Instant", "thread_rng", "Timestamp::now", "println!", "eprintln!",
];
const BANNED_EVERYWHERE: &[&str] = &[".unwrap()", "todo!", "unimplemented!", "dbg!"];
const LINES_MAX: usize = 400;
/// Lines between the braces of a function.
const BODY_MAX: usize = 40;
/// Longer ones, which are lists of one kind of thing or wait to be split: none may join them.
#[rustfmt::skip]
const LONG: &[(&str, &str)] = &[
    ("src/daemon/restore.rs", "restore"),
    ("src/detect/multivariate/tuning.rs", "default"),
    ("src/engine/decide.rs", "decide"),
    ("src/engine/score.rs", "finish"),
    ("src/engine/score.rs", "finish_row"),
    ("src/replay/lab/change.rs", "table"),
    ("src/telemetry/ingest.rs", "register"),
    ("src/telemetry/models.rs", "register"),
    ("src/telemetry/shards.rs", "register"),
    ("src/telemetry/state.rs", "register"),
    ("src/web/page/alert.rs", "show"),
    ("src/web/page/latent.rs", "map"),
    ("src/web/page/mod.rs", "layout"),
    ("src/web/page/stream.rs", "show"),
];

fn layer(room: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == room).map(|(_, layer)| *layer)
}

/// The part of a file before its unit tests; a test module in a file of its own ends nothing.
fn without_tests(source: &str) -> &str {
    let mut from = 0;
    while let Some(at) = source[from..].find("#[cfg(test)]").map(|at| from + at) {
        let module = source[at..].find("mod ").map_or("", |m| &source[at + m..]);
        if module.find('{') < module.find(';') || !module.contains(';') {
            return &source[..at];
        }
        from = at + "#[cfg(test)]".len();
    }
    source
}

/// Names of the modules that exist in tests only and have a file of their own.
fn test_modules(parent: &str) -> impl Iterator<Item = &str> {
    parent.split("#[cfg(test)]").skip(1).filter_map(|after| {
        let after = after.trim_start();
        let (name, _) = after.strip_prefix("mod ")?.split_once([';', '{'])?;
        after.contains(';').then_some(name.trim())
    })
}

/// Whether the file is a module of tests: `x_tests.rs`, or declared so by the file above it.
fn is_test(root: &Path, file: &Path) -> bool {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let parent = file.parent().unwrap_or(root).join("mod.rs");
    let parent = fs::read_to_string(parent).unwrap_or_default();
    stem.ends_with("_tests") || test_modules(&parent).any(|name| name == stem)
}

/// Faults of one source file, each `path:line: what`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let room = path.trim_start_matches("src/").split('/').next().unwrap_or_default();
    let mut found = Vec::new();
    if source.lines().count() > LINES_MAX {
        found.push(format!("{path}: {} lines, at most {LINES_MAX}", source.lines().count()));
    }
    for (line, name, length) in long_functions(without_tests(source)) {
        if !LONG.contains(&(path, name)) {
            found.push(format!("{path}:{line}: `{name}` has {length} lines, at most {BODY_MAX}"));
        }
    }
    for (i, line) in without_tests(source).lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let at = format!("{path}:{}", i + 1);
        found.extend(layer_fault(room, code).map(|fault| format!("{at}: {fault}")));
        let core = if CORE.contains(&room) { BANNED_IN_CORE } else { &[] };
        for word in BANNED_EVERYWHERE.iter().chain(core).filter(|word| has_word(code, word)) {
            found.push(format!("{at}: `{word}` may not be named here"));
        }
    }
    found
}

/// Line, name and length of each function that is too long, by the indent that `cargo fmt` gives.
fn long_functions(source: &str) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let last = |line: &&str| line.ends_with(['{', ';', '}']);
        let Some(head) = lines[at..].iter().position(last).map(|head| at + head) else { continue };
        if !lines[head].ends_with('{') {
            continue;
        }
        let end = format!("{indent}}}");
        let body = lines[head + 1..].iter().position(|line| **line == end).unwrap_or(usize::MAX);
        if BODY_MAX < body {
            long.push((at + 1, name, body));
        }
    }
    long
}

/// The name of the function that begins in a line of code.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let words = ["pub", "const", "async", "unsafe", "extern"];
    let head = |word: &str| words.iter().any(|head| word.starts_with(head)) || word.ends_with(')');
    let name = after.split(['(', '<']).next()?;
    before.split_whitespace().all(head).then_some(name).filter(|name| !name.is_empty())
}

fn layer_fault(room: &str, code: &str) -> Option<String> {
    let own = layer(room)?;
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        if rest.starts_with('{') {
            return Some("one `use crate::` for each room: lists hide their names".to_owned());
        }
        let named: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // An item of the crate's root, or the name of another crate that ends so.
        let Some(other) = layer(&named) else { continue };
        if named != room && other >= own {
            return Some(format!("{room} (layer {own}) may not import {named} (layer {other})"));
        }
    }
    None
}

/// Whether `word` stands in `code` and is not part of a longer name.
fn has_word(code: &str, word: &str) -> bool {
    let joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        let starts_name = word.starts_with(|c: char| c.is_alphanumeric());
        let ends_name = word.ends_with(|c: char| c.is_alphanumeric());
        let before = starts_name && joined(code[..at].chars().next_back());
        let after = ends_name && joined(code[at + word.len()..].chars().next());
        !before && !after
    })
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn the_tree_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    assert!(files.len() > 30, "only {} sources found", files.len());
    let mut found = Vec::new();
    for file in files {
        let path = file.strip_prefix(root).expect("below the root").display().to_string();
        let source = fs::read_to_string(&file).expect("a readable file");
        let long = |fault: &String| fault.contains(&format!(" lines, at most {LINES_MAX}"));
        let test = is_test(root, &file);
        found.extend(faults(&path, &source).into_iter().filter(|fault| !test || long(fault)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_has_a_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).expect("a readable folder") {
        let entry = entry.expect("a readable entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(!entry.path().is_dir() || layer(&name).is_some(), "`{name}` has no layer");
    }
}

#[test]
fn broken_rules_are_told_with_their_place() {
    #[rustfmt::skip]
    let cases = [
        ("src/model/adam.rs", "\nuse crate::io::Log;\n",
         "src/model/adam.rs:2: model (layer 1) may not import io (layer 4)"),
        ("src/window/ring.rs", "use crate::model::Scaler;",
         "src/window/ring.rs:1: window (layer 1) may not import model (layer 1)"),
        ("src/engine/shard.rs", "let t = std::time::Instant::now();",
         "src/engine/shard.rs:1: `Instant` may not be named here"),
        ("src/io/kafka.rs", "x.unwrap();",
         "src/io/kafka.rs:1: `.unwrap()` may not be named here"),
        ("src/cli/mod.rs", "todo!()",
         "src/cli/mod.rs:1: `todo!` may not be named here"),
        ("src/window/ring.rs", "use crate::{io::Log, record::Step};",
         "src/window/ring.rs:1: one `use crate::` for each room: lists hide their names"),
        ("src/window/ring.rs", "let a = crate::VERSION; let b = crate::io::Log;",
         "src/window/ring.rs:1: window (layer 1) may not import io (layer 4)"),
    ];
    for (path, source, expected) in cases {
        assert_eq!(faults(path, source), [expected]);
    }
    let body = "        x();\n".repeat(BODY_MAX);
    let function = |body: &str| {
        format!(
            "impl A {{\n    pub(super) fn f<T>(\n        t: T,\n    ) -> T {{\n{body}    }}\n}}\n"
        )
    };
    assert_eq!(faults("src/io/x.rs", &function(&body)), [""; 0]);
    let longer = function(&format!("{body}        x();\n"));
    assert_eq!(faults("src/io/x.rs", &longer), ["src/io/x.rs:2: `f` has 41 lines, at most 40"]);
    let long = "\n".repeat(LINES_MAX + 1);
    assert_eq!(faults("src/io/x.rs", &long), ["src/io/x.rs: 401 lines, at most 400"]);
}

#[test]
fn tests_comments_and_longer_names_are_free() {
    let source =
        "// Instant\nlet instant_of = InstantLike;\n#[cfg(test)]\nmod tests { x.unwrap(); }";
    assert_eq!(faults("src/model/x.rs", source), [""; 0]);
    let source = "#[cfg(test)]\nmod laws;\nmod log;\nfn f() { x.unwrap(); }";
    assert_eq!(faults("src/io/mod.rs", source).len(), 1, "a test file ends nothing");
    assert_eq!(test_modules(source).collect::<Vec<_>>(), ["laws"]);
}
