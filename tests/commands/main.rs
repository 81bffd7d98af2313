//! The commands as a person and a program run them: what they print, and their exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; the lints spare only what is inside of test functions"
)]

mod explain;

use std::fmt::Write as _;
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
cache_by = "anyone"
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

#[test]
fn a_bad_file_is_a_record_for_each_fault_where_the_log_is_json() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("proxy.toml"),
        "origin = \"http://127.0.0.1:1\"\n[[route]]\npath = 5\nttl = 60\n",
    )
    .unwrap();
    let output = aside_in(folder.path(), &["serve", "--log", "json"]);
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    let records: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let places: Vec<_> = records.iter().map(|record| (record["line"].as_u64(), record["level"].as_str())).collect();
    assert_eq!(places, [(Some(3), Some("ERROR")), (Some(4), Some("ERROR"))], "{said}");
    let absent = aside_in(folder.path(), &["serve", "--log", "json", "--config", "absent.toml"]);
    let said: Value = serde_json::from_slice(&absent.stderr).unwrap();
    assert_eq!((absent.status.code(), &said["file"], said.get("line")), (Some(78), &"absent.toml".into(), None));
}

#[test]
fn the_shipped_file_is_good() {
    let output = aside(&["check", "--config", SHIPPED]);
    assert_eq!(code(&output), 0, "{}", complained(&output));
    assert!(printed(&output).contains("is good: 3 routes, store memory:// (64MiB), origin http://127.0.0.1:5000"));
    assert_eq!(printed(&aside(&["check", SHIPPED])), printed(&output));
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
fn a_file_that_would_mislead_is_shown_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let misleads = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}\u{2028}".contains(c);
    for text in [
        "origin = \"http://a\u{202e}\u{9b}31m\u{200b}\u{2028}b c\"",
        "lis\u{9b}ten\u{202e} = 1",
        "[[route]]\npath = \"/a\\u001b[31m\\u202e\"\n",
    ] {
        for name in ["proxy.toml", "a\u{202e}\u{9b}.toml", "a\nerror: b.toml"] {
            std::fs::write(folder.path().join(name), text).unwrap();
            for json in [&[][..], &["--json"]] {
                let output = aside_in(folder.path(), &[&["check", "--config", name], json].concat());
                let (out, err) = (printed(&output), complained(&output));
                assert_eq!(code(&output), 78, "{out}{err}");
                assert!(!out.contains(misleads) && !err.contains(misleads), "{out}{err}");
                assert!(!err.contains("\nerror: b"), "{err}");
                assert!(json.is_empty() || serde_json::from_str::<Value>(&out).is_ok(), "{out}");
            }
        }
    }
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

/// What a program reads where a command fails.
fn failed(output: &Output) -> Value {
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", printed(output), complained(output)));
    assert_eq!(told["ok"], Value::Bool(false), "{told}");
    assert!(told["error"].as_str().is_some_and(|told| !told.is_empty()) && output.stderr.is_empty(), "{told}");
    told
}

#[test]
fn a_program_is_told_in_json_why_there_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("type.toml", "origin = 5\n"), ("slip.toml", "origin = [[\n"), ("good.toml", ORACLE)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let with_the_file = ["check", "routes", "explain GET /x"];
    let commands = ["warm /x", "status", "purge /x", "reload", "verify", "top"].into_iter().chain(with_the_file);
    let run = |command: &str, more: &[&str]| {
        let words: Vec<&str> = command.split(' ').chain(["--json"]).chain(more.iter().copied()).collect();
        let output = aside_in(folder.path(), &words);
        (failed(&output), code(&output))
    };
    for command in commands {
        for file in ["slip.toml", "none.toml", "."] {
            let (told, code) = run(command, &["--config", file]);
            assert_eq!((code, told["findings"].as_array().map(Vec::len)), (78, Some(1)), "{command} {file}: {told}");
        }
    }
    for command in with_the_file {
        let (told, code) = run(command, &["--config", "type.toml"]);
        assert_eq!((code, &told["findings"][0]["line"]), (78, &1.into()), "{command}: {told}");
        let (told, code) = run(command, &[]);
        assert_eq!(code, 78, "{told}");
        assert!(told["error"].as_str().unwrap().contains("no configuration was found"), "{told}");
    }
    for command in [
        "explain GET nope",
        "explain get /x",
        "explain GET /x --header nope",
        "explain PUT /x --data {",
        "warm --from none",
        "warm --from .",
        "warm /x --header nope",
        "warm /x --proxy nope",
        "purge /x --admin nope",
        "verify --also nope",
    ] {
        let (told, code) = run(command, &["--config", "good.toml"]);
        assert_eq!((code, &told["findings"]), (2, &Value::Null), "{command}: {told}");
    }
    let (told, code) = run("explain GET /x --live --admin unix:/nowhere.sock", &["--config", "good.toml"]);
    assert_eq!(code, 69, "{told}");
}

#[test]
fn a_command_speaks_of_the_file_and_not_of_options_that_it_has_not() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["listen = \"nope\"\norigin = \"http://a\"\n", "listen = 5\norigin = \"http://a\"\n"] {
        std::fs::write(folder.path().join("proxy.toml"), text).unwrap();
        let commands = [&["warm", "/x"][..], &["status"], &["top"], &["reload"], &["purge", "--all"]];
        for command in commands {
            let output = aside_in(folder.path(), command);
            let told = complained(&output);
            assert!(code(&output) == 78 && told.contains("proxy.toml:1:10"), "{command:?}: {told}");
            assert!(!told.contains("--origin"), "{command:?}: {told}");
        }
    }
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
        &["check", SHIPPED, "--config", SHIPPED],
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
fn a_file_in_the_folder_is_left_alone_where_none_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proxy.toml"), "orign = 5\n").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = |more: &[&str]| {
        let arguments = [&["serve", "--origin", "http://127.0.0.1:1", "--listen", &address], more].concat();
        code(&aside_in(folder.path(), &arguments))
    };
    assert_eq!((serve(&[]), serve(&["--no-config"])), (78, 1));
    assert_eq!(serve(&["--no-config", "--config", "proxy.toml"]), 2);
    assert_eq!(code(&aside_in(folder.path(), &["serve", "--no-config"])), 2);
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
fn routes_tell_what_drops_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = "origin = \"http://a\"\n".to_owned();
    let said = ["", "invalidated_by = \"path\"", "invalidated_by = []", "invalidated_by = [\"PUT /x\", \"DELETE /x\"]"];
    for (at, keys) in said.iter().enumerate() {
        let _ = writeln!(file, "[[route]]\npath = \"/r{at}\"\n{keys}");
    }
    std::fs::write(folder.path().join("proxy.toml"), file).unwrap();
    let text = printed(&aside_in(folder.path(), &["routes"]));
    let told: Vec<&str> = text.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(told, ["DROPPED BY", "every write", "writes around it", "writes to it", "PUT /x, DELETE /x"]);
    let json: Value = serde_json::from_slice(&aside_in(folder.path(), &["routes", "--json"]).stdout).unwrap();
    let told: Vec<&Value> = (0..4).map(|at| &json[at]["invalidated_by"]).collect();
    let wanted = serde_json::json!(["every", "path", [], ["PUT /x", "DELETE /x"]]);
    assert_eq!(told, wanted.as_array().unwrap().iter().collect::<Vec<_>>());
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
fn the_configuration_is_looked_for_where_the_environment_says_and_then_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proxy.toml"), ORACLE).unwrap();
    std::fs::write(folder.path().join("other.toml"), "origin = \"http://a\"\n").unwrap();
    let check = |more: &[&str], named: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command.current_dir(folder.path()).env("ASIDE_CONFIG", named).arg("check").args(more).output().unwrap()
    };
    assert!(printed(&check(&[], "other.toml")).starts_with("other.toml is good: no routes"));
    assert!(printed(&check(&["--config", "proxy.toml"], "other.toml")).starts_with("proxy.toml is good: 1 route,"));
    assert!(printed(&check(&[], "")).starts_with("proxy.toml is good"));
    assert_eq!(code(&check(&[], "none.toml")), 78);
}

#[test]
fn where_there_is_no_configuration_it_is_said_where_it_was_looked_for() {
    let output = aside(&["check"]);
    let told = complained(&output);
    assert_eq!(code(&output), 78);
    for place in ["./proxy.toml", "/etc/aside/proxy.toml", "ASIDE_CONFIG", "--no-config"] {
        assert!(told.contains(place), "{told}");
    }
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = aside(&["completions", shell]);
        assert_eq!(code(&output), 0);
        let script = printed(&output);
        assert!(["serve", "check", "explain", "warm"].iter().all(|command| script.contains(command)), "{shell}");
        let json: Value = serde_json::from_slice(&aside(&["completions", "--json", shell]).stdout).unwrap();
        assert_eq!((&json["shell"], &json["script"]), (&shell.into(), &script.into()));
    }
    assert_eq!(code(&aside(&["completions", "tcsh"])), 2);
}
