//! Holds the arrow: which room may name which, and which crates a room may name. Reads the source as text, so that a
//! breach is told with its file and line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms it may name.
const ROOMS: [(&str, &[&str]); 13] = [
    ("commands", &["config", "server", "proxy", "store", "origin", "rules", "policy", "fields", "telemetry", "clock"]),
    ("config", &["server", "proxy", "store", "origin", "rules", "policy", "fields", "telemetry", "clock"]),
    ("server", &["proxy", "store", "origin", "body", "telemetry", "budget", "clock"]),
    ("proxy", &["store", "origin", "body", "rules", "policy", "fields", "telemetry", "budget", "clock"]),
    ("store", &["rules", "policy", "fields", "telemetry", "budget", "clock"]),
    ("origin", &["body", "fields", "telemetry", "budget", "clock"]),
    ("body", &["fields", "budget"]),
    ("rules", &["policy", "fields"]),
    ("policy", &["fields", "clock"]),
    ("fields", &["clock"]),
    ("telemetry", &["fields", "clock"]),
    ("budget", &[]),
    ("clock", &[]),
];

/// Crates that only some places may name.
const CRATES: [(&str, &[&str]); 5] = [
    ("fred", &["store/redis"]),
    ("hyper", &["server", "origin", "proxy", "body"]),
    ("hyper_util", &["server", "origin", "proxy"]),
    ("tokio", &["commands", "server", "origin", "proxy", "body", "store", "budget.rs"]),
    ("clap", &["commands", "main.rs"]),
];

/// Rooms that decide and never do: no I/O, no clock, no waiting.
const PURE: [&str; 3] = ["rules", "policy", "fields"];
const IMPURE: [&str; 9] = [
    "async fn",
    ".await",
    "std::net",
    "std::fs",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "clock::Clock",
    "getrandom",
];

/// The longest a file may be, its tests included.
const LONGEST: usize = 400;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        let first = self.path.components().next().unwrap().as_os_str().to_str().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Its module: `proxy::ingress::host` for `proxy/ingress/host.rs`, `proxy` for `proxy/mod.rs`.
    fn module(&self) -> String {
        let path = self.path.with_extension("").to_str().unwrap().replace('/', "::");
        path.strip_suffix("::mod").unwrap_or(&path).to_owned()
    }

    /// What stands behind `use `, and after it `from::`, outside of its unit tests.
    fn imports<'s>(&'s self, from: &'s str) -> impl Iterator<Item = &'s str> {
        let code = self.text.split("#[cfg(test)]\nmod tests").next().unwrap();
        code.split(';').filter_map(move |statement| {
            let (_, import) = statement.rsplit_once("use ")?;
            import.strip_prefix(from)?.strip_prefix("::")
        })
    }

    /// The lines of code, numbered from 1, without comments.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    fn collect(folder: &Path, root: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { path: path.strip_prefix(root).unwrap().to_owned(), text });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 50, "only {} files were found", found.len());
    found
}

/// The names that follow `word` and `::` in a line, as in `crate::rules` or `crate::{rules, store}`.
fn named_after(line: &str, word: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices(&format!("{word}::")) {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &line[at + word.len() + 2..];
        let list = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap(),
            None => rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap(),
        };
        names.extend(list.split(',').map(|name| name.trim().split("::").next().unwrap().to_owned()));
    }
    names
}

/// The names that an import begins with: `a` of `a::{b, c}`, `a` and `b` of `{a, b::c}`.
fn first_names(import: &str) -> Vec<&str> {
    let names = match import.strip_prefix('{') {
        Some(group) => group.trim_end_matches('}').split(',').collect(),
        None => vec![import],
    };
    names.into_iter().map(|name| name.split("::").next().unwrap().trim()).collect()
}

/// The modules beside each module that it imports from, also where the module above hands their names on.
fn neighbours(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeMap<String, &Source> = sources.iter().map(|source| (source.module(), source)).collect();
    let beside = |module: &str| {
        let (above, _) = module.rsplit_once("::")?;
        let named = |name: &str| Some(format!("{above}::{name}")).filter(|found| modules.contains_key(found));
        let handed_on = |name: &str| {
            let children = modules.keys().filter(|child| child.rsplit_once("::").is_some_and(|(of, _)| of == above));
            children.into_iter().find(|child| {
                let child = child.rsplit("::").next().unwrap();
                modules[above].imports(child).any(|import| first_names(import).contains(&name))
            })
        };
        let names = modules[module].imports("super").flat_map(first_names);
        Some(names.filter_map(|name| named(name).or_else(|| handed_on(name).cloned())).collect())
    };
    modules.keys().map(|module| (module.clone(), beside(module).unwrap_or_default())).collect()
}

fn breaches(check: impl Fn(&Source, usize, &str) -> Option<String>) {
    let mut found = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            if let Some(why) = check(&source, number, line) {
                found.push(format!("src/{}:{number}: {why}: {}", source.path.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn rooms_name_only_the_rooms_below_them() {
    breaches(|source, _, line| {
        let room = source.room();
        if matches!(room, "main" | "lib") {
            return None;
        }
        let (_, allowed) = ROOMS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("{room} is no room"));
        let known = |name: &String| ROOMS.iter().any(|(known, _)| known == name);
        let named = named_after(line, "crate")
            .into_iter()
            .find(|name| known(name) && name != room && !allowed.contains(&name.as_str()))?;
        Some(format!("{room} may not name {named}"))
    });
}

#[test]
fn files_do_not_import_each_other_in_a_loop() {
    let mut left = neighbours(&sources());
    assert!(left["proxy::fill"].contains("proxy::fetch"), "the reader of imports is blind");
    assert!(left["rules::overlap"].contains("rules::path"), "the reader of imports is blind");
    // Whoever imports nothing that is left is in no loop, and so is whoever nothing that is left imports.
    loop {
        let before = left.len();
        let named: BTreeSet<String> = left.values().flatten().cloned().collect();
        left.retain(|module, _| named.contains(module));
        let known: BTreeSet<String> = left.keys().cloned().collect();
        for imported in left.values_mut() {
            imported.retain(|module| known.contains(module));
        }
        left.retain(|_, imported| !imported.is_empty());
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "these import each other: {left:#?}");
}

#[test]
fn crates_stay_in_their_rooms() {
    breaches(|source, _, line| {
        let path = source.path.to_str().unwrap();
        let (name, _) = CRATES.iter().find(|(name, allowed)| {
            !named_after(line, name).is_empty() && !allowed.iter().any(|room| path.starts_with(room))
        })?;
        Some(format!("{name} does not belong here"))
    });
}

#[test]
fn pure_rooms_decide_and_do_nothing() {
    breaches(|source, _, line| {
        let impure = IMPURE.iter().find(|word| line.contains(**word))?;
        PURE.contains(&source.room()).then(|| format!("{impure} in a pure room"))
    });
}

#[test]
fn every_file_says_its_duty_and_is_not_too_long() {
    let mut found = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST {
            found.push(format!("src/{}: {lines} lines, {LONGEST} at most", source.path.display()));
        }
        if !source.text.starts_with("//! ") {
            found.push(format!("src/{}: its first line does not say its duty", source.path.display()));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_reader_of_use_lines_sees_them() {
    assert_eq!(named_after("use crate::rules::{EntryRef, Tag};", "crate"), ["rules"]);
    assert_eq!(named_after("use crate::{proxy, store};", "crate"), ["proxy", "store"]);
    assert_eq!(named_after("let x = crate::origin::join(y);", "crate"), ["origin"]);
    assert_eq!(named_after("use hyper_util::rt::TokioIo;", "hyper"), Vec::<String>::new());
    assert_eq!(named_after("use tokio::net;", "tokio"), ["net"]);
    assert_eq!(first_names("path::{Captures, PathPattern}"), ["path"]);
    assert_eq!(first_names("{PatternError, foreign::instead}"), ["PatternError", "foreign"]);
}
