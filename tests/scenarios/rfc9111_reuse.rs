//! Which stored answers a request is given (RFC 9111 sections 4 and 5.2.1), and which a write makes old (section 4.4).

use std::time::Duration;

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{Asked, Origin, response};

const ROUTE: &str = "[[route]]\npath = \"/x\"\nttl = \"1m\"\n";
const HONOURING: &str = "[[route]]\npath = \"/x\"\nttl = \"1m\"\nrequest_directives = \"honour\"\n";
const IGNORING: &str = "[unrouted]\nrequest_directives = \"ignore\"\n";

async fn lasting_a_minute() -> Origin {
    Origin::start(|_| async { response(200, &[("cache-control", "max-age=60")], "x") }).await
}

/// The Cache-Status of an answer of age `age` to a request that says this.
async fn status_of(config: &str, age: u64, said: &str) -> String {
    let origin = lasting_a_minute().await;
    let node = Node::timed(origin.address, config);
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(age));
    node.client().get_with("/x", &[("cache-control", said)]).await.cache_status().to_owned()
}

#[tokio::test]
async fn section_5_2_1_a_clients_limits_are_heard_without_a_route_and_on_a_route_by_choice() {
    const ASKED: &str = "aside; fwd=request; fwd-status=200; ttl=60; stored; detail=request-directive";
    const HIT: &str = "aside; hit; ttl=30";
    for (said, expected) in [
        ("max-age=30", HIT),
        ("max-age=29", ASKED),
        ("max-age=0", ASKED),
        ("max-age=x", ASKED),
        ("min-fresh=30", HIT),
        ("min-fresh=31", ASKED),
        ("no-cache", ASKED),
        ("no-store", HIT),
        ("max-stale=1", HIT),
        ("max-age=30, min-fresh=30, only-if-cached", HIT),
    ] {
        for config in ["", HONOURING] {
            assert_eq!(status_of(config, 30, said).await, expected, "{said} {config}");
        }
        for config in [IGNORING, ROUTE] {
            assert_eq!(status_of(config, 30, said).await, HIT, "{said} {config}");
        }
    }
}

#[tokio::test]
async fn section_5_2_1_2_a_client_gets_a_stale_answer_as_old_as_it_says() {
    const RENEWED: &str = "aside; fwd=stale; fwd-status=200; ttl=60; stored";
    const STALE: &str = "aside; hit; ttl=-10; detail=max-stale";
    for (said, expected) in
        [("max-stale", STALE), ("max-stale=10", STALE), ("max-stale=9", RENEWED), ("max-stale=x", RENEWED)]
    {
        assert_eq!(status_of("", 70, said).await, expected, "{said}");
        assert_eq!(status_of(IGNORING, 70, said).await, RENEWED, "{said}");
    }
    assert_eq!(status_of(ROUTE, 70, "max-stale").await, RENEWED);
}

#[tokio::test]
async fn section_5_2_1_7_a_client_that_wants_stored_answers_only_gets_one_or_504() {
    let origin = lasting_a_minute().await;
    let only = [("cache-control", "only-if-cached")];
    for config in ["", HONOURING] {
        let node = Node::timed(origin.address, config);
        let client = node.client();
        let asked = origin.count();
        assert_eq!(client.get_with("/x", &only).await.status, 504);
        assert_eq!(origin.count(), asked, "the origin is left alone");
        client.get("/x").await;
        assert_eq!(client.get_with("/x", &only).await.cache(), "HIT");
        node.clock.advance(Duration::from_secs(60));
        assert_eq!(client.get_with("/x", &only).await.status, 504, "a stale one is none");
    }
    assert_eq!(Node::timed(origin.address, ROUTE).client().get_with("/x", &only).await.status, 200);
}

/// An origin whose answers vary by these fields and count up.
async fn varying(vary: &'static str) -> Origin {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Origin::start(move |_: Asked| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string();
        async move { response(200, &[("cache-control", "max-age=60"), ("vary", vary)], &n) }
    })
    .await
}

/// Whether what was stored for a request with the field `left` answers one with `right`.
async fn meet(config: &str, name: &'static str, left: Option<&str>, right: Option<&str>) -> bool {
    let origin = varying(name).await;
    let node = Node::timed(origin.address, config);
    let ask = async |value: Option<&str>| {
        let fields: Vec<_> = value.map(|value| (name, value)).into_iter().collect();
        node.client().get_with("/x", &fields).await
    };
    ask(left).await;
    let answer = ask(right).await;
    let expected = if answer.cache() == "HIT" {
        "aside; hit; ttl=60"
    } else {
        "aside; fwd=vary-miss; fwd-status=200; ttl=60; stored"
    };
    assert_eq!(answer.cache_status(), expected);
    answer.cache() == "HIT"
}

#[tokio::test]
async fn section_4_1_a_nominated_field_has_to_say_the_same() {
    for (left, right, expected) in [
        (None, None, true),
        (Some("a"), None, false),
        (None, Some("a"), false),
        (None, Some(""), false),
        (Some("a"), Some("a"), true),
        (Some("a"), Some("A"), false),
        (Some("a, b"), Some("a,b"), true),
        (Some("a, b"), Some("b, a"), false),
    ] {
        assert_eq!(meet("", "x-own", left, right).await, expected, "{left:?} {right:?}");
    }
}

#[tokio::test]
async fn section_4_1_languages_are_compared_by_what_they_mean() {
    for (left, right, plain, any_order) in [
        ("de, en;q=0.5", "DE,en ; q=0.50", true, true),
        ("en;q=0.5, de", "de, en;q=0.5", true, true),
        ("de, en", "en, de", false, true),
        ("de", "de-AT", false, false),
        ("de;q=1", "de;q=0.9", false, false),
    ] {
        assert_eq!(meet("", "accept-language", Some(left), Some(right)).await, plain, "{left} {right}");
        let config = "[unrouted]\nany_order = true\n";
        assert_eq!(meet(config, "accept-language", Some(left), Some(right)).await, any_order, "{left} {right}");
    }
}

#[tokio::test]
async fn section_4_1_all_nominated_fields_count_and_no_others() {
    let origin = varying("x-one, X-Two").await;
    let node = Node::timed(origin.address, "");
    let ask = async |one, two, three| {
        let fields = [("x-one", one), ("x-two", two), ("x-three", three)];
        node.client().get_with("/x", &fields).await.text().to_owned()
    };
    assert_eq!(ask("1", "1", "1").await, "0");
    assert_eq!(ask("1", "1", "2").await, "0");
    assert_eq!(ask("1", "2", "1").await, "1");
    assert_eq!(ask("2", "1", "1").await, "2");
    assert_eq!(ask("1", "1", "3").await, "0", "the others have not taken its place");
}

async fn stored(client: &Client, target: &str) -> bool {
    client.get_with(target, &[("cache-control", "only-if-cached")]).await.cache() == "HIT"
}

#[tokio::test]
async fn section_4_4_every_method_that_is_not_known_to_be_safe_makes_its_target_old() {
    let origin = lasting_a_minute().await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    for (method, safe) in [
        ("PUT", false),
        ("POST", false),
        ("DELETE", false),
        ("PATCH", false),
        ("PURR", false),
        ("get", false),
        ("OPTIONS", true),
        ("HEAD", true),
    ] {
        client.get("/x").await;
        assert!(stored(&client, "/x").await);
        client.send(method, "/x", &[], "").await;
        assert_eq!(stored(&client, "/x").await, safe, "{method}");
    }
}

#[tokio::test]
async fn section_4_4_without_a_route_an_error_makes_nothing_old() {
    let origin = Origin::start(|asked| async move {
        match asked.field("x-status") {
            None => response(200, &[("cache-control", "max-age=60")], "x"),
            Some(status) => response(status.parse().unwrap(), &[("location", "/named")], ""),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    for (status, kept) in [("200", false), ("201", false), ("303", false), ("400", true), ("409", true), ("500", true)]
    {
        for target in ["/x?a=1", "/named"] {
            client.get(target).await;
        }
        client.send("POST", "/x?a=1", &[("x-status", status)], "{}").await;
        assert_eq!((stored(&client, "/x?a=1").await, stored(&client, "/named").await), (kept, kept), "{status}");
    }
}

#[tokio::test]
async fn section_4_4_what_an_answer_names_is_made_old_on_this_origin_only() {
    let origin = Origin::start(|asked| async move {
        match asked.field("x-name") {
            None => response(200, &[("cache-control", "max-age=60")], "x"),
            Some(named) => {
                let (field, uri) = named.split_once(' ').unwrap();
                response(200, &[(field, uri)], "")
            }
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let (client, here) = (node.client(), node.address);
    for (named, kept) in [
        ("location /named".to_owned(), false),
        ("content-location /named".to_owned(), false),
        (format!("location http://{here}/named"), false),
        (format!("location http://{}/named", origin.address), false),
        ("location http://other.example/named".to_owned(), true),
        ("content-location //other.example/named".to_owned(), true),
        ("location /nam%65d".to_owned(), false),
        ("location /unrelated".to_owned(), true),
        ("x-location /named".to_owned(), true),
    ] {
        client.get("/named").await;
        client.send("POST", "/x", &[("x-name", &named)], "{}").await;
        assert_eq!(stored(&client, "/named").await, kept, "{named}");
    }
}

// What one client's own words have brought about says nothing of what the others are given.
#[tokio::test]
async fn a_clients_own_words_drop_nothing_that_others_are_given() {
    let origin = Origin::start(|asked: Asked| async move {
        match asked.field("x-odd") {
            Some(_) => response(400, &[], "odd"),
            None => response(200, &[("cache-control", "max-age=60")], "x"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    for target in ["/x?a", "/x?b"] {
        client.get(target).await;
    }
    let odd = client.get_with("/x?a", &[("cache-control", "no-cache"), ("x-odd", "1")]).await;
    assert_eq!(odd.status, 400);
    client.get_with("/x?a", &[("cache-control", "no-cache, no-store")]).await;
    for target in ["/x?a", "/x?b"] {
        assert_eq!(client.get(target).await.cache(), "HIT", "{target}");
    }
}

#[tokio::test]
async fn section_5_2_1_7_only_if_cached_holds_where_nothing_may_be_looked_up_too() {
    let origin = lasting_a_minute().await;
    let node = Node::start(origin.address, HONOURING);
    for (target, field) in [("/a%2Fb", ("x-a", "1")), ("/y", ("if-match", "\"a\"")), ("/x", ("if-match", "\"a\""))] {
        let answer = node.client().get_with(target, &[("cache-control", "only-if-cached"), field]).await;
        assert_eq!(answer.status, 504, "{target}");
    }
    assert_eq!(origin.count(), 0);
    let off = Node::start(origin.address, "[unrouted]\ncache = false\n");
    assert_eq!(off.client().get_with("/y", &[("cache-control", "only-if-cached")]).await.status, 200);
}
