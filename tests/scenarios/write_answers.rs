//! Which answers to a write mean that something may have changed: by status, and where there is none.

use std::sync::Arc;

use tokio::io::AsyncReadExt;

use super::support::node::Node;
use super::support::origin::{self, Origin, say};

const ROUTES: &str = r#"
[[route]]
path = "/items/{id}"
ttl = "1h"
[[route]]
path = "/other"
ttl = "1h"
[[route]]
path = "/listed"
ttl = "1h"
invalidated_by = ["PUT /items/{id}"]
[[route]]
path = "/items"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/fixed"
ttl = "1h"
invalidated_by = []
"#;

const READS: [&str; 5] = ["/items/1", "/other", "/listed", "/items", "/fixed"];
const CHANGED: [&str; 4] = ["/items/1", "/other", "/listed", "/items"];

async fn gone(client: &super::support::client::Client) -> Vec<&'static str> {
    let mut gone = Vec::new();
    for target in READS {
        if client.get(target).await.cache() != "HIT" {
            gone.push(target);
        }
    }
    gone
}

#[tokio::test]
async fn a_status_says_what_may_have_changed() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let client = node.client();
        for (statuses, expected) in [
            (&[200, 201, 202, 203, 204, 205, 206, 207, 226][..], &CHANGED[..]),
            (&[300, 302, 303, 399], &CHANGED),
            (&[500, 501, 502, 503, 504, 507, 599], &CHANGED),
            (&[301], &["/items/1"]),
            (&[307, 308], &[]),
            (
                &[400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 415, 418, 422, 423, 428, 429, 451],
                &[],
            ),
        ] {
            for status in statuses {
                client.fill(&READS).await;
                let answer = client.send("PUT", "/items/1", &[("answer", &status.to_string())], "").await;
                assert_eq!(answer.status, *status);
                assert_eq!(gone(&client).await, expected, "{status}");
            }
        }
    }
}

// A view sends the client from `/items` to `/items/`, or from one host to another: nothing was written.
#[tokio::test]
async fn a_redirect_that_asks_for_the_same_request_elsewhere_drops_nothing() {
    let origin = Origin::obeying().await;
    let node = Node::start(origin.address, ROUTES);
    let client = node.client();
    for (status, location, expected) in
        [("308", "/items/1/", &[][..]), ("307", "https://other.example/items/1", &[]), ("301", "/other", &["/items/1"])]
    {
        client.fill(&READS).await;
        client.send("PUT", "/items/1", &[("answer", status), ("answer-location", location)], "").await;
        assert_eq!(gone(&client).await, expected, "{status}");
    }
}

// RFC 9111 section 4.4.
#[tokio::test]
async fn without_a_route_an_answer_that_is_no_error_drops_its_target() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, "").await {
        let client = node.client();
        for (statuses, expected) in
            [(&[200, 201, 204, 301, 302, 303, 307, 308][..], "MISS"), (&[400, 404, 409, 500, 503], "HIT")]
        {
            for status in statuses {
                client.fill(&["/a/1", "/b"]).await;
                client.send("PUT", "/a/1", &[("answer", &status.to_string())], "").await;
                client.expect(&[("/a/1", expected), ("/b", "HIT")]).await;
            }
        }
    }
}

/// An origin that has every GET, and does this with a write.
async fn with_writes<F, A>(write: F) -> std::net::SocketAddr
where
    F: Fn(tokio::net::TcpStream) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let write = Arc::new(write);
    origin::raw(move |head, mut stream| {
        let write = Arc::clone(&write);
        async move {
            if head.starts_with("PUT") {
                return write(stream).await;
            }
            let fields = "Cache-Control: max-age=3600\r\nContent-Length: 1\r\nConnection: close";
            say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nx")).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_write_without_an_answer_may_have_changed_anything() {
    let closing = with_writes(|stream| async move { drop(stream) }).await;
    let breaking = with_writes(|mut stream| async move { say(&mut stream, "HTTP/1.1 20").await }).await;
    let talking = with_writes(|mut stream| async move { say(&mut stream, "yes, sir\r\n\r\n").await }).await;
    let hanging = with_writes(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let config = format!(
        "[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"300ms\"\n\
         {ROUTES}[[write]]\nrequest = \"PUT /known\"\ndrops = [\"/other\"]\nrefused = {{ status = [200] }}\n"
    );
    for (address, status) in [(closing, 502), (breaking, 502), (talking, 502), (hanging, 504)] {
        for (node, _redis) in &Node::on_each_store(address, &config).await {
            let client = node.client();
            client.fill(&READS).await;
            assert_eq!(client.put("/items/1", "").await.status, status);
            assert_eq!(gone(&client).await, CHANGED);
            assert_eq!(client.put("/known", "").await.status, status);
            // What it was about is known all the same.
            assert!(client.get("/other").await.cache() != "HIT");
            client.fill(&["/unrouted"]).await;
            client.put("/unrouted", "").await;
            client.expect(&[("/unrouted", "MISS")]).await;
        }
    }
}

// It had no chance to act on what it never saw.
#[tokio::test]
async fn a_write_that_reached_nobody_drops_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx").await;
        }
    });
    let node = Node::start(address, ROUTES);
    let client = node.client();
    client.fill(&READS).await;
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    assert_eq!(client.put("/items/1", "").await.status, 502);
    assert_eq!(gone(&client).await, Vec::<&str>::new());
}
