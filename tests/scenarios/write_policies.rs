//! Through, around, and to the cache: the Oracle seed's three targets.

use std::sync::{Arc, Mutex};

use super::support::node::Node;
use super::support::origin::{Gate, Origin, json, response};

const ORDERS: &str = r#"
[[route]]
path = "/orders/{order_id}"
key = "order:{order_id}"
ttl = "1h"
[route.write]
request = "POST /orders"
select = { query = "target", default = "both", both = "through", redis = "cache", oracle = "around" }
cache_by = "anyone"
entry = '{"order": {body}, "source": "Redis"}'
reply = { status = 201, json = '{"status": "success", "message": "Order written to {target}"}' }
"#;

/// Keeps the last order it was sent.
async fn database() -> Origin {
    let orders = Arc::new(Mutex::new(std::collections::BTreeMap::new()));
    Origin::start(move |asked| {
        let orders = Arc::clone(&orders);
        async move {
            let mut orders = orders.lock().unwrap();
            if asked.method == "POST" {
                let order: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
                orders.insert(order["order_id"].to_string(), order);
                return response(201, &[("content-type", "application/json")], "{}");
            }
            match orders.get(asked.path().rsplit('/').next().unwrap()) {
                Some(order) => json(&format!("{{\"order\": {order}, \"source\": \"Oracle\"}}")),
                None => response(404, &[], ""),
            }
        }
    })
    .await
}

#[tokio::test]
async fn through_fills_the_entry_with_what_was_written() {
    let origin = database().await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    let written = client.post("/orders", r#"{"order_id": 1, "note": "a"}"#).await;
    assert_eq!(written.status, 201);
    let read = client.get("/orders/1").await;
    assert_eq!((read.cache(), read.text()), ("HIT", r#"{"order": {"order_id": 1, "note": "a"}, "source": "Redis"}"#));
    client.post("/orders?target=both", r#"{"order_id": 1, "note": "b"}"#).await;
    assert_eq!(client.get("/orders/1").await.json()["order"]["note"], "b");
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn to_the_cache_is_answered_by_the_proxy_and_the_origin_never_sees_it() {
    let origin = database().await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    let written = client.post("/orders?target=redis", r#"{"order_id": 2}"#).await;
    assert_eq!(
        (written.status, written.text()),
        (201, r#"{"status": "success", "message": "Order written to redis"}"#)
    );
    assert_eq!(written.field("location"), "/orders/2");
    assert_eq!(client.get("/orders/2").await.json()["source"], "Redis");
    assert_eq!(origin.count(), 0);
    for (body, why) in [("{}", "order_id"), ("no json", "JSON")] {
        let refused = client.post("/orders?target=redis", body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(why), "{}", refused.text());
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn around_is_not_stored_until_a_write_goes_through() {
    let origin = database().await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    client.post("/orders?target=oracle", r#"{"order_id": 3}"#).await;
    for _ in 0..3 {
        let read = client.get("/orders/3").await;
        assert_eq!((read.cache(), read.json()["source"].as_str()), ("BYPASS", Some("Oracle")));
        assert!(read.cache_status().ends_with("detail=write-around"), "{}", read.cache_status());
    }
    client.post("/orders", r#"{"order_id": 3}"#).await;
    assert_eq!(client.get("/orders/3").await.json()["source"], "Redis");
    client.post("/orders?target=oracle", r#"{"order_id": 3}"#).await;
    assert_eq!(client.get("/orders/3").await.json()["source"], "Oracle");
}

#[tokio::test]
async fn a_refused_write_leaves_the_entry_alone() {
    let origin = Origin::start(|asked| async move {
        match asked.method.as_str() {
            "POST" if asked.body.starts_with(b"{\"order_id\": 1, \"bad\"") => response(400, &[], ""),
            _ => json("{}"),
        }
    })
    .await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    client.post("/orders", r#"{"order_id": 1}"#).await;
    assert_eq!(client.post("/orders", r#"{"order_id": 1, "bad": 1}"#).await.status, 400);
    assert_eq!(client.get("/orders/1").await.text(), r#"{"order": {"order_id": 1}, "source": "Redis"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writes_side_by_side_neither_is_kept_and_the_origin_is_asked() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked| {
        let gate = gate.clone();
        async move {
            if asked.method == "POST" {
                gate.pass().await;
            }
            json(r#"{"order": "the last", "source": "Oracle"}"#)
        }
    })
    .await;
    let node = Node::start(origin.address, ORDERS);
    let write = |note: &'static str| {
        let client = node.client();
        tokio::spawn(async move { client.post("/orders", &format!("{{\"order_id\": 1, \"note\": \"{note}\"}}")).await })
    };
    let (first, second) = (write("a"), write("b"));
    keeper.arrived().await;
    keeper.arrived().await;
    keeper.let_go(2);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(node.client().get("/orders/1").await.json()["order"], "the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_template_the_entry_is_fetched_again_behind() {
    let origin = database().await;
    let config = ORDERS
        .lines()
        .filter(|line| !line.starts_with("entry") && !line.starts_with("reply") && !line.starts_with("select"));
    let config = format!("{}\npolicy = \"through\"\n", config.collect::<Vec<_>>().join("\n"));
    let node = Node::start(origin.address, &config);
    let client = node.client();
    client.post("/orders", r#"{"order_id": 1}"#).await;
    super::support::until("the origin is asked behind", || async { origin.count() == 2 }).await;
    super::support::until("the entry is there", || async { client.get("/orders/1").await.cache() == "HIT" }).await;
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn templates_see_the_path_and_what_chose_the_target() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let config = r#"
[[route]]
path = "/stock/{item}"
key = "stock:{item}"
ttl = "1h"
[route.write]
request = "PUT /stock/{item}"
select = { query = "to", default = "all", all = "through" }
entry = '{"item": "{item}", "to": "{to}", "was": {body}}'
"#;
    let node = Node::start(origin.address, config);
    node.client().put("/stock/7", r#"{"n": 1}"#).await;
    assert_eq!(node.client().get("/stock/7").await.text(), r#"{"item": "7", "to": "all", "was": {"n": 1}}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_through_write_does_not_bring_back_what_a_later_write_changed() {
    for (method, target) in [("PUT", "/orders/1"), ("DELETE", "/orders/1"), ("POST", "/orders?target=mongo")] {
        let (gate, mut keeper) = Gate::new();
        let origin = Origin::start(move |asked| {
            let gate = gate.clone();
            async move {
                if asked.method == "POST" && asked.query_status() == 200 && !asked.target.contains("mongo") {
                    gate.pass().await;
                }
                json(r#"{"order": "the last", "source": "Oracle"}"#)
            }
        })
        .await;
        let node = Node::start(origin.address, ORDERS);
        let slow = {
            let client = node.client();
            tokio::spawn(async move { client.post("/orders", r#"{"order_id": 1, "note": "old"}"#).await })
        };
        keeper.arrived().await;
        node.client().send(method, target, &[], r#"{"order_id": 1}"#).await;
        node.client().get("/orders/1").await;
        keeper.let_go(1);
        slow.await.unwrap();
        assert_eq!(node.client().get("/orders/1").await.json()["order"], "the last", "{method} {target}");
    }
}

#[tokio::test]
async fn what_was_written_is_found_whatever_the_client_accepts() {
    let origin = database().await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    client.post("/orders", r#"{"order_id": 1, "note": "a"}"#).await;
    client.post("/orders?target=redis", r#"{"order_id": 1, "note": "b"}"#).await;
    for fields in [("accept", "application/json"), ("accept-language", "es"), ("origin", "https://a.example")] {
        let read = client.get_with("/orders/1", &[fields]).await;
        assert_eq!((read.cache(), read.json()["order"]["note"].as_str()), ("HIT", Some("b")), "{fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_through_write_is_not_kept_when_a_tag_of_its_entry_was_dropped_meanwhile() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked| {
        let gate = gate.clone();
        async move {
            if asked.path() == "/books/1" && asked.method == "PUT" {
                gate.pass().await;
            }
            json(r#"{"book": {"author": 7, "by": "the last"}}"#)
        }
    })
    .await;
    let config = r#"
[[route]]
path = "/books/{id}"
key = "book:{id}"
ttl = "1h"
tags = ["author:{response:/book/author}"]
invalidated_by = [{ request = "PUT /authors/{author}", tags = ["author:{author}"] }]
[route.write]
request = "PUT /books/{id}"
policy = "through"
entry = '{"book": {body}}'
"#;
    let node = Node::start(origin.address, config);
    let slow = {
        let client = node.client();
        tokio::spawn(async move { client.put("/books/1", r#"{"author": 7, "by": "the first"}"#).await })
    };
    keeper.arrived().await;
    assert_eq!(node.client().put("/authors/7", "{}").await.status, 200);
    keeper.let_go(1);
    slow.await.unwrap();
    let read = node.client().get("/books/1").await;
    assert_eq!(read.json()["book"]["by"], "the last", "{}", read.cache_status());
}

// RFC 9111 section 4.4: what the answer names is made old, whoever filled the entry of the write itself.
#[tokio::test]
async fn what_the_answer_names_is_dropped_by_through_and_around_too() {
    let origin = Origin::start(|asked| async move {
        let named = [("location", "orders/../lists/7")];
        if asked.method == "POST" { response(201, &named, "{}") } else { json("{}") }
    })
    .await;
    let node = Node::start(origin.address, &format!("{ORDERS}[[route]]\npath = \"/lists/{{id}}\"\nttl = \"1h\"\n"));
    let client = node.client();
    for target in ["both", "oracle"] {
        client.get("/lists/7").await;
        assert_eq!(client.get("/lists/7").await.cache(), "HIT");
        client.post(&format!("/orders?target={target}"), r#"{"order_id": 1}"#).await;
        assert_eq!(client.get("/lists/7").await.cache(), "MISS", "{target}");
    }
}
