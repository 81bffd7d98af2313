//! Days at an API of articles: what stays as it was says something of a write only where it is about what the write names, in its
//! path or elsewhere.

use std::sync::Arc;

use aside::rules::Ruleset;
use aside::verify::{Asked, Evidence};
use xxhash_rust::xxh3::xxh3_64;

use super::hostile::{report, rules, subject, written_so};
use super::written::{Sent, sent};

const ROUTES: &str = "[[route]]\npath = \"/articles\"\nttl = \"1h\"\n\
                      [[route]]\npath = \"/articles/{slug}\"\nttl = \"1h\"\n\
                      [[route]]\npath = \"/articles/{slug}/comments\"\nttl = \"1h\"\n";

struct Day {
    rules: Arc<Ruleset>,
    evidence: Evidence,
}

impl Day {
    fn new() -> Self {
        Self::at(ROUTES)
    }

    fn at(routes: &str) -> Self {
        let rules = rules(routes);
        Self { evidence: Evidence::about(&rules, 0), rules }
    }

    fn look(&mut self, target: &str, body: &str) {
        let asked = Asked { digest: xxh3_64(body.as_bytes()), began: self.evidence.moment(), body: body.as_bytes() };
        self.evidence.refetched(&subject(&self.rules, target), asked);
    }

    /// Each of these is read, then this is written, and each is read again: they say the same.
    fn write(&mut self, line: &str, stays: &[(&str, &str)]) {
        self.write_so(line, &sent(line), stays);
    }

    /// The same with this for a body.
    fn write_json(&mut self, line: &str, json: &str, stays: &[(&str, &str)]) {
        self.write_so(line, &sent(line).json(json), stays);
    }

    fn write_so(&mut self, line: &str, write: &Sent, stays: &[(&str, &str)]) {
        for again in [false, true] {
            for (target, body) in stays {
                self.look(target, body);
            }
            if !again {
                written_so(&mut self.evidence, &self.rules, line, write);
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
    let line = format!("DELETE /articles/{}/favorite", slug(0));
    written_so(&mut day.evidence, &day.rules, &line, &sent(&line));
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

/// What is read all day: the first page, and an article on it.
fn first_page(day: &mut Day, line: &str, write: &Sent) {
    let (list, article) = (page(0..2), "{\"slug\":\"story-1\",\"id\":1}");
    day.write_so(line, write, &[("/articles?limit=2", &list), ("/articles/story-1", article)]);
}

/// A write of this line about the thing with this number.
type Writing = Box<dyn Fn(&str, usize) -> Sent>;

#[test]
fn what_a_write_names_in_its_query_or_body_counts_like_its_path() {
    let json = |body: fn(usize) -> String| move |line: &str, number| sent(line).json(body(number));
    let kinds: [(&str, Writing); 10] = [
        ("POST /favorites", Box::new(json(|number| format!("{{\"article\":{number}}}")))),
        ("POST /favorites", Box::new(json(|number| format!("{{\"article\":{{\"slug\":\"story-{number}\"}}}}")))),
        ("POST /favorites", Box::new(json(|number| format!("{{\"email\":\"ann{number}@x.org\"}}")))),
        ("PUT /rating?id=", Box::new(|line, number| sent(&format!("{line}{number}")))),
        ("DELETE /favorites?slugs=", Box::new(|line, number| sent(&format!("{line}story-{number},story-99")))),
        (
            "POST /marks/bulk-delete",
            Box::new(json(|number| format!("{{\"slugs\":[\"story-{number}\",\"story-99\"]}}"))),
        ),
        (
            "POST /graphql",
            Box::new(json(|n| format!("{{\"query\":\"mutation {{ like(slug: \\\"story-{n}\\\") {{ id }} }}\"}}"))),
        ),
        ("POST /graphql", Box::new(json(|number| format!("{{\"id\":\"like\",\"variables\":{{\"id\":{number}}}}}")))),
        ("POST /favorites", Box::new(|line, number| sent(line).of_type("multipart/form-data", format!("{number}")))),
        ("POST /favorites", Box::new(|line, _| sent(line).unread("application/json"))),
    ];
    for (line, write) in kinds {
        let mut day = Day::new();
        for number in 100..200 {
            first_page(&mut day, line, &write(line, number));
        }
        assert_eq!(day.spared(), [], "{line}");
    }
}

#[test]
fn answers_that_show_what_a_body_names_say_what_a_write_does_to_it() {
    let mut day = Day::new();
    for number in 0..31 {
        let json = format!("{{\"item\":\"{}\"}}", slug(number));
        day.write_json("POST /beacons", &json, &[("/articles", &page(0..50)), ("/articles/other", "{}")]);
    }
    let [(spares, _)] = &day.spared()[..] else { panic!("one: {:?}", day.spared()) };
    assert_eq!(spares, &["/articles"]);
    // And of a number where they say that it is such a thing's.
    for (member, is_said) in [("id", true), ("article_id", true), ("article", true), ("likes", false)] {
        let mut day = Day::new();
        for number in 0..31 {
            let (json, list) = (format!("{{\"article\":{number}}}"), format!("[{{\"{member}\":{number}}}]"));
            day.write_json("POST /beacons", &json, &[("/articles", &list)]);
        }
        assert_eq!(!day.spared().is_empty(), is_said, "{member}");
    }
}

#[test]
fn a_login_names_nothing_that_answers_show_but_for_a_name() {
    for (json, is_left_out) in [
        (r#"{"email":"ann@x.org","password":"12345678"}"#, true),
        (r#"{"user":{"email":"ann@x.org","password":"x"}}"#, true),
        ("{}", true),
        (r#"{"name":"annabel","password":"x"}"#, false),
    ] {
        let mut day = Day::new();
        for _ in 0..31 {
            first_page(&mut day, "POST /login", &sent("POST /login").json(json));
        }
        assert_eq!(!day.spared().is_empty(), is_left_out, "{json}");
    }
}

#[test]
fn what_a_write_is_called_after_is_never_left_out() {
    let routes = "[[route]]\npath = \"/orders\"\nttl = \"1h\"\n[[route]]\npath = \"/users/{id}\"\nttl = \"1h\"\n\
                  [[route]]\npath = \"/shops/{shop}/orders/{id}\"\nttl = \"1h\"\n[[route]]\npath = \"/news\"\nttl = \"1h\"\n";
    for line in ["POST /users/7/orders", "POST /users/7/order", "DELETE /users/7/orders/1701"] {
        let mut day = Day::at(routes);
        for orders in 0..40 {
            // The oldest first: each new one is on a page where nobody looks. The user says how many there are.
            let said = "{\"user_id\":7,\"order_id\":1701}";
            day.look("/users/7", &format!("{{\"id\":7,\"orders\":{orders}}}"));
            day.write(line, &[("/orders", said), ("/shops/1/orders/2", said), ("/news", said)]);
        }
        let [(spares, _)] = &day.spared()[..] else { panic!("one of /news: {:?}", day.spared()) };
        assert_eq!(spares, &["/news"], "{line}");
    }
}
