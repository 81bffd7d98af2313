//! An origin with several addresses: who is asked, what takes an address out of use, and what brings it back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::support::client::Answer;
use super::support::node::Node;
use super::support::origin::{self, Gate, Origin, json, nobody, response, say};
use super::support::until;

/// A node with a clock of its own in front of these addresses, and more of the `[origin]` table.
fn node(addresses: &[SocketAddr], more: &str) -> Node {
    let urls: Vec<String> = addresses.iter().map(|address| format!("\"http://{address}\"")).collect();
    Node::timed(addresses[0], &format!("[origin]\nurl = [{}]\nhost = \"origin\"\n{more}\n", urls.join(", ")))
}

/// Origins that answer with their own Host.
async fn naming() -> Origin {
    Origin::start(|asked| async move { response(200, &[], asked.field("host").unwrap()) }).await
}

/// An origin that can be killed with every connection to it.
async fn mortal() -> (Origin, tokio::runtime::Runtime) {
    let life = tokio::runtime::Runtime::new().unwrap();
    (life.spawn(naming()).await.unwrap(), life)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_address_is_asked_in_turn_and_sees_its_own_name() {
    let (one, other) = (naming().await, naming().await);
    let node = node(&[one.address, other.address], "");
    for _ in 0..10 {
        node.client().get("/x").await;
    }
    for origin in [&one, &other] {
        assert!(origin.count() > 0);
        assert!(origin.asked().iter().all(|asked| asked.field("host") == Some(&origin.address.to_string())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_loaded_address_is_asked() {
    let (busy, mut keeper) = Origin::gated(|| json("{}")).await;
    let free = naming().await;
    let node = node(&[busy.address, free.address], "");
    let mut held = Vec::new();
    while busy.count() == 0 {
        let client = node.client();
        held.push(tokio::spawn(async move { client.get("/held").await }));
        until("it is asked", || async { busy.count() + free.count() >= held.len() }).await;
    }
    keeper.arrived().await;
    for _ in 0..10 {
        assert_eq!(node.client().get("/x").await.text(), free.address.to_string());
    }
    keeper.let_go(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_dies_costs_no_request() {
    let (dying, life) = mortal().await;
    let living = naming().await;
    let node = node(&[dying.address, living.address], "");
    let client = node.client();
    for _ in 0..4 {
        client.get("/x").await;
    }
    life.shutdown_background();
    let before = living.count();
    for n in 0..40 {
        let method = if n % 2 == 0 { "GET" } else { "PUT" };
        let client = client.on_new_connections();
        // A write on a connection that was open when the address died has an outcome that nobody knows.
        let answer = client.send(method, "/x", &[], "{}").await;
        assert!(answer.status == 200 || (method == "PUT" && answer.status == 502 && n < 4), "{n}: {}", answer.text());
    }
    assert!(living.count() >= before + 38);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_moves_on_from_an_address_where_nobody_listens_with_all_of_its_body() {
    let living = Origin::start(|asked| async move { response(200, &[], &asked.body.len().to_string()) }).await;
    let (dead, _held) = nobody();
    let node = node(&[dead, living.address], "");
    for size in [0, 10, 300_000] {
        for _ in 0..3 {
            let answer = node.client().send("PUT", "/x", &[], &"x".repeat(size)).await;
            assert_eq!((answer.status, answer.text()), (200, size.to_string().as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_connection_breaks_is_asked_of_another_address_and_a_write_is_not() {
    let broken = origin::raw(|_, stream| async move { drop(stream) }).await;
    let living = naming().await;
    let node = node(&[broken, living.address], "");
    for _ in 0..4 {
        assert_eq!(node.client().get("/x").await.text(), living.address.to_string());
    }
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(node.client().put("/x", "{}").await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_comes_back_once_a_request_has_tried_it() {
    let (dead, held) = nobody();
    let living = naming().await;
    let node = node(&[dead, living.address], "");
    for _ in 0..20 {
        assert_eq!(node.client().get("/x").await.status, 200);
    }
    let _back = origin::raw_at(held.listen(100).unwrap(), |_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nback").await;
    });
    for _ in 0..10 {
        assert_eq!(node.client().get("/x").await.text(), living.address.to_string(), "left alone for a second");
    }
    node.clock.advance(Duration::from_secs(1));
    assert_eq!(node.client().get("/x").await.text(), "back");
    let texts: Vec<String> = [node.client().get("/x").await, node.client().get("/x").await]
        .iter()
        .map(|answer| answer.text().to_owned())
        .collect();
    assert!(texts.contains(&"back".to_owned()) && texts.contains(&living.address.to_string()), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_an_address_that_hangs_is_answered_by_another_one() {
    let hanging = origin::raw(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let living = naming().await;
    let more = "response_timeout = \"300ms\"\nconnect_timeout = \"300ms\"";
    let node = node(&[hanging, living.address], more);
    let failed = || async { node.client().put("/x", "{}").await.status == 504 };
    for _ in 0..5 {
        until("the hanging one is asked", failed).await;
    }
    node.clock.advance(Duration::from_secs(1));
    for _ in 0..3 {
        assert_eq!(node.client().get("/x").await.text(), living.address.to_string());
        node.clock.advance(Duration::from_secs(30));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_an_address_for_others_tries_no_second_one() {
    let living = naming().await;
    let dead = [nobody(), nobody(), nobody()];
    let node = node(&[dead[0].0, dead[1].0, dead[2].0, living.address], "");
    let text = living.address.to_string();
    for _ in 0..30 {
        node.client().get("/x").await;
    }
    for pause in [1, 2, 4, 8, 16] {
        node.clock.advance(Duration::from_secs(pause));
        for _ in 0..4 {
            let answer = node.client().get("/x").await;
            assert_eq!((answer.status, answer.text()), (200, text.as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_down_is_tried_by_one_and_everybody_else_hears_at_once_how_long_to_wait() {
    let (gate, mut keeper) = Gate::new();
    let (dead, held) = nobody();
    let node = node(&[dead], "");
    for _ in 1..=5 {
        assert_eq!(node.client().put("/x", "{}").await.status, 502);
    }
    let refused = |answer: &Answer| {
        assert_eq!((answer.status, answer.field("retry-after")), (503, "1"), "{}", answer.text());
        assert!(answer.cache_status().contains("detail=origin-down"), "{}", answer.cache_status());
    };
    for method in ["PUT", "GET"] {
        refused(&node.client().send(method, "/x", &[], "").await);
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    origin::raw_at(held.listen(100).unwrap(), move |_, mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        let gate = gate.clone();
        async move {
            gate.pass().await;
            say(&mut stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    node.clock.advance(Duration::from_secs(1));
    let client = node.client();
    let probe = tokio::spawn(async move { client.get("/probe").await });
    keeper.arrived().await;
    for _ in 0..10 {
        refused(&node.client().get("/y").await);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    keeper.let_go(100);
    assert_eq!(probe.await.unwrap().status, 200);
    assert_eq!(node.client().put("/x", "{}").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_only_address_that_breaks_off_one_thing_is_asked_for_the_others() {
    let origin = origin::raw(|head, mut stream| async move {
        if !head.starts_with("PUT /broken") {
            say(&mut stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    let node = node(&[origin], "");
    for _ in 0..8 {
        assert_eq!(node.client().put("/broken", "{}").await.status, 502);
    }
    assert_eq!(node.client().get("/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_answer_stands_in_for_an_origin_that_is_out_of_order() {
    let (dying, life) = mortal().await;
    let urls = format!("[origin]\nurl = \"http://{}\"\n", dying.address);
    let node =
        Node::timed(dying.address, &format!("{urls}[[route]]\npath = \"/x\"\nttl = \"10s\"\ninvalidated_by = []\n"));
    node.client().get("/x").await;
    life.shutdown_background();
    let failed = || async { node.client().put("/y", "{}").await.status == 503 };
    until("it is out of order", failed).await;
    node.clock.advance(Duration::from_millis(500));
    node.clock.advance(Duration::from_secs(60));
    assert_eq!(node.client().put("/y", "{}").await.status, 502, "the one who tries");
    let stale = node.client().get("/x").await;
    assert_eq!((stale.status, stale.cache()), (200, "STALE"), "{}", stale.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_endpoint_does_not_take_an_address_out_of_use() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked| {
        let gate = gate.clone();
        async move {
            if asked.path() == "/slow" {
                gate.pass().await;
            }
            json("{}")
        }
    })
    .await;
    let node = node(&[origin.address], "response_timeout = \"500ms\"");
    let client = node.client();
    for _ in 0..2 {
        let ask = || {
            let client = client.clone();
            tokio::spawn(async move { client.put("/slow", "{}").await })
        };
        let slow: Vec<_> = (0..8).map(|_| ask()).collect();
        for _ in 0..8 {
            keeper.arrived().await;
        }
        assert_eq!(client.get("/fast").await.status, 200);
        for asked in slow {
            assert_eq!(asked.await.unwrap().status, 504);
        }
        assert_eq!(client.get("/fast").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_hangs_altogether_is_left_alone() {
    let hanging = origin::raw(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let node = node(&[hanging], "response_timeout = \"200ms\"");
    for expected in [504, 504, 504, 504, 504, 503, 503] {
        assert_eq!(node.client().put("/x", "{}").await.status, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_its_health_check_is_not_asked_until_it_passes() {
    let ill = Arc::new(AtomicBool::new(true));
    let checked = {
        let ill = Arc::clone(&ill);
        Origin::start(move |asked| {
            let status = if asked.path() == "/health" && ill.load(Ordering::SeqCst) { 503 } else { 200 };
            async move { response(status, &[], asked.field("host").unwrap()) }
        })
        .await
    };
    let well = naming().await;
    let node = node(&[checked.address, well.address], "[origin.health]\npath = \"/health\"\ninterval = \"20ms\"");
    let client = node.client();
    let asked = |origin: &Origin| origin.asked().iter().filter(|asked| asked.path() == "/x").count();
    let avoided = || async {
        let before = asked(&checked);
        for _ in 0..4 {
            assert_eq!(client.get("/x").await.status, 200);
        }
        asked(&checked) == before
    };
    until("it is avoided", avoided).await;
    ill.store(false, Ordering::SeqCst);
    until("it is asked again", || async { !avoided().await }).await;
    let checks = well.asked().iter().filter(|asked| asked.path() == "/health").count();
    assert!(checks >= 2, "{checks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_brings_an_address_back_without_a_request_to_try_it() {
    let (dead, held) = nobody();
    let living = naming().await;
    let node = node(&[dead, living.address], "[origin.health]\npath = \"/\"\ninterval = \"20ms\"");
    let client = node.client();
    for _ in 0..20 {
        assert_eq!(client.get("/x").await.status, 200);
    }
    let _back = origin::raw_at(held.listen(100).unwrap(), |_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nback").await;
    });
    until("it is asked", || async { client.get("/x").await.text() == "back" }).await;
}
