//! Proxies in front: what they say counts where they are trusted, and is in the key where an origin may see it.

use super::support::node::Node;
use super::support::origin::{Origin, response};

const TRUSTING: &str = "[clients]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n";
const ROUTE: &str = "[[route]]\npath = \"/r\"\nttl = \"1h\"\n";

/// Answers with what it is told of the client.
async fn told() -> Origin {
    Origin::start(|asked| async move {
        let names =
            ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-forwarded-user", "host"];
        let seen = names.map(|name| asked.field(name).unwrap_or("-").to_owned()).join("|");
        response(200, &[("cache-control", "max-age=600")], &seen)
    })
    .await
}

const SAID: [(&str, &str); 4] = [
    ("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.9"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "shop.example"),
    ("x-forwarded-user", "alice"),
];

#[tokio::test]
async fn a_trusted_proxys_client_is_the_client() {
    let origin = told().await;
    let node = Node::start(origin.address, TRUSTING);
    let answer = node.client().send("POST", "/x", &SAID, "").await;
    assert_eq!(answer.text(), "192.0.2.7|https|shop.example|-|alice|shop.example");
    let forwarded = [("forwarded", "for=6.6.6.6, for=192.0.2.7;proto=https;host=shop.example")];
    let answer = node.client().send("POST", "/x", &forwarded, "").await;
    assert_eq!(answer.text(), "192.0.2.7|https|shop.example|-|-|shop.example");
    let malformed = [("x-forwarded-for", "192.0.2.7, nonsense"), ("x-forwarded-proto", "gopher")];
    let answer = node.client().send("POST", "/x", &malformed, "").await;
    assert_eq!(answer.text(), format!("127.0.0.1|http|{0}|-|-|{0}", node.address));
}

#[tokio::test]
async fn a_strangers_word_reaches_the_origin_nowhere() {
    let origin = told().await;
    for config in ["", "[clients]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n"] {
        let node = Node::start(origin.address, config);
        let answer = node.client().send("POST", "/x", &SAID, "").await;
        assert_eq!(answer.text(), format!("127.0.0.1|http|{0}|-|-|{0}", node.address));
    }
}

#[tokio::test]
async fn whom_a_trusted_proxy_names_is_never_given_anothers_answer() {
    let origin = told().await;
    let node = Node::start(origin.address, &format!("{TRUSTING}{ROUTE}"));
    for target in ["/r", "/unrouted"] {
        for user in ["alice", "bob"] {
            let answer = node.client().get_with(target, &[("x-forwarded-user", user)]).await;
            assert!(answer.text().contains(user), "{target}: {}", answer.text());
        }
        assert!(!node.client().get(target).await.text().contains("alice"));
    }
}

/// An app that links to itself, or sends everybody to https, has two answers.
#[tokio::test]
async fn the_scheme_is_in_the_key_and_the_origin_is_told_it() {
    let origin = told().await;
    let node = Node::start(origin.address, &format!("{TRUSTING}{ROUTE}"));
    let client = node.client();
    for target in ["/r", "/unrouted", "/unrouted?x@https://y"] {
        for scheme in ["http", "https"] {
            let miss = client.get_with(target, &[("x-forwarded-proto", scheme)]).await;
            assert_eq!((miss.cache(), miss.text().split('|').nth(1)), ("MISS", Some(scheme)), "{target}");
        }
        for scheme in ["http", "https"] {
            let hit = client.get_with(target, &[("x-forwarded-proto", scheme)]).await;
            assert_eq!((hit.cache(), hit.text().split('|').nth(1)), ("HIT", Some(scheme)), "{target}");
        }
    }
    client.put("/r", "{}").await;
    for scheme in ["http", "https"] {
        assert_eq!(client.get_with("/r", &[("x-forwarded-proto", scheme)]).await.cache(), "MISS", "{scheme}");
    }
}

#[tokio::test]
async fn on_a_fill_for_a_route_the_origin_sees_no_address_and_no_host_that_is_not_keyed() {
    let origin = told().await;
    let node = Node::start(origin.address, &format!("{TRUSTING}{ROUTE}"));
    let said = [SAID[0], SAID[1], SAID[2]];
    let answer = node.client().get_with("/r", &said).await;
    assert_eq!(answer.text(), "-|https|-|-|-|shop.example");
    let node =
        Node::start(origin.address, &format!("[origin]\nurl = \"ORIGIN\"\nhost = \"origin\"\n{TRUSTING}{ROUTE}"));
    let answer = node.client().get_with("/r", &said).await;
    assert_eq!(answer.text(), format!("-|https|-|-|-|{}", origin.address));
}

#[tokio::test]
async fn a_trusted_proxys_host_is_the_clients_host_and_in_the_key() {
    let origin = told().await;
    let node = Node::start(origin.address, &format!("{TRUSTING}{ROUTE}"));
    for target in ["/r", "/unrouted"] {
        for host in ["a.example", "b.example"] {
            let miss = node.client().get_with(target, &[("x-forwarded-host", host)]).await;
            assert_eq!((miss.cache(), miss.text().rsplit('|').next()), ("MISS", Some(host)), "{target}");
        }
        let hit = node.client().get_with(target, &[("x-forwarded-host", "a.example")]).await;
        assert_eq!((hit.cache(), hit.text().rsplit('|').next()), ("HIT", Some("a.example")), "{target}");
    }
}

/// What a write stores is for all schemes, as nothing of it was shaped by one.
#[tokio::test]
async fn what_was_written_by_http_is_read_by_https() {
    let origin = Origin::counting().await;
    let config = format!(
        "{TRUSTING}[[route]]\npath = \"/orders/{{order_id}}\"\nttl = \"1h\"\n[route.write]\nrequest = \"POST /orders\"\n\
         policy = \"through\"\nentry = '{{\"order\": {{body}}}}'\n"
    );
    let node = Node::start(origin.address, &config);
    let client = node.client();
    client.get_with("/orders/1", &[("x-forwarded-proto", "https")]).await;
    client.post("/orders", "{\"order_id\": 1}").await;
    let read = client.get_with("/orders/1", &[("x-forwarded-proto", "https")]).await;
    assert_eq!((read.cache(), read.text()), ("HIT", "{\"order\": {\"order_id\": 1}}"));
}
