//! `aside explain`: what it says of reads and of writes.

use serde_json::Value;

use super::{ORACLE, SHIPPED, aside, aside_in, code, complained, printed};

/// A route with an entry for each identity.
const KEYED: &str = r#"
origin = "http://127.0.0.1:5000"
[[route]]
path = "/orders/{order_id}"
key = "order:{order_id}"
ttl = "1h"
authorization = "key"
[route.write]
request = "POST /orders"
policy = "through"
"#;

/// `aside explain` on a configuration, for people and for programs.
fn explain(config: &str, arguments: &[&str]) -> (String, Value) {
    let mut all = vec!["explain", "--config", config];
    all.extend(arguments);
    let text = aside(&all);
    assert_eq!(code(&text), 0, "{}", complained(&text));
    all.push("--json");
    let json = aside(&all);
    (printed(&text), serde_json::from_slice(&json.stdout).unwrap())
}

/// Whether a line with this label says all of this.
fn says(text: &str, label: &str, parts: &[&str]) -> bool {
    let mut under = "";
    text.lines().any(|line| {
        let own = line.split("  ").next().unwrap_or_default();
        under = if own.is_empty() { under } else { own };
        under == label && parts.iter().all(|part| line.contains(part))
    })
}

#[test]
fn what_a_url_hides_is_shown_escaped() {
    let (text, _) = explain(SHIPPED, &["GET", "/orders/a%1B%5B31m"]);
    assert!(!text.contains('\u{1b}') && text.contains("a\\u{1b}[31m"), "{text:?}");
}

#[test]
fn nothing_that_is_shown_misleads_and_json_stays_json() {
    let hidden = "%1b%5b31m%0aFAKE%c2%9b%e2%80%ae%e2%80%8b";
    let shown = "\u{1b}[31m\nFAKE\u{9b}\u{202e}\u{200b}";
    let raw = "/fruit/a\u{202e}\u{9b}b";
    for arguments in [
        &["GET", &format!("/fruit/{hidden}")][..],
        &["PUT", &format!("/fruit/{hidden}")],
        &["GET", raw],
        &["PUT", "/fruit/1", "--data", "{\"id\": \"\u{202e}\u{9b}\u{7f}\"}"],
        &["GET", &format!("no url {shown}")],
        &["GET\u{1b}[31m", "/fruit/1"],
        &["GET", "/fruit/1", "--no\u{1b}[31m\u{202e}"],
    ] {
        for json in [&[][..], &["--json"]] {
            let output = aside(&[&["explain", "--config", SHIPPED], arguments, json].concat());
            let (out, err) = (printed(&output), complained(&output));
            let misleads = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c);
            assert!(!out.contains(misleads) && !err.contains(misleads), "{out}{err}");
            assert!(!out.contains("\nFAKE") && !err.contains("\nFAKE"), "{out}{err}");
            if !json.is_empty() && code(&output) == 0 {
                serde_json::from_str::<Value>(&out).unwrap();
            }
        }
    }
    let (_, json) = explain(SHIPPED, &["GET", &format!("/fruit/{hidden}")]);
    assert!(json.to_string().contains("9b"), "{json}");
}

#[test]
fn a_fruit_is_explained() {
    let (text, json) = explain(SHIPPED, &["GET", "/fruit/1"]);
    assert!(says(&text, "route", &["/fruit/{id}", "proxy.toml:"]), "{text}");
    assert!(says(&text, "variables", &["id = 1"]));
    assert!(says(&text, "key", &["fruit:1"]));
    assert!(says(&text, "lifetime", &["10m (the route's ttl)"]));
    assert!(says(&text, "dropped by", &["DELETE /fruit/1: this entry"]));
    assert!(says(&text, "in the key", &["accept, accept-language"]));
    assert_eq!((&json["key"], &json["variables"]["id"]), (&Value::from("fruit:1"), &Value::from("1")));
    assert_eq!(json["lifetime"]["seconds"], 600.0);
    let line = json["route"]["line"].as_u64().unwrap();
    let shipped = std::fs::read_to_string(SHIPPED).unwrap();
    assert_eq!(shipped.lines().nth(usize::try_from(line).unwrap() - 1), Some("[[route]]"));
    let (_, json) = explain(SHIPPED, &["PUT", "http://localhost:8080/fruit%2F1"]);
    assert_eq!(
        (&json["drops"][0]["scope"], &json["drops"][0]["tag"]),
        (&Value::from("entry"), &Value::from("k:/fruit/{id} fruit:1"))
    );
    assert_eq!(json["drops"][0]["because"], "of PUT /fruit/{id}");
}

#[test]
fn what_a_write_drops_is_told_in_words() {
    let (text, json) = explain(SHIPPED, &["PUT", "/fruit/1"]);
    let parts = ["/fruit/{id}: the entry fruit:1 in all its variants", "because of PUT /fruit/{id}"];
    assert!(says(&text, "drops", &parts), "{text}");
    // What goes along with that is for programs.
    assert!(!text.contains("read differently") && !text.contains("paths without a route"), "{text}");
    assert_eq!(json["drops"][2]["tag"], "o:/fruit/{id}");
    let (unrouted, _) = explain(SHIPPED, &["PUT", "/pears/1"]);
    for parts in [
        ["paths without a route: /pears/1, whatever the query", "because it is what the write is sent to"],
        ["paths without a route: /pears, whatever the query", "because what the write is sent to lies in it"],
    ] {
        assert!(says(&unrouted, "drops", &parts), "{parts:?} in {unrouted}");
    }
    assert!(!text.contains("k:") && !text.contains("p:"), "{text}");
    assert_eq!(json["drops"][3]["tag"], "p:unrouted /fruit/1");
    let (text, _) = explain(SHIPPED, &["PUT", "/"]);
    assert!(says(&text, "drops", &["paths without a route: /,", "because it is what the write is sent to"]), "{text}");
    for parts in [
        ["4xx, 307 or 308", "then nothing on a route is dropped"],
        ["301", "only what the write is sent to"],
        ["5xx", "all else is dropped"],
    ] {
        assert!(says(&text, "unless", &parts), "{text}");
    }
    let (text, json) = explain(SHIPPED, &["GET", "/fruit/1"]);
    assert!(!text.contains("k:/fruit") && !text.contains("\ntags"), "{text}");
    assert_eq!(json["tags"][2], "k:/fruit/{id} fruit:1");
}

#[test]
fn a_path_spelt_otherwise_has_a_key_of_its_own_and_a_long_one_is_cut_in_its_tags() {
    let (plain, other) = (explain(SHIPPED, &["GET", "/fruit/a:b"]).1, explain(SHIPPED, &["GET", "/fruit/a%3Ab"]).1);
    assert_eq!((&plain["key"], &plain["tags"]), (&Value::from("fruit:a%3Ab"), &other["tags"]));
    assert!(other["key"].as_str().is_some_and(|key| key.starts_with("fruit:a%3Ab#")), "{other}");
    let long = format!("/fruit/{}", "x".repeat(200));
    let (text, json) = explain(SHIPPED, &["PUT", &format!("{long}/y")]);
    let shown = format!("paths without a route: /fruit/{}#", "x".repeat(73));
    assert!(says(&text, "drops", &[&shown, "because it is what the write is sent to"]), "{text}");
    assert!(says(&text, "drops", &[&shown, "because what the write is sent to lies in it"]), "{text}");
    assert!(json["drops"].as_array().unwrap().iter().all(|drop| drop["tag"].as_str().unwrap().len() < 230), "{json}");
}

#[test]
fn tags_of_ones_own_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let text =
        "origin = \"http://a\"\n[[route]]\npath = \"/a/{x}\"\ntags = [\"shop:{x}\"]\ninvalidated_by = \"path\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let (text, _) = explain(file, &["GET", "/a/1"]);
    assert!(says(&text, "tags", &["shop:1"]) && !text.contains("n:shop"), "{text}");
    let (text, _) = explain(file, &["PUT", "/a"]);
    assert!(says(&text, "drops", &["/a/{x}: every entry, because it lies around what the write is sent to"]), "{text}");
}

#[test]
fn a_page_of_orders_is_explained() {
    let (text, json) = explain(SHIPPED, &["GET", "/orders/99"]);
    assert_eq!(json["lifetime"]["source"], "route-ttl");
    assert!(says(&text, "dropped by", &["POST /orders", "every entry of the route"]), "{text}");
    let (text, json) = explain(SHIPPED, &["POST", "/orders"]);
    assert_eq!(
        (&json["drops"][0]["scope"], &json["unknown"][0]["variable"]),
        (&Value::from("route"), &Value::from("{page}"))
    );
    assert!(
        says(&text, "not known", &["{page} of /orders/{page}", "does not say it, so the whole route is dropped"]),
        "{text}"
    );
    let (_, json) = explain(SHIPPED, &["POST", "/orders", "--data", "{\"order_id\": 1}"]);
    assert_eq!(
        (&json["drops"][0]["scope"], &json["unknown"][0]["why"]),
        (&Value::from("route"), &Value::from("not-said"))
    );
}

#[test]
fn a_city_is_explained() {
    let (_, json) = explain(SHIPPED, &["GET", "/active?city=Managua&country=NI&utm=x"]);
    assert_eq!(
        (&json["key"], &json["fill"]["target"]),
        (&Value::from("NI-Managua"), &Value::from("/active?country=NI&city=Managua"))
    );
    let body = "{\"city\":\"Managua\",\"country\":\"NI\",\"active\":\"False\"}";
    let (text, json) = explain(SHIPPED, &["PUT", "/active", "--data", body]);
    assert_eq!(
        (&json["drops"][0]["scope"], &json["drops"][0]["tag"]),
        (&Value::from("entry"), &Value::from("k:/active ni-managua"))
    );
    assert_eq!((&json["conditions"][0]["holds"], json["unknown"].as_array().map(Vec::len)), (&Value::Null, Some(0)));
    assert!(says(&text, "when", &["response /result is \"Ok\"", "--response"]), "{text}");
    let (text, json) = explain(SHIPPED, &["PUT", "/active", "--data", body, "--response", "{\"result\":\"Fail\"}"]);
    assert_eq!(json["conditions"][0]["holds"], false);
    assert!(json["drops"].as_array().unwrap().iter().all(|drop| drop["route"] == "unrouted"), "{text}");
    let (_, json) = explain(SHIPPED, &["PUT", "/active", "--data", body, "--response", "{\"result\":\"Ok\"}"]);
    assert_eq!(
        (&json["conditions"][0]["holds"], &json["drops"][0]["scope"]),
        (&Value::Bool(true), &Value::from("entry"))
    );
}

#[test]
fn the_oracle_seeds_writes_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("oracle.toml");
    std::fs::write(&file, ORACLE).unwrap();
    let file = file.to_str().unwrap();
    let body = "{\"order_id\": 2}";
    for (url, target, goes_to) in [
        ("/orders", "through", "the origin"),
        ("/orders?target=redis", "cache", "the cache only"),
        ("/orders?target=oracle", "around", "the origin"),
    ] {
        let (text, json) = explain(file, &["POST", url, "--data", body]);
        assert_eq!(
            (&json["policy"]["target"], &json["policy"]["key"]),
            (&Value::from(target), &Value::from("order:2"))
        );
        assert_eq!(json["policy"]["entry"], "/orders/2");
        assert!(says(&text, "goes to", &[goes_to]) && says(&text, "policy", &[target, "entry order:2"]), "{text}");
    }
    let (text, json) = explain(file, &["POST", "/orders?target=mongo"]);
    assert_eq!((&json["policy"]["target"], &json["unknown"][0]["give"]), (&Value::Null, &Value::from("--data")));
    assert!(says(&text, "policy", &["forwarded as any write"]), "{text}");
    std::fs::write(file, KEYED).unwrap();
    let (text, json) = explain(file, &["GET", "/orders/2", "--header", "Authorization: Bearer hunter2"]);
    assert!(json["key"].as_str().unwrap().starts_with("order:2#"), "{json}");
    assert!(!text.contains("hunter2") && !json.to_string().contains("hunter2"), "{text}");
    assert!(says(&text, "dropped by", &["POST /orders", "{order_id}"]), "{text}");
}

#[test]
fn a_bypass_says_why() {
    for (header, reason) in [
        ("Authorization: Bearer hunter2", "authorization"),
        ("Cookie: session=hunter2", "cookie"),
        ("X-Api-Key: hunter2", "credential"),
    ] {
        let (text, json) = explain(SHIPPED, &["GET", "/fruit/1", "--header", header]);
        assert_eq!((&json["cached"], &json["bypass"]["reason"]), (&Value::Bool(false), &Value::from(reason)));
        assert!(says(&text, "bypass", &[reason]) && !text.contains("hunter2"), "{text}");
    }
    let (text, _) = explain(SHIPPED, &["GET", "/fruit/1", "-H", "If-Match: \"a\""]);
    assert!(says(&text, "bypass", &["precondition: ", "If-Match"]), "{text}");
    let (_, json) = explain(SHIPPED, &["GET", "/fruit//1"]);
    assert_eq!(json["cached"], false, "{json}");
    let (_, json) = explain(SHIPPED, &["GET", "/active?city=a&city=b"]);
    assert_eq!(json["bypass"]["reason"], "query-ambiguous");
}

#[test]
fn hosts_are_told_as_they_are_kept_and_as_the_origin_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let route = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\n";
    let file = |name: &str, more: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("{more}{route}")).unwrap();
        file.display().to_string()
    };
    let own = file("own.toml", "origin = \"http://a\"\n");
    let listed = file("listed.toml", "origin = \"http://a\"\n[clients]\nhosts = [\"shop.example\", \"b.example\"]\n");
    let origins = file("origins.toml", "[origin]\nurl = \"http://a\"\nhost = \"origin\"\n");
    for (file, host, key, sees) in [
        (&own, None, Some("fruit:1"), Some("127.0.0.1:8080")),
        (&own, Some("LOCALHOST:8080"), Some("fruit:1"), Some("127.0.0.1:8080")),
        (&own, Some("Shop.Example:80"), Some("fruit:1@shop.example"), Some("shop.example")),
        (&listed, None, Some("fruit:1"), Some("shop.example")),
        (&listed, Some("b.example"), Some("fruit:1"), Some("shop.example")),
        (&listed, Some("localhost:8080"), None, None),
        (&origins, Some("localhost:8080"), Some("fruit:1"), None),
    ] {
        let host = host.map_or(Vec::new(), |host| vec!["--host", host]);
        let (text, json) = explain(file, &[&["GET", "/fruit/1"], &*host].concat());
        let told = (json["key"].as_str(), json["fill"]["fields"]["host"].as_str());
        assert_eq!(told, (key, sees), "{file} {host:?}: {text}");
        if key.is_none() {
            assert!(says(&text, "bypass", &["host-unknown"]), "{text}");
        }
    }
}

#[test]
fn no_file_is_needed() {
    let run = |arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("proxy.toml"), "this is no configuration").unwrap();
        aside_in(folder.path(), arguments)
    };
    let output = run(&["explain", "--no-config", "GET", "/a"]);
    assert_eq!(code(&output), 0, "{}", complained(&output));
    assert!(printed(&output).contains("/a"));
    assert_eq!(code(&run(&["explain", "GET", "/a"])), 78);
    assert_eq!(code(&run(&["explain", "--no-config", "--config", "proxy.toml", "GET", "/a"])), 2);
}

#[test]
fn paths_without_a_route_and_other_methods() {
    let (text, json) = explain(SHIPPED, &["GET", "/other?x=1"]);
    assert_eq!(
        (&json["route"], &json["key"], &json["lifetime"]["source"]),
        (&Value::Null, &Value::from("/other?x=1"), &Value::from("origin"))
    );
    assert!(says(&text, "dropped by", &["any write to /other"]), "{text}");
    for (header, reason) in [("Authorization: hunter2", "authorization"), ("X-Api-Key: hunter2", "credential")] {
        let (text, json) = explain(SHIPPED, &["GET", "/other", "--header", header]);
        assert_eq!((&json["cached"], &json["credential"]["reason"]), (&Value::Bool(true), &Value::from(reason)));
        assert!(says(&text, "credential", &[reason, "bypasses the store, unless", "public"]), "{text}");
    }
    assert_eq!(json["credential"], Value::Null);
    for method in ["OPTIONS", "QUERY", "PROPFIND", "REPORT", "SEARCH"] {
        let (text, json) = explain(SHIPPED, &[method, "/fruit/1"]);
        assert_eq!(json["kind"], "passed");
        assert!(text.contains("no write: it drops nothing") && text.contains("never stored"), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    std::fs::write(
        &file,
        "origin = \"http://a\"\n[[route]]\npath = \"/a/{b}/c\"\ninvalidated_by = \"path\"\n[unrouted]\ncache = false\n",
    )
    .unwrap();
    let (text, _) = explain(file.to_str().unwrap(), &["GET", "/a/1/c"]);
    for part in
        ["any write to /a/1/c:", "any write to /a/1/c/…", "any write to /a/{b}:", "any write to /a:", "any write to /:"]
    {
        assert!(says(&text, "dropped by", &[part]), "{part} in {text}");
    }
    assert!(says(&text, "lifetime", &["as the origin says"]), "{text}");
    let (_, json) = explain(file.to_str().unwrap(), &["GET", "/b"]);
    assert_eq!(json["bypass"]["reason"], "route-off");
}

/// Routes that say nothing of writes, and writes that say what they drop.
const BLOG: &str = r#"
origin = "http://127.0.0.1:5000"
[[route]]
path = "/articles/{slug}/"
ttl = "1h"
[[route]]
path = "/articles"
ttl = "1h"
[[route]]
path = "/users/{id}"
ttl = "1h"
invalidated_by = []
[[write]]
request = "POST /articles/{slug}/favorite"
drops = ["/articles/{slug}"]
when = { status = [201] }
[[write]]
request = ["POST /login", "POST /search"]
drops = []
refused = { status = [302], location = "/login" }
[[write]]
request = "POST /import"
drops = ["/articles/{response:/slug}", "tag:all"]
"#;

/// The blog's file; the folder goes with it.
fn blog() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blog.toml");
    std::fs::write(&file, BLOG).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

fn line_of(text: &str) -> usize {
    let before = BLOG.split(text).next().unwrap();
    before.matches('\n').count()
}

#[test]
fn a_read_that_says_nothing_of_writes_is_dropped_by_all_but_those_that_say_what_they_drop() {
    let (_folder, file) = blog();
    let (text, json) = explain(&file, &["GET", "/articles/hello/"]);
    let favorite = format!("[[write]] line {}", line_of("request = \"POST /articles/{slug}/favorite\""));
    for parts in [
        &["every write that no [[write]] speaks of: every entry of the route"][..],
        &["POST /articles/hello/favorite: what lies at /articles/{slug}", "when status is 201", &favorite],
        &["POST /import: what lies at /articles/{response:/slug}"],
        &["any write to /articles/hello/: this path"],
        &["any write whose answer names it"],
    ] {
        assert!(says(&text, "dropped by", parts), "{parts:?} in {text}");
    }
    assert!(
        says(&text, "not by", &["POST /login or POST /search: drop nothing, but for what they are sent to"]),
        "{text}"
    );
    assert_eq!(
        json["spared_by"],
        serde_json::json!([{ "writes": "POST /login or POST /search", "line": line_of("request = [\"POST /login\"") }])
    );
    assert_eq!(json["dropped_by"][1]["when"], serde_json::json!(["status is 201"]));
    let (text, _) = explain(&file, &["GET", "/articles"]);
    assert!(says(&text, "not by", &["POST /articles/{slug}/favorite: drops nothing of this"]), "{text}");
    let (text, json) = explain(&file, &["GET", "/users/7"]);
    assert!(!text.contains("every write that no"), "{text}");
    assert!(says(&text, "dropped by", &["any write to /users/7: this path"]), "{text}");
    assert_eq!(json["spared_by"], serde_json::json!([]));
    let (text, _) = explain(&file, &["GET", "/other"]);
    assert!(!text.contains("favorite"), "{text}");
}

#[test]
fn a_write_tells_what_narrows_it_and_what_keeps_it_from_being_narrowed() {
    let (_folder, file) = blog();
    let (text, json) = explain(&file, &["POST", "/articles/hello/favorite"]);
    assert!(says(&text, "narrowed by", &["(POST /articles/{slug}/favorite): it drops what that names"]), "{text}");
    assert!(says(&text, "drops", &["/articles/{slug}/: /articles/hello, whatever the query"]), "{text}");
    assert!(
        says(&text, "when", &["[[write]] POST /articles/{slug}/favorite: status is 201", "for the answer to tell"]),
        "{text}"
    );
    assert!(!text.contains("every route"), "{text}");
    assert_eq!(
        (&json["narrowed_by"][0]["speaks"], &json["conditions"][0]["route"]),
        (&Value::Bool(true), &Value::Null)
    );
    let (text, _) = explain(&file, &["POST", "/login/"]);
    assert!(
        says(&text, "unless", &["it answers 302 with Location /login: then nothing on a route is dropped"]),
        "{text}"
    );
    for (more, why) in [
        (&["POST", "//login"][..], "its path may be read in several ways"),
        (&["POST", "/Login"], "its method or path is spelt otherwise"),
        (&["POST", "/login", "-H", "X-HTTP-Method-Override: delete"], "it may be taken for another method"),
        (&["POST", "/login?_method=PUT"], "it may be taken for another method"),
        (&["POST", "/login", "--data", "{\"_method\": \"PUT\"}"], "it may be taken for another method"),
        (
            &["POST", "/login", "-H", "Content-Type: application/x-www-form-urlencoded"],
            "it may be taken for another method",
        ),
    ] {
        let (text, json) = explain(&file, more);
        assert!(
            says(&text, "narrowed by", &["nothing: ", "(POST /login or POST /search) does not speak of it", why]),
            "{text}"
        );
        assert!(says(&text, "drops", &["every route without `invalidated_by`, because any write may"]), "{text}");
        assert_eq!(json["narrowed_by"][0]["because"], why);
    }
    for (more, method, by) in [
        (&["-H", "X-HTTP-Method-Override: delete"][..], "DELETE", "X-HTTP-Method-Override"),
        (&["--data", "{\"_method\": \"PUT\"}"], "PUT", "its body"),
        (&["-H", "Content-Type: application/x-www-form-urlencoded"], "any method", "its body, which is not known"),
    ] {
        let (text, json) = explain(&file, &[&["POST", "/users/7"], more].concat());
        assert!(says(&text, "taken for", &[&format!("{method}, by {by}")]), "{text}");
        assert_eq!(
            (json["taken_for"][0]["method"].as_str(), json["taken_for"][0]["by"].as_str()),
            (Some(method), Some(by))
        );
    }
}

#[test]
fn what_a_write_does_not_tell_says_what_to_do() {
    let (_folder, file) = blog();
    let (text, json) = explain(&file, &["PUT", "/users/007"]);
    assert!(says(&text, "drops", &["/users/{id}: every entry"]), "{text}");
    let why = "`007` is read differently by different backends, so the whole route is dropped";
    assert!(says(&text, "not known", &["{id} of /users/{id}", why]), "{text}");
    assert_eq!((&json["unknown"][0]["why"], &json["unknown"][0]["value"]), (&Value::from("odd"), &Value::from("007")));
    let (text, _) = explain(&file, &["POST", "/articles/007/favorite"]);
    assert!(
        says(&text, "not known", &["{slug} (POST /articles/{slug}/favorite)", "`007` is read differently"]),
        "{text}"
    );
    let (text, json) = explain(&file, &["POST", "/import"]);
    assert!(says(&text, "drops", &["/articles/{slug}/: every entry"]), "{text}");
    assert!(says(&text, "not known", &["{response:/slug} (POST /import): give --response"]), "{text}");
    assert_eq!((&json["unknown"][0]["route"], &json["unknown"][0]["give"]), (&Value::Null, &Value::from("--response")));
    let (text, json) = explain(&file, &["POST", "/import", "--response", "{\"slug\": \"a\"}"]);
    assert!(
        says(&text, "drops", &["/articles/{slug}/: /articles/a"]) && json["unknown"] == serde_json::json!([]),
        "{text}"
    );
    let body = "{\"country\": \"NI\", \"city\": \"a\"}";
    let (text, _) = explain(SHIPPED, &["PUT", "/active?city=b", "--data", body]);
    assert!(says(&text, "not known", &["{city} of /active (PUT /active)", "in two ways"]), "{text}");
    let (text, _) = explain(SHIPPED, &["PUT", "/active?city=b&country=NI", "-H", "Content-Type: text/xml"]);
    assert!(says(&text, "not known", &["{city}", "in a body that is not JSON"]), "{text}");
}

#[test]
fn a_move_writes_what_its_destination_names_too() {
    let (_folder, file) = blog();
    for method in ["MOVE", "COPY"] {
        let (text, json) = explain(&file, &[method, "/users/8", "-H", "Destination: /users/9"]);
        assert!(says(&text, "writes too", &["/users/9 (Destination)"]), "{text}");
        for path in ["/users/8", "/users/9"] {
            let what = format!("/users/{{id}}: {path}, whatever the query");
            assert!(says(&text, "drops", &[&what, "because it is what the write is sent to"]), "{text}");
        }
        assert_eq!(
            (&json["readings"], &json["destinations"]),
            (&serde_json::json!(["/users/8"]), &serde_json::json!(["/users/9"]))
        );
    }
}

#[test]
fn a_purge_is_for_aside_alone() {
    let (text, value) = explain(SHIPPED, &["PURGE", "/fruit/1"]);
    assert!(text.contains("never goes on to the API; nobody may send it"), "{text}");
    assert_eq!((&value["kind"], &value["token"]), (&"purge".into(), &false.into()));
    assert!(value["tags"].as_array().unwrap().iter().any(|tag| tag == "k:/fruit/{id} fruit:1"), "{value}");
}
