//! Hosts: the names that clients know the proxy by are one, others are kept apart, and the origin sees what is in the key.

use std::net::SocketAddr;

use super::support::client::{Answer, raw};
use super::support::node::{Node, Process};
use super::support::origin::{Asked, Origin, json, response};
use super::support::redis::RedisServer;
use super::support::until;

const FRUIT: &str = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"10m\"\n";
const NAMED: &str = "[clients]\nhosts = [\"shop.example\", \"localhost:8080\"]\n";
/// With a route and without one.
const TARGETS: [&str; 2] = ["/fruit/1", "/unrouted"];

/// Answers with the Host that it sees, and the one that it is told of.
async fn telling() -> Origin {
    Origin::start(|asked: Asked| async move {
        let seen = |name| asked.field(name).unwrap_or("-").to_owned();
        response(200, &[("cache-control", "max-age=600")], &format!("{}|{}", seen("host"), seen("x-forwarded-host")))
    })
    .await
}

async fn get(node: &Node, target: &str, host: &str) -> Answer {
    node.client().get_with(target, &[("host", host)]).await
}

/// What the cache says of a GET with this Host, and what the origin had seen.
async fn seen(node: &Node, target: &str, host: &str) -> (String, String) {
    let answer = get(node, target, host).await;
    (answer.cache().to_owned(), answer.text().to_owned())
}

fn both(cache: &str, host: &str, told: &str) -> (String, String) {
    (cache.to_owned(), format!("{host}|{told}"))
}

/// What the origin is told of the host besides: on a route's fill nothing.
fn told<'h>(target: &str, host: &'h str) -> &'h str {
    if target == TARGETS[0] { "-" } else { host }
}

#[tokio::test]
async fn the_loopback_names_are_one_and_their_key_has_no_suffix() {
    let (origin, redis) = (telling().await, RedisServer::start());
    let node = Node::on(origin.address, &redis.url(), FRUIT);
    let port = node.address.port();
    let first = format!("127.0.0.1:{port}");
    until("the store answers", || async { get(&node, "/fruit/1", &first).await.cache() == "HIT" }).await;
    let asked = origin.count();
    let names = [format!("localhost:{port}"), format!("LocalHost:{port}"), format!("[::1]:{port}"), first.clone()];
    for target in TARGETS {
        let fill = seen(&node, target, &names[0]).await;
        assert_eq!(fill.1, format!("{first}|{}", told(target, &first)), "{target}");
        for name in &names {
            assert_eq!(seen(&node, target, name).await, both("HIT", &first, told(target, &first)), "{target} {name}");
        }
    }
    let mut keys = redis.command(&["KEYS", "*"]).texts();
    keys.retain(|key| !key.starts_with('{') && !key.starts_with("aside:"));
    keys.sort();
    assert_eq!(keys, ["/unrouted", "fruit:1"]);
    assert_eq!(origin.count() - asked, 1);
}

#[tokio::test]
async fn what_is_no_fill_carries_the_clients_own_host() {
    let origin = telling().await;
    let node = Node::start(origin.address, &format!("{NAMED}{FRUIT}"));
    for host in ["shop.example", "LOCALHOST:8080", "other.example"] {
        for (method, target, fields) in [
            ("PUT", "/fruit/1", &[][..]),
            ("POST", "/unrouted", &[]),
            ("OPTIONS", "/fruit/1", &[]),
            ("GET", "/fruit/1", &[("cookie", "a=b")]),
            ("HEAD", "/unrouted", &[]),
        ] {
            node.client().send(method, target, &[&[("host", host)], fields].concat(), "").await;
            let asked = origin.asked().pop().unwrap();
            assert_eq!((asked.field("host"), asked.field("x-forwarded-host")), (Some(host), Some(host)), "{method}");
        }
    }
}

#[tokio::test]
async fn with_a_list_other_hosts_pass_and_are_not_stored() {
    let origin = telling().await;
    let node = Node::start(origin.address, &format!("{NAMED}{FRUIT}"));
    for target in TARGETS {
        for host in ["shop.example", "SHOP.example:80", "localhost:8080"] {
            let cache = if host == "shop.example" { "MISS" } else { "HIT" };
            assert_eq!(seen(&node, target, host).await, both(cache, "shop.example", told(target, "shop.example")));
        }
        for host in ["shop.example:8080", "localhost", "Other.Example", "shop.example.", "shop.example:443"] {
            for _ in 0..2 {
                let passed = get(&node, target, host).await;
                assert_eq!((passed.cache(), passed.text()), ("BYPASS", format!("{host}|{host}").as_str()), "{target}");
                assert!(passed.cache_status().ends_with("detail=host-unknown"), "{}", passed.cache_status());
            }
        }
    }
}

#[tokio::test]
async fn without_a_list_other_hosts_are_kept_apart() {
    let origin = telling().await;
    let node = Node::start(origin.address, FRUIT);
    for target in TARGETS {
        for host in ["b.example", "a.example", "a.example:8080"] {
            assert_eq!(seen(&node, target, host).await, both("MISS", host, told(target, host)), "{target}");
        }
        for host in ["A.EXAMPLE", "a.example:80", "a.example"] {
            let hit = both("HIT", "a.example", told(target, "a.example"));
            assert_eq!(seen(&node, target, host).await, hit, "{target} {host}");
        }
        assert_eq!(seen(&node, target, "b.example").await, both("HIT", "b.example", told(target, "b.example")));
    }
}

#[tokio::test]
async fn made_up_hosts_put_nobody_out() {
    for target in TARGETS {
        let origin = Origin::start(|asked: Asked| async move {
            let host = asked.field("host").unwrap_or_default().to_owned();
            if host.starts_with("refused") {
                return response(400, &[], &host);
            }
            response(200, &[("cache-control", "max-age=600")], &host)
        })
        .await;
        let node = Node::start(origin.address, FRUIT);
        // What the origin refuses takes no place.
        for n in 0..40 {
            get(&node, target, &format!("refused{n}.example")).await;
        }
        get(&node, target, "early.example").await;
        for n in 0..100 {
            get(&node, target, &format!("made-up{n}.example")).await;
        }
        for (host, cache) in [
            ("early.example", "HIT"),
            ("made-up0.example", "HIT"),
            ("made-up30.example", "HIT"),
            ("made-up31.example", "BYPASS"),
            ("late.example", "BYPASS"),
        ] {
            let answer = get(&node, target, host).await;
            assert_eq!((answer.cache(), answer.text()), (cache, host), "{target}");
            assert_eq!(answer.cache_status().ends_with("detail=host-unknown"), cache == "BYPASS", "{host}");
        }
        let known = node.address.to_string();
        assert_eq!(seen(&node, target, &known).await, ("MISS".to_owned(), known.clone()));
        assert_eq!(seen(&node, target, &known).await, ("HIT".to_owned(), known));
    }
}

#[tokio::test]
async fn the_log_says_once_that_no_place_is_left() {
    let origin = telling().await;
    let process = Process::start(origin.address, "memory://", FRUIT).await;
    for n in 0..40 {
        process.client().get_with("/unrouted", &[("host", &format!("h{n}.example"))]).await;
    }
    process.says("those for `h32.example` and any further host are not").await;
    assert_eq!(process.log().matches("hosts = [").count(), 1, "{}", process.log());
}

/// An `@` of the client's makes nobody else's key.
#[tokio::test]
async fn no_path_and_no_query_imitates_a_host() {
    let origin = telling().await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/r/{*rest}\"\nttl = \"1h\"\n");
    let known = node.address.to_string();
    for (theirs, target) in [
        ("/a@evil.example", "/a"),
        ("/a@", "/a"),
        ("/a?x=@evil.example", "/a?x="),
        ("/a?x=@evil.example@", "/a?x=@evil.example"),
        ("/r/a@evil.example", "/r/a"),
        ("/r/a?x=@evil.example", "/r/a?x="),
        ("/r/a?x=@evil.example@", "/r/a?x=@evil.example"),
        ("/a@https://evil.example", "/a"),
    ] {
        for hosts in [[&known, "evil.example"], ["evil.example", &known]] {
            assert!(get(&node, theirs, hosts[0]).await.text().starts_with(&format!("{}|", hosts[0])), "{theirs}");
            assert!(get(&node, target, hosts[1]).await.text().starts_with(&format!("{}|", hosts[1])), "{target}");
        }
    }
}

#[tokio::test]
async fn a_write_drops_every_hosts_entries() {
    for (config, hosts) in
        [("", ["127.0.0.1", "a.example", "b.example"]), (NAMED, ["shop.example", "localhost:8080", "SHOP.EXAMPLE"])]
    {
        let origin = telling().await;
        let node = Node::start(origin.address, &format!("{config}{FRUIT}"));
        for target in TARGETS {
            for writer in hosts.iter().chain(&["a.example", "stranger.example"]) {
                for host in hosts {
                    get(&node, target, host).await;
                    assert_eq!(get(&node, target, host).await.cache(), "HIT", "{target} {host}");
                }
                node.client().send("PUT", target, &[("host", writer)], "{}").await;
                let mut after = Vec::new();
                for host in hosts {
                    after.push(get(&node, target, host).await.cache().to_owned());
                }
                let dropped = if config.is_empty() { ["MISS"; 3] } else { ["MISS", "HIT", "HIT"] };
                assert_eq!(after, dropped, "{target}, written by {writer}");
            }
        }
    }
}

/// The proxy's other names are the same app: a write whose answer points at one of them drops what it names.
#[tokio::test]
async fn a_write_that_names_another_known_host_drops_what_it_names() {
    let origin = Origin::start(|asked: Asked| async move {
        match asked.method.as_str() {
            "GET" => response(200, &[("cache-control", "max-age=600")], "x"),
            _ => response(201, &[("location", "http://shop.example/unrouted")], ""),
        }
    })
    .await;
    let node = Node::start(origin.address, NAMED);
    get(&node, "/unrouted", "shop.example").await;
    node.client().send("POST", "/elsewhere", &[("host", "localhost:8080")], "{}").await;
    assert_eq!(get(&node, "/unrouted", "shop.example").await.cache(), "MISS");
}

/// As web frameworks do it: a form is taken only from pages of the host that it is sent to, and links lead to the host that
/// was asked.
async fn framework() -> Origin {
    Origin::start(|asked: Asked| async move {
        let host = asked.field("host").unwrap_or_default().to_owned();
        if asked.method == "POST" {
            let here = format!("http://{host}");
            let of_page = |referer: &str| referer.starts_with(&format!("{here}/"));
            let trusted = asked.field("origin") == Some(&here) && asked.field("referer").is_some_and(of_page);
            return response(if trusted { 303 } else { 403 }, &[("location", &format!("{here}/fruit/1"))], "");
        }
        json(&format!("{{\"url\": \"http://{host}{}\", \"next\": \"http://{host}/fruit/2\"}}", asked.target))
    })
    .await
}

#[tokio::test]
async fn logins_and_links_work_without_a_line_of_configuration() {
    for config in ["", FRUIT] {
        let origin = framework().await;
        let node = Node::start(origin.address, config);
        let address = node.address.to_string();
        for host in [address.clone(), format!("localhost:{}", node.address.port()), "192.0.2.7:8080".to_owned()] {
            let page = format!("http://{host}");
            let fields = [("host", &*host), ("origin", &page), ("referer", &format!("{page}/login/"))];
            let answer = node.client().send("POST", "/login/", &fields, "user=a").await;
            assert_eq!((answer.status, answer.field("location")), (303, &*format!("{page}/fruit/1")), "{config}");
            let forged = [("host", &*host), ("origin", "http://evil.example"), ("referer", "http://evil.example/")];
            assert_eq!(node.client().send("POST", "/login/", &forged, "user=a").await.status, 403);
            let linked = if host.starts_with("localhost") { &address } else { &host };
            for _ in 0..2 {
                let links = get(&node, "/fruit/1", &host).await.json();
                assert_eq!(links["next"], format!("http://{linked}/fruit/2"), "{config}");
                assert!(linked.parse::<SocketAddr>().is_ok());
            }
        }
    }
}

/// Without a route a logged-in client's pages link to the host that its cookie is for, and are nobody else's unless a fill
/// would have been the same.
#[tokio::test]
async fn whoever_is_logged_in_stays_on_the_host_of_the_login() {
    let origin = Origin::start(|asked: Asked| async move {
        response(200, &[("cache-control", "public, max-age=600")], asked.field("host").unwrap_or_default())
    })
    .await;
    let node = Node::start(origin.address, NAMED);
    for (host, kept) in [("localhost:8080", false), ("SHOP.example", false), ("shop.example", true)] {
        let page = node.client().get_with("/page", &[("host", host), ("cookie", "session=1")]).await;
        assert_eq!((page.cache(), page.text()), ("MISS", host));
        assert_eq!(page.cache_status().ends_with("detail=cookie"), !kept, "{}", page.cache_status());
    }
    assert_eq!(seen(&node, "/page", "localhost:8080").await, ("HIT".to_owned(), "shop.example".to_owned()));
}

#[tokio::test]
async fn another_host_of_the_origins_leaves_a_routes_keys_as_they_are() {
    for (rule, sees) in [("origin", None), ("api.internal", Some("api.internal"))] {
        let origin = telling().await;
        let config = format!("[origin]\nurl = \"ORIGIN\"\nhost = \"{rule}\"\n{FRUIT}");
        let node = Node::start(origin.address, &config);
        let sees = sees.map_or_else(|| origin.address.to_string(), str::to_owned);
        for n in 0..40 {
            let cache = if n == 0 { "MISS" } else { "HIT" };
            assert_eq!(seen(&node, "/fruit/1", &format!("h{n}.example")).await, both(cache, &sees, "-"));
            let host = format!("h{n}.example");
            assert_eq!(seen(&node, "/unrouted", &host).await, both("MISS", &sees, &host));
            assert_eq!(seen(&node, "/unrouted", &host).await, both("HIT", &sees, &host));
        }
    }
}

#[tokio::test]
async fn parts_are_asked_for_as_fills_are() {
    let origin = Origin::start(|asked: Asked| async move {
        let kept = [("cache-control", "max-age=600"), ("etag", "\"1\""), ("content-range", "bytes 0-1/4")];
        response(206, &kept, &asked.field("host").unwrap_or_default()[..2])
    })
    .await;
    let node = Node::start(origin.address, NAMED);
    for (host, cache) in [("LOCALHOST:8080", "MISS"), ("shop.example", "HIT")] {
        let part = node.client().get_with("/x", &[("host", host), ("range", "bytes=0-1")]).await;
        assert_eq!((part.status, part.text(), part.cache()), (206, "sh", cache));
    }
}

/// A POST carries the client's own Host, so its answer is for all only if a fill's would have been the same.
#[tokio::test]
async fn an_answer_to_post_is_kept_where_it_saw_the_host_of_a_fill() {
    let origin = Origin::start(|asked: Asked| async move {
        let kept = [("cache-control", "max-age=600"), ("content-location", "/x")];
        response(200, &kept, asked.field("host").unwrap_or_default())
    })
    .await;
    let node = Node::start(origin.address, &format!("{NAMED}[unrouted]\npost = \"store\"\n"));
    for (host, cache) in [("localhost:8080", "MISS"), ("SHOP.EXAMPLE", "MISS"), ("shop.example", "HIT")] {
        node.client().send("POST", "/x", &[("host", host)], "{}").await;
        assert_eq!(seen(&node, "/x", "shop.example").await, (cache.to_owned(), "shop.example".to_owned()), "{host}");
    }
}

#[tokio::test]
async fn who_names_no_host_is_answered_as_the_known_names_are() {
    let origin = telling().await;
    let node = Node::start(origin.address, &format!("{NAMED}{FRUIT}"));
    for target in TARGETS {
        get(&node, target, "shop.example").await;
        let answer = raw(node.address, format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert!(answer.contains("x-cache: HIT") && answer.contains("shop.example|"), "{answer}");
    }
}

/// What a write policy leaves was made of no host, and is there for every one.
#[tokio::test]
async fn what_is_written_to_the_cache_is_read_by_every_host() {
    let origin =
        Origin::start(|asked: Asked| async move { response(if asked.method == "GET" { 404 } else { 200 }, &[], "") })
            .await;
    let orders = "[[route]]\npath = \"/orders/{order_id}\"\nkey = \"order:{order_id}\"\nttl = \"1h\"\n[route.write]\n\
                  request = \"POST /orders\"\nselect = { query = \"to\", default = \"a\", a = \"around\", c = \"cache\" }\n\
                  cache_by = \"anyone\"\nentry = '{body}'\nreply = { status = 201, json = '{\"status\": \"ok\"}' }\n";
    let node = Node::start(origin.address, orders);
    let write = |to: &'static str, host: &'static str| {
        let client = node.client();
        let fields = [("host", host), ("content-type", "application/json")];
        async move { client.send("POST", &format!("/orders?to={to}"), &fields, "{\"order_id\": 1}").await.status }
    };
    for writer in ["127.0.0.1:1", "a.example"] {
        assert_eq!(write("c", writer).await, 201);
        for host in [&node.address.to_string(), "a.example", "b.example"] {
            let read = get(&node, "/orders/1", host).await;
            assert_eq!((read.cache(), read.text()), ("HIT", "{\"order_id\": 1}"), "{writer} {host}");
        }
        assert_eq!(write("a", writer).await, 200);
        for host in [&node.address.to_string(), "a.example", "b.example"] {
            let read = get(&node, "/orders/1", host).await;
            assert!(read.cache_status().contains("write-around"), "{writer} {host}: {}", read.cache_status());
        }
    }
}
