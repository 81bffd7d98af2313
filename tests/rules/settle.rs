//! What is to settle after a write, on routes whose backend reads from replicas that lag behind it.

use std::time::Duration;

use aside::rules::Tag;

use super::written::{Sent, meet, stored_tags};
use super::{App, app, route, sent, write};

const READS: &str = "/items /items/1 /items/2 /slow/1 /slow/2 /listed/1 /listed/2 /orders/1";

fn shop() -> App {
    let tables = [
        route("/items", ""),
        route("/items/{id}", ""),
        route("/slow/{id}", "settle = \"2s\""),
        route("/listed/{id}", "settle = \"5s\"\ninvalidated_by = [\"PUT /listed/{id}\", \"POST /all\"]"),
        route("/orders/{id}", "settle = \"1s\"\n[route.write]\nrequest = \"POST /orders\"\npolicy = \"through\""),
        write("PUT /slow/{id}", "drops = [\"/slow/{id}\"]"),
        write("PUT /tagged", "drops = [\"tag:x\"]"),
        write("PUT /unknown", "drops = [\"tag:{body:/x}\"]"),
        write("PUT /still", "drops = []"),
    ];
    app(&tables, READS)
}

fn settling(app: &App, write: &Sent) -> Vec<(Tag, Duration)> {
    app.routes.settling(&write.invalidations(&app.routes))
}

/// Which reads settle, for how many seconds.
fn settles(app: &App, write: &Sent) -> String {
    let settling = settling(app, write);
    let told = app.reads.iter().filter_map(|read| {
        let stored = stored_tags(&app.routes, read);
        let (_, time) = settling.iter().find(|(tag, _)| meet(std::slice::from_ref(tag), &stored))?;
        Some(format!("{read} {}", time.as_secs()))
    });
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn what_a_write_has_dropped_settles_for_as_long_as_its_route_says() {
    let app = shop();
    for (write, expected) in [
        // Everything unlisted, and of those the routes that say so.
        (sent("POST /anything"), "/slow/1 2, /slow/2 2, /orders/1 1"),
        (sent("PUT /slow/1"), "/slow/1 2"),
        (sent("PUT /listed/1"), "/slow/1 2, /slow/2 2, /listed/1 5, /orders/1 1"),
        (sent("POST /all"), "/slow/1 2, /slow/2 2, /listed/1 5, /listed/2 5, /orders/1 1"),
        // Any of them may have the tag; and where it is not known which, everything.
        (sent("PUT /tagged"), "/slow/1 2, /slow/2 2, /listed/1 5, /listed/2 5, /orders/1 1"),
        (sent("PUT /unknown"), "/slow/1 2, /slow/2 2, /listed/1 5, /listed/2 5, /orders/1 1"),
        (sent("PUT /still"), ""),
        (sent("POST /anything").answered(404), ""),
        (sent("PUT /listed/2").answered(301), "/listed/2 5"),
        (sent("PUT /still").answering("location", "/listed/2"), "/listed/2 5"),
        (sent("POST /orders").json(r#"{"id": 1}"#), "/slow/1 2, /slow/2 2, /orders/1 1"),
    ] {
        assert_eq!(settles(&app, &write), expected, "{write:?}");
    }
}

#[test]
fn each_tag_once_however_much_is_dropped() {
    let app = shop();
    let groups = (0..3000).map(|group| format!("\"{group}\"")).collect::<Vec<_>>().join(", ");
    let write = sent("PUT /still").answering("cache-group-invalidation", &groups);
    assert!(write.invalidations(&app.routes).len() > 1000);
    let tags: Vec<String> = settling(&app, &write).iter().map(|(tag, _)| tag.to_string()).collect();
    assert_eq!(tags, ["r:/slow/{id}", "r:/listed/{id}", "d:/orders/{id}"]);
}

#[test]
fn how_long_it_settles_shapes_nothing_that_is_stored() {
    let of = |lines: &str| app(&[route("/a/{x}", lines)], "/a/1").routes.iter().map(|route| route.fingerprint).sum();
    let (without, with): (u64, u64) = (of(""), of("settle = \"2s\""));
    assert_eq!(without, with);
}
