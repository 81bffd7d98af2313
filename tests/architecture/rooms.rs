//! The arrow between rooms, the crates that only some of them may name, and the rooms that decide and never do.

use proc_macro2::{TokenStream, TokenTree};

use crate::source::{Source, made_up};

/// A room and the rooms it may name.
const ROOMS: [(&str, &[&str]); 18] = [
    (
        "commands",
        &[
            "config",
            "admin",
            "server",
            "handler",
            "proxy",
            "store",
            "origin",
            "verify",
            "rules",
            "policy",
            "fields",
            "telemetry",
            "clock",
        ],
    ),
    (
        "config",
        &[
            "admin",
            "server",
            "proxy",
            "store",
            "origin",
            "verify",
            "rules",
            "policy",
            "fields",
            "telemetry",
            "clock",
            "files",
            "tls",
        ],
    ),
    ("admin", &["handler", "proxy", "store", "verify", "rules", "body", "fields", "telemetry", "clock"]),
    ("server", &["handler", "body", "fields", "telemetry", "budget", "clock", "files"]),
    (
        "proxy",
        &["handler", "store", "origin", "verify", "rules", "policy", "body", "fields", "telemetry", "budget", "clock"],
    ),
    ("handler", &["body", "budget"]),
    ("store", &["rules", "policy", "fields", "telemetry", "budget", "clock", "tls"]),
    ("origin", &["body", "fields", "telemetry", "budget", "clock", "tls"]),
    ("body", &["fields", "telemetry", "budget", "clock"]),
    ("verify", &["rules", "policy", "fields", "clock"]),
    ("rules", &["policy", "fields"]),
    ("policy", &["fields", "clock"]),
    ("fields", &["clock"]),
    ("telemetry", &["fields", "clock"]),
    ("budget", &[]),
    ("clock", &[]),
    ("files", &[]),
    ("tls", &["files"]),
];

/// Crates that only some places may name.
const CRATES: [(&str, &[&str]); 6] = [
    ("fred", &["store/redis"]),
    // `admin` is a handler, as `proxy` is, and asks another process's by itself.
    ("hyper", &["server", "handler.rs", "admin", "origin", "proxy", "body"]),
    ("hyper_util", &["server", "admin/client.rs", "origin", "proxy"]),
    ("tokio", &["commands", "server", "handler.rs", "admin", "origin", "proxy", "body", "store", "budget.rs"]),
    ("clap", &["commands", "main.rs"]),
    ("prometheus_client", &["telemetry"]),
];

/// Rooms that decide and never do: no I/O, no clock, no waiting.
const PURE: [&str; 4] = ["verify", "rules", "policy", "fields"];
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

/// Whether a file of room `from` may name room `to`.
pub fn may_name(from: &str, to: &str) -> bool {
    from == to || ROOMS.iter().any(|(room, allowed)| *room == from && allowed.contains(&to))
}

/// Names of rooms that are not below the one where they stand, unit tests included; and files in no room.
pub fn upward(sources: &[Source]) -> Vec<String> {
    let known = |name: &str| ROOMS.iter().any(|(room, _)| *room == name);
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !matches!(source.path.as_str(), "main.rs" | "lib.rs")) {
        let room = source.room();
        if !known(room) {
            found.push(format!("src/{}: {room} is no room", source.path));
        }
        for (line, name) in named_after("crate", tokens(source)) {
            if known(&name) && !may_name(room, &name) {
                found.push(format!("src/{}:{line}: {room} may not name {name}", source.path));
            }
        }
    }
    found
}

/// Crates that are named where they do not belong.
pub fn strangers(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let tokens = tokens(source);
        for (name, places) in CRATES {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            for (line, _) in named_after(name, tokens.clone()) {
                found.push(format!("src/{}:{line}: {name} does not belong here", source.path));
            }
        }
    }
    found
}

/// What a pure room does and may not.
pub fn impure(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| PURE.contains(&source.room())) {
        for (number, line) in source.lines() {
            if let Some(word) = IMPURE.iter().find(|word| line.contains(**word)) {
                found.push(format!("src/{}:{number}: {word} in a pure room", source.path));
            }
        }
    }
    found
}

fn tokens(source: &Source) -> TokenStream {
    source.text.parse().unwrap()
}

/// The names that follow `word` and `::`, each with its line: `rules` in `crate::rules::Tag`, `rules` and `store` in
/// `crate::{rules::Tag, store}`.
fn named_after(word: &str, tokens: TokenStream) -> Vec<(usize, String)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == ':');
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => found.extend(named_after(word, group.stream())),
            TokenTree::Ident(name) if name == word && colon(at + 1) && colon(at + 2) => {
                let within_a_path = at > 1 && colon(at - 1) && colon(at - 2);
                match tokens.get(at + 3) {
                    Some(TokenTree::Ident(name)) if !within_a_path => found.push((line_of(name), name.to_string())),
                    Some(TokenTree::Group(list)) if !within_a_path => found.extend(first_names(list.stream())),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    found
}

/// The names that the parts of a list begin with.
fn first_names(list: TokenStream) -> Vec<(usize, String)> {
    let tokens: Vec<TokenTree> = list.into_iter().collect();
    let begins = |at: usize| at == 0 || matches!(&tokens[at - 1], TokenTree::Punct(found) if found.as_char() == ',');
    let names = tokens.iter().enumerate().filter_map(|(at, token)| match token {
        TokenTree::Ident(name) if begins(at) => Some((line_of(name), name.to_string())),
        _ => None,
    });
    names.collect()
}

fn line_of(name: &proc_macro2::Ident) -> usize {
    name.span().start().line
}

#[test]
fn names_after_a_word_are_seen() {
    let named = |word: &str, text: &str| -> Vec<String> {
        named_after(word, text.parse().unwrap()).into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(named("crate", "use crate::rules::{EntryRef, Tag};"), ["rules"]);
    assert_eq!(named("crate", "use crate::{\n    proxy::{self, X},\n    store,\n};"), ["proxy", "store"]);
    assert_eq!(named("crate", "fn f() { let x = crate::origin::join(y); }"), ["origin"]);
    assert_eq!(named("crate", "// crate::origin\n const X: &str = \"crate::origin\";"), [""; 0]);
    assert_eq!(named("hyper", "use hyper_util::rt::TokioIo; use x::hyper::y;"), [""; 0]);
    assert_eq!(named("tokio", "pub(super) use tokio::net;"), ["net"]);
}

#[test]
fn breaches_are_told_with_their_line() {
    let up = upward(&made_up([
        ("rules/a.rs", "use crate::fields::X;\nuse crate::store::Y;"),
        ("origin/a.rs", "use crate::body::Body;\n#[cfg(test)]\nmod tests { use crate::proxy::Z; }"),
        ("other/a.rs", ""),
    ]));
    let wanted = [
        "src/rules/a.rs:2: rules may not name store",
        "src/origin/a.rs:3: origin may not name proxy",
        "src/other/a.rs: other is no room",
    ];
    assert_eq!(up, wanted);
    let strange = strangers(&made_up([
        ("store/a.rs", "use tokio::sync;\nuse fred::X;"),
        ("rules/a.rs", "fn f() { tokio::x() }"),
    ]));
    assert_eq!(
        strange,
        ["src/store/a.rs:2: fred does not belong here", "src/rules/a.rs:1: tokio does not belong here"]
    );
    let doing =
        impure(&made_up([("policy/a.rs", "// .await\nfn f() { x.await }"), ("proxy/a.rs", "fn f() { x.await }")]));
    assert_eq!(doing, ["src/policy/a.rs:2: .await in a pure room"]);
    assert!(may_name("server", "handler") && may_name("proxy", "proxy") && !may_name("proxy", "server"));
}
