//! What `[verify]` keeps is bounded in bytes, whatever clients send.
//!
//! One test, so that nothing else allocates beside it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::alloc::System;
use std::fmt::Write as _;

use aside::config::Config;
use aside::rules::{Document, Overriding, Ruleset, Write, WriteAnswer, write_paths};
use aside::verify::{Asked, Compared, Evidence, Reach, Shape, Subject, VerifySettings};
use http::Method;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What all of it may take.
const BOUND: usize = 32 << 20;
const ROUTES: usize = 32;
/// More kinds than are told apart, and more values of each.
const KINDS: usize = 280;
const VALUES: usize = 4;
/// As long as `[limits] target` allows by default, nearly.
const LONG: usize = 8_000;

struct Api {
    evidence: Evidence,
    rules: std::sync::Arc<Ruleset>,
    subjects: Vec<Subject>,
    digest: u64,
    /// What each answer says.
    body: String,
}

impl Api {
    fn new() -> Self {
        let mut text = "origin = \"http://127.0.0.1:1\"\n".to_owned();
        for route in 0..ROUTES {
            let _ = write!(text, "[[route]]\npath = \"/r{route:02}x/{{id}}\"\nttl = \"1h\"\n");
        }
        let rules = Config::from_text("test.toml", &text, |_| None).unwrap().proxy.rules.clone();
        let subject = |route: usize| {
            let target = format!("/r{route:02}x/{}", "t".repeat(LONG)).parse().unwrap();
            Subject::of(Some(rules.routes.iter().nth(route).unwrap()), &target, route as u64 * 7_919)
        };
        let subjects = (0..ROUTES).map(subject).collect();
        Self { evidence: Evidence::about(&rules, 0), rules, subjects, digest: 1, body: String::new() }
    }

    fn writes(&mut self, method: &str, path: &str) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let write = Write {
            method: &Method::from_bytes(method.as_bytes()).unwrap(),
            overriding: &Overriding { methods: Vec::new(), unknown: false },
            path,
            paths: &write_paths(path),
            query,
            body: Document::Absent,
            answer: WriteAnswer::default(),
        };
        let shape = Shape::of(&self.rules.routes, &write);
        let write = self.evidence.write_begins(shape, method, path);
        self.evidence.write_ends(write, 0, Reach::default());
    }

    /// Looks at each route, of which so many have changed.
    fn look(&mut self, changed: usize) {
        for route in 0..ROUTES {
            let digest = if route < changed { self.digest + 1 } else { self.digest };
            let began = self.evidence.moment();
            self.evidence.refetched(&self.subjects[route], Asked { digest, began, body: self.body.as_bytes() });
        }
    }

    fn old(&mut self, round: usize) {
        let began = self.evidence.moment();
        let places = (0..32).map(|place| format!("/{round}/{place}{}", "p".repeat(200))).collect();
        let subject = &self.subjects[round % ROUTES];
        let asked = Asked { digest: self.digest, began, body: b"" };
        self.evidence.compared(subject, asked, Compared::Volatile(places), 0);
        let old = Compared::Old { stored: self.digest, received: round as u64 };
        self.evidence.compared(subject, asked, old, 1_000);
    }
}

fn letter(number: usize) -> char {
    char::from(b"abcdefghijklmnopqrstuvwxyz"[number % 26])
}

/// A value that nobody has sent yet.
fn value(number: usize) -> String {
    format!("{number}-{}", "7".repeat(LONG))
}

#[test]
fn it_stays_below_its_bound() {
    let region = Region::new(ALLOCATOR);
    let mut api = Api::new();
    api.look(0);
    api.look(0);
    // Each kind of writes leaves each route as it was, and each with values of its own.
    for kind in 0..KINDS {
        let word: String = [letter(kind / 26), letter(kind)].iter().collect();
        for number in 0..VALUES {
            // What a long value was is not known any more, and so no answer is about it.
            api.body =
                if number % 2 == 0 { value(kind * VALUES + number) } else { format!("v{}", kind * VALUES + number) };
            api.writes("POST", &format!("/{word}/{}", api.body.clone()));
            api.look(0);
        }
    }
    // Many together are suspected, each time others.
    for round in 0..80 {
        for number in 0..40 {
            api.writes("PUT", &format!("/{}{}/x", letter(round), number % 9));
            api.writes("DELETE", &format!("/r{:02}x/{}", (round * number) % ROUTES, value(round)));
        }
        api.look(if round % 2 == 0 { 0 } else { ROUTES });
        api.old(round);
    }
    // Long paths, long methods.
    for round in 0..100 {
        api.writes(&format!("M{round}{}", "X".repeat(LONG)), &format!("/{}", value(round)));
    }
    for round in 0..10 {
        api.writes("POST", &"/1".repeat(LONG / 2 - round));
    }
    // As much as each of them may name.
    for round in 0..2_000 {
        let named = |number: usize| format!("{}{number}=x{}{number}", "n".repeat(60), "x".repeat(50 + round % 9));
        let named: Vec<String> = (0..8).map(named).collect();
        api.writes("POST", &format!("/c/{}?{}", value(round), named.join("&")));
    }
    let report = api.evidence.snapshot().report(&VerifySettings::default(), 0);
    assert!(!report.findings.is_empty() && !report.writes.is_empty());
    drop(report);
    let stats = region.change();
    let kept = stats.bytes_allocated - stats.bytes_deallocated;
    println!("{kept} bytes");
    assert!(kept < BOUND, "{kept} bytes");
}
