//! A password in every place where one can be, and everything that a command prints or logs, read through for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/redis.rs"]
#[allow(dead_code, unreachable_pub, reason = "each test target uses its own part of this module")]
mod redis;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::RedisServer;

const SECRET: &str = "hunter2/Sesame@42\"x";
const ENCODED: &str = "hunter2%2FSesame%4042%22x";
const VARIABLE: &str = "ASIDE_TEST_PASSWORD";
/// What no output may have, of the secret in whatever form.
const TRACES: [&str; 2] = ["hunter2", "Sesame"];

fn aside(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    command.current_dir(folder).args(arguments).env(VARIABLE, ENCODED).env("ASIDE_LOG", "trace");
    command
}

fn all_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn assert_clean(text: &str, of: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{of} shows the secret:\n{text}");
    }
}

/// A folder with a `proxy.toml` and, beside it, the secret and URLs that hold it in files.
fn folder(config: &str, address: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("proxy.toml", config);
    write("password", &format!("{SECRET}\n"));
    write("url", &format!("redis://:{ENCODED}@{address}\n"));
    write("bad_url", &format!("postgres://:{SECRET}@{address}\n"));
    folder
}

const ROUTE: &str = "[[route]]\npath = \"/x/{id}\"\nttl = \"1m\"\n";

/// Every way to write the store's URL with the password in it.
fn stores(address: &str) -> [String; 5] {
    [
        format!("\"redis://:{ENCODED}@{address}\""),
        format!("\"redis://:${{{VARIABLE}}}@{address}\""),
        format!("\"redis://:${{NOBODY:-{ENCODED}}}@{address}\""),
        format!("\"redis://:${{file:password}}@{address}\""),
        "\"${file:url}\"".to_owned(),
    ]
}

#[test]
fn commands_show_a_good_configuration_without_its_secret() {
    for store in stores("127.0.0.1:1") {
        let folder = folder(&format!("origin = \"http://127.0.0.1:2\"\nstore = {store}\n{ROUTE}"), "127.0.0.1:1");
        for arguments in [
            &["check"][..],
            &["check", "--json"],
            &["routes"],
            &["routes", "--json"],
            &["explain", "GET", "/x/1"],
            &["explain", "PUT", "/x/1", "--json"],
        ] {
            let output = aside(folder.path(), arguments).output().unwrap();
            assert!(output.status.success(), "{store} {arguments:?}: {}", all_of(&output));
            assert_clean(&all_of(&output), &format!("{arguments:?} with {store}"));
        }
    }
}

#[test]
fn commands_refuse_a_bad_configuration_without_its_secret() {
    let login = format!("u:{ENCODED}@h");
    let bad = [
        format!("origin = \"http://{login}\"\n"),
        format!("origin = \"https://{login}/x\"\n"),
        format!("origin = \"{login}\"\n"),
        "origin = \"http://u:${file:password}@h\"\n".to_owned(),
        "origin = \"${file:password}\"\n".to_owned(),
        "origin = \"http://${file:password}\"\n".to_owned(),
        "origin = \"http://a\"\nstore = \"${file:password}\"\n".to_owned(),
        "origin = \"http://a\"\nstore = \"${file:bad_url}\"\n".to_owned(),
        "origin = \"http://a\"\nstore = \"redis://:${file:password}@h:port\"\n".to_owned(),
        format!("origin = \"http://a\"\nstore = \"postgres://{login}\"\n"),
        format!("origin = \"http://a\"\nstore = \"redis://{login}:port\"\n"),
        format!("origin = \"http://a\"\nstore = \"redis://{login}/many\"\nnonsense = 1\n"),
        format!("origin = \"http://a\"\nstore = \"redis://:${{{VARIABLE}}}@h:port\"\n"),
        format!("origin = \"http://a\"\nstore = \"redis://:${{NOBODY:-{ENCODED}}}@h:port\"\n"),
        "origin = \"http://a\"\n[store]\nwhen_down = \"${file:password}\"\n".to_owned(),
        "origin = \"http://a\"\n[store]\nprefix = \"${file:password}\"\ntimeout = \"${file:password}\"\n".to_owned(),
        "origin = \"http://a\"\nlisten = \"${file:password}\"\n".to_owned(),
        "origin = \"http://a\"\n[origin]\nhost = \"${file:password}\"\n".to_owned(),
        "origin = \"http://a\"\n[[route]]\npath = \"${file:password}\"\n".to_owned(),
        "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nkey = \"{${file:password}}\"\n".to_owned(),
        "origin = \"http://a\"\n[clients]\ncompression = [\"${file:password}\"]\n".to_owned(),
    ];
    for config in bad {
        let folder = folder(&config, "h");
        for arguments in [&["check"][..], &["check", "--json"], &["serve"], &["routes"], &["explain", "GET", "/x"]] {
            let output = aside(folder.path(), arguments).output().unwrap();
            assert!(!output.status.success(), "{config}");
            assert_clean(&all_of(&output), &format!("{arguments:?} with {config}"));
        }
    }
}

/// Every slip right beside the credential of a write to the cache, which is then printed with its line.
#[test]
fn commands_refuse_a_bad_policy_without_its_credential() {
    let policy = |cache_by: &str| {
        format!(
            "origin = \"http://a\"\n{ROUTE}[route.write]\nrequest = \"POST /x\"\npolicy = \"cache\"\nentry = '{{\"x\": {{body}}}}'\n\
             reply = {{ status = 201, json = '{{}}' }}\n{cache_by}\n"
        )
    };
    for cache_by in [
        "cache_by = { feild = \"X-Token\", value = \"hunter2\" }",
        "cache_by = { field = \"X-Token\", valeu = \"hunter2\" }",
        "cache_by = { field = \"X-Token\", token = \"hunter2\" }",
        "cache_by = { field = \"X Token\", value = \"hunter2\" }",
        "cache_by = { field = \"Bearer hunter2\", value = \"X-Token\" }",
        "cache_by = { value = \"hunter2\" }",
        "cache_by = { field = \"X-Token\", value = \"hunter2\", value = \"Sesame\" }",
        "cache_by = { field = \"X-Token\", value = \"hunter2${NOBODY}\" }",
        "cache_by = { field = \"X-Token\", value = \"${NOBODY:-hunter2}${NOBODY}\" }",
        "cache_by = { field = \"X-Token\", value = \"hunter2${\" }",
        "cache_by = { field = \"X-Token\", value = hunter2 }",
        "cache_by = { field = \"X-Token\", value = \"hunter2 }",
        "cache_by = { field = \"X-Token\", value = \"hunter2\" x }",
        "cache_by = { field = \"X-Token\", value = [\"hunter2\"] }",
        "cache_by = { field = \"X-Token\", value = { x = \"hunter2\" } }",
        "cache_by = \"hunter2\"",
        "cache_by = [\"hunter2\"]",
        "cache_buy = { field = \"X-Token\", value = \"hunter2\" }",
        "[route.write.cache_by]\nfield = 1\nvalue = \"hunter2\"",
        "[route.write.cache_by]\nfield = \"X-Token\"\nvalue = 'hunter2' \"",
        "[route.write.cache_by]\nvalue = '''\nhunter2'''\nvalue = 1",
        "cache_by = { field = \"X-Token\", value = \"${file:password}\", x = 1 }",
    ] {
        let folder = folder(&policy(cache_by), "h");
        for arguments in [&["check"][..], &["check", "--json"], &["serve"]] {
            let output = aside(folder.path(), arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(78), "{cache_by}: {}", all_of(&output));
            assert_clean(&all_of(&output), &format!("{arguments:?} with {cache_by}"));
        }
    }
    for number in ["4815162342", "48151623.42", "2342-12-01"] {
        let folder = folder(&policy(&format!("cache_by = {{ field = \"X-Token\", value = {number} }}")), "h");
        let output = aside(folder.path(), &["check"]).output().unwrap();
        let printed = all_of(&output);
        assert!(printed.contains("in quotes") && !printed.contains("23"), "{printed}");
    }
    let folder = folder(&policy("cache_by = { field = \"X-Token\", value = \"hunter2\" }"), "h");
    for arguments in [&["check"][..], &["routes", "--json"], &["explain", "POST", "/x?id=1"]] {
        let output = aside(folder.path(), arguments).output().unwrap();
        assert!(output.status.success(), "{}", all_of(&output));
        assert_clean(&all_of(&output), &format!("{arguments:?}"));
    }
}

#[test]
fn what_the_command_line_says_wrong_is_not_repeated() {
    let folder = folder("origin = \"http://a\"\n", "h");
    let login = format!("u:{ENCODED}@h");
    for (argument, value) in [
        ("--store", format!("redis://{login}:port")),
        ("--store", format!("postgres://{login}")),
        ("--origin", format!("http://{login}")),
        ("--origin", login.clone()),
    ] {
        let output = aside(folder.path(), &["serve", argument, &value]).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", all_of(&output));
        assert_clean(&all_of(&output), argument);
    }
}

/// An `aside serve` that logs everything it can, killed when it is dropped.
struct Serving {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Serving {
    fn start(folder: &Path, format: &str) -> Self {
        let mut command = aside(folder, &["serve", "--log", format, "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stderr.take().unwrap()), Box::new(child.stdout.take().unwrap())];
        for mut stream in streams {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                let mut piece = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut piece) {
                    log.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
                }
            });
        }
        let mut serving = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log };
        serving.until("it listens", |serving| serving.listens_on().is_some());
        serving.address = serving.listens_on().unwrap();
        serving
    }

    /// Where its log says it listens.
    fn listens_on(&self) -> Option<SocketAddr> {
        let log = self.log();
        let (_, rest) = log.split_once("listening on http://")?;
        rest.split_once(',')?.0.parse().ok()
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            if condition(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never came true: {what}\n{}", self.log());
    }

    fn ask(&self, method: &str, target: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An origin that says yes to everything.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes");
        }
    });
    address
}

#[test]
fn a_server_logs_nothing_of_its_secret_whether_redis_takes_it_or_not() {
    let origin = origin();
    for (password, known) in [(SECRET, true), ("another", false)] {
        let server = RedisServer::start_with(&["--requirepass", password]);
        let address = format!("127.0.0.1:{}", server.port());
        for (store, format) in stores(&address).iter().zip(["text", "json", "text", "json", "text"]) {
            let folder = folder(&format!("origin = \"http://{origin}\"\nstore = {store}\n{ROUTE}"), &address);
            let serving = Serving::start(folder.path(), format);
            if known {
                serving.until("a hit", |serving| serving.ask("GET", "/x/1").contains("x-cache: HIT"));
            } else {
                serving.until("the login is refused", |serving| serving.log().contains("refuses the login"));
            }
            let answers = [("PUT", "/x/1"), ("GET", "/x/1"), ("GET", "/y")].map(|(method, x)| serving.ask(method, x));
            serving.until("the requests are logged", |serving| serving.log().contains("/y"));
            assert!(serving.log().contains("TRACE"), "the finest log");
            assert_clean(&serving.log(), &format!("the log with {store}"));
            assert_clean(&answers.concat(), "an answer");
        }
    }
}
