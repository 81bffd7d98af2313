//! How long the files are, and the picture of the house that `scripts/structure` prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::circles::circles;
use crate::edges::{Edges, edges};
use crate::source::{Source, made_up};

/// The longest a file may be, its tests included.
pub const LONGEST: usize = 500;

/// A file below so many lines says why it is one.
const SHORT: usize = 40;

/// The files that are so short for a reason.
const REASONS: [(&str, &str); 4] = [
    ("main.rs", "starts the library's commands"),
    ("policy/mod.rs", "the list of the room's files"),
    ("store/lease/mod.rs", "what the machine has to see to, and the list of its files"),
    ("telemetry/mod.rs", "the list of the room's files"),
];

/// Files that are too long, that do not say their duty, or that are short without a reason; and reasons that are none
/// any more.
pub fn misshapen(sources: &[Source], reasons: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let lines = lines(source);
        let path = &source.path;
        let reason = reasons.iter().any(|(short, _)| short == path);
        if lines > LONGEST {
            found.push(format!("src/{path}: {lines} lines, {LONGEST} at most"));
        }
        if lines < SHORT && !reason {
            found.push(format!("src/{path}: {lines} lines, and no reason why it is a file of its own"));
        }
        if !source.text.starts_with("//! ") {
            found.push(format!("src/{path}: its first line does not say its duty"));
        }
    }
    for (path, _) in reasons {
        if !sources.iter().any(|source| source.path == *path && lines(source) < SHORT) {
            found.push(format!("src/{path}: it has a reason for being short and is not"));
        }
    }
    found
}

/// The reasons that hold for this crate.
pub fn reasons() -> &'static [(&'static str, &'static str)] {
    &REASONS
}

fn lines(source: &Source) -> usize {
    source.text.lines().count()
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// The rooms with their files, the short ones, the circles with the edges that make them, and what is told besides.
pub fn picture(sources: &[Source], breaches: &[(&str, Vec<String>)]) -> String {
    let mut text = String::new();
    let mut rooms: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in sources {
        rooms.entry(source.room()).or_default().push(source);
    }
    let mut row = |name: &str, files: &[&Source]| {
        let longest = files.iter().max_by_key(|source| lines(source)).unwrap();
        let short = files.iter().filter(|source| lines(source) < SHORT).count();
        let middle = median(files.iter().map(|source| lines(source)).collect());
        let all: usize = files.iter().map(|source| lines(source)).sum();
        let (count, long) = (files.len(), lines(longest));
        writeln!(text, "{name:<10} {count:>5} {all:>7} {middle:>7} {short:>9} {long:>8}  {}", longest.path).unwrap();
    };
    for (room, files) in &rooms {
        row(room, files);
    }
    row("all", &sources.iter().collect::<Vec<_>>());
    let mut told = String::from("room       files   lines  median  under 40  longest\n") + &text;
    let edges = edges(sources);
    let circles = circles(&edges);
    let within: usize = circles.iter().map(Vec::len).sum();
    writeln!(told, "pairs of a mod.rs and a child that use each other: {}", pairs(sources, &edges)).unwrap();
    writeln!(told, "circles: {}, files in them: {within}", circles.len()).unwrap();
    for circle in &circles {
        write_circle(&mut told, sources, &edges, circle);
    }
    for (name, found) in breaches {
        writeln!(told, "{name}: {}", found.len()).unwrap();
        for breach in found {
            writeln!(told, "  {breach}").unwrap();
        }
    }
    told
}

/// A circle as lines of text: its files, and each edge between them with the line that makes it.
pub fn write_circle(told: &mut String, sources: &[Source], edges: &Edges, circle: &[usize]) {
    writeln!(told, "  circle of {} files", circle.len()).unwrap();
    for ((from, to), (line, name)) in edges {
        if circle.contains(from) && circle.contains(to) {
            let (from, to) = (&sources[*from].path, &sources[*to].path);
            writeln!(told, "    src/{from}:{line}: {name} of src/{to}").unwrap();
        }
    }
}

fn pairs(sources: &[Source], edges: &Edges) -> usize {
    let child = |of: usize, child: usize| {
        let (of, child) = (&sources[of], &sources[child]);
        child.path.starts_with(&of.folder())
            && child.module().rsplit_once("::").is_some_and(|(above, _)| above == of.module())
    };
    edges.keys().filter(|(from, to)| child(*from, *to) && edges.contains_key(&(*to, *from))).count()
}

#[test]
fn long_short_and_silent_files_are_found() {
    let text = |lines: usize| format!("//! Duty.\n{}", "// More.\n".repeat(lines - 1));
    let found = |path: &str, text: &str, reasons: &[(&str, &str)]| misshapen(&made_up([(path, text)]), reasons);
    assert_eq!(found("a.rs", &text(LONGEST), &[]), [""; 0]);
    assert_eq!(found("a.rs", &text(LONGEST + 1), &[]), ["src/a.rs: 501 lines, 500 at most"]);
    assert_eq!(found("a.rs", &text(SHORT), &[]), [""; 0]);
    assert_eq!(found("a.rs", &text(39), &[]), ["src/a.rs: 39 lines, and no reason why it is a file of its own"]);
    assert_eq!(found("a.rs", &text(39), &[("a.rs", "small")]), [""; 0]);
    assert_eq!(
        found("a.rs", &text(40), &[("a.rs", "small")]),
        ["src/a.rs: it has a reason for being short and is not"]
    );
    assert_eq!(found("a.rs", &text(40), &[("b.rs", "gone")]), ["src/b.rs: it has a reason for being short and is not"]);
    assert_eq!(found("a.rs", &"fn f() {}\n".repeat(40), &[]), ["src/a.rs: its first line does not say its duty"]);
}

#[test]
fn the_picture_counts_pairs_and_circles() {
    let sources = made_up([
        ("r/mod.rs", "mod a; mod b; use a::f; pub struct X;"),
        ("r/a.rs", "use super::X; pub fn f(_: X) {}"),
        ("r/b.rs", "use super::X; pub fn g(_: X) {}"),
    ]);
    let picture = picture(&sources, &[("arrows up", Vec::new())]);
    assert!(picture.contains("use each other: 1\ncircles: 1, files in them: 2\n"), "{picture}");
    assert!(picture.contains("src/r/a.rs:1: X of src/r/mod.rs"), "{picture}");
    assert!(picture.contains("arrows up: 0"), "{picture}");
}
