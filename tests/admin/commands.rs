//! The commands that ask a running process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::ROUTES;
use crate::support::node::Process;
use crate::support::origin::Origin;
use crate::support::redis::free_port;
use crate::support::until;

/// Runs a command with a configuration, in another folder.
pub fn aside(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    command.current_dir("/").env("XDG_RUNTIME_DIR", file.parent().unwrap()).env_remove("ASIDE_ADMIN_TOKEN");
    command.args(arguments).arg("--config").arg(file).output().unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn status_finds_the_process_by_its_file() {
    let origin = Origin::counting().await;
    let port = free_port();
    for (table, token) in [
        (String::new(), false),
        ("[admin]\nlisten = \"unix:a.sock\"\n".to_owned(), false),
        (format!("[admin]\nlisten = \"127.0.0.1:{port}\"\ntoken = \"sesame-open-sesame\"\n"), true),
    ] {
        let process = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
        // The port that the kernel chose is in no file.
        let told = std::fs::read_to_string(process.folder().join("proxy.toml")).unwrap();
        let file = process.folder().join("other.toml");
        std::fs::write(&file, told.replace("127.0.0.1:0", &process.address.to_string())).unwrap();
        let output = aside(&file, &["status"]);
        assert_eq!(code(&output), 0, "{}", printed(&output));
        let text = printed(&output);
        assert!(text.contains("serving") && text.contains("memory://") && text.contains("in order"), "{text}");
        let output = aside(&file, &["status", "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&json["ready"], &json["admin"]["token"]), (&true.into(), &token.into()));
        let output = aside(&file, &["status", "--ready"]);
        assert_eq!((code(&output), printed(&output).as_str()), (0, "ready\n"));
        // What else is wrong with the file is not asked for.
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "[unrouted]\ncache = 5\n").unwrap();
        assert_eq!(code(&aside(&file, &["status"])), 0);
    }
}

#[tokio::test]
async fn where_nobody_answers_it_is_69_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(folder.path(), own).unwrap();
    let file = folder.path().join("proxy.toml");
    let (port, other) = (free_port(), free_port());
    let by_tcp = format!("[admin]\nlisten = \"127.0.0.1:{other}\"\n");
    for (table, told) in [
        (
            "",
            &*format!("nobody answers at unix:{}/aside-{port}.sock (there is no such socket)", folder.path().display()),
        ),
        ("[admin]\nlisten = \"unix:none.sock\"\n", "nobody answers at unix:"),
        (&*by_tcp, "nobody answers at http://127.0.0.1:"),
        ("[admin]\nlisten = \"off\"\n", "wants no admin listener"),
    ] {
        std::fs::write(&file, format!("listen = \"127.0.0.1:{port}\"\norigin = \"http://127.0.0.1:1\"\n{table}"))
            .unwrap();
        for command in [&["status"][..], &["reload"], &["verify"]] {
            let output = aside(&file, command);
            assert_eq!(code(&output), 69, "{}", printed(&output));
            assert!(printed(&output).contains(told), "{}", printed(&output));
        }
        // Where programs look for it.
        let output = aside(&file, &["purge", "--all", "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(json["error"].as_str().unwrap().contains(told) && output.stderr.is_empty(), "{}", printed(&output));
        // What only the process could have told.
        let output = aside(&file, &["explain", "--live", "GET", "/"]);
        assert!(code(&output) == 69 && printed(&output).contains(told), "{}", printed(&output));
        assert_eq!(code(&aside(&file, &["status", "--ready"])), 1);
        let ready = aside(&file, &["status", "--ready", "--json"]);
        assert!(code(&ready) == 1 && serde_json::from_slice::<Value>(&ready.stdout).is_ok(), "{}", printed(&ready));
    }
    // One that listens elsewhere is pointed out.
    std::fs::write(&file, format!("listen = \"127.0.0.1:{port}\"\norigin = \"http://127.0.0.1:1\"\n")).unwrap();
    std::fs::write(folder.path().join("aside-1.sock"), "").unwrap();
    let output = aside(&file, &["status"]);
    let other = format!("--admin unix:{}/aside-1.sock", folder.path().display());
    assert!(printed(&output).contains(&other), "{}", printed(&output));
    // A server of another kind.
    let origin = Origin::counting().await;
    let place = format!("http://{}", origin.address);
    let output = aside(&file, &["status", "--admin", &place]);
    assert_eq!(code(&output), 69, "{}", printed(&output));
    assert_eq!(code(&aside(&file, &["status", "--admin", "/run/a.sock"])), 2);
}

#[tokio::test]
async fn a_file_that_is_no_toml_any_more_keeps_nobody_from_asking_the_process_that_has_it() {
    let origin = Origin::counting().await;
    let address = format!("127.0.0.1:{}", free_port());
    let by_tcp = format!("[admin]\nlisten = \"{address}\"\ntoken = \"sesame-open-sesame\"\n");
    for table in ["[admin]\nlisten = \"unix:a.sock\"\n", &by_tcp] {
        let process = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
        let file = process.folder().join("proxy.toml");
        let good = std::fs::read_to_string(&file).unwrap();
        for bad in [format!("{good}[[route]]\nttl = 1h\n"), good.replace("ttl = \"10m\"", "ttl = \"10m")] {
            std::fs::write(&file, &bad).unwrap();
            for command in [&["status"][..], &["purge", "--all"], &["verify"]] {
                let output = aside(&file, command);
                assert_eq!(code(&output), 0, "{command:?}: {}", printed(&output));
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    said.starts_with("warning: ") && said.contains("proxy.toml:") && said.lines().count() == 1,
                    "{said}"
                );
                assert!(!said.contains("sesame"), "{said}");
            }
            let refused = aside(&file, &["reload"]);
            assert_eq!(code(&refused), 1, "{}", printed(&refused));
            assert!(printed(&refused).contains("not valid TOML"), "{}", printed(&refused));
            // What was read around the slip may lead to a process that has another file.
            let copy = process.folder().join("copy.toml");
            std::fs::write(&copy, &bad).unwrap();
            for command in [&["status"][..], &["purge", "--all"], &["reload"]] {
                let output = aside(&copy, command);
                assert_eq!(code(&output), 78, "{command:?}: {}", printed(&output));
                assert!(printed(&output).contains("copy.toml:"), "{}", printed(&output));
            }
        }
    }
}

#[tokio::test]
async fn a_process_is_found_where_it_was_told_to_listen_when_it_was_started() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let file = process.folder().join("proxy.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let other = format!("[admin]\nlisten = \"127.0.0.1:{}\"\n", free_port());
    let moved = good.replacen("127.0.0.1:0", &format!("127.0.0.1:{}", free_port()), 1);
    for (text, told, reloads) in [
        (format!("{good}[admin]\nlisten = \"unix:moved.sock\"\n"), "a restart moves it", 0),
        (format!("{good}{other}"), "a restart moves it", 0),
        (format!("{good}[admin]\nlisten = \"off\"\n"), "a restart moves it", 0),
        (moved, "a restart moves it", 0),
        (good.replacen("127.0.0.1:0", "nope", 1), "`nope` is not an address", 1),
    ] {
        std::fs::write(&file, &text).unwrap();
        for (command, expected) in [(&["status"][..], 0), (&["purge", "--all"], 0), (&["reload"], reloads)] {
            let output = aside(&file, command);
            assert_eq!(code(&output), expected, "{command:?}: {text}\n{}", printed(&output));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.starts_with("warning: ") && said.contains(told), "{said}");
        }
        // It is another one's.
        let copy = process.folder().join("copy.toml");
        std::fs::write(&copy, &text).unwrap();
        let output = aside(&copy, &["purge", "--all"]);
        assert!(matches!(code(&output), 69 | 78), "{}", printed(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_the_port_for_clients() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    process.client().fill(&["/fruit/1"]).await;
    let place = format!("http://{}", process.address);
    for command in [&["purge", "--all"][..], &["reload"], &["status"]] {
        let mut asking = Command::new(env!("CARGO_BIN_EXE_aside"));
        asking.current_dir("/").args(command).args(["--admin", &place]).env("ASIDE_ADMIN_TOKEN", "sesame-open-sesame");
        let output = asking.output().unwrap();
        assert_eq!(code(&output), 69, "{}", printed(&output));
        assert!(printed(&output).contains("is it the address for clients?"), "{}", printed(&output));
    }
    let asked = origin.asked();
    let harmless =
        |asked: &crate::support::origin::Asked| asked.method != "POST" && asked.field("authorization").is_none();
    assert!(asked.iter().all(harmless), "{asked:?}");
    assert_eq!(process.client().get("/fruit/1").await.cache(), "HIT");
}

#[tokio::test]
async fn a_wrong_token_is_told() {
    let origin = Origin::counting().await;
    let address = format!("127.0.0.1:{}", free_port());
    let table = format!("[admin]\nlisten = \"{address}\"\ntoken = \"sesame-open-sesame\"\n");
    let process = Process::start(origin.address, "memory://", &table).await;
    let file = process.folder().join("other.toml");
    std::fs::write(&file, format!("origin = \"http://a\"\n[admin]\nlisten = \"{address}\"\n")).unwrap();
    let output = aside(&file, &["status"]);
    assert_eq!(code(&output), 1);
    let told = printed(&output);
    assert!(told.contains("needs the token of [admin]") && told.contains("ASIDE_ADMIN_TOKEN"), "{told}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    command.args(["status", "--admin", &format!("http://{address}")]).env("ASIDE_ADMIN_TOKEN", "sesame-open-sesame");
    assert_eq!(command.current_dir("/").output().unwrap().status.code(), Some(0));
}

#[tokio::test]
async fn explain_live_asks_the_running_process() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    process.client().fill(&["/fruit/1"]).await;
    let told = std::fs::read_to_string(process.folder().join("proxy.toml")).unwrap();
    let file = process.folder().join("other.toml");
    std::fs::write(&file, told.replace("127.0.0.1:0", &process.address.to_string())).unwrap();
    let output = aside(&file, &["explain", "--live", "GET", "/fruit/1"]);
    assert_eq!(code(&output), 0, "{}", printed(&output));
    assert!(printed(&output).contains("It is reused, fresh for"), "{}", printed(&output));
    assert!(!printed(&output).contains("other rules"), "{}", printed(&output));
    let output = aside(&file, &["explain", "--live", "--json", "GET", "/fruit/1"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["live"]["verdict"]["reused"], &json["text"]), (&true.into(), &Value::Null));
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "[[route]]\npath = \"/more\"\n").unwrap();
    let output = aside(&file, &["explain", "--live", "GET", "/fruit/1"]);
    assert!(code(&output) == 0 && printed(&output).contains("goes by other rules"), "{}", printed(&output));
    // Without its file: by its place, and by the port that one has which was started without any.
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command
            .current_dir("/")
            .env("XDG_RUNTIME_DIR", process.folder())
            .args(["explain", "--live", "GET", "/fruit/1"]);
        command.args(arguments).output().unwrap()
    };
    let place = format!("unix:{}", process.admin_socket().display());
    let output = run(&["--admin", &place]);
    assert!(code(&output) == 0 && printed(&output).contains("It is reused"), "{}", printed(&output));
    assert!(output.stderr.is_empty(), "{}", printed(&output));
    std::os::unix::fs::symlink(process.admin_socket(), process.folder().join("aside-8080.sock")).unwrap();
    let output = run(&["--no-config"]);
    assert!(code(&output) == 0 && printed(&output).contains("It is reused"), "{}", printed(&output));
    let output = run(&["--admin", "unix:/nowhere.sock"]);
    assert!(code(&output) == 69 && output.stdout.is_empty(), "{}", printed(&output));
}

#[tokio::test]
async fn top_has_a_line_a_second_and_ends_with_ctrl_c() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    process.client().fill(&["/fruit/1"]).await;
    let place = format!("unix:{}", process.admin_socket().display());
    for more in [&[][..], &["--json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command.current_dir("/").args(["top", "--admin", &place]).args(more).stdout(Stdio::piped());
        let mut top = command.spawn().unwrap();
        let mut lines = BufReader::new(top.stdout.take().unwrap()).lines();
        for _ in 0..2 {
            let line = lines.next().unwrap().unwrap();
            let json: Option<Value> = serde_json::from_str(&line).ok();
            assert_eq!(json.is_some(), !more.is_empty(), "{line}");
            assert!(json.is_none_or(|json| json["figures"]["requests"] == 2), "{line}");
        }
        rustix::process::kill_process(Pid::from_child(&top), Signal::INT).unwrap();
        assert_eq!(top.wait().unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn verify_prints_what_was_found_and_what_to_write() {
    let origin = Origin::counting().await;
    let table = "[[route]]\npath = \"/list\"\nttl = \"10m\"\ninvalidated_by = []\n[verify]\nsample = \"100%\"\n";
    let process = Process::start(origin.address, "memory://", table).await;
    let (client, place) = (process.client(), format!("unix:{}", process.admin_socket().display()));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command.current_dir("/").args(arguments).args(["--admin", &place]).output().unwrap()
    };
    // Each answer of this origin is another one: it says so, and calls none of them old.
    client.expect(&[("/list", "MISS"), ("/list", "HIT")]).await;
    let found = || async {
        let json: Value = serde_json::from_slice(&run(&["verify", "--json"]).stdout).unwrap();
        let is_there = json["file"].as_str().is_some_and(|file| file.ends_with("proxy.toml"));
        json["routes"][0]["volatile"] == 1
            && json["routes"][0]["route"] == "/list"
            && json["mode"] == "sample"
            && is_there
    };
    until("it is compared", found).await;
    let text = printed(&run(&["verify"]));
    assert!(
        text.starts_with("100% of the hits are compared") && text.contains("no stored answer was found old"),
        "{text}"
    );
    let status: Value = serde_json::from_slice(&run(&["status", "--json"]).stdout).unwrap();
    assert_eq!((&status["verify"]["compared"], &status["verify"]["old"]), (&1.into(), &0.into()));
    let text = printed(&run(&["status"]));
    assert!(text.contains("1 hit compared with the API's answer, 0 old"), "{text}");
    let metrics = crate::over_unix(&process.admin_socket(), &crate::get("/metrics")).body;
    assert!(metrics.contains("aside_verified_total{route=\"/list\",result=\"volatile\"} 1"), "{metrics}");
}

#[tokio::test]
async fn purge_drops_one_thing_by_name() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let place = format!("unix:{}", process.admin_socket().display());
    let purge = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command.current_dir("/").arg("purge").args(["--admin", &place]).args(arguments).output().unwrap()
    };
    for arguments in
        [&["/fruit/1"][..], &["--key", "fruit:1"], &["--route", "/fruit/{id}"], &["--all"], &["--all", "--json"]]
    {
        process.client().fill(&["/fruit/1"]).await;
        let output = purge(arguments);
        assert_eq!(code(&output), 0, "{}", printed(&output));
        assert_eq!(process.client().get("/fruit/1").await.cache(), "MISS", "{arguments:?}");
    }
    for arguments in
        [&[][..], &["--all", "/fruit/1"], &["--key", "a", "--tag", "b"], &["--route", "nobody's"], &["fruit/1"]]
    {
        assert_eq!(code(&purge(arguments)), 2, "{arguments:?}");
    }
}
