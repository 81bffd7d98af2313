//! Miss, hit, age, validators: what a client sees of a stored response.

use std::time::Duration;

use super::support::node::Node;
use super::support::origin::{Origin, response};

const ORDERS: &str = r#"
[[route]]
path = "/orders/{page}"
ttl = "1h"
"#;

#[tokio::test]
async fn a_miss_is_followed_by_hits() {
    let origin = Origin::counting().await;
    let node = Node::timed(origin.address, ORDERS);
    let client = node.client();

    let miss = client.get("/orders/99").await;
    assert_eq!((miss.status, miss.cache()), (200, "MISS"));
    assert_eq!(miss.cache_status(), "aside; fwd=uri-miss; fwd-status=200; ttl=3600; stored");
    assert_eq!(miss.field("age"), "");

    node.clock.advance(Duration::from_secs(10));
    let hit = client.get("/orders/99").await;
    assert_eq!((hit.status, hit.cache(), hit.field("age")), (200, "HIT", "10"));
    assert_eq!(hit.cache_status(), "aside; hit; ttl=3590");
    assert_eq!(hit.body, miss.body);
    assert_eq!(hit.field("via"), "1.1 aside");
    assert_eq!(hit.field("content-type"), "application/json");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn an_entry_past_its_lifetime_is_fetched_again() {
    let origin = Origin::counting().await;
    let node = Node::timed(origin.address, ORDERS);
    let client = node.client();
    client.get("/orders/1").await;
    node.clock.advance(Duration::from_secs(3600));
    let stale = client.get("/orders/1").await;
    assert_eq!(stale.cache_status(), "aside; fwd=stale; fwd-status=200; ttl=3600; stored");
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn the_origins_own_lifetime_wins_over_the_routes() {
    let origin = Origin::start(|_| async { response(200, &[("cache-control", "max-age=5")], "x") }).await;
    let node = Node::timed(origin.address, ORDERS);
    let client = node.client();
    assert!(client.get("/orders/1").await.cache_status().contains("ttl=5;"));
    node.clock.advance(Duration::from_secs(5));
    assert_eq!(client.get("/orders/1").await.cache(), "MISS");
}

#[tokio::test]
async fn head_is_answered_from_a_stored_get() {
    let origin = Origin::counting().await;
    let node = Node::timed(origin.address, ORDERS);
    let client = node.client();
    let get = client.get("/orders/1").await;
    let head = client.send("HEAD", "/orders/1", &[], "").await;
    assert_eq!((head.cache(), head.body.len()), ("HIT", 0));
    assert_eq!(head.field("content-length"), get.body.len().to_string());
}

#[tokio::test]
async fn an_entity_tag_is_made_where_the_origin_sends_none() {
    let origin = Origin::counting().await;
    let node = Node::timed(origin.address, ORDERS);
    let client = node.client();
    let miss = client.get("/orders/1").await;
    let tag = miss.field("etag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    assert_eq!(client.get("/orders/1").await.field("etag"), tag);

    let unchanged = client.get_with("/orders/1", &[("if-none-match", &tag)]).await;
    assert_eq!((unchanged.status, unchanged.cache(), unchanged.body.len()), (304, "HIT", 0));
    assert_eq!(unchanged.field("etag"), tag);
    assert_eq!(client.get_with("/orders/1", &[("if-none-match", "\"other\"")]).await.status, 200);
}

#[tokio::test]
async fn the_origins_entity_tag_is_left_alone_and_used_to_validate() {
    let origin = Origin::start(|asked| async move {
        if asked.field("if-none-match") == Some("\"v1\"") {
            return response(304, &[("etag", "\"v1\"")], "");
        }
        response(200, &[("etag", "\"v1\"")], "body")
    })
    .await;
    let node = Node::timed(origin.address, ORDERS);
    let client = node.client();
    assert_eq!(client.get("/orders/1").await.field("etag"), "\"v1\"");
    node.clock.advance(Duration::from_secs(3601));
    let validated = client.get("/orders/1").await;
    assert_eq!((validated.status, validated.text()), (200, "body"));
    assert_eq!(validated.cache_status(), "aside; fwd=stale; fwd-status=304; ttl=3600; stored");
    assert_eq!(client.get("/orders/1").await.cache(), "HIT");
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn a_path_without_a_route_is_cached_only_as_the_origin_says() {
    let origin = Origin::start(|asked| async move {
        match asked.path() {
            "/fresh" => response(200, &[("cache-control", "max-age=60")], "x"),
            _ => response(200, &[], "x"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/fresh").await;
    assert_eq!(client.get("/fresh").await.cache(), "HIT");
    client.get("/silent").await;
    let silent = client.get("/silent").await;
    assert_eq!(silent.cache(), "MISS");
    assert!(silent.cache_status().contains("detail=no-freshness"), "{}", silent.cache_status());
}

#[tokio::test]
async fn errors_are_not_stored_unless_asked_for() {
    let origin = Origin::start(|_| async { response(404, &[], "no") }).await;
    let node = Node::timed(origin.address, ORDERS);
    node.client().get("/orders/1").await;
    assert_eq!(node.client().get("/orders/1").await.cache(), "MISS");

    let node = Node::timed(
        origin.address,
        "[[route]]\npath = \"/orders/{page}\"\nttl = \"1h\"\nstatuses = { 404 = \"10s\" }\n",
    );
    node.client().get("/orders/1").await;
    assert_eq!(node.client().get("/orders/1").await.cache_status(), "aside; hit; ttl=10");
}

#[tokio::test]
async fn an_answer_that_the_route_excludes_is_not_stored() {
    let origin = Origin::start(|asked| async move {
        super::support::origin::json(if asked.path() == "/x/1" {
            r#"{"message": "none"}"#
        } else {
            r#"{"message": "some"}"#
        })
    })
    .await;
    let config = "[[route]]\npath = \"/x/{id}\"\nttl = \"1h\"\nunless = { \"response.message\" = \"none\" }\n";
    let node = Node::timed(origin.address, config);
    for (target, cache) in [("/x/1", "MISS"), ("/x/1", "MISS"), ("/x/2", "MISS"), ("/x/2", "HIT")] {
        assert_eq!(node.client().get(target).await.cache(), cache, "{target}");
    }
    assert!(node.client().get("/x/1").await.cache_status().ends_with("detail=excluded"));
}

#[tokio::test]
async fn a_response_without_a_route_varies_as_it_says() {
    let origin = Origin::start(|asked| async move {
        let language = asked.field("accept-language").unwrap_or("none").to_owned();
        response(200, &[("cache-control", "max-age=60"), ("vary", "Accept-Language")], &language)
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    for language in ["en", "es"] {
        assert_eq!(client.get_with("/x", &[("accept-language", language)]).await.text(), language);
    }
    for language in ["en", "es"] {
        let hit = client.get_with("/x", &[("accept-language", language)]).await;
        assert_eq!((hit.cache(), hit.text()), ("HIT", language));
    }
}

#[tokio::test]
async fn stale_while_revalidate_answers_at_once_and_renews_behind() {
    let origin = Origin::counting().await;
    let config = "[[route]]\npath = \"/x\"\nttl = \"10s\"\nstale_while_revalidate = \"1m\"\n";
    let node = Node::timed(origin.address, config);
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(20));
    let stale = client.get("/x").await;
    assert_eq!((stale.cache(), stale.json()["n"].as_i64()), ("STALE", Some(1)));
    super::support::until("the entry is renewed", || async { client.get("/x").await.json()["n"] == 2 }).await;
    assert_eq!(client.get("/x").await.cache(), "HIT");
    assert_eq!(origin.count(), 2);
}
