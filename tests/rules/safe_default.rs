//! Without a word about writes: whatever may have changed something drops every route.

use super::{app, route, sent, write};

const ROUTED: &str = "/fruit/1 /fruit/x%20y /orders /orders?page=2 /static/a/b";

#[test]
fn every_write_drops_every_route_and_of_the_rest_what_it_was_sent_to() {
    let tables = [route("/fruit/{id}", ""), route("/orders", "query = [\"page\"]"), route("/static/{*rest}", "")];
    let app = app(&tables, &format!("{ROUTED} /else /else?a=b /else/a /else/a/b /"));
    for (line, unrouted) in [
        ("PUT /fruit/1", ""),
        ("POST /login", " /"),
        ("DELETE /nowhere/at/all", ""),
        ("LOCK /nowhere/at/all", ""),
        ("FROBNICATE /nowhere/at/all", ""),
        ("post /nowhere/at/all", ""),
        ("PATCH /else", " /else /else?a=b /"),
        ("PATCH /else?c=d", " /else /else?a=b /"),
        ("PUT /else/a", " /else /else?a=b /else/a"),
        ("PUT /Else/A/", " /else /else?a=b /else/a"),
        ("PUT /else/a/b", " /else/a /else/a/b"),
        ("PUT /else%2Fa", " /else /else?a=b /else/a /"),
        ("POST /", " /"),
    ] {
        app.assert(&sent(line), &format!("{ROUTED}{unrouted}"));
    }
}

#[test]
fn without_a_route_nothing_is_dropped_but_what_a_write_was_sent_to() {
    let app = app(&[], "/ /a /a?x=1 /a/b /a/b/c /b");
    for (line, dropped) in [
        ("PUT /a", "/ /a /a?x=1"),
        ("POST /a/", "/ /a /a?x=1"),
        ("PUT /a/b", "/a /a?x=1 /a/b"),
        ("DELETE /a/b/c?d=e", "/a/b /a/b/c"),
        ("POST /x/../a/b/c", "/a/b /a/b/c"),
        ("POST /c", "/"),
        ("POST /c/d", ""),
    ] {
        app.assert(&sent(line), dropped);
    }
}

/// The narrowing is one of single writes and single routes.
#[test]
fn what_is_narrowed_leaves_the_rest_as_it_was() {
    let tables = [
        route("/fruit/{id}", ""),
        route("/listed/{id}", "invalidated_by = []"),
        route("/around/{id}", "invalidated_by = \"path\""),
        write("POST /login", "drops = []"),
    ];
    let app = app(&tables, "/fruit/1 /listed/1 /around/1");
    app.assert_each(&[
        (sent("POST /login"), ""),
        (sent("POST /logout"), "/fruit/1"),
        (sent("PUT /login"), "/fruit/1"),
        (sent("POST /login/now"), "/fruit/1"),
    ]);
}
