//! What a fill keeps of the exchange between this client and the origin: its conditions, and the origin's own words.

use super::support::client::raw;
use super::support::node::Node;
use super::support::origin::{self, Asked, Origin, response, say};

const TAG: (&str, &str) = ("if-none-match", "W/\"v0\", \"v1\"");

#[tokio::test]
async fn what_is_not_stored_is_a_304_too_where_the_client_has_it() {
    let body = "x".repeat(2000);
    for (config, fields, framing) in [
        ("", "Set-Cookie: a=1\r\n", "Content-Length: 2000\r\n\r\n{}"),
        ("", "Set-Cookie: a=1\r\n", "Transfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n"),
        ("[[route]]\npath = \"/x\"\nttl = \"1h\"\nmax_body = \"1KiB\"\n", "", "Content-Length: 2000\r\n\r\n{}"),
        (
            "[[route]]\npath = \"/x\"\nttl = \"1h\"\nmax_body = \"1KiB\"\n",
            "",
            "Transfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
        ),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Type: text/plain\r\n{fields}{framing}")
            .replace("{}", &body);
        let origin = origin::raw(move |head, mut stream| {
            let answer = answer.clone();
            async move {
                assert!(!head.to_lowercase().contains("if-none-match"), "a fill asks for all of it: {head}");
                say(&mut stream, &answer).await;
            }
        })
        .await;
        let node = Node::start(origin, config);
        let known = node.client().get_with("/x", &[TAG]).await;
        assert_eq!((known.status, known.field("etag"), known.body.len()), (304, "\"v1\"", 0), "{framing}");
        assert_eq!((known.field("content-type"), known.field("content-length")), ("", ""));
        assert_eq!(known.field("set-cookie"), if fields.is_empty() { "" } else { "a=1" });
        let unknown = node.client().get_with("/x", &[("if-none-match", "\"v0\"")]).await;
        assert_eq!((unknown.status, unknown.text() == body), (200, true));
    }
}

#[tokio::test]
async fn a_relayed_answer_is_stored_although_its_client_got_a_304() {
    let origin = origin::raw(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        say(&mut stream, "5\r\nhello\r\n0\r\n\r\n").await;
    })
    .await;
    let node = Node::start(origin, "[[route]]\npath = \"/x\"\nttl = \"1h\"\n");
    assert_eq!(node.client().get_with("/x", &[TAG]).await.status, 304);
    super::support::until("the answer is stored", || async { node.client().get("/x").await.cache() == "HIT" }).await;
    assert_eq!(node.client().get("/x").await.text(), "hello");
}

#[tokio::test]
async fn an_error_is_no_304_whatever_its_entity_tag() {
    let origin = Origin::start(|_: Asked| async { response(404, &[("etag", "\"v1\"")], "gone") }).await;
    let node = Node::start(origin.address, "");
    assert_eq!(node.client().get_with("/x", &[TAG]).await.status, 404);
}

#[tokio::test]
async fn the_reason_phrase_is_the_origins_while_its_answer_comes_from_there() {
    let origin = origin::raw(|head, mut stream| async move {
        let status = head.split("status-").nth(1).and_then(|rest| rest.get(..3)).unwrap_or("200").to_owned();
        say(&mut stream, &format!("HTTP/1.1 {status} Just So\r\nContent-Length: 1\r\n\r\nx")).await;
    })
    .await;
    let node = Node::start(
        origin,
        "[[route]]\npath = \"/a/{x}\"\nttl = \"1h\"\n[[route]]\npath = \"/kept/{x}\"\nttl = \"1h\"\nstatuses = { 599 = \"1h\" }\n",
    );
    let line = async |target: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        raw(node.address, request.as_bytes()).await.lines().next().unwrap_or_default().to_owned()
    };
    for status in ["299", "404", "599"] {
        assert_eq!(line(&format!("/a/status-{status}")).await, format!("HTTP/1.1 {status} Just So"));
        assert_eq!(line(&format!("/no-route/status-{status}")).await, format!("HTTP/1.1 {status} Just So"));
    }
    for _ in 0..2 {
        assert_eq!(line("/kept/status-599").await, "HTTP/1.1 599 ", "it is not stored, and nothing is made up");
    }
}
