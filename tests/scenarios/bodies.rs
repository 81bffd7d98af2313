//! What the bodies of a write and of its answer say, and what becomes of those that nobody here understands.

use super::support::client::{Client, raw};
use super::support::node::Node;
use super::support::origin::{self, Origin, say};

/// By a list, and by what a `[[write]]` drops.
const CITIES: &str = r#"
[[route]]
path = "/active"
query = ["city"]
ttl = "1h"
invalidated_by = ["PUT /active", { request = "PATCH /active", variables = { city = "{body:/at/city}" } }]
[[route]]
path = "/city/{city}"
ttl = "1h"
[[write]]
request = "PUT /active"
drops = ["/city/{city}"]
[[write]]
request = "PATCH /active"
drops = ["/city/{body:/at/city}"]
"#;

const READS: [&str; 4] = ["/active?city=Leon", "/active?city=Rivas", "/city/Leon", "/city/Rivas"];

/// Sends a write with these bytes after the fields that every request has, and waits for the end of its answer.
async fn write(node: &Node, line: &str, fields: &str, body: &[u8]) {
    let length = if fields.contains("Transfer-Encoding") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head = format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{length}{fields}\r\n", node.address);
    let answer = raw(node.address, &[head.as_bytes(), body].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{line} {fields}: {answer}");
}

fn chunked(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes()
}

async fn gone(client: &Client) -> Vec<&'static str> {
    let mut gone = Vec::new();
    for target in READS {
        if client.get(target).await.cache() != "HIT" {
            gone.push(target);
        }
    }
    gone
}

const JSON: &str = "Content-Type: application/json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const LEON: &str = r#"{"city": "Leon"}"#;

#[tokio::test]
async fn what_the_query_says_counts_for_nothing_beside_a_body_that_is_not_understood() {
    let origin = Origin::start(|_| async { origin::json("{}") }).await;
    let large = format!(r#"{{"city": "Rivas", "x": "{}"}}"#, "x".repeat(70_000));
    let utf16: Vec<u8> = "\u{feff}{\"city\": \"Rivas\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let chunks = format!("{JSON}{CHUNKED}");
    let bodies: Vec<(&str, String, Vec<u8>)> = vec![
        ("too large", JSON.into(), large.clone().into()),
        ("too large, in chunks", chunks.clone(), chunked(&large)),
        ("UTF-16", JSON.into(), utf16.clone()),
        ("UTF-16, and says so", "Content-Type: application/json; charset=utf-16\r\n".into(), utf16),
        ("another charset", "Content-Type: application/json; charset=utf-7\r\n".into(), LEON.into()),
        ("BOM", JSON.into(), format!("\u{feff}{LEON}").into()),
        ("NaN", JSON.into(), r#"{"city": "Rivas", "x": NaN}"#.into()),
        ("lone surrogate", JSON.into(), r#"{"city": "Rivas", "x": "\ud800"}"#.into()),
        ("a name twice", JSON.into(), r#"{"city": "Leon", "city": "Rivas"}"#.into()),
        ("a name twice, but for its case", JSON.into(), r#"{"city": "Leon", "City": "Rivas"}"#.into()),
        ("form", FORM.into(), "city=Rivas".into()),
        ("form that is JSON", FORM.into(), r#"{"city": "Leon", "x": "&city=Rivas"}"#.into()),
        ("JSON of another type", "Content-Type: text/plain\r\n".into(), r#"{"city": "Rivas"}"#.into()),
        ("JSON of no type", String::new(), r#"{"city": "Rivas"}"#.into()),
        ("JSON of two types", format!("{JSON}{FORM}"), LEON.into()),
        ("coded", format!("{JSON}Content-Encoding: gzip\r\n"), LEON.into()),
        (
            "multipart",
            "Content-Type: multipart/form-data; boundary=x\r\n".into(),
            "--x\r\nContent-Disposition: form-data; name=\"city\"\r\n\r\nRivas\r\n--x--\r\n".into(),
        ),
        ("no object", JSON.into(), "[]".into()),
        ("another city", JSON.into(), r#"{"city": "Rivas"}"#.into()),
        ("a list of cities", JSON.into(), r#"{"city": ["Leon", "Rivas"]}"#.into()),
        ("no city", JSON.into(), r#"{"city": null}"#.into()),
    ];
    for (node, _redis) in &Node::on_each_store(origin.address, CITIES).await {
        let client = node.client();
        for (what, fields, body) in &bodies {
            client.fill(&READS).await;
            write(node, "PUT /active?city=Leon", fields, body).await;
            assert_eq!(gone(&client).await, READS, "{what}");
        }
        // What is understood drops that one.
        for (what, fields, body) in [
            ("nothing", String::new(), Vec::new()),
            ("the same city", JSON.into(), LEON.into()),
            ("the same city, in chunks", chunks.clone(), chunked(LEON)),
            ("the same city, of a type that is JSON", "Content-Type: application/vnd.x+json\r\n".into(), LEON.into()),
            ("the charset it has anyway", "Content-Type: application/json; charset=UTF-8\r\n".into(), LEON.into()),
            ("nothing of cities", JSON.into(), "{}".into()),
            ("no body but in chunks", chunks.clone(), b"0\r\n\r\n".to_vec()),
        ] {
            client.fill(&READS).await;
            write(node, "PUT /active?city=Leon", &fields, &body).await;
            assert_eq!(gone(&client).await, ["/active?city=Leon", "/city/Leon"], "{what}");
        }
    }
}

// Some parsers take `City` for `city`, and then which of the two counts nobody knows.
#[tokio::test]
async fn a_pointer_into_a_body_that_tells_it_twice_tells_nothing() {
    let origin = Origin::start(|_| async { origin::json("{}") }).await;
    let node = Node::start(origin.address, CITIES);
    let client = node.client();
    for (body, expected) in [
        (r#"{"at": {"city": "Leon"}}"#, &["/active?city=Leon", "/city/Leon"][..]),
        (r#"{"at": {"city": "Leon", "CITY": "Rivas"}}"#, &READS),
        (r#"{"at": {"city": "Leon"}, "At": {"city": "Rivas"}}"#, &READS),
        (r#"{"at": {"city": "Leon", "city": "Rivas"}}"#, &READS),
        (r#"{"At": {"city": "Leon"}}"#, &READS),
    ] {
        client.fill(&READS).await;
        write(&node, "PATCH /active", JSON, body.as_bytes()).await;
        assert_eq!(gone(&client).await, expected, "{body}");
    }
}

const BY_ANSWER: &str = r#"
[[route]]
path = "/listed"
ttl = "1h"
invalidated_by = [{ request = "PUT /orders", when = { "response.result" = "Ok" } }]
[[route]]
path = "/unlisted"
ttl = "1h"
[[write]]
request = "PUT /orders"
when = { "response.result" = "Ok" }
"#;

// Whoever cannot see that a write failed must take it for one that did not.
#[tokio::test]
async fn an_answer_that_is_too_large_or_not_understood_counts_as_changed() {
    let origin = origin::raw(|head, mut stream| async move {
        let large = format!(r#"{{"result": "Fail", "x": "{}"}}"#, "x".repeat(70_000));
        let fail = r#"{"result": "Fail"}"#;
        let (fields, body) = match head.split(' ').nth(1).unwrap() {
            "/orders?ok" => (JSON.to_owned(), r#"{"result": "Ok"}"#.to_owned()),
            "/orders?fail" => (JSON.to_owned(), fail.to_owned()),
            "/orders?large" => (JSON.to_owned(), large),
            "/orders?chunks" => (format!("{JSON}{CHUNKED}"), String::from_utf8(chunked(&large)).unwrap()),
            "/orders?gzip" => (format!("{JSON}Content-Encoding: gzip\r\n"), fail.to_owned()),
            "/orders?untyped" => (String::new(), fail.to_owned()),
            "/orders?form" => (FORM.to_owned(), fail.to_owned()),
            "/orders?text" => (JSON.to_owned(), "Fail".to_owned()),
            "/orders?empty" => (JSON.to_owned(), String::new()),
            "/orders?twice" => (JSON.to_owned(), r#"{"result": "Ok", "result": "Fail"}"#.to_owned()),
            _ => (String::new(), "x".to_owned()),
        };
        let length =
            if fields.contains(CHUNKED) { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        say(&mut stream, &format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{fields}{length}\r\n{body}")).await;
    })
    .await;
    for (node, _redis) in &Node::on_each_store(origin, BY_ANSWER).await {
        let client = node.client();
        for (query, cache) in [
            ("ok", "MISS"),
            ("fail", "HIT"),
            ("large", "MISS"),
            ("chunks", "MISS"),
            ("gzip", "MISS"),
            ("untyped", "MISS"),
            ("form", "MISS"),
            ("text", "MISS"),
            ("empty", "MISS"),
            ("twice", "MISS"),
        ] {
            client.fill(&["/listed", "/unlisted"]).await;
            let answer = client.put(&format!("/orders?{query}"), "{}").await;
            assert_eq!(answer.status, 200);
            if matches!(query, "large" | "chunks") {
                assert!(answer.body.len() > 70_000, "all of it comes through");
            }
            for target in ["/listed", "/unlisted"] {
                assert_eq!(client.get(target).await.cache(), cache, "{query} {target}");
            }
        }
    }
}
