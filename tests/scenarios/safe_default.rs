//! Every write drops every route that does not say itself which writes do, until `[[write]]` says what one drops.

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::Origin;

const BLOG: &str = r#"
[[route]]
path = "/articles"
ttl = "1h"
[[route]]
path = "/articles/{slug}"
name = "article"
ttl = "1h"
[[route]]
path = "/articles/{slug}/comments"
ttl = "1h"
[[route]]
path = "/profiles/{user}"
ttl = "1h"
tags = ["user:{user}"]
[[route]]
path = "/feed/{*rest}"
name = "feed"
ttl = "1h"
[[route]]
path = "/fixed/{id}"
ttl = "1h"
invalidated_by = []
"#;

const READS: [&str; 9] = [
    "/articles",
    "/articles?tag=x",
    "/articles/a",
    "/articles/b",
    "/articles/a/comments",
    "/profiles/ann",
    "/profiles/bob",
    "/feed/new/1",
    "/fixed/1",
];

/// Fills the cache, writes, and says what is there no more.
async fn dropped(client: &Client, (method, target): (&str, &str), fields: &[(&str, &str)], body: &str) -> Vec<String> {
    client.fill(&READS).await;
    client.send(method, target, fields, body).await;
    let mut gone = Vec::new();
    for target in READS {
        let answer = client.get(target).await;
        if answer.cache() != "HIT" {
            gone.push(answer.text().split(' ').next().unwrap().to_owned());
        }
    }
    gone
}

/// All but the one that says itself.
const UNLISTED: &[&str] = READS.split_last().unwrap().1;

#[tokio::test]
async fn whatever_a_write_is_sent_to_it_drops_every_route() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, BLOG).await {
        let client = node.client();
        for write in [
            ("POST", "/articles/a/favorite"),
            ("PUT", "/articles/a"),
            ("DELETE", "/beacon"),
            ("PATCH", "/"),
            ("PUT", "/x%2Fy"),
        ] {
            assert_eq!(dropped(&client, write, &[], "{}").await, UNLISTED, "{write:?}");
        }
        // One that says itself is dropped by what is sent to it, and by nothing else.
        assert_eq!(dropped(&client, ("PUT", "/fixed/1"), &[], "{}").await, READS);
        assert_eq!(dropped(&client, ("PUT", "/fixed/2"), &[], "{}").await, UNLISTED);
    }
}

const NARROWED: &str = r#"
[[write]]
request = ["POST /articles/{slug}/favorite", "DELETE /articles/{slug}/favorite"]
drops = ["/articles/{slug}", "/articles"]
[[write]]
request = "POST /profiles/{user}/follow"
drops = ["tag:user:{user}"]
[[write]]
request = "POST /articles/{slug}/comments"
drops = ["/articles/{slug}/comments", "/articles/{article}/comments", "route:feed"]
[[write]]
request = ["POST /login", "POST /search", "POST /articles/{slug}/comments/preview", "PUT /articles/{slug}"]
drops = []
[[write]]
request = "POST /rename"
drops = ["/articles/{body:/from}", "/profiles/{response:/by}"]
"#;

fn narrowed() -> String {
    format!("{BLOG}{NARROWED}")
}

#[tokio::test]
async fn a_listed_write_drops_what_it_says_and_what_it_was_sent_to() {
    let origin = Origin::obeying().await;
    let json = [("content-type", "application/json")];
    for (node, _redis) in &Node::on_each_store(origin.address, &narrowed()).await {
        let client = node.client();
        for (write, body, expected) in [
            (("POST", "/articles/a/favorite"), "", &["/articles", "/articles?tag=x", "/articles/a"][..]),
            (("DELETE", "/articles/b/favorite/"), "", &["/articles", "/articles?tag=x", "/articles/b"]),
            (("POST", "/profiles/ann/follow"), "", &["/profiles/ann"]),
            (("POST", "/articles/a/comments"), "{}", &["/articles/a/comments", "/feed/new/1"]),
            (("POST", "/login"), "{}", &[]),
            (("POST", "/search?q=_method"), "{}", &[]),
            (("POST", "/articles/a/comments/preview"), "{}", &[]),
            (("PUT", "/articles/a"), "{}", &["/articles/a"]),
            (("POST", "/rename"), r#"{"from": "b", "by": "bob"}"#, &["/articles/b", "/profiles/bob"]),
            // What a value may be another's is no one entry.
            (("POST", "/rename"), r#"{"from": "b ", "by": "bob"}"#, &["/articles/a", "/articles/b", "/profiles/bob"]),
            (
                ("POST", "/rename"),
                r#"{"by": "bob/../ann"}"#,
                &["/articles/a", "/articles/b", "/profiles/ann", "/profiles/bob"],
            ),
        ] {
            assert_eq!(dropped(&client, write, &json, body).await, expected, "{write:?} {body}");
        }
    }
}

#[tokio::test]
async fn what_nobody_has_listed_drops_everything_still() {
    let origin = Origin::obeying().await;
    let node = Node::start(origin.address, &narrowed());
    let client = node.client();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (write, fields, body) in [
        (("PUT", "/articles/a/favorite"), &[][..], ""),
        (("post", "/login"), &[], ""),
        (("POST", "/Login"), &[], ""),
        (("POST", "/login/again"), &[], ""),
        (("POST", "//login"), &[], ""),
        (("POST", "/./login"), &[], ""),
        (("POST", "/login;v=1"), &[], ""),
        (("POST", "/%6Cogin"), &[], ""),
        (("POST", "/articles/a%2Fb/favorite"), &[], ""),
        (("POST", "/login?_method=DELETE"), &[], ""),
        (("POST", "/login"), &form, "name=ann&_method=put"),
        (("POST", "/login"), &[("x-http-method-override", "PUT")], ""),
    ] {
        assert_eq!(dropped(&client, write, fields, body).await, UNLISTED, "{write:?} {fields:?} {body}");
    }
}

#[tokio::test]
async fn a_condition_that_does_not_hold_leaves_what_the_write_was_sent_to() {
    let origin = Origin::obeying().await;
    let config = format!(
        "{BLOG}[[write]]\nrequest = \"PUT /articles/{{slug}}\"\nwhen = {{ status = [201] }}\n\
         [[write]]\nrequest = \"POST /orders\"\ndrops = [\"/profiles/ann\"]\nwhen = {{ \"body.kind\" = \"new\" }}\n"
    );
    let node = Node::start(origin.address, &config);
    let client = node.client();
    let json = ("content-type", "application/json");
    for (write, fields, body, expected) in [
        (("PUT", "/articles/a"), &[("answer", "200")][..], "{}", &["/articles/a"][..]),
        (("PUT", "/articles/a"), &[("answer", "201")], "{}", UNLISTED),
        (("PUT", "/articles/a"), &[("answer", "500")], "{}", UNLISTED),
        (("POST", "/orders"), &[json], r#"{"kind": "new"}"#, &["/profiles/ann"]),
        (("POST", "/orders"), &[json], r#"{"kind": "old"}"#, &[]),
        (("POST", "/orders"), &[], r#"{"kind": "old"}"#, &["/profiles/ann"]),
    ] {
        assert_eq!(dropped(&client, write, fields, body).await, expected, "{write:?} {fields:?} {body}");
    }
}

const REFUSED: &str = r#"
[[write]]
request = ["POST /articles", "POST /articles/{slug}/comments", "PUT /fixed/{id}"]
refused = { status = [302, 303], location = "/login" }
[[write]]
request = "POST /articles/{slug}/favorite"
drops = ["/articles/{slug}"]
refused = { status = [200] }
"#;

#[tokio::test]
async fn an_answer_that_means_that_nothing_was_written_drops_nothing() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, &format!("{BLOG}{REFUSED}")).await {
        let client = node.client();
        let own = format!("http://{}/login?next=/articles", node.address);
        for (write, status, location, expected) in [
            (("POST", "/articles"), "302", "/login", &[][..]),
            (("POST", "/articles"), "303", "/login?next=%2Farticles", &[]),
            (("POST", "/articles"), "302", "/login/#top", &[]),
            (("POST", "/articles"), "302", &own, &[]),
            // Another host's page may be where a write leads that was carried out.
            (("POST", "/articles/"), "302", "https://sso.example/login", UNLISTED),
            (("POST", "/articles"), "302", "//sso.example/login", UNLISTED),
            (("POST", "/articles/a/comments"), "302", "../../login", &[]),
            (("PUT", "/fixed/1"), "302", "/login", &[]),
            (("POST", "/articles"), "302", "/articles/new", UNLISTED),
            (("POST", "/articles"), "302", "/login/2", UNLISTED),
            (("POST", "/articles"), "302", "/a/login", UNLISTED),
            (("POST", "/articles"), "302", "/LOGIN", UNLISTED),
            (("POST", "/articles"), "302", "", UNLISTED),
            (("POST", "/articles"), "200", "/login", UNLISTED),
            (("POST", "//articles"), "302", "/login", UNLISTED),
            (("POST", "/other"), "302", "/login", UNLISTED),
            (("POST", "/articles/a/favorite"), "200", "/x", &[]),
            (("POST", "/articles/a/favorite"), "201", "/x", &["/articles/a"]),
        ] {
            let fields = [("answer", status), ("answer-location", location)];
            let gone = dropped(&client, write, &fields, "{}").await;
            assert_eq!(gone, expected, "{write:?} {status} {location}");
        }
    }
}
