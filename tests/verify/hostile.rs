//! What is proposed is read by the configuration's own reader, whatever routes and paths are called; and speaks of the very
//! writes that it was made from.

use std::sync::Arc;

use aside::config::Config;
use aside::rules::Ruleset;
use aside::verify::{Asked, Compared, Evidence, Proposal, Reach, Report, Shape, Subject, VerifySettings};
use xxhash_rust::xxh3::xxh3_64;

use super::written::{Sent, sent};

/// The rules of a file.
pub fn rules(file: &str) -> Arc<Ruleset> {
    let text = format!("origin = \"http://127.0.0.1:1\"\n{file}");
    let config = Config::from_text("test.toml", &text, |_| None).unwrap_or_else(|error| panic!("{error}\n{text}"));
    config.proxy.rules
}

/// What a look at an answer of this target is at.
pub fn subject(rules: &Ruleset, target: &str) -> Subject {
    let target: http::uri::PathAndQuery = target.parse().unwrap();
    let route = rules.routes.find(target.path()).map(|(route, _)| &**route);
    Subject::of(route, &target, xxh3_64(target.as_str().as_bytes()))
}

/// A write that begins and ends at once.
pub fn written(evidence: &mut Evidence, rules: &Ruleset, line: &str) {
    written_so(evidence, rules, line, &sent(line));
}

/// The same with more than its line.
pub fn written_so(evidence: &mut Evidence, rules: &Ruleset, line: &str, write: &Sent) {
    let (method, target) = line.split_once(' ').unwrap();
    let shape = write.with_write(|write| Shape::of(&rules.routes, write));
    let moment = evidence.write_begins(shape, method, target);
    evidence.write_ends(moment, 0, Reach::of(&write.invalidations(&rules.routes)));
}

pub fn report(evidence: &Evidence) -> Report {
    evidence.snapshot().report(&VerifySettings { sample: 1.0, ..VerifySettings::default() }, 0)
}

pub fn pasted(report: &Report) -> String {
    report.proposals.iter().map(Proposal::toml).collect()
}

/// After this write an answer of this target is old.
fn left_old(file: &str, write: &str, target: &str) -> (Evidence, Arc<Ruleset>) {
    let rules = rules(file);
    let mut evidence = Evidence::about(&rules, 0);
    let subject = subject(&rules, target);
    for times in 0..2 {
        let began = evidence.moment();
        evidence.refetched(&subject, Asked { digest: 2 * times, began, body: b"" });
        written(&mut evidence, &rules, write);
        let asked = Asked { digest: 2 * times + 1, began: evidence.moment(), body: b"" };
        evidence.compared(&subject, asked, Compared::Old { stored: 2 * times, received: 0 }, 0);
    }
    (evidence, rules)
}

#[test]
fn an_entry_for_a_hostile_name_is_read_and_drops_what_was_old() {
    for (name, path, write, target) in [
        ("plain", "/a/{id}", "POST /b/7", "/a/1"),
        ("quo\"te\\back'tick", "/a/{id}", "POST /b", "/a/1"),
        ("{brace}[bracket]#hash", "/a/{id}", "POST /b", "/a/1"),
        ("bi\\u202edi\\u200b", "/a/{id}", "POST /b", "/a/1"),
        ("n", "/a\\\"b/{id}", "POST /a%22b/x/1", "/a%22b/1"),
        ("n", "/a%7Bb%7D", "POST /a%7Bb%7D/c", "/a%7Bb%7D"),
        ("n", "/a", "POST /b/%22%0A%5B%5Bwrite%5D%5D", "/a"),
        ("n", "/a", "POST /b/%E2%80%AE", "/a"),
        ("n", "/a", "POST /b/%FF", "/a"),
        ("n", "/a/{id}", "POST /a/%22%0A/x", "/a/%22%0A"),
        ("n", "/a/{id}", "POST /a/d%C3%A9j%C3%A0/x", "/a/d%C3%A9j%C3%A0"),
    ] {
        let name = name.replace('\\', "\\\\").replace("\\\\u", "\\u").replace('"', "\\\"");
        let file = format!(
            "[[route]]\nname = \"{name}\"\npath = \"{path}\"\nttl = \"1h\"\ninvalidated_by = [\"POST /none\"]\n"
        );
        let (evidence, before) = left_old(&file, write, target);
        assert!(!sent(write).drops_read(&before.routes, target), "{name} {path} {write}");
        let text = pasted(&report(&evidence));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
        let after = rules(&(file + &text));
        if !sent(write).with_write(|write| Shape::of(&after.routes, write)).is_plain {
            assert!(text.is_empty(), "no rule speaks of it: {text}");
            continue;
        }
        assert!(sent(write).drops_read(&after.routes, target), "{name} {path} {write}:\n{text}");
    }
}

#[test]
fn whoever_tries_paths_takes_no_room_from_the_writes_that_there_are() {
    let rules = rules("[[route]]\npath = \"/a\"\nttl = \"1h\"\n");
    let mut evidence = Evidence::about(&rules, 0);
    let look = |evidence: &mut Evidence| {
        let began = evidence.moment();
        evidence.refetched(&subject(&rules, "/a"), Asked { digest: 1, began, body: b"" });
    };
    for number in 0..2_000 {
        let word: String = format!("{number:04}").bytes().map(|digit| char::from(digit + b'a' - b'0')).collect();
        let path = format!("/{word}.php");
        let shape = sent(&format!("POST {path}")).with_write(|write| Shape::of(&rules.routes, write));
        let moment = evidence.write_begins(shape, "POST", &path);
        look(&mut evidence);
        evidence.write_was_nothing(moment);
    }
    for _ in 0..31 {
        look(&mut evidence);
        written(&mut evidence, &rules, "POST /login");
    }
    assert!(pasted(&report(&evidence)).contains("request = \"POST /login\"\ndrops = []"));
    assert_eq!(report(&evidence).writes.len(), 1);
}

#[test]
fn an_entry_that_adds_to_one_that_is_there_is_read_and_both_count() {
    let file = "[[route]]\npath = \"/a\"\nttl = \"1h\"\n[[route]]\npath = \"/b\"\nttl = \"1h\"\n\
                [[write]]\nrequest = \"POST /w\"\ndrops = [\"/b\"]\n";
    let (evidence, _) = left_old(file, "POST /w", "/a");
    let text = pasted(&report(&evidence));
    assert!(text.contains("# there is a [[write]] for it already"), "{text}");
    let after = rules(&(file.to_owned() + &text));
    assert!(["/a", "/b"].iter().all(|target| sent("POST /w").drops_read(&after.routes, target)), "{text}");
}
