//! The rights that the README names are those that aside needs: with them it does all that it does, without any one of them
//! something fails, and is told.

use std::sync::Arc;
use std::time::Duration;

use aside::rules::Tag;
use aside::store::{
    Change, Expect, Fault, Intent, Kind, Otherwise, PutOutcome, RedisUrl, Shared, Store, StoreSettings, StoreUrl, Token,
};

use crate::fixture::{entry, eventually, key_tag, place, redis_settings, settings};
use crate::log::Log;
use crate::put::{since, written};
use crate::redis::{RedisServer, Reply};

const README: &str = include_str!("../../README.md");
const PREFIX: &str = "shop:";
const RECORD: &str = "aside:{shop:}:gen";
/// So often a core without a session is looked at again before it counts as one that gets none.
const LOOKS: u32 = 100;

/// The words of the README's line that makes the user.
fn line() -> Vec<&'static str> {
    let line = README.lines().find(|line| line.starts_with("ACL SETUSER aside on >PASSWORD "));
    let words: Vec<&str> = line.expect("the README has the line").split(' ').collect();
    assert!(README.contains(&format!("prefix = \"{PREFIX}\"")));
    words
}

fn user(server: &RedisServer, words: &[&str]) -> StoreSettings {
    server.command(&["ACL", "DELUSER", "aside"]);
    server.command(&["FLUSHALL"]);
    server.command(&["SCRIPT", "FLUSH"]);
    assert_eq!(server.command(words), Reply::Text(b"OK".to_vec()), "{words:?}");
    let url = format!("redis://aside:PASSWORD@127.0.0.1:{}", server.port());
    StoreSettings { prefix: PREFIX.to_owned(), ..settings(StoreUrl::Redis(RedisUrl::parse(&url).unwrap())) }
}

/// The token of a place once there is a session.
async fn token(store: &Store, name: &str) -> Result<Token, String> {
    for _ in 0..LOOKS {
        match store.lookup(&place(name)).await {
            Ok(found) => return Ok(found.token),
            Err(Fault::Down) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(fault) => return Err(fault.to_string()),
        }
    }
    Err("there is no session".to_owned())
}

fn holds(what: &str, held: bool) -> Result<(), String> {
    if held { Ok(()) } else { Err(format!("not so: {what}")) }
}

/// All that is ever asked of Redis. The error is the first thing that could not be done.
async fn everything(server: &RedisServer, settings: &StoreSettings) -> Result<(), String> {
    let shared = Shared::new(settings);
    let reader = shared.attach_reader().await?;
    let store = shared.attach();
    let told = |fault: Fault| fault.to_string();

    let apple = place("fruit:1");
    let begun = token(&store, "fruit:1").await?;
    let kept = Arc::new(entry(&apple, "apple", begun));
    let answer = store.put(&apple, Arc::clone(&kept), Expect::Any).await.map_err(told)?;
    holds("it is kept", answer == PutOutcome::Stored)?;
    for store in [&store, &reader] {
        holds("it is found", store.lookup(&apple).await.map_err(told)?.entry.is_some())?;
    }
    // Built upon what is there, with the same body.
    let beneath = store.lookup(&apple).await.map_err(told)?.entry.ok_or("it is not found")?;
    let answer = store.put(&apple, Arc::clone(&kept), Expect::Entry(beneath)).await.map_err(told)?;
    holds("it is freshened", answer == PutOutcome::Stored)?;
    // An index in the place of another one.
    for _ in 0..2 {
        let mut index = entry(&place("fruit:2"), "", token(&store, "fruit:2").await?);
        index.kind = Kind::VaryIndex;
        let answer = store.put(&place("fruit:2"), Arc::new(index), Expect::Any).await.map_err(told)?;
        holds("an index is kept", answer == PutOutcome::Stored)?;
    }

    store.invalidate(Change::of(&key_tag("fruit:1"))).await.map_err(told)?;
    holds("it is made old", store.lookup(&apple).await.map_err(told)?.entry.is_none())?;
    let new = written(&apple, "new", Kind::Written);
    let begun = token(&store, "fruit:1").await?;
    let (tags, since) = (key_tag("fruit:1"), since(begun));
    let (_, put) =
        store.invalidate_and_put(Change::of(&tags), &since, &apple, new, Otherwise::Invalidate).await.map_err(told)?;
    holds("it is put", put.map_err(told)? == PutOutcome::Stored)?;

    let mark = store.mark(Intent { held: tags.to_vec(), others: key_tag("fruit:2").to_vec() }).await.map_err(told)?;
    holds("it is noted", store.hold(&mark).await.map_err(told)?.marked)?;
    holds("it is held", store.lookup(&apple).await.map_err(told)?.entry.is_none())?;

    // More than a record lists, one that does not say how many that are, one that is gone, and a server without scripts.
    let many: Vec<Tag> = (0..10_200).map(|n| Tag::key("fruit", &format!("fruit:{n}"))).collect();
    for _ in 0..2 {
        store.invalidate(Change::of(&many)).await.map_err(told)?;
    }
    server.command(&["HDEL", RECORD, "listed"]);
    store.invalidate(Change::of(&key_tag("fruit:1"))).await.map_err(told)?;
    server.command(&["DEL", RECORD]);
    token(&store, "fruit:1").await?;
    server.command(&["SCRIPT", "FLUSH"]);
    store.invalidate(Change::of(&key_tag("fruit:1"))).await.map_err(told)?;
    Ok(())
}

#[test]
fn the_rights_that_the_readme_names_are_enough_and_each_that_lacks_is_told() {
    // Not an async test: the log has to be there before the first task.
    let log = Log::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = RedisServer::start();
        let line = line();
        assert_eq!(everything(&server, &user(&server, &line)).await, Ok(()));
        for (at, right) in line.iter().enumerate().filter(|(_, word)| word.starts_with(['+', '~'])) {
            let less: Vec<&str> =
                line.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, word)| *word).collect();
            refused(&log, &server, &user(&server, &less), &[right]).await;
        }
        assert_eq!(server.command(&["KEYS", "*"]), Reply::List(Vec::new()), "looking leaves nothing behind");
    });
}

/// The store cannot be used, and a line of the log has all these rights.
async fn refused(log: &Log, server: &RedisServer, settings: &StoreSettings, rights: &[&str]) {
    let before = log.text().len();
    let address = format!("Redis at 127.0.0.1:{} cannot be used", server.port());
    let store = Shared::new(settings).attach();
    let told = || {
        let text = log.text();
        // A process that leaves may still have its own say.
        text[before..].lines().filter(|line| line.contains(&address)).any(|line| {
            let words: Vec<&str> = line.split([' ', ';']).collect();
            rights.iter().all(|right| words.contains(right))
        })
    };
    eventually("the log says what lacks", async || told()).await;
    assert_eq!(store.lookup(&place("fruit:1")).await.unwrap_err(), Fault::Down);
}

#[test]
fn a_user_of_one_app_cannot_reach_anothers_keys() {
    let log = Log::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = RedisServer::start();
        let settings = StoreSettings { prefix: "other:".to_owned(), ..user(&server, &line()) };
        refused(&log, &server, &settings, &["~other:*", "~{other:*}:meta", "~aside:{other:}:*"]).await;
    });
}

#[tokio::test]
async fn looking_at_rights_changes_nothing() {
    let server = RedisServer::start();
    // Whatever is there where it looks, and where nothing more may be written.
    for key in ["aside:{shop:}:self-test", "shop:self-test", "{shop:self-test}:meta"] {
        server.command(&["SET", key, "a person's"]);
    }
    let before = server.command(&["MGET", "shop:self-test", "{shop:self-test}:meta"]);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let settings = StoreSettings { prefix: PREFIX.to_owned(), ..redis_settings(&server) };
    let shared = Shared::new(&settings);
    let store = shared.attach();
    eventually("there is a session", async || !matches!(store.lookup(&place("fruit:1")).await, Err(Fault::Down))).await;
    assert_eq!(server.command(&["MGET", "shop:self-test", "{shop:self-test}:meta"]), before);
}
