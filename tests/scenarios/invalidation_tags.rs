//! What shares a tag is made old together: tags of the configuration, of answers, and of rules.

use super::support::node::Node;
use super::support::origin::{Origin, json, response};

#[tokio::test]
async fn tags_from_config_and_response_fields_can_be_dropped_by_a_rule() {
    let origin = Origin::start(|asked| async move {
        match asked.path() {
            "/orders/1" => json(r#"{"customer_id": 7}"#),
            "/orders/2" => json(r#"{"customer_id": 8}"#),
            _ => json("{}"),
        }
    })
    .await;
    let config = r#"
[[route]]
path = "/orders/{id}"
ttl = "1h"
tags = ["customer:{response:/customer_id}"]
[[route.invalidated_by]]
request = "PUT /customers/{customer_id}"
tags = ["customer:{customer_id}"]
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    client.fill(&["/orders/1", "/orders/2"]).await;
    client.put("/customers/7", "{}").await;
    client.expect(&[("/orders/1", "MISS"), ("/orders/2", "HIT")]).await;
}

#[tokio::test]
async fn an_answer_with_more_tags_than_are_kept_is_not_stored() {
    let many: Vec<String> = (0..200).map(|n| format!("tag-{n}")).collect();
    let many = many.join(" ");
    let origin = Origin::start(move |_| {
        let many = many.clone();
        async move { response(200, &[("surrogate-key", &many)], "x") }
    })
    .await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/x\"\nttl = \"1h\"\n");
    for _ in 0..2 {
        let answer = node.client().get("/x").await;
        assert_eq!(answer.cache_status(), "aside; fwd=uri-miss; fwd-status=200; detail=too-many-tags");
    }
}

#[tokio::test]
async fn a_tag_that_a_response_field_names_meets_the_same_tag_of_a_rule() {
    let config = "[[route]]\npath = \"/p/{id}\"\nttl = \"1h\"\n\
        invalidated_by = [{ request = \"POST /shop\", tags = [\"shop:{shop_id}\"] }]\n";
    for (field, id) in [
        ("shop:ABC", "ABC"),
        ("shop:a@b", "a@b"),
        ("shop:7 ciudad:León", "7"),
        ("shop:007", "7"),
        ("shop:León", "leon"),
    ] {
        let origin = Origin::start(move |_| async move {
            let mut answer = json("{}");
            let line = hyper::header::HeaderValue::from_bytes(field.as_bytes()).unwrap();
            answer.headers_mut().insert("surrogate-key", line);
            answer
        })
        .await;
        let node = Node::start(origin.address, config);
        let client = node.client();
        client.fill(&["/p/1"]).await;
        client.post("/shop", r#"{"shop_id": "another"}"#).await;
        client.expect(&[("/p/1", "HIT")]).await;
        client.post("/shop", &format!(r#"{{"shop_id": "{id}"}}"#)).await;
        client.expect(&[("/p/1", "MISS")]).await;
    }
}

#[tokio::test]
async fn an_answer_that_does_not_say_a_tags_value_is_not_stored() {
    let origin = Origin::start(|_| async { response(200, &[("content-type", "text/html")], "<p>shop 7") }).await;
    let config = "[[route]]\npath = \"/p/{id}\"\nttl = \"1h\"\ntags = [\"shop:{response:/shop_id}\"]\n";
    let node = Node::start(origin.address, config);
    for _ in 0..2 {
        let answer = node.client().get("/p/1").await;
        assert_eq!(answer.cache_status(), "aside; fwd=uri-miss; fwd-status=200; detail=tag-unknown");
    }
}

#[tokio::test]
async fn a_tag_that_the_write_does_not_tell_drops_everything_with_such_a_tag() {
    let origin = Origin::start(|_| async { json(r#"{"customer_id": 7}"#) }).await;
    let config = r#"
[[route]]
path = "/a/{x}"
ttl = "1h"
tags = ["customer:{response:/customer_id}"]
invalidated_by = [{ request = "POST /customers", tags = ["customer:{id}"] }]
[[route]]
path = "/b/{x}"
ttl = "1h"
tags = ["customer:{response:/customer_id}"]
invalidated_by = []
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    for (body, cache) in [(r#"{"id": 7}"#, "MISS"), (r#"{"id": 8}"#, "HIT"), ("not json", "MISS")] {
        client.fill(&["/a/1", "/b/1"]).await;
        client.post("/customers", body).await;
        client.expect(&[("/a/1", cache), ("/b/1", cache)]).await;
    }
}
