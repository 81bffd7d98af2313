//! Days at an API of articles: what stays as it was says something of a write only where it is about what the write names.

use std::sync::Arc;

use aside::rules::Ruleset;
use aside::verify::{Asked, Evidence};
use xxhash_rust::xxh3::xxh3_64;

use super::hostile::{report, rules, subject, written};

const ROUTES: &str = "[[route]]\npath = \"/articles\"\nttl = \"1h\"\n\
                      [[route]]\npath = \"/articles/{slug}\"\nttl = \"1h\"\n\
                      [[route]]\npath = \"/articles/{slug}/comments\"\nttl = \"1h\"\n";

struct Day {
    rules: Arc<Ruleset>,
    evidence: Evidence,
}

impl Day {
    fn new() -> Self {
        let rules = rules(ROUTES);
        Self { evidence: Evidence::about(&rules, 0), rules }
    }

    fn look(&mut self, target: &str, body: &str) {
        let asked = Asked { digest: xxh3_64(body.as_bytes()), began: self.evidence.moment(), body: body.as_bytes() };
        self.evidence.refetched(&subject(&self.rules, target), asked);
    }

    /// Each of these is read, then this is written, and each is read again: they say the same.
    fn write(&mut self, line: &str, stays: &[(&str, &str)]) {
        for again in [false, true] {
            for (target, body) in stays {
                self.look(target, body);
            }
            if !again {
                written(&mut self.evidence, &self.rules, line);
            }
        }
    }

    /// What each proposal leaves out, and its comments.
    fn spared(&self) -> Vec<(Vec<String>, String)> {
        let proposals = report(&self.evidence).proposals.into_iter();
        proposals.map(|proposal| (proposal.spares, proposal.evidence.join("\n"))).collect()
    }
}

fn slug(number: usize) -> String {
    format!("story-{number}")
}

/// A list that shows these.
fn page(numbers: std::ops::Range<usize>) -> String {
    let shown: Vec<String> =
        numbers.map(|number| format!("{{\"slug\":\"{}\",\"favourites\":1}}", slug(number))).collect();
    format!("[{}]", shown.join(","))
}

#[test]
fn a_list_that_does_not_show_the_thing_says_nothing_of_what_is_done_to_it() {
    let mut day = Day::new();
    for number in 100..200 {
        // As on the page that shows it, where nobody looks.
        let line = format!("DELETE /articles/{}/favorite", slug(number));
        day.write(&line, &[("/articles?limit=2", &page(0..2)), ("/articles?limit=1", &page(0..1))]);
    }
    assert_eq!(day.spared(), []);
    // One on the first page says what it does.
    day.look("/articles?limit=2", &page(0..2));
    day.look("/articles?limit=2", &page(0..2));
    written(&mut day.evidence, &day.rules, &format!("DELETE /articles/{}/favorite", slug(0)));
    day.look("/articles?limit=2", &page(0..3));
    assert_eq!(day.spared(), []);
}

#[test]
fn what_belongs_to_one_thing_says_nothing_of_what_belongs_to_another() {
    let mut day = Day::new();
    let (hot, comments) = ("{\"slug\":\"hot-story\"}", "[{\"id\":1},{\"id\":2}]");
    for number in 100..200 {
        let line = format!("DELETE /articles/{}/comments/{number}", slug(number));
        day.write(&line, &[("/articles/hot-story", hot), ("/articles/hot-story/comments", comments)]);
    }
    assert_eq!(day.spared(), []);
}

#[test]
fn what_a_write_is_sent_to_is_never_left_out() {
    let mut day = Day::new();
    for _ in 0..100 {
        // The lists of those who write nothing.
        let list = page(0..3);
        day.write("POST /articles", &[("/articles?author=ann", &list), ("/articles/story-1", &list)]);
    }
    assert_eq!(day.spared(), []);
}

#[test]
fn what_shows_the_thing_and_stays_is_left_out_once_it_was_seen_thirty_times() {
    let mut day = Day::new();
    for number in 0..31 {
        assert_eq!(day.spared(), [], "after {number}");
        day.write(&format!("POST /articles/{}/beacon", slug(number)), &[("/articles", &page(0..50))]);
        if number == 29 {
            break;
        }
    }
    let [(spares, told)] = &day.spared()[..] else { panic!("one") };
    assert_eq!(spares, &["/articles"]);
    let bound = "/articles: no change seen in 30 answers after 30 writes; \
                 with 95 % certainty fewer than about 3 in 30 such writes make one\n";
    assert!(told.contains(bound), "{told}");
}
