//! What a route keeps from the origin although answers vary by it, a `ttl` that the origin's own word defeats, and a
//! WebSocket that no key allows: each is told once a route, and where a client is concerned, to that client.

use super::support::client::{Client, raw};
use super::support::node::{Node, Process};
use super::support::origin::{Asked, Origin, response};
use super::support::redis::RedisServer;
use super::support::{connected, origin};

const PAGES: &str = "[limits]\ncores = 2\n[[route]]\npath = \"/a/{id}\"\nttl = \"1h\"\n\
                     [[route]]\npath = \"/b/{id}\"\nttl = \"1h\"\n";
const HTMX: &[(&str, &str)] = &[("hx-request", "true")];

/// Every answer says that it varies by these.
async fn varying(by: &'static str) -> Origin {
    Origin::start(move |_| async move { response(200, &[("vary", by), ("content-type", "text/plain")], "page") }).await
}

/// How many lines of a log have this text.
fn lines(node: &Process, text: &str) -> usize {
    node.log().lines().filter(|line| line.contains(text)).count()
}

/// Asks for these at the same time, each on a connection of its own, so that all cores are asked.
async fn all_at_once(client: &Client, targets: impl Iterator<Item = String>, fields: &'static [(&str, &str)]) {
    let asking: Vec<_> = targets
        .map(|target| {
            let client = client.on_new_connections();
            tokio::spawn(async move { client.get_with(&target, fields).await.status })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn what_vary_names_and_a_route_withholds_is_in_the_log_once_a_route_whichever_core_meets_it() {
    let origin = varying("HX-Request, Accept, Origin, User-Agent").await;
    let mut node = Process::start(origin.address, "memory://", PAGES).await;
    for _ in 0..2 {
        all_at_once(&node.client(), (0..100).map(|n| format!("/a/{}", n % 50)), HTMX).await;
    }
    node.client().get("/b/1").await;
    assert_eq!(node.stop().await, Some(0));
    for route in ["/a/{id}", "/b/{id}"] {
        let told =
            format!("the answers of {route} vary by hx-request, user-agent, which the route keeps from the origin");
        assert_eq!(lines(&node, &told), 1, "{}", node.log());
    }
    let advice = "set `vary = [\"accept\", \"accept-language\", \"hx-request\", \"user-agent\"]` in it";
    assert_eq!((lines(&node, "which the route keeps"), lines(&node, advice)), (2, 2), "{}", node.log());
}

#[tokio::test]
async fn a_client_that_sent_what_was_withheld_is_told_on_misses_and_hits_and_others_are_not() {
    let origin = varying("HX-Request").await;
    let node = Node::start(origin.address, PAGES);
    let client = node.client();
    for (fields, cache) in [(HTMX, "MISS"), (HTMX, "HIT"), (&[], "HIT"), (&[("hx-boosted", "true")], "HIT")] {
        let answer = client.get_with("/a/1", fields).await;
        assert_eq!(answer.cache(), cache);
        let withheld = answer.cache_status().ends_with("; detail=vary-withheld");
        assert_eq!(withheld, fields == HTMX, "{}", answer.cache_status());
    }
    assert!(!client.get("/b/1").await.cache_status().contains("detail="));
    assert_eq!(client.send("HEAD", "/a/1", HTMX, "").await.cache_status().matches("vary-withheld").count(), 1);
    let known = [HTMX[0], ("if-none-match", "*")];
    let answer = client.get_with("/a/1", &known).await;
    assert_eq!((answer.status, answer.cache_status().contains("vary-withheld")), (304, true));
    assert!(origin.asked().iter().all(|asked| asked.field("hx-request").is_none()));
    // Where no route speaks the origin sees the field, and its answers are kept apart.
    assert!(!client.get_with("/elsewhere", HTMX).await.cache_status().contains("vary-withheld"));
}

#[tokio::test]
async fn an_answer_that_comes_in_pieces_and_one_that_is_confirmed_say_so_too() {
    let address = origin::raw(|head, mut stream| async move {
        let answer = if head.to_lowercase().contains("if-none-match") {
            "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nVary: HX-Request\r\nConnection: close\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nVary: HX-Request\r\nCache-Control: no-cache\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n"
        };
        origin::say(&mut stream, answer).await;
    })
    .await;
    let node = Node::start(address, PAGES);
    let first = node.client().get_with("/a/1", HTMX).await;
    assert_eq!(first.cache_status(), "aside; fwd=uri-miss; fwd-status=200; detail=vary-withheld");
    for method in ["GET", "HEAD"] {
        let confirmed = node.client().send(method, "/a/1", HTMX, "").await;
        let status = confirmed.cache_status();
        assert!(status.contains("fwd=stale") && status.contains("vary-withheld"), "{method} {status}");
        assert!(!node.client().send(method, "/a/1", &[], "").await.cache_status().contains("detail="));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_waited_for_a_strangers_request_is_told_as_well() {
    let (origin, mut keeper) = Origin::gated(|| response(200, &[("vary", "HX-Request")], "page")).await;
    let node = Node::start(origin.address, PAGES);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let client = node.client();
            tokio::spawn(async move { client.get_with("/a/1", HTMX).await })
        })
        .collect();
    keeper.arrived().await;
    keeper.let_go(20);
    for asked in asking {
        let answer = asked.await.unwrap();
        assert!(answer.cache_status().ends_with("; detail=vary-withheld"), "{}", answer.cache_status());
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn another_reason_goes_first() {
    let origin = varying("HX-Request").await;
    let node = Node::start(origin.address, PAGES);
    let client = node.client();
    client.get("/a/1").await;
    client.put("/a/1", "{}").await;
    for detail in ["invalidated", "vary-withheld"] {
        let answer = client.get_with("/a/1", HTMX).await;
        assert!(answer.cache_status().ends_with(&format!("; detail={detail}")), "{}", answer.cache_status());
    }
}

#[tokio::test]
async fn a_process_that_finds_such_answers_in_redis_tells_of_them_at_the_first_hit() {
    let (redis, origin) = (RedisServer::start(), varying("HX-Request").await);
    for (round, cache) in ["MISS", "HIT"].into_iter().enumerate() {
        let mut node = Process::start(origin.address, &redis.url(), PAGES).await;
        connected(&node.client()).await;
        for _ in 0..3 {
            let answer = node.client().get_with("/a/1", HTMX).await;
            assert!(answer.cache_status().contains("vary-withheld"), "{}", answer.cache_status());
            assert!(answer.cache() == "HIT" || answer.cache() == cache, "{}", answer.cache());
        }
        assert_eq!(node.stop().await, Some(0));
        assert_eq!(lines(&node, "the answers of /a/{id} vary by hx-request"), 1, "{round}: {}", node.log());
    }
}

#[tokio::test]
async fn a_cookie_that_is_ignored_is_withheld_and_one_that_is_keyed_or_goes_past_is_not() {
    let origin = varying("Cookie, Authorization, Accept-Encoding, Access-Control-Request-Method").await;
    let routes = ["bypass", "ignore", "key"].map(|what| {
        format!("[[route]]\npath = \"/{what}\"\nttl = \"1h\"\ncookies = \"{what}\"\nauthorization = \"{what}\"\n")
    });
    let mut node = Process::start(origin.address, "memory://", &routes.concat()).await;
    for (path, told) in [("/bypass", false), ("/ignore", true), ("/key", false)] {
        for fields in [[("cookie", "a=b")], [("authorization", "Basic eA==")]] {
            for _ in 0..2 {
                let answer = node.client().get_with(path, &fields).await;
                assert_eq!(answer.cache_status().contains("vary-withheld"), told, "{path}: {}", answer.cache_status());
            }
        }
        assert!(!node.client().get(path).await.cache_status().contains("detail="));
    }
    assert_eq!(node.stop().await, Some(0));
    let told = "the answers of /ignore vary by authorization, cookie, which";
    assert_eq!((lines(&node, told), lines(&node, "which the route keeps")), (1, 1), "{}", node.log());
    for key in ["set `cookies = \"key\"` in place of \"ignore\"", "set `authorization = \"key\"` in place of"] {
        assert_eq!(lines(&node, key), 1, "{}", node.log());
    }
    assert_eq!(lines(&node, "vary = ["), 0, "{}", node.log());
}

/// Answers `/no-cache` with `Cache-Control: no-cache`, and so on; `/expires` is over already.
async fn saying_its_own() -> Origin {
    Origin::start(|asked: Asked| async move {
        let word = asked.path()[1..].split('/').next().unwrap().to_owned();
        let said = if word == "expires" { ("expires", "0") } else { ("cache-control", &*word) };
        response(200, &[said, ("etag", "\"1\"")], "x")
    })
    .await
}

#[tokio::test]
async fn a_ttl_that_the_origin_defeats_is_in_the_log_once_a_route() {
    let origin = saying_its_own().await;
    let defeated = [
        ("no-cache", "no-cache"),
        ("max-age=0", "max-age=0"),
        ("s-maxage=0", "s-maxage=0"),
        ("expires", "Expires in the past"),
    ];
    let kept = ["no-cache,no-store", "private,max-age=0", "max-age=60", "public"];
    let route = |word: &str| format!("[[route]]\npath = \"/{word}/{{id}}\"\nttl = \"1h\"\n");
    let words = defeated.iter().map(|(word, _)| *word).chain(kept);
    let overriding = format!("{}override_origin = true\n", route("max-age=0,public"));
    let config = format!("[limits]\ncores = 2\n{}{overriding}", words.map(route).collect::<String>());
    let mut node = Process::start(origin.address, "memory://", &config).await;
    for (word, _) in defeated {
        all_at_once(&node.client(), (0..25).map(|n| format!("/{word}/{}", n % 5)), &[]).await;
    }
    for word in kept.into_iter().chain(["max-age=0,public"]) {
        node.client().get(&format!("/{word}/1")).await;
    }
    assert_eq!(node.client().get("/no-cache/1").await.cache(), "MISS");
    assert_eq!(node.client().get("/max-age=0,public/1").await.cache(), "HIT");
    assert_eq!(node.stop().await, Some(0));
    for (word, told) in defeated {
        let told = format!("the origin sends `{told}` with answers of /{word}/{{id}}, which overrides");
        assert_eq!(lines(&node, &told), 1, "{told}: {}", node.log());
    }
    assert_eq!(lines(&node, "with `override_origin = true`"), defeated.len(), "{}", node.log());
}

const HANDSHAKE: &str = "HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn a_web_socket_that_no_key_allows_is_in_the_log_once_a_route_and_once_for_all_other_paths() {
    let origin = Origin::counting().await;
    let routes =
        "[[route]]\npath = \"/off\"\nttl = \"1h\"\nupgrade = false\n[[route]]\npath = \"/on\"\nupgrade = true\n";
    let mut node = Process::start(origin.address, "memory://", &format!("{PAGES}{routes}")).await;
    let plain = ["/a/1", "/a/2", "/b/1", "/off", "/x", "/y", "/on"];
    let asking = plain.iter().cycle().take(100).map(|path| {
        let (address, request) = (node.address, format!("GET {path} {HANDSHAKE}"));
        tokio::spawn(async move { raw(address, request.as_bytes()).await })
    });
    for asked in asking.collect::<Vec<_>>() {
        let answer = asked.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(node.stop().await, Some(0));
    for (shown, table) in [
        ("/a/{id}", "this route or [origin]"),
        ("/b/{id}", "this route or [origin]"),
        ("/off", "this route"),
        ("paths without a route", "[origin]"),
    ] {
        let told = format!("a client asked for a WebSocket on {shown} and was answered as if it had not, since no key");
        let told = node.log().lines().filter(|line| line.contains(&told)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(told.len(), 1, "{shown}: {}", node.log());
        assert!(told[0].contains(&format!("set `upgrade = true` in {table} if the origin")), "{}", told[0]);
    }
    assert_eq!(lines(&node, "asked for a WebSocket"), 4, "{}", node.log());
}
