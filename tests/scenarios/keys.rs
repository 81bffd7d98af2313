//! What is one entry and what are two; paths and queries that can be read in two ways.

use super::support::client::raw;
use super::support::connected;
use super::support::node::Node;
use super::support::origin::{Origin, response};
use super::support::redis::{RedisServer, Reply};

#[tokio::test]
async fn the_query_is_part_of_the_key_unless_the_route_lists_parameters() {
    let origin = Origin::counting().await;
    let node = Node::start(
        origin.address,
        "[[route]]\npath = \"/all\"\nttl = \"1h\"\n[[route]]\npath = \"/some\"\nquery = [\"a\", \"b\"]\nttl = \"1h\"\n",
    );
    let client = node.client();
    for target in ["/all", "/all?a=1", "/all?a=2", "/some", "/some?a=1", "/some?a=&b=", "/some?b=1"] {
        assert_eq!(client.get(target).await.cache(), "MISS", "{target}");
    }
    for target in ["/all?a=1", "/some?a=1&utm=x", "/some?utm=x&a=1", "/some?a=%31", "/some?x"] {
        assert_eq!(client.get(target).await.cache(), "HIT", "{target}");
    }
}

#[tokio::test]
async fn a_parameter_given_twice_goes_past_the_cache() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/some\"\nquery = [\"a\"]\nttl = \"1h\"\n");
    let answer = node.client().get("/some?a=1&a=2").await;
    assert_eq!(answer.cache_status(), "aside; fwd=bypass; fwd-status=200; detail=query-ambiguous");
    assert_eq!(origin.asked()[0].target, "/some?a=1&a=2");
}

#[tokio::test]
async fn accept_is_part_of_the_key_and_any_type_is_the_same_as_none() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/x\"\nttl = \"1h\"\n");
    let client = node.client();
    assert_eq!(client.get("/x").await.cache(), "MISS");
    assert_eq!(client.get_with("/x", &[("accept", "*/*")]).await.cache(), "HIT");
    assert_eq!(client.get_with("/x", &[("accept", "text/html")]).await.cache(), "MISS");
    assert_eq!(client.get_with("/x", &[("accept", "text/html")]).await.cache(), "HIT");
}

#[tokio::test]
async fn paths_that_can_be_read_in_two_ways_are_never_hits() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/{*all}\"\nttl = \"1h\"\n");
    for path in ["/a/../b", "/a//b", "/a%2fb", "/a;x", "/%61", "/a%00b", "/./a", "/a%5Cb"] {
        for _ in 0..2 {
            let answer =
                raw(node.address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
                    .await;
            assert!(answer.contains("detail=path-ambiguous"), "{path}: {answer}");
        }
    }
}

/// What may stand in a path bare or encoded, and what a route's key decodes, an origin may tell apart (RFC 3986 section 2.2).
#[tokio::test]
async fn two_spellings_of_a_path_that_an_origin_may_tell_apart_are_two_entries() {
    let config = r#"
[[route]]
path = "/a/{id}"
ttl = "1h"
[[route]]
path = "/k/{id}"
key = "k:{id}"
ttl = "1h"
[[route]]
path = "/rest/{*rest}"
ttl = "1h"
"#;
    let origin = Origin::start(|asked| async move { response(200, &[], &asked.target) }).await;
    let node = Node::start(origin.address, config);
    for (route, octet) in
        ["/a/", "/k/", "/rest/"].iter().flat_map(|route| b"!$&'()*+,:=@|[]^".map(|octet| (route, octet)))
    {
        let (encoded, bare) = (format!("{route}x%{octet:02X}y"), format!("{route}x{}y", char::from(octet)));
        for (round, cache) in ["MISS", "HIT"].into_iter().enumerate() {
            for path in [&encoded, &bare] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                let answer = raw(node.address, request.as_bytes()).await;
                assert!(answer.ends_with(&format!("\r\n\r\n{path}")), "{path}, round {round}: {answer}");
                assert!(answer.contains(&format!("x-cache: {cache}")), "{path}, round {round}: {answer}");
            }
        }
        // A write by either spelling drops both.
        let put = format!("PUT {bare} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        raw(node.address, put.as_bytes()).await;
        for path in [&encoded, &bare] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            assert!(raw(node.address, request.as_bytes()).await.contains("x-cache: MISS"), "{path} after a write");
        }
    }
}

/// The digits of an octet are the same in either case (RFC 3986 section 6.2.2.1): a variant, which every write to the path
/// drops.
#[tokio::test]
async fn octets_in_lower_case_are_a_variant_of_the_same_path() {
    let config = r#"
[[route]]
path = "/k/{id}"
key = "k:{id}"
ttl = "1h"
invalidated_by = ["PUT /k/{id}"]
[[route]]
path = "/q"
ttl = "1h"
[[route]]
path = "/listed"
query = ["city"]
ttl = "1h"
"#;
    let origin = Origin::obeying().await;
    for (node, _redis) in Node::on_each_store(origin.address, config).await {
        let client = node.client();
        for before in ["/k/", "/q?a=", "/elsewhere/", "/elsewhere?a="] {
            let spelt = ["%D9%85", "%d9%85", "%C3%a9", "%c3%a9x", "%7C"].map(|octets| format!("{before}{octets}"));
            for target in &spelt {
                client.get(target).await;
            }
            for target in &spelt {
                let answer = client.get(target).await;
                assert_eq!(answer.cache(), "HIT", "{target}");
                assert!(answer.text().starts_with(&format!("{target} ")), "{target}: {}", answer.text());
            }
        }
        for written in ["%C3%A9", "%c3%a9", "%C3%a9"] {
            for before in ["/k/", "/elsewhere/"] {
                let spelt = ["%C3%A9", "%c3%a9"].map(|octets| format!("{before}{octets}"));
                for target in &spelt {
                    client.get(target).await;
                }
                client.put(&format!("{before}{written}"), "{}").await;
                for target in &spelt {
                    assert_eq!(client.get(target).await.cache(), "MISS", "{target} after PUT {before}{written}");
                }
            }
        }
        client.get("/listed?city=Le%C3%B3n").await;
        assert_eq!(client.get("/listed?city=Le%c3%b3n").await.cache(), "HIT");
        for ambiguous in ["/k/%61", "/k/%7a", "/k/a%2fb", "/k/a%5cb", "/k/a%3bb", "/elsewhere/a%2fb", "/k/%ff"] {
            assert!(client.get(ambiguous).await.cache_status().ends_with("detail=path-ambiguous"), "{ambiguous}");
        }
    }
}

#[tokio::test]
async fn the_clients_host_is_part_of_every_key_when_the_origin_sees_it() {
    let origin = Origin::counting().await;
    let node = Node::start(
        origin.address,
        "[origin]\nurl = \"ORIGIN\"\nhost = \"client\"\n[[route]]\npath = \"/x\"\nttl = \"1h\"\n",
    );
    let ask = |host: &'static str| {
        let address = node.address;
        async move { raw(address, format!("GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await }
    };
    assert!(ask("a.example").await.contains("x-cache: MISS"));
    assert!(ask("a.example").await.contains("x-cache: HIT"));
    assert!(ask("b.example").await.contains("x-cache: MISS"));
    assert_eq!(origin.asked()[1].field("host"), Some("b.example"));
}

/// A GET and the write that must drop what it stored.
#[tokio::test]
async fn one_value_is_recognised_however_a_write_spells_it() {
    let config = r#"
[[route]]
path = "/item"
query = ["id"]
ttl = "1h"
invalidated_by = ["PUT /item"]
[[route]]
path = "/static/{*rest}"
ttl = "1h"
invalidated_by = ["PUT /static/{*rest}"]
[[route]]
path = "/files/v{n}.json"
ttl = "1h"
[[route]]
path = "/when/{id}"
ttl = "1h"
invalidated_by = [{ request = "PUT /when/{id}", when = { "body.code" = 1 } }]
"#;
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, config);
    let client = node.client();
    for (read, write, body) in [
        ("/item?id=10000000000000000000001", "/item", r#"{"id": 10000000000000000000001}"#),
        ("/item?id=100", "/item", r#"{"id": 1e2}"#),
        ("/item?id=0", "/item", r#"{"id": -0}"#),
        ("/item?id=-5", "/item", r#"{"id": -5.0}"#),
        ("/item?id=5", "/item?id=%2B5", ""),
        ("/item?id=1.50", "/item", r#"{"id": 1.50}"#),
        ("/item?id=1.50", "/item", r#"{"id": "1.5"}"#),
        ("/item?id=7", "/item", r#"{"id": "００７"}"#),
        ("/item?id=1000", "/item", r#"{"id": "1_000"}"#),
        ("/item?id=%CE%9F%CE%94%CE%9F%CE%A3", "/item", r#"{"id": "οδος"}"#),
        ("/item?id=strasse", "/item", r#"{"id": "straße"}"#),
        ("/item?id=Kobenhavn", "/item", r#"{"id": "København"}"#),
        ("/static/a", "/static/a/", ""),
        ("/static/a/", "/static/a", ""),
        ("/static/7/x", "/static/007/x", ""),
        ("/static/b", "/x/..;/static/b", ""),
        ("/files/v2.json", "/files/V2.JSON", ""),
        ("/when/1", "/when/1", r#"{"code": 1.0}"#),
    ] {
        client.get(read).await;
        assert_eq!(client.get(read).await.cache(), "HIT", "{read}");
        client.put(write, body).await;
        assert_eq!(client.get(read).await.cache(), "MISS", "{read} after {write} {body}");
    }
}

#[tokio::test]
async fn a_path_or_query_does_not_pass_for_another_host() {
    let origin = Origin::counting().await;
    let config = "[origin]\nurl = \"ORIGIN\"\nhost = \"client\"\n[[route]]\npath = \"/o/{id}\"\nttl = \"1h\"\n\
        [[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\nkey = \"{rest}\"\n";
    let node = Node::start(origin.address, config);
    for (first, second) in [
        (
            "GET /o/1?x@victim.example HTTP/1.0\r\n\r\n",
            "GET /o/1?x HTTP/1.1\r\nHost: victim.example\r\nConnection: close\r\n\r\n",
        ),
        (
            "GET /a@victim.example HTTP/1.0\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: victim.example\r\nConnection: close\r\n\r\n",
        ),
        (
            "GET /o/2?x@b.example HTTP/1.1\r\nHost: c.example\r\nConnection: close\r\n\r\n",
            "GET /o/2?x HTTP/1.1\r\nHost: b.example@c.example\r\nConnection: close\r\n\r\n",
        ),
    ] {
        raw(node.address, first.as_bytes()).await;
        assert!(!raw(node.address, second.as_bytes()).await.contains("x-cache: HIT"), "{second}");
    }
    let unrouted = super::support::origin::Origin::start(|_| async {
        super::support::origin::response(200, &[("cache-control", "max-age=60")], "x")
    })
    .await;
    let node = Node::start(unrouted.address, "[origin]\nurl = \"ORIGIN\"\nhost = \"client\"\n");
    raw(node.address, b"GET /a@victim.example HTTP/1.0\r\n\r\n").await;
    let victim = raw(node.address, b"GET /a HTTP/1.1\r\nHost: victim.example\r\nConnection: close\r\n\r\n").await;
    assert!(victim.contains("x-cache: MISS"), "{victim}");
}

/// What the README says of dropping by hand.
#[tokio::test]
async fn the_recipe_of_the_readme_drops_a_key_with_all_that_is_beside_it() {
    let readme = include_str!("../../README.md");
    let pattern = "fruit:1[?#@]*";
    assert!(readme.contains(&format!("redis-cli --scan --pattern '{pattern}'")));
    let origin = Origin::counting().await;
    let redis = RedisServer::start();
    let node = Node::on(
        origin.address,
        &redis.url(),
        "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\n",
    );
    let client = node.client();
    connected(&client).await;
    let ask = |cache: &'static str, targets: &'static [&'static str]| {
        let client = client.clone();
        async move {
            for target in targets {
                for fields in [&[][..], &[("accept", "text/csv")], &[("host", "shop.example")]] {
                    assert_eq!(client.get_with(target, fields).await.cache(), cache, "{target} {fields:?}");
                }
            }
        }
    };
    let of_one = &["/fruit/1", "/fruit/1?x=1", "/fruit/1?x='a'", "/fruit/1?x=a@b"];
    ask("MISS", of_one).await;
    ask("MISS", &["/fruit/10"]).await;
    ask("HIT", of_one).await;
    redis.command(&["DEL", "fruit:1"]);
    assert_eq!(client.get("/fruit/1?x=1").await.cache(), "HIT", "one key is one key");
    let Reply::List(keys) = redis.command(&["KEYS", pattern]) else { panic!("no list of keys") };
    for key in &keys {
        let Reply::Text(key) = key else { panic!("no key") };
        redis.command(&["DEL", std::str::from_utf8(key).unwrap()]);
    }
    ask("HIT", &["/fruit/10"]).await;
    ask("MISS", of_one).await;
}
