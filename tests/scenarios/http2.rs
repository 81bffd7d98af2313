//! HTTP/2 towards clients: chosen in the TLS handshake, or without TLS where that is asked for.

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::client::raw as plain;
use super::support::node::Node;
use super::support::origin::{Gate, Origin, json, raw, response, say};
use super::support::tls::{Certificate, H2, connect};

const ALWAYS: &str = "[clients]\nhttp2 = \"always\"\n";

#[tokio::test]
async fn a_client_that_offers_it_in_the_handshake_gets_it() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let node = Node::start(origin.address, &certificate.table());
    let stream = connect(node.address, &certificate.der, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (client, _) = H2::on(stream).await;
    let answer = client.get("https://localhost/x?y=1").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.field("via"), "1.1 aside");
    let asked = origin.asked().remove(0);
    assert_eq!(asked.target, "/x?y=1");
    assert_eq!(asked.field("via"), Some("2.0 aside"));
    assert_eq!(asked.field("x-forwarded-host"), Some("localhost"));
    assert_eq!(asked.field("x-forwarded-proto"), Some("https"));
    assert_eq!(asked.field("host"), Some("localhost"));
}

#[tokio::test]
async fn it_is_spoken_only_where_the_configuration_says() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let off = Node::start(origin.address, &format!("{}[clients]\nhttp2 = \"off\"\n", certificate.table()));
    let stream = connect(off.address, &certificate.der, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(connect(off.address, &certificate.der, &["h2"]).await.is_err());
    let tls = Node::start(origin.address, "");
    let (client, _) = H2::to(tls.address).await;
    assert!(client.try_send("GET", "http://a/", &[], "").await.is_err());
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn without_tls_both_versions_are_told_apart_by_their_first_bytes() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, ALWAYS);
    let (client, _) = H2::to(node.address).await;
    assert_eq!(client.get("http://a/x").await.status, 200);
    assert_eq!(origin.asked()[0].field("x-forwarded-proto"), Some("http"));
    for method in ["GET", "PUT", "PRIVATE"] {
        let request = format!("{method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(plain(node.address, request.as_bytes()).await.starts_with("HTTP/1.1 200 OK"), "{method}");
    }
    let mut slow = tokio::net::TcpStream::connect(node.address).await.unwrap();
    slow.set_nodelay(true).unwrap();
    for piece in ["P", "OS", "T /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"] {
        slow.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn both_versions_share_what_is_stored() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, &format!("{ALWAYS}[[route]]\npath = \"/fruit/{{id}}\"\nttl = \"1h\"\n"));
    let (client, _) = H2::to(node.address).await;
    let url = format!("http://{}/fruit/1", node.address);
    assert_eq!(node.client().get("/fruit/1").await.cache(), "MISS");
    let hit = client.get(&url).await;
    assert_eq!((hit.cache(), hit.json()["n"].as_u64()), ("HIT", Some(1)));
    let head = client.try_send("HEAD", &url, &[], "").await.unwrap();
    assert_eq!((head.cache(), head.field("content-length"), head.text()), ("HIT", hit.field("content-length"), ""));
    let written = client.try_send("PUT", &url, &[], "{}").await.unwrap();
    assert_eq!(written.status, 200);
    assert_eq!(node.client().get("/fruit/1").await.cache(), "MISS");
}

#[tokio::test]
async fn what_the_versions_say_differently_reaches_the_origin_in_one_way() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, ALWAYS);
    let (client, _) = H2::to(node.address).await;
    let fields = [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-other", "1")];
    client.try_send("POST", "http://a/x", &fields, "body").await.unwrap();
    let asked = origin.asked().remove(0);
    assert_eq!((asked.field("cookie"), asked.field("te"), asked.field("x-other")), (Some("a=1; b=2"), None, Some("1")));
    assert_eq!(asked.fields.get_all("cookie").iter().count(), 1);
    assert_eq!(&asked.body[..], b"body");
    client.try_send("OPTIONS", "http://a/x", &[], "").await.unwrap();
    assert_eq!(origin.asked()[1].method, "OPTIONS");
}

#[tokio::test]
async fn what_is_refused_has_the_same_status_in_both_versions() {
    let origin = Origin::counting().await;
    let limits = "[limits]\nfields = 20\ntarget = \"1KiB\"\nrequest_body = \"1KiB\"\n";
    let node = Node::start(origin.address, &format!("{ALWAYS}{limits}"));
    let (client, _) = H2::to(node.address).await;
    let names: Vec<String> = (0..21).map(|n| format!("x-{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let long = format!("http://a/{}", "a".repeat(1024));
    let large = "a".repeat(1025);
    for (method, uri, fields, body, status) in [
        ("GET", "http://a/x", &[("host", "b")][..], "", 400),
        ("GET", "http://user@a/x", &[], "", 400),
        ("TRACE", "http://a/x", &[], "", 405),
        ("GET", "http://a/x", &many, "", 431),
        ("GET", &long, &[], "", 414),
        ("POST", "http://a/x", &[], &large, 413),
    ] {
        let answer = client.try_send(method, uri, fields, body).await.unwrap();
        assert_eq!(answer.status, status, "{method} {uri}: {answer:?}");
        assert_eq!(answer.field("connection"), "");
    }
    let mut sending = client.0.clone();
    let connect = hyper::Request::connect("a:443").body(http_body_util::Full::default()).unwrap();
    assert_eq!(sending.send_request(connect).await.unwrap().status(), 405);
    assert_eq!(client.try_send("GET", "http://a/x", &many[..20], "").await.unwrap().status, 200);
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn the_origins_hop_by_hop_fields_stop_here() {
    let origin = Origin::start(|_| async {
        response(200, &[("connection", "x-mine"), ("x-mine", "1"), ("keep-alive", "5"), ("x-theirs", "1")], "body")
    })
    .await;
    let node = Node::start(origin.address, ALWAYS);
    let (client, _) = H2::to(node.address).await;
    let answer = client.get("http://a/x").await;
    assert_eq!((answer.status, answer.field("x-theirs"), answer.text()), (200, "1", "body"));
    for gone in ["connection", "x-mine", "keep-alive", "transfer-encoding"] {
        assert_eq!(answer.field(gone), "", "{gone}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_at_the_origin_resets_its_stream_and_no_other() {
    let (gate, keeper) = Gate::new();
    let origin = raw(move |head, mut stream| {
        let gate = gate.clone();
        async move {
            let breaks = head.starts_with("GET /broken");
            let length = if breaks { 100 } else { 4 };
            say(&mut stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nbody")).await;
            if breaks {
                gate.pass().await;
            }
        }
    })
    .await;
    let node = Node::start(origin, ALWAYS);
    let (client, _) = H2::to(node.address).await;
    let broken = client.begin("GET", "http://a/broken", &[], "").await.unwrap();
    keeper.let_go(1);
    assert!(broken.into_body().collect().await.is_err());
    assert_eq!(client.get("http://a/whole").await.text(), "body");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_one_connection_do_not_wait_for_each_other() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node = Node::start(origin.address, ALWAYS);
    let (client, _) = H2::to(node.address).await;
    let asking: Vec<_> = (0..50)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.get(&format!("http://a/{n}")).await.status })
        })
        .collect();
    for _ in 0..50 {
        keeper.arrived().await;
    }
    keeper.let_go(50);
    for asked in asking {
        assert_eq!(asked.await.unwrap(), 200);
    }
}
