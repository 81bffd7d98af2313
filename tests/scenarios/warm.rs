//! `aside warm` against a running proxy.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::support::node::Process;
use super::support::origin::{Origin, response};
use super::support::redis::free_port;

async fn warm(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    command.arg("warm").args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_stored_and_the_rest_is_told_with_its_reason() {
    let origin = Origin::start(|asked| async move {
        match asked.path() {
            "/never" => response(200, &[("cache-control", "no-store")], "x"),
            "/broken" => response(503, &[], "x"),
            path => response(200, &[("cache-control", "max-age=60")], path),
        }
    })
    .await;
    let process = Process::start(origin.address, "memory://", "").await;
    let proxy = format!("http://{}", process.address);
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("urls");
    let url = format!("{proxy}/b");
    std::fs::write(&list, format!("# these\n/a\n{url}\n/a\n/never\n")).unwrap();
    let list = list.display().to_string();
    let output = warm(&["--json", "--concurrency", "1", "--proxy", &proxy, "--from", &list]).await;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!((&told["asked"], &told["stored"], &told["hits"]), (&json!(4), &json!(2), &json!(1)), "{told}");
    assert_eq!(told["not_stored"].as_object().unwrap().len(), 1, "{told}");
    process.client().expect(&[("/a", "HIT"), ("/b", "HIT")]).await;
    let output = warm(&["--proxy", &proxy, "/broken", "not a path", "/c"]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("3 asked, 1 stored, 0 there already, 0 not stored, 2 failed"), "{text}");
    let nobody = warm(&["--proxy", &format!("http://127.0.0.1:{}", free_port()), "/a", "/b"]).await;
    assert_eq!(nobody.status.code(), Some(69), "{}", String::from_utf8_lossy(&nobody.stderr));
}

/// A file like a process's, with the port that the kernel chose.
fn file_of(process: &Process) -> String {
    let told = std::fs::read_to_string(process.folder().join("proxy.toml")).unwrap();
    let file = process.folder().join("other.toml");
    std::fs::write(&file, told.replace("127.0.0.1:0", &process.address.to_string())).unwrap();
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_warmed_is_what_clients_ask_for() {
    let origin = Origin::counting().await;
    let clients = "[clients]\nhosts = [\"shop.example\"]\ntrusted_proxies = [\"127.0.0.1\"]\n[[route]]\npath = \"/fruit/{id}\"\nttl = \"1h\"\n";
    let process = Process::start(origin.address, "memory://", clients).await;
    let file = file_of(&process);
    let shop = ("host", "shop.example");
    let german = [shop, ("accept", "text/html"), ("accept-language", "de")];
    let secure = [shop, ("accept", "*/*"), ("x-forwarded-proto", "https")];
    let german_fields = ["--header", "Accept: text/html", "--header", "Accept-Language: de"];
    for (arguments, target, fields) in [
        (&["/fruit/1"][..], "/fruit/1", &[shop, ("accept", "*/*")][..]),
        (&["https://shop.example/fruit/2"], "/fruit/2", &secure),
        (&[german_fields.as_slice(), &["/fruit/3"]].concat(), "/fruit/3", &german),
        (&["--header", "Host: SHOP.example", "/fruit/4"], "/fruit/4", &[shop, ("accept", "*/*")]),
    ] {
        let output = warm(&[&["--config", &file], arguments].concat()).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(0) && text.contains("1 stored"), "{arguments:?}: {text}");
        assert_eq!(process.client().get_with(target, fields).await.cache(), "HIT", "{arguments:?}");
    }
    let nothing = warm(&["--config", &file, "--header", "Host: other.example", "/fruit/5", "/fruit/6"]).await;
    let said = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert_eq!(nothing.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing of it is stored (host-unknown)") && said.contains("`hosts` in [clients]"), "{said}");
    let wrong = warm(&["--config", &file, "--header", "Authorization hunter2", "/fruit/5"]).await;
    assert!(wrong.status.code() == Some(2) && !String::from_utf8_lossy(&wrong.stderr).contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_it_asks_where_a_proxy_without_one_listens() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    command.current_dir(folder.path()).env_remove("ASIDE_CONFIG").args(["warm", "--json", "/a"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["proxy"], "http://127.0.0.1:8080", "{}", String::from_utf8_lossy(&output.stderr));
}
