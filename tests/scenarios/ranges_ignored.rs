//! Requests for a part, and origins that answer them with all of it: without a route that is stored as a fill is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::node::Node;
use super::support::origin::{Gate, Origin, raw, response, say};
use super::support::until;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const DIGITS: &str = "0123456789";

type Fields = &'static [(&'static str, &'static str)];

/// An origin that knows no ranges.
async fn rangeless(status: u16, fields: Fields, body: &'static str) -> Origin {
    Origin::start(move |_| async move { response(status, fields, body) }).await
}

// RFC 9110 section 14.2: a server may ignore Range.
#[tokio::test]
async fn all_of_it_is_stored_and_the_part_taken_out_of_it() {
    let origin = rangeless(200, &[FRESH, ("etag", "\"a\"")], DIGITS).await;
    for (node, _redis) in Node::on_each_store(origin.address, "").await {
        let (client, asked) = (node.client(), origin.count());
        for cache in ["MISS", "HIT"] {
            let part = client.get_with("/x", &[("range", "bytes=2-3")]).await;
            assert_eq!((part.status, part.text(), part.cache()), (206, "23", cache));
            assert_eq!(part.field("content-range"), "bytes 2-3/10");
        }
        let whole = client.get("/x").await;
        assert_eq!((whole.status, whole.text(), whole.cache()), (200, DIGITS, "HIT"));
        assert_eq!(origin.count(), asked + 1);
        assert_eq!(origin.asked()[asked].field("range"), Some("bytes=2-3"), "an origin that knows ranges gives a part");
    }
}

/// A tag, and when it was changed.
const VALIDATED: Fields = &[FRESH, ("etag", "\"a\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")];

#[tokio::test]
async fn one_part_is_asked_for_in_plain_words_and_its_answer_stored() {
    let origin = rangeless(200, VALIDATED, DIGITS).await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    for (n, (range, sent, status, body)) in [
        ("bytes=0-", "bytes=0-", 206, DIGITS),
        ("bytes=-2", "bytes=-2", 206, "89"),
        ("bytes=10-", "bytes=10-", 416, ""),
        ("BYTES= 000000000000001-0099", "bytes=1-99", 206, "123456789"),
    ]
    .into_iter()
    .enumerate()
    {
        let (target, asked) = (format!("/{n}"), origin.count());
        let answer = client.get_with(&target, &[("range", range)]).await;
        assert_eq!((answer.status, answer.text(), answer.cache()), (status, body, "MISS"), "{range}");
        assert_eq!(client.get(&target).await.cache(), "HIT", "{range}");
        assert_eq!((origin.count(), origin.asked()[asked].field("range")), (asked + 1, Some(sent)));
    }
}

// What others get is a function of its key: none of these words is in it.
#[tokio::test]
async fn in_other_words_its_answer_is_this_clients_alone() {
    let origin = rangeless(200, VALIDATED, DIGITS).await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    let one = ("range", "bytes=0-1");
    for (n, fields) in [
        &[("range", "bytes=0-1,4-5")][..],
        &[("range", "lines=0-1")],
        &[("range", "nonsense")],
        &[("if-range", "\"a\"")],
        &[one, ("if-range", "\"a\"")],
        &[one, ("if-range", "\"b\"")],
        &[one, ("if-none-match", "\"b\"")],
        &[one, ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")],
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/{n}");
        let answer = client.get_with(&target, fields).await;
        assert_eq!((answer.status, answer.text()), (200, DIGITS), "{fields:?}");
        assert!(answer.cache_status().ends_with("detail=part-requested"), "{}", answer.cache_status());
        assert_eq!(client.get(&target).await.cache(), "MISS", "{fields:?}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_handed_on_whole_and_stored() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let origin = raw(move |_, mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n";
            say(&mut stream, &format!("{head}a\r\n{DIGITS}\r\n0\r\n\r\n")).await;
        }
    })
    .await;
    let node = Node::start(origin, "");
    let client = node.client();
    let range = [("range", "bytes=0-1")];
    let first = client.get_with("/x", &range).await;
    assert_eq!((first.status, first.text()), (200, DIGITS));
    until("it is stored", || async {
        client.get_with("/x", &[("cache-control", "only-if-cached")]).await.status == 200
    })
    .await;
    assert_eq!(client.get_with("/x", &range).await.text(), "01");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whatever_says_no_is_named_and_the_answer_passes() {
    for (status, fields, body, detail) in [
        (200, &[("cache-control", "private, max-age=60")][..], DIGITS.to_owned(), "private"),
        (200, &[], DIGITS.to_owned(), "no-freshness"),
        (200, &[FRESH, ("set-cookie", "a=1")], DIGITS.to_owned(), "set-cookie"),
        (200, &[FRESH], "0".repeat(2 << 20), "too-large"),
        // These speak of the range, or of this request.
        (416, &[FRESH], String::new(), ""),
        (412, &[FRESH], String::new(), ""),
        (400, &[FRESH], String::new(), ""),
    ] {
        let sent = body.clone();
        let origin = Origin::start(move |_| {
            let answer = response(status, fields, &sent);
            async move { answer }
        })
        .await;
        let node = Node::start(origin.address, "[unrouted]\nerrors = true\n");
        for n in 1..=2 {
            let answer = node.client().get_with("/x", &[("range", "bytes=0-1")]).await;
            assert_eq!((answer.status, answer.text() == body), (status, true), "{detail}");
            let said = answer.cache_status().split_once("detail=").map_or("", |(_, said)| said);
            assert_eq!((said, origin.count()), (detail, n), "{status}");
        }
    }
}

#[tokio::test]
async fn what_has_no_parts_is_stored_too() {
    for (status, fields) in [(404, &[FRESH][..]), (301, &[FRESH, ("location", "/y")]), (410, &[FRESH])] {
        let origin = rangeless(status, fields, "x").await;
        let node = Node::start(origin.address, "");
        for cache in ["MISS", "HIT"] {
            let answer = node.client().get_with("/x", &[("range", "bytes=0-1")]).await;
            assert_eq!((answer.status, answer.cache()), (status, cache));
        }
    }
}

#[tokio::test]
async fn a_variant_is_stored_as_one() {
    let origin = Origin::start(|asked| async move {
        response(200, &[FRESH, ("vary", "accept-language")], asked.field("accept-language").unwrap_or(DIGITS))
    })
    .await;
    let node = Node::start(origin.address, "");
    for cache in ["MISS", "HIT"] {
        for language in ["de", "fr"] {
            let fields = [("range", "bytes=0-0"), ("accept-language", language)];
            let part = node.client().get_with("/x", &fields).await;
            assert_eq!((part.text(), part.cache()), (&language[..1], cache), "{language}");
        }
    }
}

#[tokio::test]
async fn a_client_with_a_credential_has_its_own_and_leaves_nothing() {
    let origin = rangeless(200, &[FRESH], DIGITS).await;
    let node = Node::start(origin.address, "");
    for _ in 0..2 {
        let own = node.client().get_with("/x", &[("range", "bytes=0-1"), ("authorization", "Basic eDp5")]).await;
        assert_eq!((own.status, own.cache() == "HIT"), (200, false), "{}", own.cache_status());
    }
    assert_eq!(node.client().get("/x").await.cache(), "MISS");
}

#[tokio::test]
async fn what_a_write_overtook_is_not_stored() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked| {
        let gate = gate.clone();
        async move {
            if asked.field("range").is_some() {
                gate.pass().await;
            }
            response(200, &[FRESH], DIGITS)
        }
    })
    .await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    let slow = tokio::spawn(async move { client.get_with("/x", &[("range", "bytes=0-1")]).await });
    keeper.arrived().await;
    node.client().put("/x", "{}").await;
    keeper.let_go(1);
    let raced = slow.await.unwrap();
    assert_eq!((raced.status, raced.text()), (206, "01"));
    assert!(raced.cache_status().ends_with("detail=raced-write"), "{}", raced.cache_status());
    assert_eq!(node.client().get("/x").await.cache(), "MISS");
}

#[tokio::test]
async fn a_stale_answer_is_replaced_and_what_is_private_now_ends_it() {
    for (now, cache) in [(&[FRESH][..], "HIT"), (&[("cache-control", "private")], "MISS")] {
        let origin = Origin::start(move |asked| async move {
            let fields = if asked.field("range").is_some() {
                now
            } else {
                &[("cache-control", "max-age=10, stale-if-error=600")]
            };
            response(if asked.field("x-fail").is_some() { 503 } else { 200 }, fields, DIGITS)
        })
        .await;
        let node = Node::timed(origin.address, "");
        let client = node.client();
        client.get("/x").await;
        node.clock.advance(std::time::Duration::from_secs(30));
        client.get_with("/x", &[("range", "bytes=0-1")]).await;
        let after = client.get_with("/x", &[("x-fail", "1")]).await;
        assert_eq!((after.cache(), after.status), (cache, if cache == "HIT" { 200 } else { 503 }));
    }
}
