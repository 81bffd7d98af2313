//! A Redis that cannot be used: the log says why, once and without a secret, and the API answers.

use crate::kind::{FRUIT, TlsRedis, store};
use crate::support::https::Authority;
use crate::support::node::Process;
use crate::support::origin::Origin;
use crate::support::redis::RedisServer;

/// Starts a node with this table; its log says that, and nobody misses anything but hits.
pub async fn told(table: &str, why: &str) -> Process {
    let origin = Origin::counting().await;
    let process = Process::with_store_table(origin.address, table, FRUIT).await;
    process.says(why).await;
    for _ in 0..3 {
        let answer = process.client().get("/fruit/1").await;
        assert_eq!((answer.status, answer.cache()), (200, "MISS"), "{why}");
    }
    let log = process.log();
    assert_eq!(log.matches("cannot be used").count(), 1, "{log}");
    assert!(!log.contains("hush"), "{log}");
    process
}

#[tokio::test]
async fn a_password_that_is_wrong() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    told(&store(&format!("redis://:hush@127.0.0.1:{}", server.port())), "it refuses the login: WRONGPASS").await;
    told(&store(&format!("redis://127.0.0.1:{}", server.port())), "it refuses the login: NOAUTH").await;
}

#[tokio::test]
async fn a_database_that_there_is_not() {
    let server = RedisServer::start();
    told(&store(&format!("{}/200", server.url())), "it refuses what aside needs: ERR DB index is out of range").await;
}

#[tokio::test]
async fn a_socket_that_there_is_not() {
    told(&store("redis+unix:///nowhere/redis.sock?db=1"), "No such file or directory").await;
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_believed() {
    let authority = Authority::new();
    let redis = TlsRedis::start(&authority, &authority.issue("127.0.0.1"), false);
    let why = "its certificate is from an unknown issuer, whose certificate can be named by `ca` in [store.tls]";
    told(&redis.store("127.0.0.1", "ca = \"FOLDER/other-ca.pem\""), why).await;
    let why = "its certificate is for another name, and `name` in [store.tls] can say which";
    told(&redis.store("127.0.0.1", "ca = \"FOLDER/ca.pem\"\nname = \"redis.internal\""), why).await;
    told(&redis.store("localhost", "ca = \"FOLDER/ca.pem\""), why).await;
    let expired = TlsRedis::start(&authority, &authority.issue_expired("127.0.0.1"), false);
    told(&expired.store("127.0.0.1", "ca = \"FOLDER/ca.pem\""), "its certificate has expired").await;
}

#[tokio::test]
async fn a_redis_that_wants_a_certificate_of_ours() {
    let authority = Authority::new();
    let redis = TlsRedis::start(&authority, &authority.issue("127.0.0.1"), true);
    let why = "it wants a certificate of aside's, which `cert` and `key` in [store.tls] can name";
    told(&redis.store("127.0.0.1", "ca = \"FOLDER/ca.pem\""), why).await;
}

#[tokio::test]
async fn tls_on_one_side_only() {
    let server = RedisServer::start();
    let authority = Authority::new();
    let redis = TlsRedis::start(&authority, &authority.issue("127.0.0.1"), false);
    let tls = "ca = \"FOLDER/ca.pem\"";
    let table = redis.store("127.0.0.1", tls).replace(&redis.port.to_string(), &server.port().to_string());
    told(&table, "no connection over TLS within 1s").await;
    told(&store(&format!("redis://127.0.0.1:{}", redis.port)), "cannot be used").await;
}

#[tokio::test]
async fn a_user_without_a_right() {
    let server = RedisServer::start();
    server.command(&["ACL", "SETUSER", "aside", "on", ">hush", "~*", "+@all", "-pexpireat", "-hscan"]);
    let url = store(&format!("redis://aside:hush@127.0.0.1:{}", server.port()));
    let why = "its user may not run HSCAN, PEXPIREAT: ACL SETUSER aside +hscan +pexpireat allows it";
    told(&url, why).await;
    server.command(&["ACL", "SETUSER", "aside", "+@all", "resetkeys", "~fruit:*"]);
    let why =
        "its user may not reach keys such as aside:{aside}:self-test: ACL SETUSER aside ~aside:{aside}:* allows it";
    told(&url, why).await;
    // Given what lacks, it is in use without a restart.
    let process = told(&url, why).await;
    server.command(&["ACL", "SETUSER", "aside", "~*"]);
    process.says("is in use").await;
}
