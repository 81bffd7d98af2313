//! Writes that the origin never sees: who may send them, and what other writes leave of them.

use super::support::node::Node;
use super::support::origin::Origin;

fn orders(cache_by: &str) -> String {
    format!(
        r#"
[[route]]
path = "/orders/{{order_id}}"
key = "order:{{order_id}}"
ttl = "1h"
[route.write]
request = "POST /orders"
select = {{ query = "target", default = "both", both = "through", redis = "cache" }}
cache_by = {cache_by}
entry = '{{"order": {{body}}, "source": "cache"}}'
reply = {{ status = 201, json = '{{}}' }}
[[route]]
path = "/list"
ttl = "1h"
"#
    )
}

const TOKEN: &str = r#"{ field = "X-Writer", value = "s3cret" }"#;
const JSON: (&str, &str) = ("content-type", "application/json");
const TO_CACHE: &str = "/orders?target=redis";

#[tokio::test]
async fn whoever_has_the_credential_writes_to_the_cache() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, &orders(TOKEN)).await {
        let (client, before) = (node.client(), origin.count());
        let body = r#"{"order_id": 1}"#;
        let written = client.send("POST", TO_CACHE, &[JSON, ("x-writer", "s3cret")], body).await;
        assert_eq!((written.status, written.field("location")), (201, "/orders/1"));
        assert_eq!(client.get("/orders/1").await.text(), r#"{"order": {"order_id": 1}, "source": "cache"}"#);
        assert_eq!(origin.count(), before);
    }
}

#[tokio::test]
async fn whoever_has_not_is_refused_and_nothing_comes_of_it() {
    let origin = Origin::obeying().await;
    let right = ("x-writer", "s3cret");
    for (node, _redis) in &Node::on_each_store(origin.address, &orders(TOKEN)).await {
        let client = node.client();
        client.send("POST", TO_CACHE, &[JSON, right], r#"{"order_id": 1, "by": "ann"}"#).await;
        client.fill(&["/list", "/orders/7"]).await;
        let before = origin.count();
        for fields in [
            &[][..],
            &[("x-writer", "")],
            &[("x-writer", "S3cret")],
            &[("x-writer", "s3cre")],
            &[("x-writer", "s3cret, s3cret")],
            &[("x-writer", "\"s3cret\"")],
            &[("x-writer", "Bearer s3cret")],
            &[right, right],
            &[right, ("x-writer", "another")],
            &[("x-writer-", "s3cret")],
            &[("authorization", "s3cret")],
            &[("cookie", "x-writer=s3cret")],
        ] {
            let fields = [&[JSON], fields].concat();
            for body in [r#"{"order_id": 1, "by": "mallory"}"#, r#"{"order_id": 2}"#, "no json"] {
                let refused = client.send("POST", TO_CACHE, &fields, body).await;
                assert_eq!(refused.status, 403, "{fields:?}");
                assert_eq!(refused.field("content-type"), "application/problem+json");
                assert!(!refused.text().contains("s3cret"), "{}", refused.text());
            }
        }
        assert_eq!(origin.count(), before, "the origin never sees them");
        assert_eq!(
            client.get("/orders/1").await.text(),
            r#"{"order": {"order_id": 1, "by": "ann"}, "source": "cache"}"#
        );
        // Nor has any of them dropped or stored something.
        client.expect(&[("/list", "HIT"), ("/orders/7", "HIT"), ("/orders/2", "MISS")]).await;
    }
}

// What cannot be put as it is asked for is refused, and not sent to an origin that would take it for another write.
#[tokio::test]
async fn what_is_no_json_or_may_be_another_write_is_refused_and_the_origin_never_sees_it() {
    let origin = Origin::obeying().await;
    let node = Node::start(origin.address, &orders("\"anyone\""));
    let client = node.client();
    let large = format!(r#"{{"order_id": 1, "x": "{}"}}"#, "x".repeat(70_000));
    for (fields, body) in [
        (&[JSON][..], "no json"),
        (&[JSON], r#"{"order_id": 1, "order_id": 2}"#),
        (&[JSON], "\u{feff}{\"order_id\": 1}"),
        (&[JSON], &large),
        (&[JSON], r#"{"order_id": 1, "_method": 1}"#),
        (&[JSON, ("content-encoding", "gzip")], r#"{"order_id": 1}"#),
        (&[JSON, JSON], r#"{"order_id": 1}"#),
        (&[JSON, ("x-http-method-override", "a b")], r#"{"order_id": 1}"#),
        (&[("content-type", "application/x-www-form-urlencoded")], "order_id=1"),
        (&[("content-type", "multipart/form-data; boundary=x")], "--x\r\nname=\"_method\"--x--"),
        (&[], ""),
    ] {
        let refused = client.send("POST", TO_CACHE, fields, body).await;
        assert_eq!((refused.status, origin.count()), (400, 0), "{fields:?} {body:.40}: {}", refused.text());
        assert!(refused.text().contains("and no other method than its own"), "{}", refused.text());
    }
    client.expect(&[("/orders/1", "MISS")]).await;
}

#[tokio::test]
async fn a_write_that_goes_to_the_origin_needs_none() {
    let origin = Origin::obeying().await;
    let node = Node::start(origin.address, &orders(TOKEN));
    let client = node.client();
    assert_eq!(client.send("POST", "/orders", &[JSON], r#"{"order_id": 1}"#).await.status, 200);
    assert_eq!(
        client.send("POST", "/orders?target=redis&target=both", &[JSON], r#"{"order_id": 1}"#).await.status,
        200
    );
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn anyone_is_anyone_where_somebody_says_so() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, &orders("\"anyone\"")).await {
        let (client, before) = (node.client(), origin.count());
        for fields in [&[JSON][..], &[JSON, ("authorization", "Bearer x")], &[JSON, ("cookie", "a=b")]] {
            assert_eq!(client.send("POST", TO_CACHE, fields, r#"{"order_id": 3}"#).await.status, 201);
        }
        client.expect(&[("/orders/3", "HIT")]).await;
        assert_eq!(origin.count(), before);
    }
}

// What was written to the cache alone is nowhere else: a write that has nothing to do with it must not take it along.
#[tokio::test]
async fn unrelated_writes_leave_what_was_written_to_the_cache_alone_and_drop_what_was_fetched() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, &orders("\"anyone\"")).await {
        let client = node.client();
        client.post(TO_CACHE, r#"{"order_id": 1}"#).await;
        client.post("/orders", r#"{"order_id": 2}"#).await;
        for (method, target) in
            [("POST", "/beacon"), ("DELETE", "/users/1"), ("PUT", "/orders/9"), ("BREW", "/orders/")]
        {
            client.fill(&["/orders/7", "/list", "/orders/2"]).await;
            client.send(method, target, &[], "").await;
            client
                .expect(&[("/orders/1", "HIT"), ("/orders/7", "MISS"), ("/list", "MISS"), ("/orders/2", "MISS")])
                .await;
        }
        // One to the cache has changed nothing that the origin could say, and one that the policy has sent there says what.
        client.fill(&["/orders/7", "/list"]).await;
        client.post(TO_CACHE, r#"{"order_id": 3}"#).await;
        client.expect(&[("/orders/1", "HIT"), ("/orders/3", "HIT"), ("/orders/7", "HIT"), ("/list", "HIT")]).await;
        client.post("/orders", r#"{"order_id": 4}"#).await;
        client.expect(&[("/orders/1", "HIT"), ("/orders/3", "HIT"), ("/orders/7", "HIT"), ("/list", "MISS")]).await;
        // What is sent to it concerns it.
        for (method, target) in [("PUT", "/orders/1"), ("DELETE", "/orders/3/"), ("PATCH", "/Orders/1")] {
            let order = target.to_lowercase();
            let order = order.trim_end_matches('/');
            client.post(TO_CACHE, &format!(r#"{{"order_id": {}}}"#, order.rsplit('/').next().unwrap())).await;
            client.expect(&[(order, "HIT")]).await;
            client.send(method, target, &[], "").await;
            client.expect(&[(order, "MISS")]).await;
        }
    }
}

// Nobody else reads what is written to the cache only: `007` is no other order's number there.
#[tokio::test]
async fn a_write_to_the_cache_drops_no_other_that_a_backend_might_take_for_it() {
    let origin = Origin::obeying().await;
    let orders = orders("\"anyone\"");
    for (node, _redis) in &Node::on_each_store(origin.address, &orders).await {
        let client = node.client();
        let ids = ["1", "0", "007", "7", "A b", "\u{661}"];
        let path = |id: &str| {
            let target = id.replace(' ', "%20").replace('\u{661}', "%D9%A1");
            format!("/orders/{target}")
        };
        for version in 0..2 {
            for id in ids {
                client.get_with(&path(id), &[("accept", "text/html")]).await;
                let order = format!(r#"{{"order_id": "{id}", "v": {version}}}"#);
                assert_eq!(client.post(TO_CACHE, &order).await.status, 201, "{id}");
                // No variant of it is older.
                for accept in ["text/html", "*/*"] {
                    let read = client.get_with(&path(id), &[("accept", accept)]).await;
                    assert_eq!((read.cache(), read.json()["order"]["v"].as_u64()), ("HIT", Some(version)), "{id}");
                }
            }
            for id in ids {
                assert_eq!(client.get(&path(id)).await.json()["order"]["v"].as_u64(), Some(version), "{id}");
            }
        }
    }
}
