//! `refused`: answers that mean that nothing was written.

use super::{ALL, Sent, app, route, sent, write};

fn to(status: u16, location: &str) -> Sent {
    sent("POST /articles").answered(status).answering("location", location)
}

#[test]
fn a_refusal_is_told_by_its_status_and_where_it_leads() {
    let tables = [
        route("/articles/{slug}", ""),
        route("/listed/{id}", "invalidated_by = [\"POST /articles\"]"),
        write("* /{*any}", "refused = { status = [302, 303], location = \"/login/{*next}\" }"),
        write("POST /articles", "refused = { status = 302, location = \"/login\" }"),
    ];
    let app = app(&tables, "/articles/a /listed/1");
    app.assert_each(&[
        (to(302, "/login"), ""),
        (to(302, "/login/"), ""),
        (to(302, "/login?next=/articles"), ""),
        (to(302, "login?next=%2F#top"), ""),
        (to(302, "http://api.example/login"), ""),
        (to(302, "https://sso.example:8443/login?x"), ""),
        (to(302, "//api.example/login"), ""),
        (to(302, "/x/../login"), ""),
        (to(303, "/login/again"), ""),
        // It speaks of any location, also of one that is read in two ways: only what it names is left alone.
        (to(303, "/login"), ALL),
        (to(302, "/Login"), ALL),
        (to(302, "/articles/new"), ALL),
        (to(302, "/loginx"), ALL),
        (to(302, ""), ALL),
        (to(201, "/login"), ALL),
        (to(500, "/login"), ALL),
        (sent("POST /articles").answered(302), ALL),
        (sent("POST /articles").answered(200), ALL),
        (sent("POST /articles").answered(0), ALL),
    ]);
    // It speaks of no write that may be another.
    app.assert(&to(302, "/login").with("x-http-method-override", "PUT"), ALL);
}

#[test]
fn a_status_alone_is_enough() {
    let tables = [
        route("/articles/{slug}", ""),
        write("POST /articles", "drops = [\"/articles/a\"]\nrefused = { status = [200, 503] }"),
    ];
    let app = app(&tables, "/articles/a /articles/b");
    app.assert_each(&[
        (sent("POST /articles").answered(200), ""),
        (sent("POST /articles").answered(503), ""),
        (sent("POST /articles").answered(201), "/articles/a"),
        (sent("POST /articles").answered(500), "/articles/a"),
        (sent("POST /articles").answered(0), "/articles/a"),
        (sent("PUT /articles").answered(200), ALL),
    ]);
}

/// Not even what it was sent to: nothing was written. Without a route the RFC has the word.
#[test]
fn a_refused_write_drops_nothing_of_a_route() {
    let tables = [
        route("/articles/{slug}", ""),
        route("/around/{id}", "invalidated_by = \"path\""),
        write("* /{*any}", "refused = { status = 302 }"),
    ];
    let app = app(&tables, "/articles/a /around/1 /plain/1 /plain");
    app.assert_each(&[
        (sent("PUT /articles/a").answered(302), ""),
        (sent("PUT /around/1").answered(302), ""),
        (sent("PUT /plain/1").answered(302), "/plain/1 /plain"),
        (sent("PUT /around/1").answered(303), "/articles/a /around/1"),
    ]);
}
