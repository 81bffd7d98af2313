//! Stale answers, while they are renewed and while the origin fails (RFC 5861, RFC 9111 section 4.2.4).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{self, Asked, Gate, Keeper, Origin, response, say};
use super::support::until;

const ROUTE: &str = "[[route]]\npath = \"/x\"\nttl = \"5s\"\n";

/// An origin whose first answer has these words, and whose others wait at the gate and have this status.
async fn renewed_with(control: &'static str, status: u16) -> (Origin, Keeper) {
    let (gate, keeper) = Gate::new();
    let count = Arc::new(AtomicUsize::new(0));
    let origin = Origin::start(move |_| {
        let (gate, n) = (gate.clone(), count.fetch_add(1, Ordering::SeqCst) + 1);
        async move {
            if n == 1 {
                return response(200, &[("cache-control", control)], "1");
            }
            gate.pass().await;
            response(status, if status == 200 { &[("cache-control", "max-age=5")] } else { &[] }, &n.to_string())
        }
    })
    .await;
    (origin, keeper)
}

async fn ask(client: &Client, count: usize) {
    for _ in 0..count {
        let stale = client.get("/x").await;
        assert_eq!((stale.text(), stale.cache()), ("1", "STALE"));
        assert_eq!(stale.cache_status(), "aside; hit; ttl=-5; detail=stale-while-revalidate");
    }
}

#[tokio::test]
async fn section_3_one_request_renews_however_many_ask_and_nobody_waits_for_it() {
    let (origin, mut keeper) = renewed_with("max-age=5, stale-while-revalidate=60", 200).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    // The origin stands at the gate all the while: an answer that waited for it would never come.
    ask(&client, 1).await;
    keeper.arrived().await;
    ask(&client, 20).await;
    assert_eq!(origin.count(), 2);
    keeper.let_go(1);
    until("it is renewed", || async { client.get("/x").await.text() == "2" }).await;
    assert_eq!(client.get("/x").await.cache_status(), "aside; hit; ttl=5");
}

// 501 is no trouble that a stale answer stands in for, so it is an answer that cannot be shared.
#[tokio::test]
async fn section_3_one_request_renews_also_after_an_answer_that_could_not_be_shared() {
    let (origin, mut keeper) = renewed_with("max-age=5, stale-while-revalidate=60", 501).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    ask(&client, 1).await;
    keeper.arrived().await;
    keeper.let_go(1);
    let again = || async {
        ask(&client, 1).await;
        origin.count() == 3
    };
    until("the next one tries again", again).await;
    keeper.arrived().await;
    ask(&client, 20).await;
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn section_3_after_the_window_the_client_waits_for_the_origin() {
    let (origin, keeper) = renewed_with("max-age=5, stale-while-revalidate=5", 200).await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    keeper.let_go(1);
    assert_eq!(node.client().get("/x").await.text(), "2");
}

/// An origin that answers with these words until it is told to fail, and then with this status, or by hanging up.
async fn failing(control: &'static str, status: Option<u16>) -> (std::net::SocketAddr, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&broken);
    let address = origin::raw(move |_, mut stream| {
        let broken = fails.load(Ordering::SeqCst);
        async move {
            let line = match (broken, status) {
                (false, _) => format!("HTTP/1.1 200 OK\r\nCache-Control: {control}"),
                (true, Some(status)) => format!("HTTP/1.1 {status} Broken"),
                (true, None) => return,
            };
            say(&mut stream, &format!("{line}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")).await;
        }
    })
    .await;
    (address, broken)
}

/// The status and X-Cache of an answer that was stale for five seconds when its origin failed.
async fn on_failure(config: &str, control: &'static str, status: Option<u16>) -> (u16, String) {
    let (origin, broken) = failing(control, status).await;
    let node = Node::timed(origin, config);
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    broken.store(true, Ordering::SeqCst);
    let answer = node.client().get("/x").await;
    (answer.status, answer.cache().to_owned())
}

#[tokio::test]
async fn section_4_a_stale_answer_stands_in_for_an_origin_in_trouble() {
    for status in [Some(500), Some(502), Some(503), Some(504), None] {
        let said = on_failure("", "max-age=5, stale-if-error=60", status).await;
        assert_eq!(said, (200, "STALE".to_owned()), "{status:?}");
    }
    for status in [404, 501, 403] {
        let said = on_failure("", "max-age=5, stale-if-error=60", Some(status)).await;
        assert_eq!(said, (status, "MISS".to_owned()));
    }
}

#[tokio::test]
async fn section_4_without_a_window_nothing_stale_stands_in_also_where_the_origin_hangs_up() {
    assert_eq!(on_failure("", "max-age=5", None).await, (502, "MISS".to_owned()));
    assert_eq!(on_failure("", "max-age=5, stale-if-error=5", None).await, (502, "MISS".to_owned()), "it is over");
    assert_eq!(on_failure("[unrouted]\nstale_if_error = \"1m\"\n", "max-age=5", None).await.0, 200);
    assert_eq!(on_failure("[unrouted]\nstale_if_error = \"1m\"\n", "max-age=5, stale-if-error=1", None).await.0, 502);
    assert_eq!(on_failure(ROUTE, "x", None).await, (200, "STALE".to_owned()), "a route has a day");
}

#[tokio::test]
async fn rfc_9111_section_4_2_4_what_forbids_stale_answers_forbids_every_kind() {
    let windows = "stale-if-error=60, stale-while-revalidate=60";
    let forbidding: [&'static str; 4] =
        ["max-age=5, must-revalidate", "max-age=5, proxy-revalidate", "s-maxage=5", "no-cache"];
    for said in forbidding {
        let control: &'static str = Box::leak(format!("{said}, {windows}").into_boxed_str());
        for config in ["", "[unrouted]\nstale_if_error = \"1m\"\nstale_while_revalidate = \"1m\"\n", ROUTE] {
            assert_eq!(on_failure(config, control, None).await, (502, "MISS".to_owned()), "{control}");
            assert_eq!(on_failure(config, control, Some(503)).await, (503, "MISS".to_owned()), "{control}");
        }
    }
}

#[tokio::test]
async fn rfc_9111_section_4_2_4_a_client_that_accepts_stale_answers_gets_none_that_is_forbidden() {
    for (said, accepted) in [
        ("max-age=5", true),
        ("max-age=5, must-revalidate", false),
        ("max-age=5, proxy-revalidate", false),
        ("s-maxage=5", false),
    ] {
        let origin = Origin::start(move |_: Asked| async move { response(200, &[("cache-control", said)], "x") }).await;
        let node = Node::timed(origin.address, "");
        node.client().get("/x").await;
        node.clock.advance(Duration::from_secs(10));
        let answer = node.client().get_with("/x", &[("cache-control", "max-stale=9")]).await;
        let expected = if accepted {
            "aside; hit; ttl=-5; detail=max-stale"
        } else {
            "aside; fwd=stale; fwd-status=200; ttl=5; stored"
        };
        assert_eq!(answer.cache_status(), expected, "{said}");
    }
}

#[tokio::test]
async fn section_4_a_stored_error_never_stands_in_for_the_next_one() {
    let count = Arc::new(AtomicUsize::new(0));
    let origin = Origin::start(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        async move { response(503, &[("cache-control", "max-age=5, stale-if-error=60")], &n.to_string()) }
    })
    .await;
    for config in ["[unrouted]\nerrors = true\n", "[[route]]\npath = \"/x\"\nstatuses = { 503 = \"5s\" }\n"] {
        let node = Node::timed(origin.address, config);
        let first = node.client().get("/x").await;
        assert_eq!(node.client().get("/x").await.body, first.body, "it is stored");
        node.clock.advance(Duration::from_secs(10));
        let second = node.client().get("/x").await;
        assert_ne!(second.body, first.body, "{}", second.cache_status());
    }
}

#[tokio::test]
async fn section_4_an_answer_that_is_no_trouble_ends_what_was_stale() {
    let step = Arc::new(AtomicUsize::new(0));
    let origin = Origin::start(move |_| {
        let n = step.fetch_add(1, Ordering::SeqCst);
        async move {
            match n {
                0 => response(200, &[("cache-control", "max-age=5, stale-if-error=600")], "old"),
                1 => response(404, &[], "gone"),
                _ => response(503, &[], "broken"),
            }
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    assert_eq!(node.client().get("/x").await.status, 404);
    let broken = node.client().get("/x").await;
    assert_eq!((broken.status, broken.text()), (503, "broken"), "the old answer was gone when it last was asked for");
}

#[tokio::test]
async fn section_4_what_a_write_made_old_stands_in_for_nothing() {
    let (origin, broken) = failing("max-age=5, stale-if-error=600", Some(503)).await;
    for config in ["", ROUTE] {
        broken.store(false, Ordering::SeqCst);
        let node = Node::timed(origin, config);
        node.client().get("/x").await;
        node.client().put("/x", "{}").await;
        broken.store(true, Ordering::SeqCst);
        assert_eq!(node.client().get("/x").await.status, 503);
    }
}

#[tokio::test]
async fn section_4_a_part_of_what_is_stale_stands_in_too() {
    for dies in [false, true] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let origin = origin::raw(move |_, mut stream| {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                let control = "Cache-Control: max-age=5, stale-if-error=60\r\nConnection: close";
                if first {
                    say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{control}\r\nContent-Length: 10\r\n\r\n0123456789"))
                        .await;
                } else if !dies {
                    say(&mut stream, "HTTP/1.1 503 Down\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
                }
            }
        })
        .await;
        let node = Node::timed(origin, "");
        let client = node.client();
        client.get("/x").await;
        node.clock.advance(Duration::from_secs(10));
        for (range, status, body) in [("bytes=2-4", 206, "234"), ("bytes=0-1, 3-4", 200, "0123456789")] {
            let answer = client.get_with("/x", &[("range", range)]).await;
            assert_eq!((answer.status, answer.text(), answer.cache()), (status, body, "STALE"), "{range} {dies}");
        }
    }
}

// What the origin answers otherwise about is over, however oddly its path is spelt: it must not stand in for a failure.
#[tokio::test]
async fn a_stale_entry_that_the_origin_has_replaced_never_comes_back() {
    let status = Arc::new(AtomicU16::new(200));
    let says = Arc::clone(&status);
    let origin = Origin::start(move |_| {
        let status = says.load(Ordering::SeqCst);
        async move { response(status, &[], "x") }
    })
    .await;
    let node = Node::timed(origin.address, "[[route]]\npath = \"/n/{id}\"\nttl = \"1s\"\n");
    let client = node.client();
    for target in ["/n/7", "/n/007", "/n/0", "/n/a%20b", "/n/M%C3%BCller", "/n/%D9%A7"] {
        status.store(200, Ordering::SeqCst);
        client.fill(&[target]).await;
        node.clock.advance(Duration::from_secs(2));
        status.store(404, Ordering::SeqCst);
        assert_eq!(client.get(target).await.status, 404, "{target}");
        status.store(500, Ordering::SeqCst);
        assert_eq!(client.get(target).await.status, 500, "{target} came back");
    }
}
