//! `explain GET` and `explain PUT` agree: of what a read is said to be dropped by, it is dropped by, and by nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use aside::config::Config;
use aside::rules::{
    Document, DroppedBy, Kind, Overriding, PathPattern, Read, Routes, Tag, Write, WriteAnswer, Writes, place,
    write_paths,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Routes whose paths do not meet: name, path, further keys.
const ROUTES: [(&str, &str, &str); 8] = [
    ("fruit", "/fruit/{id}", "key = \"fruit:{id}\""),
    ("fruits", "/fruit/{id}/", ""),
    ("page", "/orders/{page}", "tags = [\"shop:{shop}\", \"all\"]\nquery = [\"shop\"]"),
    ("of", "/users/{user}/orders/{order}", "tags = [\"user:{user}\"]"),
    ("file", "/files/v{n}.json", ""),
    ("rest", "/static/{*rest}", ""),
    ("active", "/active", "query = [\"country\", \"city\"]\nkey = \"{country}-{city}\""),
    ("tags", "/tags/", "tags = [\"shop:{response:/shop}\"]"),
];

const REQUESTS: [&str; 14] = [
    "PUT /fruit/{id}",
    "* /fruit/{id}/",
    "POST /fruit/{fruit}/rating",
    "POST /orders",
    "PUT /orders/{page}",
    "DELETE /users/{user}",
    "POST /users/{user}/orders/",
    "PUT /files/v{n}.json",
    "PUT /static/{*rest}",
    "POST /active",
    "PUT /shops/{shop}",
    "POST /login",
    "* /other/{id}",
    "POST /tags",
];

const DROPS: [&str; 13] = [
    "/fruit/{id}",
    "/fruit/{id}/",
    "/fruit/{fruit}",
    "/fruit/7",
    "/orders/{page}",
    "/users/{user}/orders/{order}",
    "/static/{rest}",
    "/active",
    "/other/{id}",
    "/tags",
    "tag:shop:{shop}",
    "tag:all",
    "route:",
];

const VALUES: [&str; 13] =
    ["7", "7", "8", "a", "A", "007", "7-x", "Le%C3%B3n", "le%c3%B3n", "%D9%A1", "x%20y", "M%C3%BCller", "7.0"];

/// Further paths of reads and of writes.
const TARGETS: [&str; 22] = [
    "/fruit/{x}",
    "/fruit/{x}/",
    "/fruit",
    "/fruit/{x}/rating",
    "/orders/{x}",
    "/orders",
    "/orders/{x}/",
    "/users/{x}/orders/{x}",
    "/users/{x}/orders",
    "/users/{x}",
    "/users/",
    "/files/v{x}.json",
    "/static/{x}/{x}",
    "/static/",
    "/active",
    "/shops/{x}",
    "/login",
    "/other/{x}",
    "/other/",
    "/tags/",
    "/tags",
    "/",
];

const QUERIES: [&str; 7] = ["", "", "shop=7", "shop=8", "country=NI&city=a", "country=NI", "id=7&page=8"];

/// What a route, or a `[[write]]`, says; as numbers that choose among the above.
type Chosen = (usize, usize, usize, usize);

#[derive(Clone, Debug)]
struct Sent {
    method: Method,
    path: String,
    query: &'static str,
    body: Option<Value>,
    overriding: usize,
    status: Option<u16>,
    location: Option<&'static str>,
    names: Option<String>,
}

fn route(at: usize, (how, one, other, more): Chosen) -> String {
    let (name, path, keys) = ROUTES[at];
    let mut text = format!("[[route]]\nname = \"{name}\"\npath = \"{path}\"\nttl = \"1h\"\n{keys}\n");
    let (one, other) = (REQUESTS[one], REQUESTS[other]);
    let long = match more % 4 {
        0 => ", tags = [\"shop:{shop}\"]",
        1 => ", when = { \"response.ok\" = true }",
        2 => ", when = { status = [201] }",
        _ => "",
    };
    let second = if one == other { String::new() } else { format!(", {{ request = \"{other}\"{long} }}") };
    let writes = match how {
        0..=2 => String::new(),
        3 => "invalidated_by = \"path\"\n".to_owned(),
        4 => "invalidated_by = []\n".to_owned(),
        _ => format!("invalidated_by = [\"{one}\"{second}]\n"),
    };
    text.push_str(&writes);
    if more > 5 && at != 7 {
        let _ = write!(text, "[route.write]\nrequest = \"PUT /policies/{at}\"\npolicy = \"through\"\n");
    }
    if more == 5 && matches!(at, 0 | 2) {
        let _ = write!(text, "[route.write]\nrequest = \"POST {path}\"\npolicy = \"through\"\n");
    }
    text
}

fn write_rule((how, one, other, drop): Chosen, present: &[usize]) -> String {
    let requests = if one == other {
        format!("\"{}\"", REQUESTS[one])
    } else {
        format!("[\"{}\", \"{}\"]", REQUESTS[one], REQUESTS[other])
    };
    let named = |drop: usize| match DROPS[drop % DROPS.len()] {
        "route:" => format!("\"route:{}\"", ROUTES[present[drop % present.len()]].0),
        other => format!("\"{other}\""),
    };
    let drops = match how % 5 {
        0 => "drops = []".to_owned(),
        1 => format!("drops = [{}]", named(drop)),
        2 => format!("drops = [{}, {}]", named(drop), named(drop + 5)),
        3 => "when = { status = [200] }".to_owned(),
        _ => format!("drops = [{}]\nwhen = {{ \"response.ok\" = true }}", named(drop)),
    };
    let refused = if how > 5 { "refused = { status = [302], location = \"/login\" }\n" } else { "" };
    format!("[[write]]\nrequest = {requests}\n{drops}\n{refused}")
}

fn file(chosen: &[(usize, Chosen)], writes: &[Chosen]) -> String {
    let mut present: Vec<usize> = chosen.iter().map(|(at, _)| *at).collect();
    present.sort_unstable();
    present.dedup();
    let mut text = "origin = \"http://127.0.0.1:1\"\n".to_owned();
    for at in &present {
        let (_, chosen) = chosen.iter().find(|(known, _)| known == at).unwrap();
        text.push_str(&route(*at, *chosen));
    }
    for write in writes {
        text.push_str(&write_rule(*write, &present));
    }
    text
}

fn files() -> impl Strategy<Value = String> {
    let chosen = (0..9usize, 0..REQUESTS.len(), 0..REQUESTS.len(), 0..8usize);
    let writes = (0..10usize, 0..REQUESTS.len(), 0..REQUESTS.len(), 0..DROPS.len());
    let routes = prop::collection::vec((0..ROUTES.len(), chosen), 1..5);
    (routes, prop::collection::vec(writes, 0..4)).prop_map(|(routes, writes)| file(&routes, &writes))
}

/// A path with values for its variables, which are in braces; or one of those that no route has.
fn path_of(patterns: Vec<String>, others: usize) -> impl Strategy<Value = String> {
    let all: Vec<String> =
        patterns.into_iter().chain(TARGETS.iter().take(others).map(|path| (*path).to_owned())).collect();
    (select(all), select(VALUES.to_vec()), select(VALUES.to_vec())).prop_map(|(pattern, one, other)| {
        let mut path = String::new();
        let mut values = [one, other].into_iter().cycle();
        for piece in pattern.split_inclusive('}') {
            let (literal, variable) = piece.split_once('{').unwrap_or((piece, ""));
            path.push_str(literal);
            if variable.starts_with('*') {
                path.push_str("a/");
            }
            if !variable.is_empty() {
                path.push_str(values.next().unwrap());
            }
        }
        path
    })
}

/// The paths of the routes in a file.
fn routed(file: &str) -> Vec<String> {
    file.lines().filter_map(|line| Some(line.strip_prefix("path = \"")?.trim_end_matches('"').to_owned())).collect()
}

/// The requests that a file speaks of.
fn requested(file: &str) -> Vec<String> {
    file.split('"').filter(|text| text.contains(" /")).map(str::to_owned).collect()
}

/// A path of a write near that of the read, or as no read spells it.
fn beside(read: &str) -> impl Strategy<Value = String> + use<> {
    let read = read.to_owned();
    (path_of(Vec::new(), TARGETS.len()), 0..10usize, 0..4usize).prop_map(move |(other, how, near)| {
        let path = if near == 0 { other } else { read.clone() };
        match how {
            0 => path.replacen('/', "//", 1),
            1 => path.to_uppercase(),
            2 => format!("{}/", path.trim_end_matches('/')),
            3 => format!("/{}", path.trim_matches('/')),
            4 => format!("{}/zz", path.trim_end_matches('/')),
            5 => path.rsplit_once('/').map_or("/".to_owned(), |(above, _)| format!("{above}/")),
            6 => path.replace("/7", "/8"),
            _ => path,
        }
    })
}

/// A write of which the file speaks, or one that is near the read.
fn written(file: &str, read: &str) -> impl Strategy<Value = (Method, String)> + use<> {
    let requests = requested(file);
    let methods = [Method::POST, Method::PUT, Method::PUT, Method::DELETE, Method::PATCH];
    let (any, at) = (select(methods.to_vec()), 0..requests.len().max(1));
    (any, at, beside(read), 0..3usize).prop_flat_map(move |(any, at, beside, how)| {
        let method =
            |request: &str| request.split(' ').next().unwrap().parse().ok().filter(|method: &Method| method != "*");
        match requests.get(at).filter(|_| how < 2) {
            Some(request) => {
                let path = request.split_once(' ').unwrap().1.to_owned();
                (Just(method(request).unwrap_or(any)), path_of(vec![path], 0).boxed()).boxed()
            }
            None => (Just(any), Just(beside).boxed()).boxed(),
        }
    })
}

fn sent(file: &str, read: &str) -> impl Strategy<Value = Sent> + use<> {
    let bodies = [
        None,
        None,
        Some(Value::Null),
        Some(json!({ "shop": 7, "id": 7, "page": "8" })),
        Some(json!({ "country": "NI", "city": "a", "user": "a", "order": 7, "fruit": "7", "rest": "7" })),
        Some(json!({ "shop": "007", "city": "M\u{fc}ller", "country": "NI" })),
    ];
    let statuses = [None, None, None, Some(200), Some(201), Some(301), Some(302), Some(404), Some(500)];
    let named = [None, None, None, Some(read.to_owned()), Some("/fruit/8".to_owned())];
    (
        written(file, read),
        select(QUERIES.to_vec()),
        select(bodies.to_vec()),
        0..8usize,
        select(statuses.to_vec()),
        select(vec![None, Some("/login"), Some("/login/"), Some("/elsewhere")]),
        select(named.to_vec()),
    )
        .prop_map(|((method, path), query, body, overriding, status, location, names)| Sent {
            method,
            path,
            query,
            body,
            overriding,
            status,
            location,
            names,
        })
}

/// A routing file, a read and a write.
fn cases() -> impl Strategy<Value = (String, String, &'static str, Sent)> {
    (files(), select(QUERIES.to_vec())).prop_flat_map(|(file, query)| {
        let routes = routed(&file);
        let often = routes.iter().cycle().take(4 * TARGETS.len()).cloned().collect();
        path_of(often, TARGETS.len()).prop_flat_map(move |read| {
            let sent = sent(&file, &read);
            (Just(file.clone()), Just(read), Just(query), sent)
        })
    })
}

/// Whether a write drops what is stored for a read: the rules' own word.
fn is_dropped(routes: &Routes, (path, query): (&str, &str), write: &Write<'_>) -> bool {
    let fields = HeaderMap::new();
    let target: PathAndQuery = format!("{path}{}{query}", if query.is_empty() { "" } else { "?" }).parse().unwrap();
    let read = Read { target: &target, fields: &fields, host: None, secure: false };
    let place = match routes.find(path) {
        Some((route, captures)) => place(route, &read, &captures),
        None => routes.unrouted_place(&read),
    };
    let tags = place.unwrap().tags;
    let fetched = routes.find(path).map(|(route, _)| route.fetched_tags(path, query)).unwrap_or_default();
    let goes = |tag: &Tag| *tag == Tag::everything() || tags.contains(tag) || fetched.contains(tag);
    routes.invalidations(write).iter().any(|drop| goes(&drop.tag))
}

fn name(kind: &Kind<'_>) -> &'static str {
    match &kind.writes {
        Writes::Unsaid => "unsaid",
        Writes::Said(_, rule) if rule.drops.is_none() => "said, and not what it drops",
        Writes::Said(..) => "said",
        Writes::Listed(_, rule) if !rule.tags.is_empty() => "listed, by tags",
        Writes::Listed(..) => "listed",
        Writes::Policy(_) => "policy",
        Writes::To => "to",
        Writes::Below => "below",
        Writes::Above(_) => "above",
        Writes::Named => "named",
    }
}

/// What a kind says of its writes holds for a write that is one.
fn is_as_told(kind: &Kind<'_>, write: &Write<'_>) -> bool {
    let of =
        |request: &aside::rules::RequestPattern| write.paths.iter().any(|path| request.matches(write, path).is_some());
    let at = |pattern: &PathPattern| write.paths.iter().any(|path| pattern.matches_write(path).is_some());
    let said = match &kind.writes {
        Writes::Said(_, rule) => rule.speaks_of(write).is_some() && !rule.refuses(write),
        Writes::Listed(_, rule) => of(&rule.request),
        Writes::Policy(policy) => of(&policy.request) && write.overriding.is_none(),
        Writes::Above(above) => at(above),
        Writes::Unsaid | Writes::To | Writes::Below | Writes::Named => true,
    };
    said && kind.when().iter().all(|condition| condition.known(write) != Some(false))
}

/// A write as a kind of them is told: the very line that a person reads, sent.
fn as_told(told: &DroppedBy<'_>, kind: &Kind<'_>, path: &str) -> Option<(Method, String)> {
    let requests = match &kind.writes {
        Writes::Said(_, rule) if rule.drops.is_some() => rule.requests.iter().collect(),
        Writes::Listed(_, rule) => vec![&rule.request],
        Writes::Policy(policy) => vec![&policy.request],
        Writes::Unsaid => return Some((Method::PUT, "/of/which/nothing/is/said".to_owned())),
        Writes::To => return Some((Method::PUT, path.to_owned())),
        Writes::Below => return Some((Method::PUT, format!("{}/x", path.trim_end_matches('/')))),
        Writes::Above(above) => return Some((Method::PUT, above.render(|_| Some("1".into()))?)),
        Writes::Said(..) | Writes::Named => return None,
    };
    let text = requests.into_iter().find_map(|request| told.as_sent(kind, request))?;
    let (method, path) = text.split_once(' ')?;
    let method = if method == "*" { Method::PUT } else { method.parse().unwrap() };
    Some((method, path.to_owned()))
}

/// A write that a `[[write]]` speaks of, with values that no read here has.
fn spoken_of(rule: &aside::rules::WriteRule) -> (Method, String) {
    let request = &rule.requests[0];
    (request.method().cloned().unwrap_or(Method::PUT), request.path().render(|_| Some("zz9".into())).unwrap())
}

fn write<'a>((method, path): (&'a Method, &'a str), paths: &'a [String], body: Document<'a>) -> Write<'a> {
    const NONE: &Overriding = &Overriding { methods: Vec::new(), unknown: false };
    Write { method, overriding: NONE, path, paths, query: "", body, answer: WriteAnswer::default() }
}

#[test]
fn a_read_is_dropped_by_what_it_is_said_to_be_dropped_by_and_by_nothing_else() {
    let counts: RefCell<BTreeMap<String, usize>> = RefCell::default();
    let count = |what: &str| *counts.borrow_mut().entry(what.to_owned()).or_default() += 1;
    let overridings = [
        Overriding::default(),
        Overriding { methods: vec![Method::DELETE], unknown: false },
        Overriding { methods: Vec::new(), unknown: true },
    ];
    let config = ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        max_global_rejects: 200_000,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&cases(), |(file, path, query, sent)| {
        let routes = Config::from_text("proxy.toml", &file, |_| None).unwrap().proxy.rules.routes.clone();
        let told = routes.dropped_by(&path, query);

        let paths = write_paths(&sent.path);
        let also: Vec<String> = sent.names.iter().flat_map(|path| write_paths(path)).collect();
        let said = Write {
            method: &sent.method,
            overriding: overridings.get(sent.overriding).unwrap_or(&overridings[0]),
            path: &sent.path,
            paths: &paths,
            query: sent.query,
            body: match &sent.body {
                None => Document::Absent,
                Some(Value::Null) => Document::NotUnderstood,
                Some(body) => Document::Json(body),
            },
            answer: WriteAnswer {
                status: sent.status.map(|status| StatusCode::from_u16(status).unwrap()),
                location: sent.location,
                also: &also,
                ..WriteAnswer::default()
            },
        };
        let kinds: Vec<&Kind<'_>> = told.of(&said).collect();
        let dropped = is_dropped(&routes, (&path, query), &said);
        prop_assert_eq!(dropped, !kinds.is_empty(), "{:?} of {:?}", kinds, told.kinds);
        count(if dropped { "dropped" } else { "not dropped" });
        for kind in kinds {
            count(name(kind));
            prop_assert!(is_as_told(kind, &said), "{kind:?}");
        }

        for kind in &told.kinds {
            let Some((method, sent)) = as_told(&told, kind, &path) else { continue };
            let paths = write_paths(&sent);
            let said = write((&method, &sent), &paths, Document::NotUnderstood);
            count(&format!("{}, as told", name(kind)));
            prop_assert!(is_dropped(&routes, (&path, query), &said), "{method} {sent} of {kind:?}");
            let own = matches!(kind.writes, Writes::To | Writes::Below);
            let is_it = |of: &&Kind<'_>| std::ptr::eq(*of, kind);
            prop_assert!(own || told.of(&said).find(is_it).is_some(), "{method} {sent} is not of {kind:?}");
        }
        for (_, rule) in &told.spared_by {
            let (method, sent) = spoken_of(rule);
            let paths = write_paths(&sent);
            let said = write((&method, &sent), &paths, Document::NotUnderstood);
            if routes.speaking(&said).count() == 1 {
                count("spared");
                let spared = told.of(&said).all(|kind| !matches!(kind.writes, Writes::Unsaid | Writes::Said(..)));
                prop_assert!(spared, "{method} {sent}: {:?}", told.of(&said).collect::<Vec<_>>());
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let counts = counts.into_inner();
    for what in [
        "dropped",
        "not dropped",
        "spared",
        "unsaid",
        "said",
        "said, and not what it drops",
        "listed",
        "listed, by tags",
        "policy",
        "to",
        "below",
        "above",
        "named",
        "unsaid, as told",
        "said, as told",
        "listed, as told",
        "policy, as told",
        "to, as told",
        "below, as told",
        "above, as told",
    ] {
        assert!(counts.contains_key(what), "{what} is not reached: {counts:#?}");
    }
}
