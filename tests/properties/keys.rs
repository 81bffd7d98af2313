//! Keys, tags and paths.

use std::borrow::Cow;
use std::sync::Arc;

use aside::config::Config;
use aside::rules::{Read, Routes, Source, Tag, Template, find_parameter, is_canonical, place, write_paths};
use aside::store::key_name;
use http::HeaderMap;
use http::uri::PathAndQuery;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::written::{meet, sent, stored_tags};

const ROUTES: &str = r#"
origin = "http://127.0.0.1:1"
[[route]]
path = "/fruit/{id}"
key = "fruit:{id}"
ttl = "1h"
invalidated_by = ["PUT /fruit/{id}"]
[[route]]
path = "/active"
query = ["country", "city"]
key = "{country}-{city}"
ttl = "1h"
invalidated_by = ["PUT /active"]
[[route]]
path = "/users/{user}/orders/{order}"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/rest:a/{*rest}"
query = ["a"]
ttl = "1h"
invalidated_by = []
"#;

fn routes() -> Routes {
    Config::from_text("properties.toml", ROUTES, |_| None).unwrap().proxy.rules.routes.clone()
}

fn render(template: &str, values: &[Option<String>]) -> String {
    let mut values = values.iter();
    let template = Template::parse(template).unwrap();
    template.render(|_: &Source| Some(values.next().unwrap().as_deref().map(Cow::Borrowed))).unwrap()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The route and the name of a read's key, and the target that its fill asks the origin for; `None` where it goes past the cache.
fn kept_and_asked(routes: &Routes, target: &str) -> Option<((Arc<str>, String), String)> {
    let asked: PathAndQuery = target.parse().ok()?;
    let read = Read { target: &asked, fields: &HeaderMap::new(), host: None, secure: false };
    let (key, asked) = match routes.find(asked.path()) {
        Some((route, captures)) => {
            (place(route, &read, &captures).ok()?.key, route.fill(&read).ok()?.target.as_str().to_owned())
        }
        None => (routes.unrouted_place(&read).ok()?.key, target.to_owned()),
    };
    Some(((Arc::clone(&key.route), key_name(&key)), asked))
}

/// A text with its octets bare or encoded, as `how` has it in turn.
fn spelt(text: &str, how: &[bool]) -> String {
    let octets = text.bytes().zip(how.iter().cycle());
    octets.map(|(octet, bare)| if *bare { char::from(octet).to_string() } else { format!("%{octet:02X}") }).collect()
}

/// An encoded text with the digits of its octets in the case that `how` has in turn.
fn in_case(encoded: &str, how: &[bool]) -> String {
    let mut digits = 0;
    let mut how = how.iter().cycle();
    let case = |letter: char| {
        if letter == '%' {
            digits = 2;
        } else if digits > 0 {
            digits -= 1;
            return if *how.next().unwrap() { letter.to_ascii_lowercase() } else { letter };
        }
        letter
    };
    encoded.chars().map(case).collect()
}

/// The tags that a PUT of this target drops, with a JSON body or none.
fn dropped_by(routes: &Routes, target: &str, body: Option<&serde_json::Value>) -> Vec<Tag> {
    let write = sent(&format!("PUT {target}"));
    body.map_or(write.clone(), |body| write.json(body.to_string())).drops(routes)
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9]{1,8}",
        "[-_.~%:{}#@/?& é]{0,6}",
        any::<String>().prop_map(|text| text.chars().take(8).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two different sets of values never share a key, absent values among them.
    #[test]
    fn keys_are_unambiguous(
        a in prop::option::of(values()), b in prop::option::of(values()),
        c in prop::option::of(values()), d in prop::option::of(values()),
    ) {
        for template in ["{a}-{b}", "k:{a}:{b}", "{a}.x.{b}", "{a}x{b}"] {
            let (one, two) = (render(template, &[a.clone(), b.clone()]), render(template, &[c.clone(), d.clone()]));
            prop_assert_eq!(one == two, (&a, &b) == (&c, &d), "{} and {}", one, two);
        }
    }

    /// No value brings a brace, a white space, a control character or a byte outside ASCII into a key.
    #[test]
    fn keys_are_plain(value in values()) {
        let key = render("fruit:{id}", &[Some(value)]);
        prop_assert!(key.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}#*\"'\\".contains(&byte)), "{}", key);
    }

    /// A cached answer is a function of its key: two reads with one key ask the origin for one target.
    #[test]
    fn reads_with_one_key_ask_the_origin_for_one_target(
        route in 0..5, value in "[a-z~!$&'()*+,:=@|^\\[\\]`]{1,3}", a in prop::collection::vec(any::<bool>(), 10), b in prop::collection::vec(any::<bool>(), 10),
    ) {
        let routes = routes();
        let target = |how: &[bool]| match route {
            0 => format!("/fruit/{}", spelt(&value, how)),
            1 => format!("/users/{}/orders/1", spelt(&value, how)),
            2 => format!("/{}/x/{}", spelt("rest:a", &[true, true, true, true, how[0], true]), spelt(&value, how)),
            3 => format!("/active?country={}&city=x", spelt(&value, how)),
            _ => format!("/elsewhere/{}", spelt(&value, how)),
        };
        let (one, two) = (kept_and_asked(&routes, &target(&a)), kept_and_asked(&routes, &target(&b)));
        if let (Some((one, asked)), Some((two, asked_too))) = (one, two) && one == two {
            prop_assert_eq!(asked, asked_too, "{:?}", one);
        }
    }

    /// Whatever a read is stored under, a write to the same path drops.
    #[test]
    fn a_write_to_a_path_drops_what_a_read_of_it_stored(value in values()) {
        let routes = routes();
        let target = format!("/fruit/{}", encode(&value));
        let stored = stored_tags(&routes, &target);
        prop_assert!(stored.is_empty() || meet(&dropped_by(&routes, &target, None), &stored), "{} keeps {:?}", target, stored);
    }

    /// The same by `"path"`, however the write spells the path.
    #[test]
    fn spelling_a_path_differently_drops_no_less(user in "[A-Za-z0-9]{1,4}", order in "[a-z0-9]{1,4}", how in 0..7) {
        let routes = routes();
        let stored = stored_tags(&routes, &format!("/users/{user}/orders/{order}"));
        prop_assert!(!stored.is_empty());
        let spelt = match how {
            0 => format!("/users/{user}/orders/{order}/"),
            1 => format!("//users/{user}//orders/{order}"),
            2 => format!("/users%2F{user}/orders/{order}"),
            3 => format!("/USERS/{user}/Orders/{order}"),
            4 => format!("/x/../users/{user}/./orders/{order}"),
            5 => format!("/users/{user};a=b/orders/{order}"),
            _ => format!("/users/{}/orders/{order}", user.bytes().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat()),
        };
        prop_assert!(meet(&dropped_by(&routes, &spelt, None), &stored), "{}", spelt);
    }

    /// A WSGI server decodes a path once: however its octets are written, the entry of the path that comes out is dropped.
    #[test]
    fn encoding_a_path_differently_drops_no_less(id in "[a-zA-Z0-9_.-]{1,6}", how in prop::collection::vec(0..3, 32)) {
        prop_assume!(!matches!(id.as_str(), "." | ".."));
        let routes = routes();
        let path = format!("/fruit/{id}");
        let spelt: String = path.bytes().zip(how.iter().cycle()).enumerate().map(|(at, (byte, how))| match how {
            1 if at > 0 => format!("%{byte:02x}"),
            2 if at > 0 => format!("%{byte:02X}"),
            _ => char::from(byte).to_string(),
        }).collect();
        let stored = stored_tags(&routes, &path);
        prop_assert!(!stored.is_empty() && meet(&dropped_by(&routes, &spelt, None), &stored), "{}", spelt);
        prop_assert!(spelt == path || !is_canonical(&spelt), "{} is a second key for {}", spelt, path);
    }

    /// The case of an octet's digits makes a variant and nothing else: what is kept by one is kept by the other, with the same
    /// tags, so that a write by any drops both; the origin sees each as it is.
    #[test]
    fn the_case_of_an_octets_digits_makes_a_variant(
        value in values(), route in 0..3, how in prop::collection::vec(any::<bool>(), 12),
    ) {
        let routes = routes();
        let target = match route {
            0 => format!("/fruit/{}", encode(&value)),
            1 => format!("/users/{}/orders/1", encode(&value)),
            _ => format!("/elsewhere/{}", encode(&value)),
        };
        let other = in_case(&target, &how);
        prop_assert_eq!(is_canonical(&target), is_canonical(&other), "{} and {}", target, other);
        prop_assert_eq!(stored_tags(&routes, &target), stored_tags(&routes, &other));
        prop_assert_eq!(dropped_by(&routes, &target, None), dropped_by(&routes, &other, None));
        if let (Some((one, asked)), Some((two, asked_too))) =
            (kept_and_asked(&routes, &target), kept_and_asked(&routes, &other))
        {
            prop_assert_eq!(one == two, target == other, "{:?} and {:?}", one, two);
            prop_assert_eq!((asked, asked_too), (target, other));
        }
    }

    /// Whatever a read says in its query, a write that says it in its JSON body drops.
    #[test]
    fn a_value_is_the_same_in_query_and_body(country in values(), city in values()) {
        let routes = routes();
        let stored = stored_tags(&routes, &format!("/active?country={}&city={}", encode(&country), encode(&city)));
        let body = serde_json::json!({ "country": country, "city": city });
        prop_assert!(stored.is_empty() || meet(&dropped_by(&routes, "/active", Some(&body)), &stored), "{:?}", stored);
    }

    /// A write tells at most one city when it tells both variables, and a city of another name stays.
    #[test]
    fn a_write_leaves_other_entries_alone(a in "[a-z]{1,6}", b in "[a-z]{1,6}") {
        // Words that some backends take for 1 or 0 drop the whole route.
        let is_flag = |word: &str| ["true", "false", "yes", "no", "on", "off"].contains(&word);
        prop_assume!(a != b && !is_flag(&a) && !is_flag(&b));
        let routes = routes();
        let stored = stored_tags(&routes, &format!("/active?country=NI&city={a}"));
        let body = serde_json::json!({ "country": "NI", "city": b });
        prop_assert!(!meet(&dropped_by(&routes, "/active", Some(&body)), &stored));
    }

    /// What an answer's Location names is dropped too, and nothing above it.
    #[test]
    fn a_location_drops_what_a_read_of_it_stored(user in "[a-z0-9]{1,4}", order in "[a-z0-9]{1,4}") {
        let routes = routes();
        let named = format!("/users/{user}/orders/{order}");
        let dropped = sent("POST /elsewhere").answering("location", &named).drops(&routes);
        prop_assert!(meet(&dropped, &stored_tags(&routes, &named)));
        prop_assert!(dropped.iter().any(|tag| tag.is_of_path("unrouted", &named)), "{:?}", dropped);
        prop_assert!(!dropped.iter().any(|tag| tag.as_str().ends_with("/orders")), "{:?}", dropped);
    }

    /// A canonical path has one spelling: decoded and encoded again it is itself.
    #[test]
    fn canonical_paths_have_one_spelling(path in "/[ -~]{0,20}") {
        if is_canonical(&path) {
            let paths = write_paths(&path);
            prop_assert_eq!(paths.len(), 1, "{:?}", paths);
        }
    }

    /// Nothing that comes over the wire brings the rules down.
    #[test]
    fn hostile_text_is_only_text(text in any::<String>(), query in any::<String>()) {
        let _ = (is_canonical(&text), write_paths(&text), find_parameter(&query, &text));
        let _ = (stored_tags(&routes(), &format!("/{text}?{query}")), dropped_by(&routes(), &text, None));
    }
}
