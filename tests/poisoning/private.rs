//! Never one user's answer for another, on any of the ways by which an answer may get into the store or out of it.

use std::time::Duration;

use super::fields::TELLING;
use super::support::node::Node;
use super::support::origin::{Gate, Origin, response};

/// What says that an answer is for one user or for nobody.
const PRIVATE: [(&str, &str); 9] = [
    ("cache-control", "private"),
    ("cache-control", "Private=\"x-user\""),
    ("cache-control", "no-store"),
    ("cache-control", "max-age=60, NO-STORE"),
    ("cache-control", "public, private"),
    ("set-cookie", "sid=1"),
    ("vary", "*"),
    ("vary", "accept, *"),
    ("vary", "(unreadable)"),
];

const ROUTES: [&str; 4] = [
    "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\n",
    "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\ncookies = \"ignore\"\nauthorization = \"ignore\"\noverride_origin = true\n",
    "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\nannotate = { field = \"f\", hit = 1, miss = 0 }\n",
    "",
];

/// The field, beside an explicit lifetime.
fn fresh(private: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    vec![("cache-control", "max-age=600"), private]
}

#[tokio::test]
async fn a_private_answer_is_never_stored() {
    for private in PRIVATE {
        let origin = Origin::start(move |_| async move { response(200, &fresh(private), "{}") }).await;
        for config in ROUTES {
            let node = Node::start(origin.address, config);
            for _ in 0..3 {
                let answer = node.client().get("/x").await;
                assert_ne!(answer.cache(), "HIT", "{private:?} with {config}");
                assert!(!answer.cache_status().contains("stored"), "{}", answer.cache_status());
            }
        }
    }
}

#[tokio::test]
async fn a_private_error_is_never_stored() {
    let config =
        "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\nstatuses = { 200 = \"ttl\", 404 = \"1h\", 500 = \"1h\" }\n";
    for private in PRIVATE {
        let origin =
            Origin::start(move |asked| async move { response(asked.query_status(), &fresh(private), "{}") }).await;
        let node = Node::start(origin.address, config);
        for target in ["/x?404", "/x?500"] {
            node.client().get(target).await;
            assert_ne!(node.client().get(target).await.cache(), "HIT", "{private:?} {target}");
        }
    }
}

/// What was for all is stored; then a 304 says that it is private, and after that the origin fails.
#[tokio::test]
async fn a_304_that_says_private_ends_what_is_stored() {
    for private in PRIVATE.into_iter().filter(|(name, _)| *name != "set-cookie") {
        let origin = Origin::start(move |asked| async move {
            match (asked.field("if-none-match"), asked.field("accept")) {
                (_, Some("break/it")) => response(500, &[], ""),
                (Some(_), _) => response(304, &[("etag", "\"a\""), private], ""),
                _ => response(200, &[("etag", "\"a\""), ("cache-control", "max-age=5, stale-if-error=600")], "first"),
            }
        })
        .await;
        for config in ["[[route]]\npath = \"/x\"\nvary = []\n", ""] {
            let node = Node::timed(origin.address, config);
            node.client().get("/x").await;
            node.clock.advance(Duration::from_secs(10));
            let renewed = node.client().get("/x").await;
            assert!(!renewed.cache_status().contains("stored"), "{private:?}: {}", renewed.cache_status());
            let asked_before = origin.count();
            let later = node.client().get("/x").await;
            assert_eq!(later.cache(), "MISS", "{private:?} with {config:?}: {}", later.cache_status());
            assert_eq!(origin.asked()[asked_before].field("if-none-match"), None, "nothing is left to be validated");
        }
    }
}

#[tokio::test]
async fn a_stale_answer_is_not_served_over_an_error_to_whom_it_was_never_for() {
    let origin = Origin::start(|asked| async move {
        match asked.field("cookie") {
            Some(_) => response(500, &[], "broken"),
            None => response(200, &[("cache-control", "max-age=5, stale-if-error=600")], "everybody's"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    let alice = node.client().get_with("/x", &[("cookie", "sid=1")]).await;
    assert_eq!((alice.status, alice.text()), (500, "broken"));
}

#[tokio::test]
async fn those_who_waited_for_a_private_answer_get_their_own() {
    for private in [("set-cookie", "sid=1"), ("cache-control", "private"), ("vary", "*")] {
        let (gate, mut keeper) = Gate::new();
        let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let origin = Origin::start(move |_| {
            let (gate, count) = (gate.clone(), std::sync::Arc::clone(&count));
            async move {
                let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                gate.pass().await;
                response(200, &[("cache-control", "max-age=600"), private], &n.to_string())
            }
        })
        .await;
        let node = Node::start(origin.address, ROUTES[0]);
        let asking: Vec<_> = (0..5)
            .map(|_| {
                let client = node.client();
                tokio::spawn(async move { client.get("/x").await.text().to_owned() })
            })
            .collect();
        keeper.arrived().await;
        keeper.let_go(5);
        let mut answers = Vec::new();
        for asked in asking {
            answers.push(asked.await.unwrap());
        }
        answers.sort();
        assert_eq!(answers, ["0", "1", "2", "3", "4"], "{private:?}");
    }
}

/// An origin that shows who asks, for all to keep.
async fn whoami(control: &'static str) -> Origin {
    Origin::start(
        move |asked| async move { response(200, &[("cache-control", control)], &format!("{:?}", asked.fields)) },
    )
    .await
}

/// Fields by which a user is told, on a route and without.
#[tokio::test]
async fn whatever_tells_users_apart_goes_past_the_cache() {
    let told = TELLING
        .iter()
        .filter(|line| !line.starts_with("If-") && !line.starts_with("Range") && !line.starts_with("Origin"));
    let origin = whoami("max-age=600").await;
    for config in ["[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\n", ""] {
        let node = Node::start(origin.address, config);
        for (n, line) in told.clone().enumerate() {
            let (name, value) = line.split_once(": ").unwrap();
            let target = format!("/x{n}");
            node.client().get(&target).await;
            let own = node.client().get_with(&target, &[(name, value)]).await;
            assert!(own.text().contains("m4rk"), "{line} with {config:?}: {}", own.cache_status());
            assert_eq!(own.cache(), "BYPASS", "{line}: {}", own.cache_status());
            assert!(!own.cache_status().contains("stored"), "{line}: {}", own.cache_status());
            let others = node.client().get(&target).await;
            assert_eq!((others.cache(), others.text().contains("m4rk")), ("HIT", false), "{line}");
        }
    }
}

/// Two requests whose credentials differ in any way, so that their answers must not be shared.
#[tokio::test]
async fn keyed_identities_never_collide() {
    let identities: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![("cookie", "")],
        vec![("authorization", "")],
        vec![("cookie", "a")],
        vec![("cookie", "A")],
        vec![("cookie", "a=1")],
        vec![("cookie", "a=1;b=2")],
        vec![("cookie", "b=2; a=1")],
        vec![("cookie", "a=1, b=2")],
        vec![("cookie", "a=1authorization:1:x")],
        vec![("authorization", "a")],
        vec![("authorization", "cookie:1:a")],
        vec![("authorization", "a"), ("cookie", "b")],
        vec![("authorization", "b"), ("cookie", "a")],
        vec![("authorization", "ab")],
        vec![("authorization", "a"), ("authorization", "b")],
        vec![("authorization", "b"), ("authorization", "a")],
        vec![("authorization", "a, b, c")],
        vec![("x-api-key", "a")],
        vec![("x-auth-token", "a")],
        vec![("x-api-key", "a"), ("x-auth-token", "b")],
        vec![("x-api-key", "b"), ("x-auth-token", "a")],
        vec![("x-api-key", "a"), ("cookie", "a")],
    ];
    let origin = whoami("max-age=600").await;
    let node = Node::start(
        origin.address,
        "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\nauthorization = \"key\"\ncookies = \"key\"\n",
    );
    for identity in &identities {
        let answer = node.client().get_with("/me", identity).await;
        assert_eq!(answer.cache(), "MISS", "{identity:?} got an answer for somebody else");
    }
    for identity in &identities {
        assert_eq!(node.client().get_with("/me", identity).await.cache(), "HIT", "{identity:?}");
    }
}

/// What several lines say is what the origin sees in one: the key and the fill agree.
#[tokio::test]
async fn a_credential_in_several_lines_reaches_the_origin_as_it_is_keyed() {
    let origin = whoami("max-age=600").await;
    let node = Node::start(
        origin.address,
        "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\nauthorization = \"key\"\ncookies = \"key\"\n",
    );
    let lines = [("cookie", "a=1"), ("cookie", "b=2"), ("authorization", "x"), ("authorization", "y")];
    node.client().get_with("/me", &lines).await;
    let asked = origin.asked().remove(0);
    assert_eq!((asked.field("cookie"), asked.field("authorization")), (Some("a=1; b=2"), Some("x, y")));
    assert_eq!(asked.fields.get_all("cookie").iter().count(), 1);
}

/// The template of a write policy shows what was written; a user's write is shown to others as the origin shows it.
#[tokio::test]
async fn what_a_user_writes_is_not_kept_for_everybody_as_it_was_written() {
    let origin = Origin::start(|asked| async move {
        let body = if asked.method == "GET" { "{\"order\": \"what all may see\"}" } else { "{}" };
        response(200, &[("content-type", "application/json")], body)
    })
    .await;
    let config = "[[route]]\npath = \"/orders/{order_id}\"\nttl = \"1h\"\n[route.write]\nrequest = \"POST /orders\"\n\
        policy = \"through\"\nentry = '{\"order\": {body}}'\n";
    let node = Node::start(origin.address, config);
    let order = "{\"order_id\": 1, \"card\": \"4711\"}";
    for credential in ["authorization", "cookie", "x-api-key"] {
        node.client().send("POST", "/orders", &[(credential, "alice")], order).await;
        let read = node.client().get("/orders/1").await;
        assert!(read.text().contains("what all may see"), "{credential}: {}", read.text());
    }
    node.client().post("/orders", order).await;
    assert!(node.client().get("/orders/1").await.text().contains("4711"), "nobody's own: as the template says");
}

/// Flask-CORS and its like: an allowed site is named in the answer, with `Vary: Origin` or, as many do, without.
async fn cors(vary: bool, always: bool) -> Origin {
    Origin::start(move |asked| async move {
        let site = asked.field("origin").map(ToOwned::to_owned);
        let mut fields = vec![("cache-control", "max-age=600")];
        match &site {
            Some(site) => {
                fields.push(("access-control-allow-origin", site));
                if vary {
                    fields.push(("vary", "Origin"));
                }
            }
            None if always => fields.push(("access-control-allow-origin", "*")),
            None => {}
        }
        response(200, &fields, "{}")
    })
    .await
}

#[tokio::test]
async fn each_sites_scripts_get_the_answer_that_allows_them() {
    for (vary, always) in [(true, true), (true, false), (false, true), (false, false)] {
        let origin = cors(vary, always).await;
        for config in ["[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\n", ""] {
            let node = Node::start(origin.address, config);
            let client = node.client();
            client.get("/x").await;
            for round in ["MISS", "HIT"] {
                for site in ["https://a.example", "https://b.example", "null"] {
                    let answer = client.get_with("/x", &[("origin", site)]).await;
                    assert_eq!(
                        (answer.cache(), answer.field("access-control-allow-origin")),
                        (round, site),
                        "vary {vary}, always {always}, {config:?}"
                    );
                }
            }
            let without = client.get("/x").await;
            let allowed = if always { "*" } else { "" };
            assert_eq!((without.cache(), without.field("access-control-allow-origin")), ("HIT", allowed));
        }
    }
}

/// Coded content whose origin forgot to say that it varies.
#[tokio::test]
async fn content_in_a_coding_is_not_for_those_who_did_not_ask_for_it() {
    let origin = Origin::start(|asked| async move {
        match asked.field("accept-encoding") {
            Some(coding @ ("gzip" | "br")) => {
                let coding = coding.to_owned();
                response(200, &[("cache-control", "max-age=600"), ("content-encoding", &coding)], &coding)
            }
            _ => response(200, &[("cache-control", "max-age=600")], "plain"),
        }
    })
    .await;
    let node = Node::start(origin.address, "");
    for asked in ["gzip", "br", "", "gzip", "br", "", "br"] {
        let answer = node.client().get_with("/x", &[("accept-encoding", asked)]).await;
        assert!(["plain", asked].contains(&answer.text()), "{} to one who asked for {asked:?}", answer.text());
    }
}

/// What an origin answers to one odd request, with a lifetime and not a word in Vary.
#[tokio::test]
async fn an_error_that_one_odd_request_causes_is_nobody_elses() {
    for status in [400, 401, 403, 406, 408, 413, 415, 417, 421, 429, 431, 500, 502, 503, 504] {
        let origin = Origin::start(move |asked| async move {
            let status = if asked.field("x-odd").is_some() { status } else { 200 };
            response(status, &[("cache-control", "public, max-age=600")], "")
        })
        .await;
        for (config, others) in [("", 200), ("[unrouted]\nerrors = true\n", status)] {
            let node = Node::start(origin.address, config);
            assert_eq!(node.client().get_with("/x", &[("x-odd", "1")]).await.status, status);
            assert_eq!(node.client().get("/x").await.status, others, "{status} with {config:?}");
        }
    }
}

/// For an origin whose Vary is not to be relied on.
#[tokio::test]
async fn where_all_fields_are_keyed_those_who_send_the_same_share_an_answer() {
    let origin = whoami("public, max-age=600").await;
    let node = Node::start(origin.address, "[unrouted]\nvary = \"all\"\n");
    for (round, agent) in [("MISS", "a"), ("MISS", "b"), ("HIT", "a"), ("HIT", "b")] {
        let answer = node.client().get_with("/x", &[("user-agent", agent), ("accept", "a/b")]).await;
        assert_eq!(answer.cache(), round, "{agent}");
    }
    let tagged =
        node.client().get_with("/x", &[("accept", "a/b"), ("user-agent", "a"), ("if-none-match", "\"z\"")]).await;
    assert_eq!(tagged.cache(), "HIT", "a condition is answered from the store");
}
