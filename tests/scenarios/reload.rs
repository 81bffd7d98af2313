//! Another configuration under running requests: what changes, what stays, and that nobody notices who need not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::held::{is_held, late};
use super::support::client::Client;
use super::support::node::{Process, patient};
use super::support::origin::{Origin, json, response};
use super::support::redis::RedisServer;
use super::support::{connected, until};

const STAYS: &str = "[[route]]\npath = \"/stays\"\nttl = \"1h\"\n";

/// Puts another configuration in force.
async fn reload(process: &Process, origin: &Origin, config: &str) {
    let before = process.log().matches("reloaded ").count();
    process.rewrite(origin.address, config);
    process.hang_up();
    until("it is reloaded", || async { process.log().matches("reloaded ").count() > before }).await;
}

async fn lasting() -> Origin {
    Origin::start(|asked| async move { response(200, &[("cache-control", "max-age=3600")], &asked.target) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn under_64_connections_no_request_fails_and_what_has_not_changed_stays_a_hit() {
    let origin = lasting().await;
    let first = format!("{STAYS}[[route]]\npath = \"/changes\"\nttl = \"1h\"\n[unrouted]\ncache = false\n");
    let second = format!(
        "{STAYS}[[route]]\npath = \"/changes\"\nttl = \"1h\"\nvary = [\"accept-language\"]\n[[route]]\npath = \"/new\"\n\
         [limits]\nfields = 50\nwaiters = 5\nconnections = 500\n"
    );
    let process = Process::start(origin.address, "memory://", &first).await;
    process.client().fill(&["/stays"]).await;
    let (ended, asked, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), ["/changes", "/x"]);
    let connections: Vec<_> = (0..64)
        .map(|number| {
            let (client, ended, asked) = (process.client(), Arc::clone(&ended), Arc::clone(&asked));
            tokio::spawn(async move {
                while !ended.load(SeqCst) {
                    let stays = client.get("/stays").await;
                    assert_eq!((stays.status, stays.cache()), (200, "HIT"), "{}", stays.cache_status());
                    assert_eq!(client.get(changed[number % 2]).await.status, 200);
                    asked.fetch_add(2, SeqCst);
                }
            })
        })
        .collect();
    for round in 0..20 {
        reload(&process, &origin, if round % 2 == 0 { &second } else { &first }).await;
        let so_far = asked.load(SeqCst);
        until("requests went through", || async { asked.load(SeqCst) > so_far + 64 }).await;
    }
    ended.store(true, SeqCst);
    for connection in connections {
        connection.await.unwrap();
    }
    assert_eq!(origin.asked().iter().filter(|asked| asked.path() == "/stays").count(), 1);
    assert!(process.log().contains("1 route added (/new), 1 route changed (/changes), [unrouted], [limits]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_changes_nothing_and_says_where_it_is_bad() {
    let origin = lasting().await;
    let process = Process::start(origin.address, "memory://", STAYS).await;
    process.client().fill(&["/stays"]).await;
    process.rewrite(origin.address, "[[route]]\npath = \"/a\"\nttl = 60\n[log]\nrequests = true\n");
    process.hang_up();
    process.says("the configuration stays as it was").await;
    process.says("proxy.toml:5:7").await;
    process.says("help: ").await;
    process.client().expect(&[("/stays", "HIT"), ("/stays", "HIT")]).await;
    reload(&process, &origin, STAYS).await;
    process.says("nothing has changed").await;
    process.client().expect(&[("/stays", "HIT")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_json_a_bad_file_is_a_record_for_each_fault_with_its_place() {
    let origin = lasting().await;
    let process = Process::telling(origin.address, "memory://", "[log]\nformat = \"json\"\n").await;
    // What is only worth knowing of the store is not why the file is refused.
    process.rewrite(origin.address, "[[route]]\npath = \"/a\"\nttl = 60\nkeyy = \"a\"\n[log]\nformat = \"json\"\n[store]\nurl = \"redis://127.0.0.1:1\"\n");
    process.hang_up();
    process.says("keyy").await;
    let log = process.log();
    assert!(!log.contains("nodes that share this Redis"), "{log}");
    let records: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refused: Vec<_> = records.iter().filter(|record| record["level"] == "ERROR").collect();
    assert_eq!(refused.len(), 2, "{log}");
    for (record, line, column) in [(refused[0], 5, 7), (refused[1], 6, 1)] {
        let message = record["message"].as_str().unwrap();
        assert!(message.contains("proxy.toml cannot be used; the configuration stays as it was: "), "{message}");
        assert_eq!((&record["line"], &record["column"]), (&line.into(), &column.into()), "{record}");
        assert!(record["file"].as_str().unwrap().ends_with("proxy.toml"), "{record}");
        assert!(record["help"].as_str().is_some_and(|help| !help.is_empty()), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_table_holds_from_the_next_request_on() {
    let origin =
        Origin::start(|_| async { response(200, &[("cache-control", "max-age=60"), ("surrogate-key", "a")], "text") })
            .await;
    let process = Process::start(origin.address, "memory://", "").await;
    let client = process.client();
    client.fill(&["/a"]).await;
    assert_eq!(client.get("/a").await.field("surrogate-key"), "");
    reload(&process, &origin, "[clients]\npass_tags = true\n").await;
    let told = client.get("/a").await;
    assert_eq!((told.field("surrogate-key"), told.cache()), ("a", "HIT"), "what hits derive is made anew");
    reload(&process, &origin, "[unrouted]\ncache = false\n").await;
    client.expect(&[("/a", "BYPASS")]).await;
    reload(&process, &origin, "[limits]\ntarget = \"64B\"\n").await;
    assert_eq!(client.get(&format!("/{}", "a".repeat(100))).await.status, 414);
    let other = Origin::start(|_| async { json("\"other\"") }).await;
    reload(&process, &other, "").await;
    assert_eq!(client.get("/b").await.text(), "\"other\"");
    reload(&process, &other, "[limits]\ncores = 9\n").await;
    process.says("a restart is needed for cores in [limits]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_changes_its_form_and_what_is_in_it() {
    let origin = lasting().await;
    let process = Process::telling(origin.address, "memory://", "").await;
    process.client().get("/first").await;
    process.says("/first").await;
    process.rewrite(origin.address, "[log]\nformat = \"json\"\nrequests = false\n");
    process.hang_up();
    process.says("{\"").await;
    process.client().get("/second").await;
    process.rewrite(origin.address, "[log]\nformat = \"json\"\n");
    process.hang_up();
    until("requests have lines again", || async {
        process.client().get("/third").await;
        process.log().contains("/third")
    })
    .await;
    assert!(!process.log().contains("/second"));
    let last = process.log().lines().last().unwrap().to_owned();
    assert!(serde_json::from_str::<serde_json::Value>(&last).is_ok(), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_ends_at_the_origin_where_it_began() {
    let (origin, mut keeper) = Origin::gated(|| json("\"old\"")).await;
    let process = Process::start(origin.address, "memory://", "").await;
    let client = process.client();
    let asking = tokio::spawn(async move { client.get("/x").await });
    keeper.arrived().await;
    let other = Origin::start(|_| async { json("\"new\"") }).await;
    reload(&process, &other, "").await;
    assert_eq!(process.client().get("/y").await.text(), "\"new\"");
    keeper.let_go(1);
    assert_eq!(asking.await.unwrap().text(), "\"old\"");
}

/// Answers a GET with how many writes there were, whatever is asked for.
async fn versioned() -> (Origin, Arc<AtomicUsize>) {
    let version = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&version);
    let origin = Origin::start(move |asked| {
        let version = Arc::clone(&counted);
        async move {
            if asked.method == "PUT" {
                version.fetch_add(1, SeqCst);
            }
            response(200, &[("cache-control", "max-age=3600")], &version.load(SeqCst).to_string())
        }
    })
    .await;
    (origin, version)
}

const RULES: [&str; 2] = [
    "[[route]]\npath = \"/v/{id}\"\nkey = \"v:{id}\"\nttl = \"1h\"\ninvalidated_by = [\"PUT /v/{id}\"]\n",
    "[[route]]\nname = \"v\"\npath = \"/v/{id}\"\nkey = \"w:{id}\"\nttl = \"1h\"\ninvalidated_by = [{ request = \"PUT /v/{n}\", tags = [\"all\"] }]\ntags = [\"all\"]\n",
];

async fn at_least(client: &Client, version: usize) {
    let seen: usize = client.get("/v/1").await.text().parse().unwrap();
    assert!(seen >= version, "{seen} is older than {version}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_on_one_redis_read_nothing_older_than_an_answered_write_while_rules_change() {
    let (origin, version) = versioned().await;
    let redis = RedisServer::start();
    let nodes = [
        Process::start(origin.address, &redis.url(), RULES[0]).await,
        Process::start(origin.address, &redis.url(), RULES[0]).await,
    ];
    for node in &nodes {
        connected(&node.client()).await;
    }
    for round in 1..=8 {
        for (changing, node) in nodes.iter().enumerate() {
            let store = super::support::node::patient(&redis.url());
            node.rewrite(origin.address, &format!("{}[log]\nrequests = false\n{store}", RULES[round % 2]));
            node.hang_up();
            for turn in 0..6 {
                let writer = nodes[(changing + turn) % 2].client();
                assert_eq!(writer.put("/v/1", "{}").await.status, 200);
                let written = version.load(SeqCst);
                for node in &nodes {
                    at_least(&node.client(), written).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_too_what_has_not_changed_stays_where_nobody_else_has_other_rules() {
    let origin = lasting().await;
    let redis = RedisServer::start();
    let table = super::support::node::patient(&redis.url());
    let rules = |more: &str| format!("{STAYS}[[route]]\npath = \"/changes\"\nttl = \"1h\"\n{more}{table}");
    let process = Process::with_store_table(origin.address, &rules(""), "").await;
    connected(&process.client()).await;
    process.client().fill(&["/stays", "/changes"]).await;
    for (round, more) in ["vary = [\"accept-language\"]\n", ""].into_iter().enumerate() {
        reload(&process, &origin, &rules(more)).await;
        until("it gives hits again", || async { process.client().get("/stays").await.cache() == "HIT" }).await;
        assert_ne!(process.client().get("/changes").await.cache(), "HIT", "{round}");
        process.client().fill(&["/changes"]).await;
    }
}

/// The origin commits as late as the file in force at its sending allows.
#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_commit_within_frees_nothing_of_a_write_under_way() {
    let redis = RedisServer::start();
    for store in ["memory://", &redis.url()] {
        let (origin, _, mut keeper) = late().await;
        let config = |within: &str| {
            let (url, store) = (origin.address, patient(store));
            format!(
                "{store}[origin]\nurl = \"http://{url}\"\nresponse_timeout = \"1s\"\ncommit_within = \"{within}\"\n{STAYS}"
            )
        };
        let process = Process::with_store_table(origin.address, "", &config("1m")).await;
        connected(&process.client()).await;
        process.client().fill(&["/stays"]).await;
        let client = process.client();
        let write = tokio::spawn(async move { client.put("/stays", "{}").await.status });
        keeper.arrived().await;
        reload(&process, &origin, &config("0s")).await;
        process.says("a restart is needed for a shorter commit_within in [origin]").await;
        assert_eq!(write.await.unwrap(), 504);
        is_held(&process.client(), "/stays").await;
    }
}
