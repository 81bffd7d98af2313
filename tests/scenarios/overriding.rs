//! A write that says it is meant as another method: the origin is told, and rules go by both.

use super::support::node::Node;
use super::support::origin::Origin;

const NAMES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

const ITEMS: &str = r#"
[[route]]
path = "/items/{id}"
ttl = "1h"
invalidated_by = []
"#;

#[tokio::test]
async fn an_overriding_method_reaches_the_origin_on_writes_alone() {
    let origin = Origin::obeying().await;
    let node = Node::start(origin.address, ITEMS);
    let client = node.client();
    for target in ["/items/1", "/unrouted"] {
        for name in NAMES {
            for method in ["POST", "PUT", "PATCH", "DELETE", "LOCK", "BREW", "query"] {
                client.send(method, target, &[(name, "DELETE")], "").await;
                let seen = origin.asked().pop().unwrap();
                assert_eq!((seen.method.as_str(), seen.field(name)), (method, Some("DELETE")), "{target}");
            }
            for (at, method) in ["GET", "HEAD", "OPTIONS", "QUERY", "PROPFIND", "REPORT", "SEARCH"].iter().enumerate() {
                let before = origin.count();
                // Each of them asks for something else, so that none is answered from the store.
                client.send(method, &format!("{target}?{name}={at}"), &[(name, "DELETE")], "").await;
                assert!(origin.count() > before, "{method}");
                let seen = origin.asked().pop().unwrap();
                assert!(NAMES.iter().all(|name| seen.field(name).is_none()), "{method} {target}: {:?}", seen.fields);
            }
        }
    }
}

/// A way to say that a POST is meant as a DELETE: in the query, in a field, in a body of this type.
const WAYS: [(&str, (&str, &str), &str); 14] = [
    ("", ("x-http-method-override", "DELETE"), ""),
    ("", ("x-http-method", "delete"), ""),
    ("", ("x-method-override", " Delete "), ""),
    ("?_method=DELETE", ("accept", "*/*"), ""),
    ("?a=b&%5Fmethod=delete", ("accept", "*/*"), "{}"),
    ("?_METHOD=DELETE", ("accept", "*/*"), "{}"),
    ("?X-HTTP-Method-Override=DELETE", ("accept", "*/*"), ""),
    ("", ("content-type", "application/x-www-form-urlencoded"), "__METHOD_OVERRIDE__=DELETE"),
    ("", ("content-type", "application/x-www-form-urlencoded"), "a=b&_method=DELETE"),
    ("", ("content-type", "application/x-www-form-urlencoded; charset=utf-8"), "_method=%44ELETE"),
    ("", ("accept", "*/*"), "_method=DELETE"),
    ("", ("content-type", "application/json"), r#"{"_method": "DELETE"}"#),
    (
        "",
        ("content-type", "multipart/form-data; boundary=x"),
        "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--x--\r\n",
    ),
    // It may say so where nobody here can look.
    ("", ("content-encoding", "gzip"), "\u{1f}"),
];

#[tokio::test]
async fn a_list_is_matched_by_either_method() {
    let origin = Origin::obeying().await;
    let config = "[[route]]\npath = \"/items/{id}\"\nttl = \"1h\"\ninvalidated_by = [\"DELETE /trash/{id}\"]\n\
                  [[route]]\npath = \"/posted/{id}\"\nttl = \"1h\"\ninvalidated_by = [\"POST /trash/{id}\"]\n";
    for (node, _redis) in &Node::on_each_store(origin.address, config).await {
        let client = node.client();
        for (query, field, body) in WAYS {
            client.fill(&["/items/1", "/items/2", "/posted/1"]).await;
            client.send("POST", &format!("/trash/1{query}"), &[field], body).await;
            for (target, cache) in [("/items/1", "MISS"), ("/items/2", "HIT"), ("/posted/1", "MISS")] {
                assert_eq!(client.get(target).await.cache(), cache, "{target} {query} {field:?} {body}");
            }
        }
        client.fill(&["/items/1"]).await;
        for (target, field, body) in [
            ("/trash/1", ("content-type", "application/json"), "{}"),
            ("/trash/1?method=DELETE", ("content-type", "application/x-www-form-urlencoded"), "method=DELETE"),
            ("/trash/1", ("x-http-method-override", "PUT"), ""),
        ] {
            client.post(target, "{}").await;
            client.send("POST", target, &[field], body).await;
            assert_eq!(client.get("/items/1").await.cache(), "HIT", "{target} {field:?} {body}");
        }
    }
}

#[tokio::test]
async fn a_write_that_may_be_another_is_none_that_a_write_rule_speaks_of() {
    let origin = Origin::obeying().await;
    let config = "[[route]]\npath = \"/items/{id}\"\nttl = \"1h\"\n\
                  [[write]]\nrequest = [\"POST /trash/{id}\", \"DELETE /trash/{id}\"]\ndrops = []\n";
    let node = Node::start(origin.address, config);
    let client = node.client();
    for (query, field, body) in WAYS {
        client.fill(&["/items/1"]).await;
        client.send("POST", &format!("/trash/1{query}"), &[field], body).await;
        assert_eq!(client.get("/items/1").await.cache(), "MISS", "{query} {field:?} {body}");
    }
    // Some let every method be overridden, and not a POST alone.
    for name in NAMES {
        client.fill(&["/items/1"]).await;
        client.send("DELETE", "/trash/1", &[(name, "PUT")], "").await;
        client.expect(&[("/items/1", "MISS")]).await;
    }
    client.fill(&["/items/1"]).await;
    client.send("DELETE", "/trash/1?_method=PUT", &[], "").await;
    client.expect(&[("/items/1", "MISS")]).await;
    client.fill(&["/items/1"]).await;
    for (target, field, body) in [
        ("/trash/1", ("accept", "*/*"), ""),
        ("/trash/1?a=_method", ("content-type", "application/json"), r#"{"a": "_method"}"#),
        ("/trash/1", ("content-type", "application/x-www-form-urlencoded"), "user=ann&payment_method=card"),
        ("/trash/1", ("content-type", "multipart/form-data; boundary=x"), "--x--\r\n"),
    ] {
        client.send("POST", target, &[field], body).await;
        assert_eq!(client.get("/items/1").await.cache(), "HIT", "{target} {field:?} {body}");
    }
}

#[tokio::test]
async fn where_nobody_could_look_into_a_type_that_is_told_twice_it_may_be_another() {
    let origin = Origin::obeying().await;
    let config =
        "[[route]]\npath = \"/items/{id}\"\nttl = \"1h\"\n[[write]]\nrequest = \"POST /trash/{id}\"\ndrops = []\n";
    let node = Node::start(origin.address, config);
    let client = node.client();
    client.fill(&["/items/1"]).await;
    let types = [("content-type", "text/plain"), ("content-type", "application/x-www-form-urlencoded")];
    client.send("POST", "/trash/1", &types, "_method=DELETE").await;
    client.expect(&[("/items/1", "MISS")]).await;
}

// The policy's entry would be what the origin was never asked to write.
#[tokio::test]
async fn a_write_policy_leaves_a_write_that_may_be_another_to_the_origin() {
    let origin = Origin::obeying().await;
    let config = r#"
[[route]]
path = "/orders/{order_id}"
ttl = "1h"
[route.write]
request = "POST /orders"
policy = "cache"
cache_by = "anyone"
entry = '{"order": {body}}'
reply = { status = 201, json = '{}' }
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    let json = ("content-type", "application/json");
    client.send("POST", "/orders", &[json], r#"{"order_id": 1}"#).await;
    assert_eq!(origin.count(), 0);
    client.send("POST", "/orders", &[json, (NAMES[0], "DELETE")], r#"{"order_id": 2}"#).await;
    client.send("POST", "/orders?_method=DELETE", &[json], r#"{"order_id": 3}"#).await;
    assert_eq!(origin.count(), 2);
    client.expect(&[("/orders/1", "HIT"), ("/orders/2", "MISS"), ("/orders/3", "MISS")]).await;
}
