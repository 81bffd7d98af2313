//! Parts of what is stored (RFC 9110 section 14, RFC 9111 section 3.3).

use super::support::node::Node;
use super::support::origin::{Origin, response};
use super::support::until;

const ROUTE: &str = "[[route]]\npath = \"/x/{id}\"\nttl = \"1h\"\n";
const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// An origin that knows no ranges, with the ten bytes of `0123456789`.
async fn ten_bytes(fields: &'static [(&'static str, &'static str)]) -> Origin {
    Origin::start(move |_| async move { response(200, &[&[FRESH], fields].concat(), "0123456789") }).await
}

#[tokio::test]
async fn a_part_is_taken_out_of_what_is_stored_whole() {
    let origin = ten_bytes(&[("etag", "\"a\""), ("x-own", "1")]).await;
    for config in ["", ROUTE] {
        let node = Node::start(origin.address, config);
        let client = node.client();
        let asked = origin.count();
        client.get("/x/1").await;
        for (range, status, body, said) in [
            ("bytes=0-1", 206, "01", "bytes 0-1/10"),
            ("bytes=8-99", 206, "89", "bytes 8-9/10"),
            ("bytes=-3", 206, "789", "bytes 7-9/10"),
            ("bytes=5-", 206, "56789", "bytes 5-9/10"),
            ("bytes=10-", 416, "", "bytes */10"),
            ("bytes=0-1,4-5", 200, "0123456789", ""),
            ("lines=0-1", 200, "0123456789", ""),
        ] {
            let part = client.get_with("/x/1", &[("range", range)]).await;
            assert_eq!((part.status, part.text(), part.field("content-range")), (status, body, said), "{range}");
            assert_eq!(part.cache(), "HIT");
            assert_eq!(part.field("content-length"), body.len().to_string());
            assert_eq!(part.field("etag"), "\"a\"");
            assert_eq!(part.field("x-own"), if status == 416 { "" } else { "1" });
        }
        let head = client.send("HEAD", "/x/1", &[("range", "bytes=0-1")], "").await;
        assert_eq!((head.status, head.field("content-length")), (200, "10"));
        assert_eq!(origin.count(), asked + 1);
    }
}

// RFC 9110 section 13.2.2: conditions are judged before the range, If-Range last.
#[tokio::test]
async fn conditions_come_before_the_range() {
    let origin = ten_bytes(&[("etag", "\"a\"")]).await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    client.get("/x/1").await;
    let range = ("range", "bytes=0-1");
    assert_eq!(client.get_with("/x/1", &[range, ("if-none-match", "\"a\"")]).await.status, 304);
    assert_eq!(client.get_with("/x/1", &[range, ("if-range", "\"a\"")]).await.text(), "01");
    let other = client.get_with("/x/1", &[range, ("if-range", "\"b\"")]).await;
    assert_eq!((other.status, other.text(), other.cache()), (200, "0123456789", "HIT"));
}

#[tokio::test]
async fn without_a_route_a_part_that_is_not_stored_is_the_origins_to_give() {
    let origin = Origin::start(|asked| async move {
        assert_eq!(asked.field("range"), Some("bytes=0-1"));
        response(206, &[FRESH, ("content-range", "bytes 0-1/10")], "01")
    })
    .await;
    let node = Node::start(origin.address, "");
    for _ in 0..2 {
        let part = node.client().get_with("/x/1", &[("range", "bytes=0-1")]).await;
        assert_eq!((part.status, part.text(), part.cache()), (206, "01", "MISS"));
        assert_eq!(part.cache_status(), "aside; fwd=uri-miss; fwd-status=206; detail=partial-content");
    }
}

#[tokio::test]
async fn on_a_route_the_whole_is_fetched_for_a_part_and_kept() {
    let origin = ten_bytes(&[]).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    let first = client.get_with("/x/1", &[("range", "bytes=0-1")]).await;
    assert_eq!((first.status, first.text(), first.cache()), (206, "01", "MISS"));
    assert_eq!(origin.asked()[0].field("range"), None);
    assert_eq!(client.get("/x/1").await.text(), "0123456789");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn what_is_too_large_to_be_kept_is_not_fetched_whole_for_a_part() {
    let origin = Origin::start(|asked| async move {
        match asked.field("range") {
            None => response(200, &[], &"0".repeat(1000)),
            Some(_) => response(206, &[("content-range", "bytes 0-1/1000")], "00"),
        }
    })
    .await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/x/{id}\"\nttl = \"1h\"\nmax_body = \"100B\"\n");
    let part = node.client().get_with("/x/1", &[("range", "bytes=0-1")]).await;
    assert_eq!((part.status, part.text()), (206, "00"));
    assert_eq!(part.cache_status(), "aside; fwd=uri-miss; fwd-status=206; detail=too-large");
}

// The bytes of an annotated answer are not the next one's.
#[tokio::test]
async fn an_annotated_answer_has_no_parts() {
    let origin =
        Origin::start(|_| async { response(200, &[("content-type", "application/json")], r#"{"a": 1}"#) }).await;
    let config = format!("{ROUTE}annotate = {{ field = \"cached\", hit = true, miss = false }}\n");
    let node = Node::start(origin.address, &config);
    for _ in 0..2 {
        let answer = node.client().get_with("/x/1", &[("range", "bytes=0-1")]).await;
        assert_eq!((answer.status, answer.json()["a"].as_i64()), (200, Some(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_stale_answer_has_the_whole_of_it_renewed() {
    let swr = ("cache-control", "max-age=10, stale-while-revalidate=60");
    let origin = Origin::start(move |asked| async move {
        match asked.field("range") {
            Some(_) => response(206, &[swr, ("content-range", "bytes 0-1/10")], "01"),
            None => response(200, &[swr], "0123456789"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x/1").await;
    node.clock.advance(std::time::Duration::from_secs(20));
    let fields = [("range", "bytes=0-1"), ("if-range", "Sun, 06 Nov 1994 08:49:37 GMT")];
    for fields in [&fields[..1], &fields] {
        let asked = origin.count();
        let part = client.get_with("/x/1", fields).await;
        assert_eq!(part.cache(), "STALE", "{}", part.cache_status());
        until("it is renewed", || async { origin.count() > asked }).await;
        until("it is stored", || async { client.get("/x/1").await.cache() == "HIT" }).await;
        assert!(origin.asked()[asked].field("range").is_none() && origin.asked()[asked].field("if-range").is_none());
        assert_eq!(origin.count(), asked + 1);
        node.clock.advance(std::time::Duration::from_secs(20));
    }
}
