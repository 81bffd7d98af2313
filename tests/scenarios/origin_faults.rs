//! An origin that is down, hangs or breaks off; what it says that cannot be true is in `tests/wire`.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::node::Node;
use super::support::origin::{self, Origin, nobody, response, say};

const ROUTE: &str = "[[route]]\npath = \"/x\"\nttl = \"1h\"\nstale_if_error = \"0s\"\n";

#[tokio::test]
async fn an_origin_that_is_down_is_a_502_that_says_so() {
    let (dead, _held) = nobody();
    let node = Node::start(dead, ROUTE);
    for target in ["/x", "/other"] {
        let answer = node.client().get(target).await;
        assert_eq!((answer.status, answer.field("content-type")), (502, "application/problem+json"));
        assert!(answer.json()["detail"].as_str().unwrap().contains("cannot be reached"), "{}", answer.text());
        assert!(answer.cache_status().contains("detail=origin-down"), "{}", answer.cache_status());
    }
    assert_eq!(node.client().put("/x", "{}").await.status, 502);
}

#[tokio::test]
async fn an_origin_that_hangs_is_a_504_within_the_limit() {
    let hanging = origin::raw(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let node = Node::start(hanging, &format!("[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"200ms\"\n{ROUTE}"));
    for method in ["GET", "PUT"] {
        let answer = node.client().send(method, "/x", &[], "").await;
        assert_eq!(answer.status, 504);
        assert!(answer.text().contains("did not answer within 200ms"), "{}", answer.text());
    }
}

#[tokio::test]
async fn on_a_route_a_body_that_ends_with_the_connection_is_stored_only_by_choice() {
    let origin = origin::raw(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nall of it").await;
    })
    .await;
    let node = Node::start(origin, ROUTE);
    for _ in 0..2 {
        let answer = node.client().get("/x").await;
        assert_eq!((answer.text(), answer.cache()), ("all of it", "MISS"));
        assert!(answer.cache_status().contains("detail=close-delimited"), "{}", answer.cache_status());
    }
    let node = Node::start(origin, &format!("{ROUTE}close_delimited = true\n"));
    let client = node.client();
    client.get("/x").await;
    super::support::until("it is stored", || async { client.get("/x").await.cache() == "HIT" }).await;
    assert_eq!(client.get("/x").await.text(), "all of it");
}

#[tokio::test]
async fn a_body_that_was_to_end_with_the_connection_and_was_reset_is_not_stored() {
    let origin = origin::raw(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 OK\r\n\r\nhalf").await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let node = Node::start(origin, &format!("{ROUTE}close_delimited = true\n"));
    for _ in 0..3 {
        if let Ok(answer) = node.client().try_send("GET", "/x", &[], "").await {
            assert_eq!(answer.status, 502, "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_stale_answer_stands_in_for_an_origin_in_trouble() {
    let trouble = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = std::sync::Arc::clone(&trouble);
    let origin = Origin::start(move |_| {
        let down = switch.load(std::sync::atomic::Ordering::SeqCst);
        async move { if down { response(503, &[], "down") } else { response(200, &[], "good") } }
    })
    .await;
    let node = Node::timed(origin.address, "[[route]]\npath = \"/x\"\nttl = \"10s\"\nstale_if_error = \"1h\"\n");
    let client = node.client();
    client.get("/x").await;
    trouble.store(true, std::sync::atomic::Ordering::SeqCst);
    node.clock.advance(Duration::from_secs(60));
    let stale = client.get("/x").await;
    assert_eq!((stale.status, stale.text(), stale.cache(), stale.field("age")), (200, "good", "STALE", "60"));
    assert_eq!(stale.cache_status(), "aside; fwd=stale; fwd-status=503; ttl=-50; detail=stale-if-error");
    node.clock.advance(Duration::from_secs(3600));
    assert_eq!(client.get("/x").await.status, 503);
}

#[tokio::test]
async fn a_kept_connection_that_the_origin_closed_costs_one_silent_retry() {
    // Answers once a connection, as if the connection were kept, and closes it.
    let origin = origin::raw(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    })
    .await;
    let node = Node::start(origin, "");
    for _ in 0..20 {
        assert_eq!(node.client().get("/x").await.text(), "ok");
    }
}

#[tokio::test]
async fn a_write_whose_outcome_is_unknown_drops_what_it_may_have_changed_and_is_not_sent_twice() {
    let writes = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&writes);
    let origin = origin::raw(move |head, mut stream| {
        let writes = std::sync::Arc::clone(&counted);
        async move {
            if head.starts_with("PUT") {
                writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            } else {
                say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    })
    .await;
    let node = Node::start(origin, ROUTE);
    let client = node.client();
    client.get("/x").await;
    assert_eq!(client.get("/x").await.cache(), "HIT");
    assert_eq!(client.put("/x", "{}").await.status, 502);
    assert_eq!(client.get("/x").await.cache(), "MISS");
    assert_eq!(writes.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_the_origin_says_is_gone_does_not_come_back_when_it_fails() {
    let step = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let origin = Origin::start(move |_| {
        let step = step.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move { response([200, 404, 500][step.min(2)], &[], "x") }
    })
    .await;
    let node = Node::timed(origin.address, "[[route]]\npath = \"/x\"\nttl = \"10s\"\n");
    for expected in [200, 404, 500] {
        assert_eq!(node.client().get("/x").await.status, expected);
        node.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_are_skipped_but_not_without_end() {
    for (interim, status) in [(16, 200), (usize::MAX, 502)] {
        let (cut, mut cuts) = tokio::sync::mpsc::unbounded_channel();
        let origin = origin::raw(move |_, mut stream| {
            let cut = cut.clone();
            async move {
                for _ in 0..interim {
                    let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
                    if stream.write_all(hint).await.is_err() {
                        return cut.send(()).unwrap();
                    }
                }
                say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        })
        .await;
        let node = Node::start(origin, ROUTE);
        for method in ["GET", "PUT"] {
            let answer = node.client().send(method, "/x", &[], "").await;
            assert_eq!(answer.status, status, "{method}: {}", answer.text());
            if status == 502 {
                tokio::time::timeout(Duration::from_secs(10), cuts.recv()).await.expect("it is cut off");
            }
        }
    }
}

/// Answers at once, and takes what comes after the head for the next request on the connection.
async fn leaves_bodies_unread() -> std::net::SocketAddr {
    origin::raw(|head, mut stream| async move {
        let named = head.split(' ').nth(1).unwrap().to_owned();
        let body = if head.starts_with("HEAD") { "" } else { &named };
        say(&mut stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", named.len())).await;
        let mut rest = Vec::new();
        while !String::from_utf8_lossy(&rest).contains("/mine") {
            if !matches!(stream.read_buf(&mut rest).await, Ok(n) if n > 0) {
                return;
            }
        }
        say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil").await;
    })
    .await
}

// RFC 9110 sections 9.3.1, 9.3.2, 9.3.5 and 9.3.7: the content of such a request means nothing that servers agree about.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_asked_for_on_a_connection_whose_request_had_a_body_that_some_leave_unread() {
    let never = "[origin]\nurl = \"ORIGIN\"\nreuse_after_body = false\n";
    for (method, table) in [
        ("GET", ""),
        ("HEAD", ""),
        ("DELETE", ""),
        ("OPTIONS", ""),
        ("LINK", ""),
        ("POST", never),
        ("PUT", never),
        ("PATCH", never),
    ] {
        let config = format!("{table}[[route]]\npath = \"/mine\"\nttl = \"1h\"\n");
        let node = Node::start(leaves_bodies_unread().await, &config);
        let evil = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
        let client = node.client();
        assert_eq!(client.send(method, "/x", &[], evil).await.status, 200);
        assert_eq!(client.get("/mine").await.text(), "/mine", "{method}");
    }
}

// RFC 9110 section 15.3.6: who knows that a 205 has no body takes one for the next answer.
#[tokio::test]
async fn the_body_of_a_205_reaches_nobody_and_is_not_stored() {
    for framing in ["Content-Length: 4\r\n\r\nEVIL", "Transfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n"] {
        let origin = origin::raw(move |_, mut stream| async move {
            let head = "HTTP/1.1 205 Reset Content\r\nCache-Control: max-age=60\r\nConnection: close";
            say(&mut stream, &format!("{head}\r\n{framing}")).await;
        })
        .await;
        let node = Node::start(origin, "[[route]]\npath = \"/kept\"\nstatuses = { 205 = \"1h\" }\n");
        for target in ["/kept", "/kept", "/passed", "/passed"] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let answer = super::support::client::raw(node.address, head.as_bytes()).await;
            assert!(answer.contains("content-length: 0") && answer.ends_with("\r\n\r\n"), "{answer}");
            assert!(answer.contains("detail=ambiguous"), "{answer}");
        }
    }
}
