//! Expect (RFC 9110 section 10.1.1): `100-continue` is met here; any other expectation is the origin's to judge, and aside's
//! only where the origin is not asked.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::node::Node;
use super::support::origin::{Origin, raw, response, say};
use super::support::tls::H2;

const CONFIG: &str = "[clients]\nhttp2 = \"always\"\n[[route]]\npath = \"/x/{id}\"\nttl = \"1h\"\n";

/// Refuses every expectation, as Node does unless told otherwise.
async fn strict() -> Origin {
    Origin::start(|asked| async move {
        if asked.fields.contains_key("expect") { response(417, &[], "not me") } else { response(200, &[], "fine") }
    })
    .await
}

#[tokio::test]
async fn the_origin_says_whether_an_expectation_can_be_met() {
    let (strict, lenient) = (strict().await, Origin::counting().await);
    for (origin, status) in [(&strict, 417), (&lenient, 200)] {
        let node = Node::start(origin.address, CONFIG);
        let (h2, _) = H2::to(node.address).await;
        for expected in ["200-maybe", "100-continue, 200-maybe"] {
            for (method, target) in
                [("GET", "/x/1"), ("HEAD", "/x/1"), ("GET", "/y"), ("PUT", "/x/1"), ("OPTIONS", "/y")]
            {
                let (asked, fields) = (origin.count(), [("expect", expected)]);
                let answer = node.client().send(method, target, &fields, "").await;
                assert_eq!(answer.status, status, "{method} {target} {expected}");
                let over_h2 = h2.try_send(method, &format!("http://a{target}"), &fields, "").await.unwrap();
                assert_eq!(over_h2.status, status, "{method} {target} {expected}");
                assert_eq!(origin.count(), asked + 2, "nothing of it is kept");
                assert_eq!(origin.asked()[asked].field("expect"), Some(expected));
            }
        }
        // What is known is met without the origin.
        let known = node.client().send("PUT", "/x/1", &[("expect", "100-Continue")], "x").await;
        assert_eq!((known.status, origin.asked().last().unwrap().field("expect")), (200, None));
    }
}

#[tokio::test]
async fn a_read_with_an_expectation_goes_past_what_is_stored() {
    let origin = strict().await;
    let node = Node::start(origin.address, CONFIG);
    let client = node.client();
    client.fill(&["/x/1"]).await;
    let met = client.get_with("/x/1", &[("expect", "100-continue")]).await;
    assert_eq!((met.status, met.cache()), (200, "HIT"));
    let refused = client.get_with("/x/1", &[("expect", "a-miracle")]).await;
    assert_eq!((refused.status, refused.text(), refused.cache()), (417, "not me", "BYPASS"));
    assert!(refused.cache_status().ends_with("detail=expectation"), "{}", refused.cache_status());
    assert_eq!(client.get("/x/1").await.cache(), "HIT");
    // 4xx: nothing was written.
    assert_eq!(client.send("PUT", "/x/1", &[("expect", "a-miracle")], "x").await.status, 417);
    assert_eq!(client.get("/x/1").await.cache(), "HIT");
}

#[tokio::test]
async fn an_origin_that_refuses_an_expectation_is_asked_before_the_body_comes() {
    let origin = raw(|head, mut stream| async move {
        assert!(head.contains("expect: a-miracle"), "{head}");
        say(&mut stream, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let node = Node::start(origin, "");
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: a-miracle\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 417");
}

#[tokio::test]
async fn where_the_origin_is_not_asked_an_expectation_cannot_be_met() {
    let origin = Origin::counting().await;
    let policy = "[[route]]\npath = \"/carts/{id}\"\nkey = \"cart:{id}\"\nttl = \"1h\"\n[route.write]\nrequest = \"POST /carts\"\n\
                  policy = \"cache\"\nentry = '{body}'\nreply = { status = 201, json = '{}' }\ncache_by = \"anyone\"\n";
    let policy = policy.replace("policy = \"cache\"", "select = { query = \"to\", default = \"c\", c = \"cache\" }");
    let node = Node::start(origin.address, &policy);
    let json = ("content-type", "application/json");
    let write = |fields: &'static [(&'static str, &'static str)]| {
        let client = node.client();
        async move { client.send("POST", "/carts", &[&[json], fields].concat(), "{\"id\": 1}").await.status }
    };
    assert_eq!(write(&[("expect", "a-miracle")]).await, 417);
    assert_eq!(write(&[("expect", "100-continue")]).await, 201);
    assert_eq!(origin.count(), 0);
}
