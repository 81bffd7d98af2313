//! Logins: they work, they fail plainly, and nobody reads the password.

use aside::store::{Fault, RedisUrl, Shared, StoreSettings, StoreUrl};

use crate::fixture::{down, eventually, fill, hit, lookup, place, settings, usable};
use crate::log::Log;
use crate::redis::RedisServer;

const SECRET: &str = "hush/hush:42";

fn with_login(server: &RedisServer, login: &str) -> StoreSettings {
    let url = format!("redis://{login}@127.0.0.1:{}", server.port());
    settings(StoreUrl::Redis(RedisUrl::parse(&url).unwrap()))
}

#[test]
fn nobody_reads_the_password() {
    // Not an async test: the log has to be there before the first task.
    let log = Log::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = RedisServer::start_with(&["--requirepass", SECRET]);
        let settings = with_login(&server, ":hush%2Fhush%3A42");
        let shared = Shared::new(&settings);
        let store = shared.attach();
        usable(&store).await;
        fill(&store, &place("fruit:1"), "apple").await;
        assert_eq!(hit(&store, &place("fruit:1")).await.as_deref(), Some("apple"));
        server.kill();
        down(&store).await;
        server.restart();
        usable(&store).await;

        // The password is another one from now on, also for whoever is there already.
        let wrong = with_login(&server, "default:hush%2Fhush%3A43");
        let other = Shared::new(&wrong);
        let refused = other.attach();
        eventually("the login is refused", async || log.text().contains("refuses the login")).await;
        assert_eq!(refused.lookup(&place("fruit:1")).await.unwrap_err(), Fault::Down);

        let shown = format!("{settings:?} {shared:?} {store:?} {wrong:?} {other:?} {refused:?}");
        for secret in [SECRET, "hush%2Fhush", "hush/hush"] {
            assert!(!shown.contains(secret), "{shown}");
            assert!(!log.text().contains(secret), "the log has the password");
        }
    });
}

#[test]
fn an_outage_is_told_once_and_so_is_its_end() {
    let log = Log::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = RedisServer::start();
        let shared = Shared::new(&settings(StoreUrl::Redis(RedisUrl::parse(&server.url()).unwrap())));
        // Two cores.
        let stores = [shared.attach(), shared.attach()];
        for store in &stores {
            usable(store).await;
        }
        server.kill();
        for store in &stores {
            down(store).await;
            for _ in 0..100 {
                assert_eq!(store.lookup(&place("fruit:1")).await.unwrap_err(), Fault::Down);
            }
        }
        eventually("several attempts have failed", async || log.text().matches("Connection refused").count() > 4).await;
        server.restart();
        for store in &stores {
            usable(store).await;
            lookup(store, &place("fruit:1")).await;
        }
        let address = format!("Redis at 127.0.0.1:{}", server.port());
        eventually("its end is told", async || log.told(&address).len() == 3).await;
        let told = log.told(&address);
        let levels: Vec<bool> = told.iter().map(|line| line.contains(" WARN ")).collect();
        assert_eq!(levels, [false, true, false], "{told:#?}");
    });
}

#[test]
fn a_replica_is_refused_plainly() {
    let log = Log::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = RedisServer::start_with(&["--replicaof", "127.0.0.1 1"]);
        let store = Shared::new(&settings(StoreUrl::Redis(RedisUrl::parse(&server.url()).unwrap()))).attach();
        eventually("the replica is refused", async || log.text().contains("it is a replica")).await;
        assert_eq!(store.lookup(&place("fruit:1")).await.unwrap_err(), Fault::Down);
        server.command(&["REPLICAOF", "NO", "ONE"]);
        usable(&store).await;
    });
}
