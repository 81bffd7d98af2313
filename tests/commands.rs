//! The commands as a person and a program run them: what they print, and their exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; the lints spare only what is inside of test functions"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proxy.toml");

/// The Oracle seed's route, which the shipped file's `/orders/{page}` leaves no room for.
const ORACLE: &str = r#"
origin = "http://127.0.0.1:5000"
[[route]]
path = "/orders/{order_id}"
key = "order:{order_id}"
ttl = "1h"
[route.write]
request = "POST /orders"
select = { query = "target", default = "both", both = "through", redis = "cache", oracle = "around" }
entry = '{"order": {body}, "source": "Redis"}'
reply = { status = 201, json = '{"status": "success", "message": "Order written to {target}"}' }
"#;

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

/// Runs `aside` in an empty folder.
fn aside(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    aside_in(folder.path(), arguments)
}

fn aside_in(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aside")).current_dir(folder).args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

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
fn the_shipped_file_is_good() {
    let output = aside(&["check", "--config", SHIPPED]);
    assert_eq!(code(&output), 0, "{}", complained(&output));
    assert!(printed(&output).contains("is good: 3 routes, store memory:// (64MiB), origin http://127.0.0.1:5000"));
    let json: Value = serde_json::from_slice(&aside(&["check", "--json", "--config", SHIPPED]).stdout).unwrap();
    assert_eq!((&json["ok"], &json["routes"]), (&Value::Bool(true), &Value::from(3)));
    assert_eq!(json["findings"][0]["severity"], "note");
}

#[test]
fn the_file_in_the_folder_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proxy.toml"), ORACLE).unwrap();
    let output = aside_in(folder.path(), &["check"]);
    assert_eq!(code(&output), 0);
    assert!(printed(&output).starts_with("proxy.toml is good: 1 route,"));
}

#[test]
fn a_password_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let text = "origin = \"http://a\"\nstore = \"redis://u:hunter2@127.0.0.1:6379/1\"\n";
    std::fs::write(folder.path().join("proxy.toml"), text).unwrap();
    for arguments in [&["check"][..], &["check", "--json"]] {
        let text = printed(&aside_in(folder.path(), arguments));
        assert!(text.contains("127.0.0.1:6379") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_a_url_hides_is_shown_escaped() {
    let (text, _) = explain(SHIPPED, &["GET", "/orders/a%1B%5B31m"]);
    assert!(!text.contains('\u{1b}') && text.contains("a\\u{1b}[31m"), "{text:?}");
}

#[test]
fn a_bad_file_is_78_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proxy.toml"), "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = 60\n")
        .unwrap();
    for arguments in [&["check"][..], &["serve"], &["routes"], &["explain", "GET", "/a"]] {
        let output = aside_in(folder.path(), arguments);
        assert_eq!(code(&output), 78, "{arguments:?}");
        let complaint = complained(&output);
        assert!(complaint.contains("proxy.toml:4:7") && complaint.contains("help: write \"60s\""), "{complaint}");
        assert!(!complaint.contains('\u{1b}'), "colours without a terminal");
        assert!(printed(&output).is_empty());
    }
    let json = aside_in(folder.path(), &["check", "--json"]);
    assert_eq!(code(&json), 78);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["ok"], &json["findings"][0]["line"]), (&Value::Bool(false), &Value::from(4)));
}

#[test]
fn no_configuration_at_all_is_78_too() {
    for arguments in [&["check"][..], &["serve"], &["check", "--config", "none.toml"], &["check", "--config", "."]] {
        let output = aside(arguments);
        assert_eq!(code(&output), 78, "{arguments:?}");
        assert!(complained(&output).contains("help: "), "{}", complained(&output));
    }
    for arguments in [&["serve", "--origin", "ftp://a"][..], &["serve", "--origin", "http://a", "--store", "x://"]] {
        assert_eq!(code(&aside(arguments)), 78, "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &[][..],
        &["start"],
        &["check", "--colour"],
        &["serve", "--log", "xml"],
        &["explain", "GET"],
        &["explain", "get", "/a"],
        &["explain", "GET", "orders"],
        &["explain", "PUT", "/a", "--data", "{"],
        &["explain", "GET", "/a", "--header", "Authorization hunter2"],
    ] {
        let output = aside(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(!complained(&output).contains("hunter2"));
    }
    assert_eq!(code(&aside(&["--version"])), 0);
    assert_eq!(code(&aside(&["--help"])), 0);
}

#[test]
fn an_address_that_is_taken_is_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = aside(&["serve", "--origin", "http://127.0.0.1:1", "--listen", &address]);
    assert_eq!(code(&output), 1);
    assert!(complained(&output).contains("in use"), "{}", complained(&output));
}

#[test]
fn with_few_file_descriptors_it_says_how_many_clients_it_can_serve() {
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_aside");
    let serve = format!("ulimit -n 200; exec {binary} serve --origin http://127.0.0.1:1 --listen 127.0.0.1:0");
    let mut shell = Command::new("sh");
    let mut server = shell.args(["-c", &serve]).current_dir(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take_while(|line| !line.contains("listening on")).collect();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(said.iter().any(|line| line.contains("at most 68 clients")), "{said:?}");
}

#[test]
fn routes_are_listed() {
    let text = printed(&aside(&["routes", "--config", SHIPPED]));
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.lines().nth(2).is_some_and(|line| line.contains("fruit:{id}") && line.contains("10m")), "{text}");
    let json: Value = serde_json::from_slice(&aside(&["routes", "--json", "--config", SHIPPED]).stdout).unwrap();
    assert_eq!(json[2]["query"], serde_json::json!(["country", "city"]));
    assert_eq!(json[0]["invalidated_by"][1], "PUT /orders/{order_id}");
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
    assert_eq!(json["drops"][0]["because"], "PUT /fruit/{id}");
}

#[test]
fn what_a_write_drops_is_told_in_words() {
    let (text, json) = explain(SHIPPED, &["PUT", "/fruit/1"]);
    for parts in [
        ["/fruit/{id}: the entry fruit:1 in all its variants", "because PUT /fruit/{id}"],
        ["paths without a route: /fruit/1, whatever the query", "because it is the target itself"],
        ["paths without a route: /fruit, whatever the query", "because the target lies in it"],
    ] {
        assert!(says(&text, "drops", &parts), "{parts:?} in {text}");
    }
    assert!(!text.contains("k:") && !text.contains("p:"), "{text}");
    assert_eq!(json["drops"][1]["tag"], "p:unrouted /fruit/1");
    let (text, _) = explain(SHIPPED, &["PUT", "/"]);
    assert!(says(&text, "drops", &["paths without a route: /,", "because it is the target itself"]), "{text}");
    assert!(says(&text, "unless", &["4xx"]) && says(&text, "unless", &["5xx", "on a route"]), "{text}");
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
    assert!(says(&text, "drops", &[&shown, "because it is the target itself"]), "{text}");
    assert!(says(&text, "drops", &[&shown, "because the target lies in it"]), "{text}");
    assert!(json["drops"].as_array().unwrap().iter().all(|drop| drop["tag"].as_str().unwrap().len() < 230), "{json}");
}

#[test]
fn tags_of_ones_own_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let text = "origin = \"http://a\"\n[[route]]\npath = \"/a/{x}\"\ntags = [\"shop:{x}\"]\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let (text, _) = explain(file, &["GET", "/a/1"]);
    assert!(says(&text, "tags", &["shop:1"]) && !text.contains("n:shop"), "{text}");
    let (text, _) = explain(file, &["PUT", "/a"]);
    assert!(says(&text, "drops", &["/a/{x}: every entry, because it lies below the target"]), "{text}");
}

#[test]
fn an_origin_that_is_aside_itself_is_78() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proxy.toml"), "origin = \"http://localhost:8080\"\n").unwrap();
    let output = aside_in(folder.path(), &["check"]);
    assert_eq!(code(&output), 78);
    let complaint = complained(&output);
    assert!(complaint.contains("proxy.toml:1:10") && complaint.contains("go round in circles"), "{complaint}");
    let elsewhere = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:9"];
    assert_eq!(code(&aside(&elsewhere)), 78);
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
    assert!(says(&text, "not known", &["{page}", "--data"]), "{text}");
    let (_, json) = explain(SHIPPED, &["POST", "/orders", "--data", "{\"order_id\": 1}"]);
    assert_eq!((&json["drops"][0]["scope"], &json["unknown"][0]["give"]), (&Value::from("route"), &Value::Null));
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
fn paths_without_a_route_and_other_methods() {
    let (text, json) = explain(SHIPPED, &["GET", "/other?x=1"]);
    assert_eq!(
        (&json["route"], &json["key"], &json["lifetime"]["source"]),
        (&Value::Null, &Value::from("/other?x=1@127.0.0.1:8080"), &Value::from("origin"))
    );
    assert!(says(&text, "dropped by", &["any write to /other"]), "{text}");
    for (header, reason) in [("Authorization: hunter2", "authorization"), ("X-Api-Key: hunter2", "credential")] {
        let (text, json) = explain(SHIPPED, &["GET", "/other", "--header", header]);
        assert_eq!((&json["cached"], &json["credential"]["reason"]), (&Value::Bool(true), &Value::from(reason)));
        assert!(says(&text, "credential", &[reason, "bypasses the store, unless", "public"]), "{text}");
    }
    assert_eq!(json["credential"], Value::Null);
    let (text, json) = explain(SHIPPED, &["OPTIONS", "/fruit/1"]);
    assert_eq!(json["kind"], "passed");
    assert!(text.contains("never stored"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    std::fs::write(&file, "origin = \"http://a\"\n[[route]]\npath = \"/a/{b}/c\"\n[unrouted]\ncache = false\n")
        .unwrap();
    let (text, _) = explain(file.to_str().unwrap(), &["GET", "/a/1/c"]);
    for part in ["any write to /a/1/c:", "any write to /a/1:", "any write to /a:", "any write to /:"] {
        assert!(says(&text, "dropped by", &[part]), "{part} in {text}");
    }
    assert!(says(&text, "lifetime", &["as the origin says"]), "{text}");
    let (_, json) = explain(file.to_str().unwrap(), &["GET", "/b"]);
    assert_eq!(json["bypass"]["reason"], "route-off");
}
