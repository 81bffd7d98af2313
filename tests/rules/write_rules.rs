//! `[[write]]`: what a write drops that somebody has described.

use serde_json::json;

use super::{ALL, App, app, route, sent, write};

const READS: &str = "/articles/a /articles/b /articles /articles?page=2 /articles/a/comments /profiles/ann /profiles/bob \
                     /topics?topic=x /topics?topic=y /topics /v/v1.json /v/v2.json /docs/a/b /docs/c /plain/1 /plain/2";
const PROFILES: &str = "/profiles/ann /profiles/bob";

/// A blog, with these words about its writes.
fn blog(writes: &[String]) -> App {
    let mut tables = vec![
        route("/articles/{slug}", ""),
        route("/articles", ""),
        route("/articles/{slug}/comments", ""),
        route("/profiles/{name}", "name = \"profiles\""),
        route("/topics", "query = [\"topic\"]\ntags = [\"topic:{topic}\"]"),
        route("/v/v{n}.json", ""),
        route("/docs/{*rest}", ""),
    ];
    tables.extend_from_slice(writes);
    app(&tables, READS)
}

#[test]
fn paths_have_the_values_of_the_path() {
    let blog = blog(&[
        write("POST /articles/{slug}/favorite", "drops = [\"/articles/{slug}\", \"/articles\"]"),
        write("PUT /docs/{*path}", "drops = [\"/docs/{path}\"]"),
        write("PUT /files/{n}", "drops = [\"/v/v{n}.json\"]"),
        write("PUT /plain/{x}/name", "drops = [\"/plain/{x}\"]"),
    ]);
    blog.assert_each(&[
        (sent("POST /articles/a/favorite"), "/articles/a /articles /articles?page=2"),
        (sent("POST /articles/c/favorite"), "/articles /articles?page=2"),
        // What MariaDB takes for `a`, and what nobody knows.
        (sent("POST /articles/A/favorite"), "/articles/a /articles /articles?page=2"),
        (sent("POST /articles/%C3%BC/favorite"), "/articles/a /articles/b /articles /articles?page=2"),
        (sent("PUT /docs/a/b"), "/docs/a/b"),
        (sent("PUT /docs/c"), "/docs/c"),
        (sent("PUT /files/2"), "/v/v2.json"),
        (sent("PUT /files/02"), "/v/v1.json /v/v2.json"),
        (sent("PUT /plain/2/name"), "/plain/2"),
        // No route has such paths, so nothing but all of them is known to have this one.
        (sent("PUT /plain/02/name"), "/plain/1 /plain/2"),
    ]);
    // A write that nobody has described still drops every route.
    assert_eq!(blog.dropped(&sent("POST /articles/a/flag")).len(), 14);
}

#[test]
fn a_value_comes_from_query_body_or_answer_and_where_it_is_not_told_all_that_may_be_meant_goes() {
    let blog = blog(&[
        write("POST /follow", "drops = [\"/profiles/{who}\"]"),
        write("POST /import", "drops = [\"/articles/{body:/article/slug}\"]"),
        write("POST /articles", "drops = [\"/articles/{response:/article/slug}\"]"),
        write("POST /plain", "drops = [\"/plain/{x}\"]"),
    ]);
    // A path without a route may be meant as well.
    let profiles = format!("{PROFILES} /plain/1 /plain/2");
    let both = "/articles/a /articles/b /plain/1 /plain/2".to_owned();
    blog.assert_each(&[
        (sent("POST /follow?who=ann"), "/profiles/ann"),
        (sent("POST /follow?who=Ann"), "/profiles/ann"),
        (sent("POST /follow").json(r#"{"who": "bob"}"#), "/profiles/bob"),
        (sent("POST /follow?who=bob").json(r#"{"who": "bob"}"#), "/profiles/bob"),
        (sent("POST /follow?who=eve"), ""),
        (sent("POST /follow"), &profiles),
        (sent("POST /follow?who="), &profiles),
        (sent("POST /follow?who=ann%20lee"), &profiles),
        (sent("POST /follow?who=ann/x"), &profiles),
        (sent("POST /follow?who=ann&who=ann"), &profiles),
        (sent("POST /follow?who=ann").json(r#"{"who": "bob"}"#), &profiles),
        (sent("POST /import").json(r#"{"article": {"slug": "a"}}"#), "/articles/a"),
        (sent("POST /import").json(r#"{"article": {}}"#), &both),
        (sent("POST /import").json(r#"{"article": {"slug": ["a"]}}"#), &both),
        (sent("POST /import").of_type("text/plain", r#"{"article": {"slug": "a"}}"#), &both),
        (sent("POST /import"), &both),
        // The list that it was sent to goes, too.
        (sent("POST /articles").saying(json!({"article": {"slug": "b"}})), "/articles/b /articles /articles?page=2"),
        (sent("POST /articles"), "/articles/a /articles/b /articles /articles?page=2 /plain/1 /plain/2"),
        (sent("POST /plain?x=1"), "/plain/1"),
        (sent("POST /plain"), "/plain/1 /plain/2"),
    ]);
}

/// A path of a write may have whatever one of a route has.
#[test]
fn any_path_can_be_named() {
    let tables = [
        route("/~ann/{page}", ""),
        route("/caf%C3%A9 menu/{day}", ""),
        write("POST /ann/{n}", "drops = [\"/~ann/{n}\"]"),
        write("POST /menu/{n}", "drops = [\"/caf%C3%A9%20menu/{n}/\"]"),
        write("POST /menus", "drops = [\"/café%20menu/{n}\"]"),
    ];
    let app = app(&tables, "/~ann/1 /~ann/2 /caf%C3%A9%20menu/1 /caf%C3%A9%20menu/2");
    app.assert_each(&[
        (sent("POST /ann/1"), "/~ann/1"),
        (sent("POST /menu/2"), "/caf%C3%A9%20menu/2"),
        (sent("POST /menus"), "/caf%C3%A9%20menu/1 /caf%C3%A9%20menu/2"),
    ]);
}

#[test]
fn tags_and_routes() {
    let blog = blog(&[
        write("POST /topics/{topic}", "drops = [\"tag:topic:{topic}\"]"),
        write("POST /rename", "drops = [\"tag:topic:{response:/topic}\"]"),
        write("POST /people", "drops = [\"route:profiles\", \"route:/docs/{*rest}\"]"),
    ]);
    blog.assert_each(&[
        // Which topic the app shows where none is asked for, nobody knows.
        (sent("POST /topics/x"), "/topics?topic=x /topics"),
        (sent("POST /topics/z"), "/topics"),
        (sent("POST /rename").saying(json!({"topic": "y"})), "/topics?topic=y /topics"),
        // Any entry may have a tag.
        (sent("POST /topics/%C3%BC"), ALL),
        (sent("POST /rename"), ALL),
        (sent("POST /rename").saying(json!({})), ALL),
        (sent("POST /people"), "/profiles/ann /profiles/bob /docs/a/b /docs/c"),
    ]);
}

#[test]
fn what_a_write_was_sent_to_goes_whatever_it_says() {
    let blog = blog(&[
        write("POST /login", "drops = []"),
        write("PUT /profiles/{who}", "drops = []"),
        write("POST /articles/{slug}", "drops = [\"/profiles/ann\"]"),
        write("DELETE /plain/{x}", "drops = []"),
    ]);
    blog.assert_each(&[
        (sent("POST /login"), ""),
        (sent("PUT /profiles/bob"), "/profiles/bob"),
        (sent("POST /articles/b"), "/articles/b /profiles/ann"),
        (sent("DELETE /plain/2"), "/plain/2"),
    ]);
}

#[test]
fn what_its_answer_names_goes_too() {
    let blog = blog(&[write("POST /login", "drops = []")]);
    blog.assert_each(&[
        (sent("POST /login").answered(201).answering("location", "/articles/a"), "/articles/a"),
        (sent("POST /login").answering("content-location", "/profiles/ann?x=y"), "/profiles/ann"),
        (sent("POST /login").answered(303).answering("location", "http://elsewhere.example/articles/a"), ""),
    ]);
}

#[test]
fn a_list_of_requests_and_several_that_speak_of_one_write() {
    let blog = blog(&[
        "[[write]]\nrequest = [\"POST /follow/{who}\", \"DELETE /follow/{who}\"]\ndrops = [\"/profiles/{who}\"]\n"
            .to_owned(),
        write("* /articles/{slug}", "drops = [\"/articles\"]"),
        write("DELETE /articles/{slug}", "drops = [\"/articles/{slug}/comments\"]"),
        write("* /{*any}", "refused = { status = [302], location = \"/login\" }"),
    ]);
    blog.assert_each(&[
        (sent("POST /follow/ann"), "/profiles/ann"),
        (sent("DELETE /follow/bob"), "/profiles/bob"),
        (sent("PUT /articles/b"), "/articles/b /articles /articles?page=2"),
        (sent("DELETE /articles/a"), "/articles/a /articles /articles?page=2 /articles/a/comments"),
        (sent("DELETE /articles/a").answered(302).answering("location", "/login"), ""),
        (sent("POST /articles/a/flag").answered(302).answering("location", "/login?next=/"), ""),
    ]);
    let all = blog.dropped(&sent("PUT /follow/ann"));
    assert_eq!(all, blog.dropped(&sent("POST /articles/a/flag")));
    assert_eq!(all.len(), 14);
}

/// What the API itself names so, word for word, is met by what a write's value makes of a template.
#[test]
fn a_tag_has_the_words_of_its_value() {
    use aside::rules::Tag;
    let app = app(&[route("/a", ""), write("PUT /articles/{id}", "drops = [\"tag:article-{id}\"]")], "/a");
    for id in ["3d-printer", "2024-in-review", "7-apples", "7.png", "León", "x"] {
        let drops = sent(&format!("PUT /articles/{}", id.replace('ó', "%C3%B3"))).drops(&app.routes);
        assert!(drops.contains(&Tag::named(&format!("article-{id}"))), "{id}: {drops:?}");
    }
}
