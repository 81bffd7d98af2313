//! The stores that it looks into, and those that it cannot look into.

use std::net::{Ipv4Addr, SocketAddr};

use super::support::node::Node;
use super::support::origin::{Origin, response};
use super::support::redis::{RedisServer, Reply};
use super::{assert_agrees, explain, file, live};

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

async fn fresh() -> Origin {
    Origin::start(|_| async { response(200, &[("cache-control", "max-age=36000")], "{}") }).await
}

async fn is_hit(client: &super::support::client::Client, target: &str) {
    super::support::until("a hit", || async { client.get(target).await.cache() == "HIT" }).await;
}

#[tokio::test]
async fn a_shorter_ttl_in_the_file_counts_at_once() {
    let redis = RedisServer::start();
    let origin = Origin::start(|_| async { response(200, &[], "{}") }).await;
    // Two nodes that clients know by one name.
    let route =
        |ttl: &str| format!("[clients]\nhosts = [\"api.example\"]\n[[route]]\npath = \"/a/{{id}}\"\nttl = \"{ttl}\"\n");
    let (long, short) = (route("10h"), route("1ms"));
    let before = Node::on(origin.address, &redis.url(), &long);
    let (client, host) = (before.client(), [("host", "api.example")]);
    super::support::until("a hit", || async { client.get_with("/a/1", &host).await.cache() == "HIT" }).await;
    let told = live(&file(before.address, &redis.url(), &long), "GET", "/a/1", &[]);
    assert_eq!(told["verdict"]["outcome"], "fresh", "{told}");
    let after = Node::on(origin.address, &redis.url(), &short);
    let client = after.client();
    super::support::until("a session", || async {
        !client.get_with("/b", &host).await.cache_status().contains("store-down")
    })
    .await;
    let told = live(&file(after.address, &redis.url(), &short), "GET", "/a/1", &[]);
    let lifetime = &told["entry"]["lifetime"];
    assert_eq!((&lifetime["seconds"], &lifetime["stored_seconds"]), (&0.001.into(), &36000.0.into()), "{told}");
    assert_eq!(told["verdict"]["outcome"], "stale", "{told}");
    let text = explain(&file(after.address, &redis.url(), &short), "GET", "/a/1", &[]).stdout;
    let text = String::from_utf8(text).unwrap();
    for part in
        ["1ms, by the route's ttl; it was stored for 10h", "stale: Its age: ", "Cache-Status: aside; fwd=stale\n"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_agrees("a shorter ttl", &told["verdict"], &client.get_with("/a/1", &host).await);
}

#[tokio::test]
async fn the_key_has_the_host_and_the_scheme_that_a_client_asks_with() {
    let redis = RedisServer::start();
    let origin = fresh().await;
    let node = Node::on(origin.address, &redis.url(), "");
    is_hit(&node.client(), "/a").await;
    let file = file(node.address, &redis.url(), "");
    let outcome = |target: &str, more: &[&str]| {
        let output = explain(&file, "GET", target, &[more, &["--json"]].concat());
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{all}");
        (all["live"]["verdict"]["outcome"].as_str().unwrap().to_owned(), all["key"].as_str().unwrap().to_owned())
    };
    let address = node.address;
    let local = format!("localhost:{}", address.port());
    for (target, more, key) in [
        ("/a".to_owned(), vec![], "/a".to_owned()),
        (format!("http://{address}/a"), vec![], "/a".to_owned()),
        ("/a".to_owned(), vec!["--host", &local], "/a".to_owned()),
        ("/a".to_owned(), vec!["--host", "shop.example"], "/a@shop.example".to_owned()),
        ("/a".to_owned(), vec!["-H", "Host: shop.example"], "/a@shop.example".to_owned()),
        ("/a".to_owned(), vec!["--https"], "/a#https".to_owned()),
        (format!("https://{address}/a"), vec![], "/a#https".to_owned()),
        ("/a".to_owned(), vec!["--https", "--host", "Shop.Example:443"], "/a@https://shop.example".to_owned()),
    ] {
        let known = key == "/a";
        let expected = if known { "fresh" } else { "uri-miss" };
        assert_eq!(outcome(&target, &more), (expected.to_owned(), key), "{target} {more:?}");
    }
}

#[tokio::test]
async fn it_needs_no_more_of_redis_than_the_right_to_read() {
    let redis = RedisServer::start();
    let origin = fresh().await;
    let node = Node::on(origin.address, &redis.url(), "");
    is_hit(&node.client(), "/a").await;
    let rights = ["+get", "+hmget", "+info", "+hello", "+auth", "+ping", "+client"];
    let user = [&["ACL", "SETUSER", "reader", "on", ">hunter2", "~*", "-@all"][..], &rights].concat();
    assert_eq!(redis.command(&user), Reply::Text("OK".into()));
    let url = redis.url().replace("redis://", "redis://reader:hunter2@");
    let file = file(node.address, &url, "");
    let told = live(&file, "GET", "/a", &[]);
    assert_eq!(told["verdict"]["outcome"], "fresh", "{told}");
    assert!(!told.to_string().contains("hunter2"), "{told}");
    let told = live(&file, "GET", "/a", &[("accept", "text/csv")]);
    assert_eq!(told["verdict"]["outcome"], "fresh", "{told}");
    redis.command(&["FLUSHALL"]);
    let told = live(&file, "GET", "/a", &[]);
    assert_eq!(told["verdict"]["outcome"], "uri-miss", "{told}");
    assert_eq!(redis.command(&["DBSIZE"]), Reply::Number(0), "it wrote");
}

#[tokio::test]
async fn a_lost_record_is_told() {
    let redis = RedisServer::start();
    let origin = fresh().await;
    let node = Node::on(origin.address, &redis.url(), "");
    is_hit(&node.client(), "/a").await;
    assert_eq!(redis.command(&["DEL", "aside:{aside}:gen"]), Reply::Number(1));
    let told = live(&file(node.address, &redis.url(), ""), "GET", "/a", &[]);
    assert_eq!(told["entry"]["invalidated"]["record_lost"], true, "{told}");
    assert_agrees("a lost record", &told["verdict"], &node.client().get("/a").await);
}

#[tokio::test]
async fn what_is_not_asides_is_told_as_that() {
    let redis = RedisServer::start();
    let file = file(NOWHERE, &redis.url(), "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\n");
    redis.command(&["SET", "fruit:1", "by hand"]);
    redis.command(&["HSET", "fruit:2", "a", "b"]);
    for (target, foreign) in [("/fruit/1", true), ("/fruit/2", true), ("/fruit/3", false)] {
        let told = live(&file, "GET", target, &[]);
        assert_eq!((&told["foreign"], &told["entry"]), (&foreign.into(), &serde_json::Value::Null), "{told}");
        let text = String::from_utf8(explain(&file, "GET", target, &[]).stdout).unwrap();
        for (part, there) in [
            ("something under this key that is not aside's", foreign),
            ("What lies under this key is not used.", foreign),
            ("nothing for this request in", !foreign),
        ] {
            assert_eq!(text.contains(part), there, "{target}, {part}: {text}");
        }
    }
}

#[test]
fn a_redis_that_is_not_there_is_69() {
    let mut redis = RedisServer::start();
    redis.kill();
    let url = redis.url().replace("redis://", "redis://:hunter2@");
    let output = explain(&file(NOWHERE, &url, ""), "GET", "/a", &["--json"]);
    assert_eq!(output.status.code(), Some(69));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("Connection refused") && complaint.contains("[store] url"), "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&all["live"]["looked"], &all["key"]), (&false.into(), &"/a".into()));
}

#[test]
fn memory_cannot_be_looked_into_and_it_says_what_can_be_done() {
    let output = explain(&file(NOWHERE, "memory://", ""), "GET", "/a?b='1'", &[]);
    assert_eq!(output.status.code(), Some(69));
    let (text, complaint) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(text.contains("not looked at") && !text.contains("curl"), "said once: {text}");
    assert!(complaint.contains("curl -sD - -o /dev/null 'http://127.0.0.1:8080/a?b='\\''1'\\'''"), "{complaint}");
}

#[test]
fn only_reads_are_looked_at() {
    for (method, more) in [("PUT", &[][..]), ("OPTIONS", &[]), ("GET", &["--data", "{}"])] {
        let output = explain(&file(NOWHERE, "memory://", ""), method, "/a", more);
        assert_eq!(output.status.code(), Some(2), "{method}");
    }
}

#[test]
fn a_request_that_the_proxy_refuses_is_told_as_that() {
    let output = explain(&file(NOWHERE, "memory://", ""), "GET", "/a", &["--host", "a b", "--json"]);
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&all["kind"], &all["status"], output.status.code()), (&"refused".into(), &400.into(), Some(0)));
}
