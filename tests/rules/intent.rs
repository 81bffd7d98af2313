//! What a write may be about to change, before its outcome is known.

use aside::rules::{Intended, Invalidation, Routes, Tag};

use super::written::{Sent, meet, stored_tags};
use super::{App, app, route, sent, write};

const READS: &str = "/items /items/1 /items/2 /items/1/notes /other /people/1 /else /else/a /else/a/b";

/// A route of every kind, and paths without one.
fn shop(invalidated_by: &str) -> App {
    let tables = [
        route("/items", invalidated_by),
        route("/items/{id}", invalidated_by),
        route("/items/{id}/notes", invalidated_by),
        route("/other", ""),
        route("/people/{id}", "invalidated_by = [\"PUT /people/{id}\", \"POST /items\"]"),
        write("POST /search", "drops = []"),
        write("POST /other", "drops = []"),
        write("POST /items/{id}/like", "drops = [\"/items/{id}\"]"),
        write("PUT /known", "drops = [\"/else\"]\nrefused = { status = [302] }"),
    ];
    app(&tables, READS)
}

fn intent(routes: &Routes, write: &Sent) -> Intended {
    write.with_write(|write| routes.intent(write))
}

/// Those of the reads that have one of the tags.
fn met<'a>(app: &'a App, tags: &[Tag]) -> Vec<&'a str> {
    app.reads.iter().filter(|read| meet(tags, &stored_tags(&app.routes, read))).map(String::as_str).collect()
}

#[test]
fn what_lies_around_its_path_is_held_whatever_the_routes_say() {
    for invalidated_by in ["", "invalidated_by = []", "invalidated_by = \"path\"", "invalidated_by = [\"PUT /x\"]"] {
        let app = shop(invalidated_by);
        for (line, held) in [
            ("POST /items", "/items /items/1 /items/2 /items/1/notes"),
            ("PUT /items/1", "/items /items/1 /items/1/notes"),
            ("PUT /items/1/", "/items /items/1 /items/1/notes"),
            ("PUT /items/1/notes", "/items/1 /items/1/notes"),
            ("PUT /items%2F1", "/items /items/1 /items/1/notes"),
            ("PUT /else/a", "/else /else/a"),
            ("POST /items/1/like", "/items/1"),
        ] {
            let intent = intent(&app.routes, &sent(line));
            assert_eq!(met(&app, &intent.held).join(" "), held, "{line} with {invalidated_by}");
            assert!(intent.others.iter().all(|tag| !intent.held.contains(tag)), "{line}");
        }
    }
}

#[test]
fn everything_that_it_would_invalidate_is_intended() {
    for invalidated_by in ["", "invalidated_by = []", "invalidated_by = \"path\"", "invalidated_by = [\"PUT /x\"]"] {
        let app = shop(invalidated_by);
        for line in
            ["POST /items", "PUT /items/1", "PUT /people/1", "POST /anything", "PUT /known", "POST /items/1/like"]
        {
            let write = sent(line);
            let Intended { held, others } = intent(&app.routes, &write);
            for Invalidation { tag, .. } in write.clone().answered(0).invalidations(&app.routes) {
                assert!(held.contains(&tag) || others.contains(&tag), "{tag} by {line} with {invalidated_by}");
            }
            assert!(!held.contains(&Tag::unlisted()) && !held.contains(&Tag::everything()), "{line}");
        }
        // Whatever is known of its answer.
        let known = sent("PUT /known").answering("location", "/login");
        for status in [200, 302, 404, 500, 0] {
            let intended = intent(&app.routes, &known.clone().answered(status));
            assert_eq!(intended, intent(&app.routes, &sent("PUT /known")), "{status}");
        }
    }
}

#[test]
fn a_stranger_turns_off_no_more_than_what_lies_around_the_path() {
    let app = shop("");
    let Intended { held, others } = intent(&app.routes, &sent("POST /upload/x"));
    assert_eq!(met(&app, &held), Vec::<&str>::new());
    assert_eq!(met(&app, &others), ["/items", "/items/1", "/items/2", "/items/1/notes", "/other"]);
}

#[test]
fn what_changes_nothing_intends_nothing() {
    let app = shop("");
    assert_eq!(intent(&app.routes, &sent("POST /search")), Intended::default());
    // It is sent to what a route keeps.
    assert_eq!(met(&app, &intent(&app.routes, &sent("POST /other")).held), ["/other"]);
    // It may be taken for another one.
    assert!(!intent(&app.routes, &sent("POST /search?_method=DELETE")).others.is_empty());
    // Nothing is said of it.
    assert!(!intent(&app.routes, &sent("PUT /search")).others.is_empty());
    let bare = super::app(&[], "/a");
    assert_eq!(met(&bare, &intent(&bare.routes, &sent("PUT /a")).held), ["/a"]);
}

#[test]
fn what_its_destination_names_is_held_as_well() {
    let app = shop("");
    let moved = sent("MOVE /items/1").with("destination", "http://api.example/else/a");
    let held = intent(&app.routes, &moved).held;
    assert_eq!(met(&app, &held), ["/items", "/items/1", "/items/1/notes", "/else", "/else/a"]);
}

#[test]
fn a_policy_holds_what_the_origin_had_a_part_in() {
    let policy = "[route.write]\nrequest = \"POST /orders\"\npolicy = \"through\"";
    let app = app(&[route("/orders/{id}", policy)], "/orders/7 /orders/8");
    let Intended { held, others } = intent(&app.routes, &sent("POST /orders").json(r#"{"id": 7}"#));
    assert_eq!(held.iter().map(Tag::as_str).filter(|tag| tag.starts_with("d:")).count(), 1, "{held:?}");
    assert!(others.iter().any(|tag| tag.as_str().starts_with("k:")), "{others:?}");
}
