//! Paths that two servers read differently: never a hit for another resource, and never a write that drops too little.

use percent_encoding::percent_decode_str;

use super::support::node::Node;
use super::support::origin::{Origin, response};
use super::wire::ask;

/// How an origin gets from a request's path to a resource.
type Reading = fn(&str) -> String;

fn as_wsgi(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn without_parameters(path: &str) -> String {
    let decoded = as_wsgi(path);
    decoded.split('/').map(|segment| segment.split(';').next().unwrap()).collect::<Vec<_>>().join("/")
}

fn resolved(path: &str) -> String {
    let decoded = as_wsgi(path).replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

fn decoded_twice(path: &str) -> String {
    resolved(&as_wsgi(path))
}

fn loose(path: &str) -> String {
    let decoded = resolved(path).to_lowercase();
    decoded.split(['\0', '?', '#', ';', '\n', '\r']).next().unwrap().trim_end_matches(['.', ' ', '/']).to_owned()
}

/// The first segment is the resource, and what follows it is an argument.
fn by_prefix(path: &str) -> String {
    loose(path).split('/').take(2).collect::<Vec<_>>().join("/")
}

const READINGS: [(&str, Reading); 6] = [
    ("as WSGI does", as_wsgi),
    ("without parameters", without_parameters),
    ("with dots resolved", resolved),
    ("decoded twice", decoded_twice),
    ("loosely", loose),
    ("by prefix", by_prefix),
];

/// Paths with more than one reading: forwarded, never looked up.
const AMBIGUOUS: &[&str] = &[
    "//account",
    "/account//x.css",
    "/./account",
    "/account/.",
    "/x/../account",
    "/account/..",
    "/x/..%2faccount",
    "/x%2f..%2faccount",
    "/static%2f..%2faccount",
    "/static/..%2Faccount.css",
    "/%2e/account",
    "/x/%2e%2e/account",
    "/x/%2E%2E/account",
    "/x/.%2e/account",
    "/account%2Fx.css",
    "/account%2fx.css",
    "/account;x.css",
    "/account;/x.css",
    "/account%3Bx.css",
    "/account%3bx.css",
    "/account%0ax.css",
    "/account%0Ax.css",
    "/account%0d%0ax.css",
    "/account%00x.css",
    "/account%09x.css",
    "/account%7Fx.css",
    "/account%3Fx.css",
    "/account%3fx.css",
    "/account%23x.css",
    "/account%5Cx.css",
    "/account%5cx.css",
    "/account%25x.css",
    "/account%252Fx.css",
    "/account%252e%252e",
    "/%61ccount",
    "/acc%6Funt",
    "/acc%6funt",
    "/account%2Ecss",
    "/account%7Ex.css",
    "/account%c0%afx.css",
    "/account%C0%AFx.css",
    "/account%FF.css",
    "/account%e0%80%afx.css",
    "/account%",
    "/account%2",
    "/account%zz.css",
    "/account%u002fx.css",
    "/account\\x.css",
    "/account\"x.css",
    "/account{x}.css",
];

/// Paths with one reading, each of a resource of its own, whatever they look like.
const PLAIN: &[&str] = &[
    "/account",
    "/account/",
    "/account.",
    "/account.css",
    "/account..css",
    "/account/x.css",
    "/account/avatar.js",
    "/Account",
    "/ACCOUNT",
    "/account%20",
    "/account%20.css",
    "/account,x.css",
    "/account:x.css",
    "/account@x.css",
    "/account!x.css",
    "/account$x.css",
    "/account&x.css",
    "/account=x.css",
    "/account+x.css",
    "/account*x.css",
    "/account~x.css",
    "/account'x.css",
    "/account|x.css",
    "/caf%C3%A9",
    "/caf%c3%a9",
    "/caf%c3%A9",
];

async fn origin(reading: Reading) -> Origin {
    Origin::start(move |asked| async move {
        response(200, &[("cache-control", "max-age=600")], &format!("[{}]", reading(asked.path())))
    })
    .await
}

async fn get(node: &Node, path: &str) -> String {
    ask(node.address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await
}

const ROUTE: &str = "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\n";

#[tokio::test]
async fn no_path_is_answered_with_another_ones_resource() {
    for (how, reading) in READINGS {
        for config in [ROUTE, ""] {
            let origin = origin(reading).await;
            let node = Node::start(origin.address, config);
            for round in 0..2 {
                for path in PLAIN.iter().chain(AMBIGUOUS) {
                    let answer = get(&node, path).await;
                    if answer.starts_with("HTTP/1.1 400") {
                        continue;
                    }
                    assert!(
                        answer.ends_with(&format!("[{}]", reading(path))),
                        "{how}, round {round}, {path}: {answer}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_path_with_several_readings_goes_past_the_cache_and_says_why() {
    let origin = origin(as_wsgi).await;
    for config in [ROUTE, ""] {
        let node = Node::start(origin.address, config);
        for path in AMBIGUOUS {
            for _ in 0..2 {
                let answer = get(&node, path).await;
                let told = answer.contains("fwd=bypass") && answer.contains("detail=path-ambiguous");
                assert!(told || answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
            }
        }
        for path in PLAIN {
            get(&node, path).await;
            assert!(get(&node, path).await.contains("x-cache: HIT"), "{path}");
        }
    }
}

/// How a write may be spelt that some origin takes for one to `/fruit/1`.
const SPELT: &[&str] = &[
    "/fruit/1",
    "/fruit/1/",
    "/fruit/1?x=y",
    "/fruit%2F1",
    "/fruit%2f1",
    "/fruit/%31",
    "/%66ruit/1",
    "/%66%72%75%69%74%2F%31",
    "//fruit/1",
    "/fruit//1",
    "///fruit///1",
    "/./fruit/1",
    "/fruit/./1",
    "/%2e/fruit/1",
    "/x/../fruit/1",
    "/x/%2e%2e/fruit/1",
    "/x%2f..%2ffruit/1",
    "/../fruit/1",
    "/fruit/1;x",
    "/fruit/1;x=y/",
    "/fruit;v=1/1",
    "/fruit/1%3Bx",
    "/x/..;/fruit/1",
    "/x;/../fruit/1",
    "/fruit%5C1",
    "/fruit\\1",
    "/FRUIT/1",
    "/fruit/01",
    "/fruit/1%20",
    "/fruit/%2B1",
    "/fruit/1%00",
    "/fruit/1%00.png",
    "/fruit/1%3Fx",
    "/fruit/1%23x",
    "/fruit/%2531",
    "/fruit%252F1",
    "http://x/fruit/1",
    "http://x//fruit/%31;y",
    "https://x/fruit%2F1",
    "HTTP://X/fruit/1",
];

#[tokio::test]
async fn a_write_drops_whatever_an_origin_may_take_it_for() {
    let listed = "[[route]]\npath = \"/fruit/{id}\"\nttl = \"1h\"\ninvalidated_by = [\"PUT /fruit/{id}\"]\n";
    let by_default = "[[route]]\npath = \"/fruit/{id}\"\nttl = \"1h\"\n";
    let origin = Origin::start(|_| async { response(200, &[("cache-control", "max-age=600")], "x") }).await;
    for config in [listed, by_default, ""] {
        let node = Node::start(origin.address, config);
        for target in SPELT {
            get(&node, "/fruit/1").await;
            assert!(get(&node, "/fruit/1").await.contains("x-cache: HIT"), "before {target}");
            let write = format!("PUT {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            let written = ask(node.address, write.as_bytes()).await;
            assert!(written.starts_with("HTTP/1.1 200"), "{target}: {written}");
            let after = get(&node, "/fruit/1").await;
            assert!(after.contains("x-cache: MISS"), "{target} with {config:?}: {after}");
        }
    }
}

// What is listed is sent on as `%` and two digits a byte: up to three times as long as it came.
#[tokio::test]
async fn a_query_that_is_too_long_once_it_is_written_anew_shapes_no_stored_answer() {
    let origin = Origin::counting().await;
    let limits = "[limits]\nheader = \"128KiB\"\ntarget = \"60KiB\"\n";
    let config = format!("{limits}[[route]]\npath = \"/x\"\nquery = [\"a\"]\nkey = \"x:{{a}}\"\nttl = \"1h\"\n");
    let node = Node::start(origin.address, &config);
    let (client, long) = (node.client(), "-".repeat(30_000));
    for (target, cache) in [(format!("/x?a={long}&m4rk"), "BYPASS"), (format!("/x?a={long}"), "BYPASS")] {
        assert_eq!(client.get(&target).await.cache(), cache);
    }
}
