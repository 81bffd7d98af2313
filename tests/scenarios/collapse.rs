//! One fetch a key, however many ask.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use super::support::client::{Answer, Client};
use super::support::node::Node;
use super::support::origin::{Gate, Origin, json, response};

const ROUTE: &str = "[[route]]\npath = \"/x\"\nttl = \"1h\"\n";

/// So many clients that ask for the same at once.
fn ask(client: &Client, count: usize) -> Vec<tokio::task::JoinHandle<Answer>> {
    let one = || {
        let client = client.clone();
        tokio::spawn(async move { client.get("/x").await })
    };
    (0..count).map(|_| one()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_clients_on_a_cold_key_cost_one_request() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    let asking = ask(&client, 500);
    keeper.arrived().await;
    // Whoever is not connected yet finds the entry stored, or a fetch under way: both cost nothing.
    keeper.let_go(500);
    let mut collapsed = 0;
    for asked in asking {
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200);
        collapsed += usize::from(answer.cache_status().contains("collapsed"));
    }
    assert_eq!(origin.count(), 1);
    assert!(collapsed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_for_others_releases_everyone_at_once() {
    releases_everyone(|| response(200, &[("cache-control", "private")], "x"), ROUTE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_stored_and_never_fresh_releases_everyone_at_once() {
    for config in ["", ROUTE] {
        for answer in [
            || response(200, &[("cache-control", "no-cache"), ("etag", "\"a\"")], "x"),
            || response(200, &[("cache-control", "max-age=0"), ("etag", "\"a\"")], "x"),
        ] {
            let origin = releases_everyone(answer, config).await;
            // Each validates what the first one brought.
            assert!(origin.asked()[1..].iter().all(|asked| asked.field("if-none-match") == Some("\"a\"")));
        }
    }
}

async fn releases_everyone(answer: fn() -> Response<Full<Bytes>>, config: &str) -> Origin {
    let (origin, mut keeper) = Origin::gated(answer).await;
    let node = Node::start(origin.address, config);
    let client = node.client();
    let asking = ask(&client, 20);
    keeper.arrived().await;
    keeper.let_go(1);
    // All the others stand at the gate together: none waits for another's answer.
    for _ in 1..20 {
        keeper.arrived().await;
    }
    keeper.let_go(19);
    for asked in asking {
        assert_eq!(asked.await.unwrap().text(), "x");
    }
    assert_eq!(origin.count(), 20);
    origin
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_who_leaves_takes_nobodys_answer_along() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node = Node::start(origin.address, ROUTE);
    let first = {
        let client = node.client();
        tokio::spawn(async move { client.get("/x").await })
    };
    keeper.arrived().await;
    first.abort();
    let second = {
        let client = node.client();
        tokio::spawn(async move { client.get("/x").await })
    };
    keeper.let_go(2);
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_fails_is_asked_once_for_all() {
    let (gate, mut keeper) = Gate::new();
    let origin = super::support::origin::raw(move |_, stream| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            drop(stream);
        }
    })
    .await;
    let node = Node::start(origin, ROUTE);
    let client = node.client();
    let asking = ask(&client, 10);
    keeper.arrived().await;
    keeper.let_go(1000);
    for asked in asking {
        assert_eq!(asked.await.unwrap().status, 502);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_unshareable_once_is_waited_for_again_when_its_answers_can_be_shared() {
    let (gate, mut keeper) = Gate::new();
    let failed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let origin = Origin::start(move |_| {
        let (gate, first) = (gate.clone(), !failed.swap(true, std::sync::atomic::Ordering::SeqCst));
        async move {
            if first {
                return response(500, &[], "");
            }
            gate.pass().await;
            json("{}")
        }
    })
    .await;
    let node = Node::timed(origin.address, ROUTE);
    let client = node.client();
    assert_eq!(client.get("/x").await.status, 500);
    keeper.let_go(1);
    assert_eq!(client.get("/x").await.status, 200);
    keeper.arrived().await;
    node.clock.advance(std::time::Duration::from_secs(3601));
    let asking = ask(&client, 50);
    keeper.arrived().await;
    keeper.let_go(50);
    for asked in asking {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    assert_eq!(origin.count(), 3);
}

// RFC 9111 sections 5.2.1.4 and 5.2.1.5: such an answer is for the one who asked, and nobody else waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_nothing_stored_holds_up_nobody() {
    for said in ["no-store", "no-cache", "max-age=0"] {
        let (origin, mut keeper) = Origin::gated(|| response(200, &[("cache-control", "max-age=60")], "x")).await;
        let node = Node::start(origin.address, "");
        let client = node.client();
        let alone = {
            let client = client.clone();
            tokio::spawn(async move { client.get_with("/x", &[("cache-control", said)]).await })
        };
        keeper.arrived().await;
        let asking = ask(&client, 10);
        keeper.arrived().await;
        keeper.let_go(2);
        for asked in asking {
            assert_eq!(asked.await.unwrap().status, 200);
        }
        assert_eq!((alone.await.unwrap().status, origin.count()), (200, 2), "{said}");
    }
}

// RFC 9211 sections 2.2 and 2.4: what it was forwarded for is the follower's own, and the status is the origin's.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_validation_says_so() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked| {
        let gate = gate.clone();
        async move {
            let fields = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
            if asked.field("if-none-match").is_none() {
                return response(200, &fields, "x");
            }
            gate.pass().await;
            response(304, &fields, "")
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(std::time::Duration::from_secs(61));
    let asking = ask(&client, 100);
    keeper.arrived().await;
    keeper.let_go(1);
    let mut followed = 0;
    for asked in asking {
        let answer = asked.await.unwrap();
        if answer.cache_status().contains("collapsed") {
            assert_eq!(answer.cache_status(), "aside; fwd=stale; fwd-status=304; ttl=60; collapsed");
            followed += 1;
        }
    }
    assert_eq!(origin.count(), 2);
    assert!(followed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_one_that_met_trouble_gets_what_is_stale_and_the_origins_status() {
    let (gate, mut keeper) = Gate::new();
    let first = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let origin = Origin::start(move |_| {
        let (gate, first) = (gate.clone(), first.swap(false, std::sync::atomic::Ordering::SeqCst));
        async move {
            if first {
                return response(200, &[("cache-control", "max-age=60, stale-if-error=60")], "x");
            }
            gate.pass().await;
            response(503, &[], "down")
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(std::time::Duration::from_secs(70));
    let asking = ask(&client, 100);
    keeper.arrived().await;
    keeper.let_go(100);
    for asked in asking {
        let answer = asked.await.unwrap();
        let said = answer.cache_status().replace("; collapsed", "");
        assert_eq!(
            (answer.text(), said.as_str()),
            ("x", "aside; fwd=stale; fwd-status=503; ttl=-10; detail=stale-if-error")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_the_origin_after_all_has_whichever_answer_comes_first() {
    let (origin, mut keeper) = Origin::gated(|| response(200, &[("cache-control", "max-age=60")], "x")).await;
    let node = Node::start(origin.address, "");
    let asking = ask(&node.client(), 2);
    // The second one's patience is over, where no route speaks.
    keeper.arrived().await;
    keeper.arrived().await;
    // The first one's answer is for both.
    keeper.let_go(1);
    let mut followed = 0;
    for asked in asking {
        let answer = asked.await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, "x"));
        followed += usize::from(answer.cache_status().contains("collapsed"));
    }
    assert_eq!((followed, origin.count()), (1, 2));
    keeper.let_go(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_hangs_keeps_nobody_else_from_an_answer() {
    let first = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |_| {
        let (gate, first) = (gate.clone(), first.swap(false, std::sync::atomic::Ordering::SeqCst));
        async move {
            if first {
                gate.pass().await;
            }
            response(200, &[("cache-control", "max-age=60")], "x")
        }
    })
    .await;
    let node = Node::start(origin.address, "");
    let hanging = ask(&node.client(), 1);
    keeper.arrived().await;
    for asked in ask(&node.client(), 100) {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    keeper.let_go(1);
    for asked in hanging {
        assert_eq!(asked.await.unwrap().status, 200);
    }
}
