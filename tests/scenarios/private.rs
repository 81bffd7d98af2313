//! Never one user's answer for another.

use super::support::node::Node;
use super::support::origin::{Origin, response};

const ROUTE: &str = "[[route]]\npath = \"/me\"\nttl = \"1h\"\n";

/// Answers with whatever identity it sees.
async fn whoami() -> Origin {
    Origin::start(|asked| async move {
        let identity = ["authorization", "cookie", "x-api-key", "x-forwarded-for", "user-agent"]
            .map(|name| asked.field(name).unwrap_or("-").to_owned())
            .join("|");
        response(200, &[], &identity)
    })
    .await
}

#[tokio::test]
async fn a_request_with_a_credential_is_neither_looked_up_nor_stored() {
    let origin = whoami().await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    client.get("/me").await;
    for (name, detail) in [("authorization", "authorization"), ("cookie", "cookie"), ("x-api-key", "credential")] {
        let alice = client.get_with("/me", &[(name, "alice")]).await;
        assert_eq!(alice.cache(), "BYPASS", "{name}");
        assert!(alice.cache_status().ends_with(&format!("detail={detail}")), "{}", alice.cache_status());
        assert!(alice.text().contains("alice"));
    }
    let anonymous = client.get("/me").await;
    assert_eq!((anonymous.cache(), anonymous.text().contains("alice")), ("HIT", false));
}

#[tokio::test]
async fn keyed_credentials_have_an_entry_each() {
    let origin = whoami().await;
    let node = Node::start(
        origin.address,
        "[[route]]\npath = \"/me\"\nttl = \"1h\"\nauthorization = \"key\"\ncookies = \"key\"\n",
    );
    let client = node.client();
    for who in ["alice", "bob"] {
        let miss = client.get_with("/me", &[("authorization", who), ("cookie", who)]).await;
        assert_eq!(miss.cache(), "MISS");
    }
    for who in ["alice", "bob"] {
        let hit = client.get_with("/me", &[("authorization", who), ("cookie", who)]).await;
        assert_eq!(
            (hit.cache(), hit.text()),
            ("HIT", format!("{who}|{who}|-|-|{}", hit.text().rsplit('|').next().unwrap()).as_str())
        );
    }
}

#[tokio::test]
async fn an_ignored_cookie_never_reaches_the_origin_on_a_fill() {
    let origin = whoami().await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/me\"\nttl = \"1h\"\ncookies = \"ignore\"\n");
    let miss = node.client().get_with("/me", &[("cookie", "alice")]).await;
    assert_eq!((miss.cache(), miss.text().contains("alice")), ("MISS", false));
}

#[tokio::test]
async fn what_the_origin_calls_private_is_not_stored() {
    for (name, value, detail) in [
        ("cache-control", "no-store", "no-store"),
        ("cache-control", "private", "private"),
        ("set-cookie", "session=1", "set-cookie"),
        ("vary", "accept, *", "vary-any"),
    ] {
        let origin = Origin::start(move |_| async move { response(200, &[(name, value)], "x") }).await;
        let node = Node::start(origin.address, ROUTE);
        node.client().get("/me").await;
        let again = node.client().get("/me").await;
        assert_eq!(again.cache(), "MISS", "{name}: {value}");
        assert!(again.cache_status().ends_with(&format!("detail={detail}")), "{}", again.cache_status());
    }
}

#[tokio::test]
async fn a_fill_shows_the_origin_only_what_is_in_the_key() {
    let origin = Origin::counting().await;
    let node =
        Node::start(origin.address, "[[route]]\npath = \"/active\"\nquery = [\"country\", \"city\"]\nttl = \"1h\"\n");
    let fields = [
        ("x-forwarded-host", "evil"),
        ("x-forwarded-for", "1.2.3.4"),
        ("user-agent", "evil"),
        ("referer", "evil"),
        ("x-original-url", "/admin"),
        ("accept-encoding", "gzip"),
        ("accept-language", "es"),
        ("x-anything", "evil"),
    ];
    node.client().get_with("/active?utm=evil&city=Managua&country=NI", &fields).await;
    let asked = origin.asked().remove(0);
    assert_eq!(asked.target, "/active?country=NI&city=Managua");
    let mut seen: Vec<String> = asked.fields.keys().map(ToString::to_string).collect();
    seen.sort();
    assert_eq!(
        seen,
        ["accept", "accept-encoding", "accept-language", "host", "user-agent", "via", "x-forwarded-proto"]
    );
    assert!(!format!("{:?}", asked.fields).contains("evil"));
    assert_eq!(asked.field("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn without_a_route_a_credential_is_answered_from_the_cache_only_if_the_answer_is_public() {
    let origin = Origin::start(|asked| async move {
        let control = if asked.path() == "/public" { "public, max-age=60" } else { "max-age=60" };
        response(200, &[("cache-control", control)], asked.field("cookie").unwrap_or("nobody"))
    })
    .await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    client.get("/shared").await;
    assert_eq!(client.get("/shared").await.cache(), "HIT");
    let alice = client.get_with("/shared", &[("cookie", "alice")]).await;
    assert_eq!(alice.text(), "alice");
    assert_eq!(client.get("/shared").await.text(), "nobody");
    client.get("/public").await;
    assert_eq!(client.get_with("/public", &[("cookie", "alice")]).await.cache(), "HIT");
}

/// A GET with this Host, on a connection of its own.
async fn with_host(node: &Node, target: &str, host: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    super::support::client::raw(node.address, request.as_bytes()).await
}

#[tokio::test]
async fn without_a_route_a_clients_host_shapes_nobody_elses_answer() {
    let origin = Origin::start(|asked| async move {
        let host = asked.field("x-forwarded-host").unwrap_or("-").to_owned();
        response(200, &[("cache-control", "max-age=60")], &format!("<a href=//{host}/>"))
    })
    .await;
    let node = Node::start(origin.address, "");
    assert!(with_host(&node, "/", "evil.example").await.contains("evil.example"));
    let victim = with_host(&node, "/", "good.example").await;
    assert!(victim.contains("good.example") && !victim.contains("evil"), "{victim}");
    assert!(with_host(&node, "/", "good.example").await.contains("x-cache: HIT"));
}

#[tokio::test]
async fn without_a_route_an_answer_for_one_origins_scripts_is_not_given_to_anothers() {
    let origin = Origin::start(|asked| async move {
        let allowed = asked.field("origin").unwrap_or("https://none.example").to_owned();
        response(200, &[("cache-control", "max-age=60"), ("access-control-allow-origin", &allowed)], "x")
    })
    .await;
    let node = Node::start(origin.address, "");
    for site in ["https://a.example", "https://b.example"] {
        let answer = node.client().get_with("/x", &[("origin", site)]).await;
        assert_eq!((answer.cache(), answer.field("access-control-allow-origin")), ("MISS", site));
    }
}

#[tokio::test]
async fn an_answer_whose_connection_field_hides_that_it_is_private_is_not_stored() {
    for (name, value) in [("cache-control", "private"), ("set-cookie", "a=b"), ("vary", "*")] {
        let origin =
            Origin::start(move |_| async move { response(200, &[("connection", name), (name, value)], "x") }).await;
        let node = Node::start(origin.address, ROUTE);
        node.client().get("/me").await;
        assert_eq!(node.client().get("/me").await.cache(), "MISS", "{name}");
    }
}

#[tokio::test]
async fn a_keyed_user_agent_is_the_one_that_the_origin_sees() {
    let origin = whoami().await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/me\"\nttl = \"1h\"\nvary = [\"User-Agent\"]\n");
    for agent in ["mobile", "desktop"] {
        assert!(node.client().get_with("/me", &[("user-agent", agent)]).await.text().ends_with(agent));
    }
}

#[tokio::test]
async fn a_cookie_that_comes_with_a_304_is_for_that_client_alone() {
    let origin = Origin::start(|asked| async move {
        match asked.field("if-none-match") {
            Some(_) => response(304, &[("etag", "\"a\""), ("set-cookie", "s=1")], ""),
            None => response(200, &[("etag", "\"a\""), ("cache-control", "max-age=5")], "x"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    node.clock.advance(std::time::Duration::from_secs(10));
    let renewed = node.client().get("/x").await;
    assert_eq!((renewed.status, renewed.text(), renewed.field("set-cookie")), (200, "x", "s=1"));
    let hit = node.client().get("/x").await;
    assert_eq!((hit.cache(), hit.field("set-cookie")), ("HIT", ""));
}
