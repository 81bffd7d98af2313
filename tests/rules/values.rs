//! How a write tells a value: by its path, its query, its JSON body; and what it drops where it does not tell, or where
//! backends could read what it tells in different ways.

use serde_json::json;

use super::{ALL, App, Sent, app, route, sent, write};

const SHOPS: &str = "/active?country=NI&city=leon /active?country=NI&city=granada /active?country=CR&city=leon";
const LEON: &str = "/active?country=NI&city=leon";

fn active() -> App {
    let lines = "query = [\"country\", \"city\"]\nkey = \"{country}-{city}\"\ninvalidated_by = [\"PUT /active\"]";
    app(&[route("/active", lines)], SHOPS)
}

fn put(query: &str) -> Sent {
    sent(&format!("PUT /active{query}"))
}

const TOLD: &str = r#"{"country": "NI", "city": "leon"}"#;

#[test]
fn query_and_body_tell_it_and_may_not_differ() {
    active().assert_each(&[
        (put("?country=NI&city=leon"), LEON),
        (put("").json(TOLD), LEON),
        (put("?country=NI").json(r#"{"city": "leon"}"#), LEON),
        (put("?country=NI&city=leon").json(TOLD), LEON),
        (put("?country=NI&city=leon").json("{}"), LEON),
        (put("?country=ni&city=Le%C3%B3n").json("{}"), LEON),
        (put("?country=NI&city=granada").json(TOLD), ALL),
        // The same to many, and who knows which of the two is read.
        (put("?country=NI&city=Leon").json(TOLD), ALL),
        (put("?country=NI"), ALL),
        (put(""), ALL),
        (put("?country=NI&city=leon&city=granada"), ALL),
        (put("?country=NI&city=leon&city=leon"), ALL),
        (put("?country=NI&city=paris").json("{}"), ""),
    ]);
}

#[test]
fn a_body_that_is_not_understood_may_say_otherwise() {
    let query = "?country=NI&city=leon";
    let utf16: Vec<u8> = TOLD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        put(query).of_type("text/plain", TOLD),
        put(query).of_type("application/x-www-form-urlencoded", "city=granada"),
        put(query).of_type("application/json; charset=utf-16", &utf16),
        put(query).of_type("application/json; charset=latin1", TOLD),
        put(query).of_type("application/json, text/plain", TOLD),
        put(query).of_type("application/xml", "<city>granada</city>"),
        put(query).untyped(TOLD),
        put(query).json(&utf16),
        put(query).json(format!("\u{feff}{TOLD}")),
        put(query).json(r#"{"city": NaN}"#),
        put(query).json(r#"{"city": "leon", "city": "granada"}"#),
        put(query).json(r#"{"city": "granada", "a": {"b": 1, "b": 2}}"#),
        put(query).json(r#"{"city": "granada",}"#),
        put(query).json("{'city': 'granada'}"),
        put(query).json(b"{\"city\": \"\xff\"}"),
        put(query).json(""),
        put(query).json(TOLD).with("content-encoding", "gzip"),
        put(query).json(TOLD).with("content-type", "application/json"),
        put(query).unread("application/json"),
        put(query).unread("application/octet-stream"),
        put(query).json([b"[".repeat(200), b"]".repeat(200)].concat()),
    ] {
        active().assert(&body, ALL);
    }
    for understood in ["application/problem+json", "APPLICATION/JSON;charset=\"UTF-8\""] {
        active().assert(&put("").of_type(understood, TOLD), LEON);
    }
}

#[test]
fn names_that_an_origin_may_take_for_this_one() {
    for query in [
        "?country=NI&City=leon",
        "?country=NI&city=leon&CITY=granada",
        "?country=NI&city%5B%5D=leon",
        "?country=NI&city=leon&city[]=granada",
        "?country=NI&city=leon&city[a]=granada",
        "?country=NI&city=leon;city=granada",
        "?country=NI&city=leon&x=1;city=granada",
        "?country=NI&city=leon&x=1%3Bcity=granada",
        "?country=NI&city=leon&+city=granada",
        "?country=NI&city=leon&city%00x=granada",
        "?country=NI&city=le%FFon",
    ] {
        active().assert(&put(query), ALL);
    }
    for body in [
        r#"{"country": "NI", "City": "leon"}"#,
        r#"{"country": "NI", "city": "leon", "CITY": "granada"}"#,
        r#"{"country": "NI", "city": "leon", " city": "granada"}"#,
    ] {
        active().assert(&put("").json(body), ALL);
    }
    active().assert(&put("?country=NI&city=leon&cities=granada&velocity=1"), LEON);
}

#[test]
fn what_is_no_object_and_no_text() {
    let query = "?country=NI&city=leon";
    for body in ["[]", r#"[{"city": "granada"}]"#, "7", "\"granada\"", "null", "true"] {
        active().assert(&put(query).json(body), ALL);
    }
    for city in ["null", "[\"leon\"]", "{\"name\": \"leon\"}", "1.5", "1e300", "\"\"", "true", "false"] {
        active().assert(&put("").json(format!(r#"{{"country": "NI", "city": {city}}}"#)), ALL);
    }
}

/// A flag is `true`, `True`, `1` or `on` in a query, and one of two words in JSON: wherever in the body it stands.
#[test]
fn a_flag_is_spelt_in_many_ways() {
    let lines = "query = [\"open\"]\ninvalidated_by = [\"PUT /a\", { request = \"PUT /b\", variables = { open = \
                 \"{body:/shop/open}\" } }, { request = \"PUT /c\", variables = { open = \"{response:/open}\" } }]";
    let app =
        app(&[route("/shops", lines)], "/shops?open=1 /shops?open=2 /shops?open=on /shops?open=true /shops?open=off");
    app.assert_each(&[
        (sent("PUT /a").json(r#"{"open": true}"#), ALL),
        (sent("PUT /b").json(r#"{"shop": {"open": true}}"#), ALL),
        (sent("PUT /c").saying(json!({"open": true})), ALL),
        (sent("PUT /a?open=on"), ALL),
        (sent("PUT /a").json(r#"{"open": "on"}"#), ALL),
        // What is spelt as a word may be this one.
        (
            sent("PUT /b").json(r#"{"shop": {"open": 1}}"#),
            "/shops?open=1 /shops?open=on /shops?open=true /shops?open=off",
        ),
    ]);
}

const FRUIT: &str = "/fruit/1 /fruit/2 /fruit/%D9%A1 /fruit/07 /fruit/a%20b /fruit/m%C3%BCller";
const ODD: &str = "/fruit/%D9%A1 /fruit/07 /fruit/a%20b /fruit/m%C3%BCller";

/// The ways in which a write may mean fruit 1 alone: each has a route and what else is said of writes.
fn narrow() -> [(Vec<String>, &'static str); 5] {
    [
        (vec![route("/fruit/{id}", "invalidated_by = [\"PUT /shelf/{id}\"]")], "PUT /shelf/"),
        (vec![route("/fruit/{id}", ""), write("PUT /shelf/{id}", "drops = [\"/fruit/{id}\"]")], "PUT /shelf/"),
        (vec![route("/fruit/{id}", "invalidated_by = []")], "PUT /fruit/"),
        (vec![route("/fruit/{id}", "invalidated_by = \"path\"")], "PUT /fruit/"),
        (
            vec![route("/fruit/{id}", "[route.write]\nrequest = \"PUT /shelf/{id}\"\npolicy = \"through\"")],
            "PUT /shelf/",
        ),
    ]
}

#[test]
fn an_odd_value_of_a_write_drops_the_route() {
    for (tables, line) in narrow() {
        let app = app(&tables, FRUIT);
        for odd in
            ["%D9%A1", "007", "1.0", "1e0", "%E2%80%8B1", "+1", "0x1", "a%20b", "m%C3%BCller", "0", "10000000000000000"]
        {
            app.assert(&sent(&format!("{line}{odd}")), ALL);
        }
        app.assert(&sent(&format!("{line}{}", "1".repeat(300))), ALL);
    }
}

#[test]
fn an_odd_value_of_a_read_goes_with_every_narrow_write() {
    for (tables, line) in narrow() {
        let app = app(&tables, FRUIT);
        app.assert_each(&[
            (sent(&format!("{line}1")), &format!("/fruit/1 {ODD}")),
            (sent(&format!("{line}2")), &format!("/fruit/2 {ODD}")),
            (sent(&format!("{line}3")), ODD),
        ]);
    }
}

#[test]
fn plain_values_of_others_keep_their_entries() {
    let reads = "/fruit/1 /fruit/10 /fruit/-1 /fruit/leon /fruit/leona /fruit/550e8400-e29b-41d4-a716-446655440000";
    for (tables, line) in narrow() {
        let app = app(&tables, reads);
        for (id, dropped) in [
            ("1", "/fruit/1"),
            ("1-apples", "/fruit/1"),
            ("-1", "/fruit/-1"),
            ("10", "/fruit/10"),
            ("Le%C3%B3n", "/fruit/leon"),
            ("LEONA", "/fruit/leona"),
            ("550e8400-e29b-41d4-a716-446655440000", "/fruit/550e8400-e29b-41d4-a716-446655440000"),
            ("550e8400-e29b-41d4-a716-446655440001", ""),
            ("pear", ""),
        ] {
            app.assert(&sent(&format!("{line}{id}")), dropped);
        }
    }
}

/// A read that came without a value may have been answered with any.
#[test]
fn what_a_read_lacks_the_origin_may_have_put_in() {
    let lines = "query = [\"city\"]\ntags = [\"city:{city}\"]";
    let reads = "/active /active?city=leon /active?city=granada";
    let listed = format!("{lines}\ninvalidated_by = [\"PUT /cities/{{city}}\"]");
    let tagged =
        format!("{lines}\ninvalidated_by = [{{ request = \"PUT /cities/{{city}}\", tags = [\"city:{{city}}\"] }}]");
    let narrowed = write("PUT /cities/{city}", "drops = [\"tag:city:{city}\"]");
    for tables in
        [vec![route("/active", &listed)], vec![route("/active", &tagged)], vec![route("/active", lines), narrowed]]
    {
        app(&tables, reads).assert(&sent("PUT /cities/leon"), "/active /active?city=leon");
    }
}

/// An order's page is no page of a write's query: what the origin reads from a path it reads from there alone.
#[test]
fn a_value_of_a_path_comes_from_a_path() {
    let pages =
        |rule: &str| app(&[route("/orders/{page}", &format!("invalidated_by = [{rule}]"))], "/orders/1 /orders/2");
    pages("\"POST /orders\"")
        .assert_each(&[(sent("POST /orders?page=1"), ALL), (sent("POST /orders").json(r#"{"page": 1}"#), ALL)]);
    pages("{ request = \"POST /orders\", variables = { page = \"{body:/page}\" } }")
        .assert(&sent("POST /orders").json(r#"{"page": 1}"#), "/orders/1");
    pages("{ request = \"POST /orders/{n}\", variables = { page = \"{n}\" } }")
        .assert(&sent("POST /orders/2"), "/orders/2");
}

const UUID: &str = "/things/7eadbeef-e29b-41d4-a716-446655440000";

/// What reads numbers takes a UUID, a hash or a date for the number that it begins with; and no other of its kind.
#[test]
fn what_begins_with_a_number_meets_that_number() {
    let reads = format!(
        "/things/7 /things/8 {UUID} /things/7eadbeef-e29b-41d4-a716-446655440001 /things/2026-01-31 /things/2026-02-01 \
         /things/507f1f77bcf86cd799439011 /things/my-slug"
    );
    let app = app(&[route("/things/{id}", "invalidated_by = [\"PUT /things/{id}\"]")], &reads);
    let both = format!("/things/7 {UUID}");
    app.assert_each(&[
        (sent(&format!("PUT {UUID}")), &both),
        (sent("PUT /things/8"), "/things/8"),
        (sent("PUT /things/7"), &format!("{both} /things/7eadbeef-e29b-41d4-a716-446655440001")),
        (sent("PUT /things/2026-01-31"), "/things/2026-01-31"),
        (sent("PUT /things/2026"), "/things/2026-01-31 /things/2026-02-01"),
        (sent("PUT /things/507F1F77BCF86CD799439011"), "/things/507f1f77bcf86cd799439011"),
        (sent("PUT /things/my-slug.json"), "/things/my-slug"),
        (sent("PUT /things/2026-1-31"), ALL),
    ]);
}

/// Go folds names as Unicode has it, and PHP writes `_` for what cannot stand in its names.
#[test]
fn names_that_a_backend_takes_for_one_another_tell_nothing() {
    let lines = "query = [\"order_id\"]\ninvalidated_by = [\"PUT /a\"]";
    let app = app(&[route("/shops", lines)], "/shops?order_id=1 /shops?order_id=2");
    app.assert_each(&[
        (sent("PUT /a?order_id=1"), "/shops?order_id=1"),
        (sent("PUT /a?order_id=1&order.id=2"), ALL),
        (sent("PUT /a?order_id=1&order+id=2"), ALL),
        (sent("PUT /a?order_id=1&order[id=2"), ALL),
        (sent("PUT /a").json(r#"{"order_id": "1", "order_\u0131d": "2"}"#), ALL),
        (sent("PUT /a?order.id=2").json(r#"{"order_id": "1"}"#), ALL),
    ]);
}
