//! Write policies: what their own writes drop, and what others drop of what they have left.

use aside::rules::{Tag, Write};

use super::written::{meet, stored_tags};
use super::{App, app, route, sent};

const POLICY: &str = "[route.write]\nrequest = \"POST /orders\"\npolicy = \"through\"";
const CACHE: &str = "[route.write]\nrequest = \"POST /orders\"\npolicy = \"cache\"\ncache_by = \"anyone\"\n\
                     entry = '{\"order\": {body}}'\nreply = { status = 201, json = '{}' }";

fn orders(lines: &str) -> App {
    app(&[route("/orders/{id}", lines), route("/shops/{id}", "")], "/orders/7 /orders/8 /shops/1 /shops/2")
}

const SHOPS: &str = "/shops/1 /shops/2";

#[test]
fn its_own_writes_drop_their_entry_and_every_other_route() {
    for lines in [POLICY, CACHE] {
        orders(lines).assert_each(&[
            (sent("POST /orders").json(r#"{"id": 7}"#), &format!("/orders/7 {SHOPS}")),
            (sent("POST /orders/").json(r#"{"id": 9}"#), SHOPS),
            (sent("POST /orders?id=8"), &format!("/orders/8 {SHOPS}")),
            // Whichever it was.
            (sent("POST /orders"), &format!("/orders/7 /orders/8 {SHOPS}")),
            (sent("POST /orders").json(r#"{"id": 7}"#).answered(404), ""),
        ]);
    }
}

#[test]
fn every_other_write_drops_what_the_origin_had_a_part_in() {
    for lines in [POLICY, CACHE] {
        let orders = orders(lines);
        for line in ["PUT /orders", "POST /shops", "POST /orders/7/lines", "DELETE /anything"] {
            orders.assert(&sent(line), &format!("/orders/7 /orders/8 {SHOPS}"));
        }
    }
}

/// What a write left in the cache alone, the origin has never seen.
#[test]
fn what_stands_in_the_cache_alone_goes_by_its_own_path_and_policy() {
    let orders = orders(CACHE);
    let fetched: Vec<Tag> = orders.routes.iter().flat_map(|route| route.fetched_tags("/orders/7", "")).collect();
    let left: Vec<Tag> =
        stored_tags(&orders.routes, "/orders/7").into_iter().filter(|tag| !fetched.contains(tag)).collect();
    assert!(!fetched.is_empty() && !left.is_empty());
    for (write, drops) in [
        (sent("POST /orders").json(r#"{"id": 7}"#), true),
        (sent("POST /orders").json(r#"{"id": 8}"#), false),
        (sent("PUT /orders/7"), true),
        (sent("PUT /orders/8"), false),
        (sent("POST /shops"), false),
    ] {
        assert_eq!(meet(&write.drops(&orders.routes), &left), drops, "{write:?}");
    }
}

/// A policy takes a write for what its request line says.
#[test]
fn of_a_write_that_may_be_another_it_says_nothing() {
    for lines in [POLICY, CACHE] {
        let orders = orders(lines);
        let speaks = |write: &Write<'_>| orders.routes.write_policy(write).is_some();
        let post = || sent("POST /orders").json(r#"{"id": 7}"#);
        assert!(post().with_write(speaks));
        for write in [
            post().with("x-http-method-override", "DELETE"),
            sent("POST /orders?_method=PUT").json(r#"{"id": 7}"#),
            sent("POST /orders").json(r#"{"id": 7, "_method": "PUT"}"#),
            sent("POST /orders").unread("application/json"),
            // Sent to something else, whatever it names besides.
            sent("POST /refunds").json(r#"{"id": 7}"#).with("destination", "/orders"),
        ] {
            assert!(!write.with_write(speaks), "{write:?}");
            orders.assert(&write, &format!("/orders/7 /orders/8 {SHOPS}"));
        }
    }
}

/// An origin may take it for a write that nobody has described.
#[test]
fn an_odd_spelling_of_its_request_drops_the_route_besides() {
    let orders = orders(POLICY);
    for line in ["POST //orders", "POST /Orders", "POST /orders;x", "POST /x/../orders", "POST /%6frders"] {
        orders.assert(&sent(line).json(r#"{"id": 7}"#), &format!("/orders/7 /orders/8 {SHOPS}"));
    }
}

#[test]
fn beside_a_list_the_policy_is_for_its_own_writes() {
    let orders = orders(&format!("invalidated_by = [\"POST /orders\", \"POST /import\"]\n{POLICY}"));
    orders.assert_each(&[
        (sent("POST /orders").json(r#"{"id": 7}"#), &format!("/orders/7 {SHOPS}")),
        (sent("POST /import"), &format!("/orders/7 /orders/8 {SHOPS}")),
        (sent("PUT /orders/8"), &format!("/orders/8 {SHOPS}")),
        (sent("POST /shops"), SHOPS),
    ]);
}
