//! What the README says of Redis, on each kind.

use crate::kind::{FRUIT, TlsRedis, cli, store};
use crate::support::https::Authority;
use crate::support::node::Node;
use crate::support::origin::Origin;
use crate::support::redis::RedisServer;
use crate::support::sentinel::Watched;
use crate::support::{connected, until};

/// Asks for the fruit until it is a hit; each answer on the way is the origin's.
async fn kept(node: &Node) -> String {
    let client = node.client();
    let body = std::cell::RefCell::new(String::new());
    until("it is a hit", || async {
        let answer = client.get("/fruit/1").await;
        assert_eq!(answer.status, 200);
        body.replace(answer.text().to_owned());
        answer.cache() == "HIT"
    })
    .await;
    body.into_inner()
}

/// Hits, an invalidation, what a person sees with `redis-cli` in this way, and a reconnect.
async fn serves<A: AsRef<str>>(table: &str, way: &[A]) {
    let origin = Origin::counting().await;
    let node = Node::with_store_table(origin.address, table, FRUIT);
    connected(&node.client()).await;
    let body = kept(&node).await;

    let keys = cli(way, &["KEYS", "*"]);
    for key in ["fruit:1", "{fruit:1}:meta", "aside:{aside}:gen"] {
        assert!(keys.lines().any(|line| line == key), "{key}: {keys}");
    }
    assert!(!keys.contains("self-test"), "{keys}");
    assert_eq!(cli(way, &["GET", "fruit:1"]).trim_end(), body);

    assert_eq!(node.client().put("/fruit/1", "{}").await.status, 200);
    let written = node.client().get("/fruit/1").await;
    assert_eq!(written.cache(), "MISS");
    let body = kept(&node).await;
    assert_eq!(cli(way, &["DEL", "fruit:1"]).trim_end(), "1");
    assert_eq!(node.client().get("/fruit/1").await.cache(), "MISS");
    assert_ne!(kept(&node).await, body);

    assert_ne!(cli(way, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).trim_end(), "0");
    kept(&node).await;
    assert_eq!(node.client().put("/fruit/1", "{}").await.status, 200);
    assert_eq!(node.client().get("/fruit/1").await.cache(), "MISS");
    kept(&node).await;
}

#[tokio::test]
async fn a_database_of_its_own_behind_a_login() {
    let server = RedisServer::start_with(&["--requirepass", "pass/word:1@"]);
    let port = server.port().to_string();
    let way = ["--no-auth-warning", "-a", "pass/word:1@", "-p", &port, "-n", "3"];
    serves(&store(&format!("redis://:pass%2Fword%3A1%40@127.0.0.1:{port}/3")), &way).await;
    assert_eq!(cli(&["--no-auth-warning", "-a", "pass/word:1@", "-p", &port], &["DBSIZE"]).trim_end(), "0");
}

#[tokio::test]
async fn a_socket_with_a_database() {
    let server = RedisServer::start_with(&["--unixsocket", "redis.sock"]);
    let socket = server.folder().join("redis.sock").display().to_string();
    serves(&store(&format!("redis+unix://{socket}?db=2")), &["-s", &socket, "-n", "2"]).await;
    assert_eq!(cli(&["-s", &socket], &["DBSIZE"]).trim_end(), "0");
    serves(&store(&format!("redis+unix://{socket}")), &["-s", &socket]).await;
}

#[tokio::test]
async fn tls_with_an_authority_of_ones_own_and_a_client_certificate() {
    let authority = Authority::new();
    let redis = TlsRedis::start(&authority, &authority.issue("127.0.0.1"), true);
    let (ca, cert, key) = (redis.at("ca.pem"), redis.at("client.pem"), redis.at("client-key.pem"));
    let port = redis.port.to_string();
    let way = ["-p", &port, "--tls", "--cacert", &ca, "--cert", &cert, "--key", &key];
    let tls = "ca = \"FOLDER/ca.pem\"\ncert = \"FOLDER/client.pem\"\nkey = \"FOLDER/client-key.pem\"";
    serves(&redis.store("127.0.0.1", tls), &way).await;
}

#[tokio::test]
async fn tls_by_another_name_than_the_hosts() {
    let authority = Authority::new();
    let redis = TlsRedis::start(&authority, &authority.issue("redis.internal"), false);
    let (ca, port) = (redis.at("ca.pem"), redis.port.to_string());
    let way = ["-p", &port, "--tls", "--cacert", &ca, "--sni", "redis.internal"];
    serves(&redis.store("127.0.0.1", "ca = \"FOLDER/ca.pem\"\nname = \"redis.internal\""), &way).await;
    let by_host = redis.store("localhost", "ca = \"FOLDER/ca.pem\"\nname = \"redis.internal\"");
    serves(&by_host, &way).await;
}

#[tokio::test]
async fn valkey() {
    let server = RedisServer::valkey();
    serves(&store(&server.url()), &["-p", &server.port().to_string()]).await;
}

#[tokio::test]
async fn the_master_of_three_sentinels() {
    let all = Watched::start().await;
    let port = all.servers[0].port().to_string();
    serves(&store(&format!("redis+sentinel://{}", all.list())), &["-p", &port]).await;
}

#[tokio::test]
async fn sentinels_and_master_with_logins_of_their_own() {
    let login = ["--requirepass", "the-masters", "--masterauth", "the-masters"];
    let lines = "requirepass the-sentinels\nsentinel sentinel-pass the-sentinels\n\
                 sentinel auth-pass mymaster the-masters";
    let all = Watched::start_with_logins(&login, lines, Some("the-sentinels")).await;
    let port = all.servers[0].port().to_string();
    let table = format!(
        "{}sentinel_password = \"the-sentinels\"\n",
        store(&format!("redis+sentinel://:the-masters@{}/1", all.list()))
    );
    serves(&table, &["--no-auth-warning", "-a", "the-masters", "-p", &port, "-n", "1"]).await;
}
