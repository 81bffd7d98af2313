//! Each kind of unkeyed input against each kind of configuration: attacker first, victim first, and victim lured.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::kinds::{Kind, kinds, plain};
use super::mirror::{Freshness, Temper, mirror};
use super::support::node::Node;
use super::wire::ask;

/// What nobody but its owner may get to see.
const SECRET: &str = "s3cret";
const IDENTITY: &str = "Cookie: sid=s3cret\r\nAuthorization: Bearer s3cret\r\n";

const AT_ONCE: usize = 8;

/// The kinds that leak, of all there are.
async fn leaks(config: &str, freshness: Freshness) -> BTreeSet<String> {
    let mut leaks = BTreeSet::new();
    for temper in [Temper::Shows, Temper::Breaks] {
        let origin = mirror(freshness, temper).await;
        let node = Node::start(origin.address, config);
        let kinds = kinds();
        let numbered: Vec<(usize, &Kind)> = kinds.iter().enumerate().collect();
        // Some at a time, so that no limit on how long anything may take has a part in it.
        for some in numbered.chunks(AT_ONCE) {
            let tried = some.iter().map(|(n, kind)| tried(node.address, *n, kind));
            for ((_, kind), leak) in some.iter().zip(futures_util::future::join_all(tried).await) {
                if let Some(how) = leak {
                    println!("leak: {} ({temper:?}): {how}", kind.name);
                    leaks.insert(kind.name.clone());
                }
            }
        }
    }
    println!("{} kinds of unkeyed input, {} leaks", kinds().len(), leaks.len());
    leaks
}

/// How this kind reaches somebody else, if it does.
async fn tried(node: SocketAddr, n: usize, kind: &Kind) -> Option<String> {
    let path = format!("/first{n}");
    ask(node, &kind.request(&path, "")).await;
    let victim = ask(node, &plain(&path, "")).await;
    if let Some(how) = harmed(&victim, kind) {
        return Some(format!("attacker first: {how}"));
    }
    let path = format!("/second{n}");
    ask(node, &plain(&path, "")).await;
    ask(node, &kind.request(&path, "")).await;
    let victim = ask(node, &plain(&path, "")).await;
    if let Some(how) = harmed(&victim, kind) {
        return Some(format!("victim first: {how}"));
    }
    let path = format!("/lured{n}");
    ask(node, &kind.request(&path, &IDENTITY.replace("\r\n", "\n"))).await;
    for request in [kind.request(&path, ""), plain(&path, "")] {
        let attacker = ask(node, &request).await;
        if attacker.contains(SECRET) {
            return Some(format!("the attacker gets a victim's answer: {attacker}"));
        }
    }
    None
}

fn harmed(answer: &str, kind: &Kind) -> Option<String> {
    if !answer.starts_with("HTTP/1.1 200") {
        return Some(format!("not answered: {answer}"));
    }
    answer.replace("\\n", "\n").contains(&kind.bad).then(|| format!("answered with it: {answer}"))
}

macro_rules! no_leak {
    ($($name:ident, $freshness:expr, $config:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            assert_eq!(leaks($config, $freshness).await, BTreeSet::new());
        })*
    };
}

const KNOWN: &str = "[clients]\nhosts = [\"shop.example\", \"localhost\"]\n";
const ALL: &str = "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\n";

no_leak! {
    nothing_leaks_on_a_route, Freshness::Silent, ALL;
    nothing_leaks_where_the_query_is_listed, Freshness::Silent, &format!("{ALL}query = [\"page\"]\n");
    nothing_leaks_where_cookies_are_ignored, Freshness::Silent, &format!("{ALL}cookies = \"ignore\"\n");
    nothing_leaks_where_credentials_are_ignored, Freshness::Silent,
        &format!("{ALL}authorization = \"ignore\"\ncookies = \"ignore\"\nquery = [\"page\"]\nvary = []\n");
    nothing_leaks_where_credentials_are_keyed, Freshness::Silent,
        &format!("{ALL}authorization = \"key\"\ncookies = \"key\"\n");
    nothing_leaks_where_the_origin_sees_its_own_host, Freshness::Silent,
        &format!("[origin]\nurl = \"ORIGIN\"\nhost = \"origin\"\n{ALL}");
    nothing_leaks_where_the_host_is_known, Freshness::Silent, &format!("{KNOWN}{ALL}");
    nothing_leaks_where_the_host_is_unknown, Freshness::Silent,
        &format!("[clients]\nhosts = [\"other.example\"]\n{ALL}");
    nothing_leaks_where_a_route_keys_fields, Freshness::Silent,
        &format!("{ALL}vary = [\"User-Agent\", \"X-Locale\", \"Accept-Encoding\"]\n");
    nothing_leaks_where_answers_are_annotated, Freshness::Silent,
        &format!("{ALL}annotate = {{ field = \"from\", hit = \"cache\", miss = \"origin\" }}\n");
    nothing_leaks_where_errors_are_stored, Freshness::Silent,
        &format!("{ALL}query = [\"page\"]\nstatuses = {{ 200 = \"ttl\", 400 = \"1h\", 404 = \"1h\", 405 = \"1h\", 500 = \"1h\" }}\n");
    nothing_leaks_where_the_origin_overrides_and_is_overridden, Freshness::ForAll,
        &format!("{ALL}override_origin = true\n");
    nothing_leaks_on_a_route_behind_a_trusted_proxy, Freshness::Silent,
        &format!("[clients]\ntrusted_proxies = [\"127.0.0.1\"]\n{ALL}");
    nothing_leaks_without_a_route_where_the_origin_varies, Freshness::Varying, "";
    nothing_leaks_without_a_route_behind_a_trusted_proxy, Freshness::Varying,
        "[clients]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    nothing_leaks_without_a_route_where_the_origin_sees_its_own_host, Freshness::Varying,
        "[origin]\nurl = \"ORIGIN\"\nhost = \"origin\"\n";
    nothing_leaks_without_a_route_where_the_host_is_known, Freshness::Varying, KNOWN;
    nothing_leaks_without_a_route_where_all_fields_are_keyed, Freshness::ForAll, "[unrouted]\nvary = \"all\"\n";
    nothing_leaks_without_a_route_where_errors_are_stored, Freshness::Varying, "[unrouted]\nerrors = true\n";
}

/// Without a route the origin sees the client's own fields, and what it says without naming them in Vary is for all
/// (RFC 9111 section 4.1), unless `[unrouted] vary = "all"`. Nothing but those gets through, whatever such an origin shows.
#[tokio::test]
async fn without_a_route_only_a_clients_own_fields_reach_an_origin_that_keeps_them_secret() {
    let ordinary: BTreeSet<String> = kinds().into_iter().filter(|kind| kind.ordinary).map(|kind| kind.name).collect();
    let leaks = leaks("", Freshness::ForAll).await;
    assert_eq!(leaks.difference(&ordinary).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn there_are_many_kinds_and_each_once() {
    let names: BTreeSet<String> = kinds().into_iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds().len());
    assert!(names.len() >= 80, "{}", names.len());
}
