//! Writes that name what they write besides: Destination of COPY and MOVE, and what an answer names.

use aside::policy::is_safe;
use aside::rules::Tag;
use http::Method;

use super::written::{HOST, meet};
use super::{app, route, sent, write};

#[test]
fn a_destination_is_written_too() {
    let fruit = app(&[route("/fruit/{id}", "invalidated_by = []")], "/fruit/1 /fruit/2 /fruit/3 /plain/2 /plain");
    for method in ["COPY", "MOVE"] {
        let written = |destination: &str| sent(&format!("{method} /fruit/1")).with("destination", destination);
        for destination in [
            "/fruit/2",
            "/fruit/2/",
            "2",
            "../fruit/2",
            "http://api.example/fruit/2",
            "https://elsewhere.example:8443/fruit/2",
            "//elsewhere.example/fruit/2?x#y",
            "/fruit/%32",
            "/fruit%2F2",
            "/x/../fruit//2",
            "/FRUIT/2",
        ] {
            fruit.assert(&written(destination), "/fruit/1 /fruit/2");
        }
        for odd in ["/fruit/%D9%A2", "/fruit/2;a=b"] {
            fruit.assert(&written(odd), "/fruit/1 /fruit/2 /fruit/3");
        }
        fruit.assert(&written("/plain/2"), "/fruit/1 /plain/2 /plain");
        fruit.assert(&written("/fruit/2").answered(412), "");
        fruit.assert(&written("/fruit/2").answered(301), "/fruit/1 /fruit/2");
    }
}

#[test]
fn a_list_and_a_write_are_asked_about_it() {
    let tables = [
        route("/fruit/{id}", "invalidated_by = [\"MOVE /shelf/{id}\"]"),
        route("/orders/{page}", ""),
        write("MOVE /fruit/{id}", "drops = []"),
    ];
    let app = app(&tables, "/fruit/1 /fruit/2 /orders/1 /orders/2");
    app.assert_each(&[
        (sent("MOVE /shelf/1").with("destination", "/shelf/2"), "/fruit/1 /fruit/2 /orders/1 /orders/2"),
        (sent("MOVE /fruit/1").with("destination", "/orders/2"), "/fruit/1 /orders/2"),
    ]);
}

#[test]
fn without_a_route_it_is_dropped_as_the_target_is() {
    let app = app(&[], "/a/1 /a /b/2 /b /c");
    app.assert(&sent("MOVE /a/1").with("destination", "http://x.example/b/2"), "/a/1 /a /b/2 /b");
    app.assert(&sent("MOVE /a/1").with("destination", "/b/2").answered(502), "");
}

/// They are reads: nobody asks what they made old.
#[test]
fn registered_safe_methods_are_no_writes() {
    for method in ["GET", "HEAD", "OPTIONS", "QUERY", "PROPFIND", "REPORT", "SEARCH"] {
        assert!(is_safe(&Method::from_bytes(method.as_bytes()).unwrap()), "{method}");
    }
    for method in ["POST", "COPY", "MOVE", "query", "FROBNICATE"] {
        assert!(!is_safe(&Method::from_bytes(method.as_bytes()).unwrap()), "{method}");
    }
}

#[test]
fn an_answer_names_what_it_made_old() {
    let tables = [route("/fruit/{id}", "invalidated_by = []"), route("/around/{id}", "invalidated_by = \"path\"")];
    let app = app(&tables, "/fruit/1 /fruit/2 /around/1 /around/2 /plain/1 /plain");
    let post = || sent("POST /x/y/z");
    app.assert_each(&[
        (post().answering("location", "/fruit/1"), "/fruit/1"),
        (post().answering("location", "/fruit%2F1"), "/fruit/1"),
        (post().answering("content-location", "/fruit/2?a=b"), "/fruit/2"),
        (post().answering("location", "/fruit/1").answering("content-location", "/plain/1"), "/fruit/1 /plain/1"),
        (post().answering("location", &format!("https://{HOST}/fruit/1")), "/fruit/1"),
        // Of the path that is named, and of nothing above or below.
        (post().answering("location", "/around"), ""),
        (post().answering("location", "/around/1"), "/around/1"),
        (post().answering("location", "http://elsewhere.example/fruit/1"), ""),
        (post().answering("location", "/fruit/%D9%A1"), "/fruit/1 /fruit/2"),
    ]);
}

#[test]
fn an_answer_names_groups() {
    let routes = app(&[route("/fruit/{id}", "invalidated_by = []")], "/fruit/1").routes;
    let groups = |status: u16| {
        let write = sent("POST /x").answered(status).answering("cache-group-invalidation", "\"a\", \"b\"");
        let dropped = write.drops(&routes);
        ["a", "b", "c"].map(|name| meet(&dropped, &[Tag::cache_group(HOST, name)]))
    };
    assert_eq!(groups(200), [true, true, false]);
    assert_eq!(groups(302), [true, true, false]);
    assert_eq!(groups(500), [true, true, false]);
    assert_eq!(groups(404), [false; 3]);
}
