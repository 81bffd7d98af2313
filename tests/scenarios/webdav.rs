//! COPY and MOVE write what their Destination names, too (RFC 4918 sections 9.8, 9.9 and 10.3).

use super::support::node::Node;
use super::support::origin::Origin;

const FILES: &str = r#"
[[route]]
path = "/files/{name}"
ttl = "1h"
invalidated_by = []
[[route]]
path = "/meta/{name}"
ttl = "1h"
invalidated_by = ["COPY /files/{name}", "MOVE /files/{name}"]
[[route]]
path = "/tree/{folder}"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/tree/{folder}/{file}"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/index"
ttl = "1h"
"#;

const READS: [&str; 7] = ["/files/a", "/files/b", "/files/c", "/meta/a", "/meta/b", "/meta/c", "/index"];

#[tokio::test]
async fn what_the_destination_names_is_written_as_the_target_is() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, FILES).await {
        let client = node.client();
        let own = format!("http://{}/files/b", node.address);
        for method in ["COPY", "MOVE"] {
            for destination in ["/files/b", &own, "https://files.example/files/b/", "b", "/x/../files/%62"] {
                client.fill(&READS).await;
                client.send(method, "/files/a", &[("destination", destination), ("answer", "201")], "").await;
                for (target, cache) in READS.iter().zip(["MISS", "MISS", "HIT", "MISS", "MISS", "HIT", "MISS"]) {
                    assert_eq!(client.get(target).await.cache(), cache, "{method} {destination} {target}");
                }
            }
            client.fill(&READS).await;
            client.send(method, "/files/a", &[("destination", "/files/b"), ("answer", "412")], "").await;
            client.expect(&READS.map(|target| (target, "HIT"))).await;
        }
    }
}

#[tokio::test]
async fn what_lies_around_a_destination_goes_with_it() {
    let origin = Origin::obeying().await;
    let node = Node::start(origin.address, FILES);
    let client = node.client();
    client.fill(&["/tree/x", "/tree/x/1", "/tree/y", "/tree/y/1", "/tree/z"]).await;
    client.send("MOVE", "/tree/x/1", &[("destination", "/tree/y/1")], "").await;
    client
        .expect(&[
            ("/tree/x", "MISS"),
            ("/tree/x/1", "MISS"),
            ("/tree/y", "MISS"),
            ("/tree/y/1", "MISS"),
            ("/tree/z", "HIT"),
        ])
        .await;
}

#[tokio::test]
async fn a_write_rule_narrows_to_what_it_says_and_to_both_ends() {
    let origin = Origin::obeying().await;
    let config = r#"
[[route]]
path = "/files/{name}"
ttl = "1h"
[[route]]
path = "/index"
ttl = "1h"
[[route]]
path = "/users"
ttl = "1h"
[[write]]
request = ["COPY /files/{name}", "MOVE /files/{name}"]
drops = ["/index"]
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    for method in ["COPY", "MOVE"] {
        client.fill(&["/files/a", "/files/b", "/files/c", "/index", "/users"]).await;
        client.send(method, "/files/a", &[("destination", "/files/b")], "").await;
        client
            .expect(&[
                ("/files/a", "MISS"),
                ("/files/b", "MISS"),
                ("/files/c", "HIT"),
                ("/index", "MISS"),
                ("/users", "HIT"),
            ])
            .await;
    }
}

#[tokio::test]
async fn without_a_route_both_ends_are_dropped() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, "").await {
        let client = node.client();
        for (method, destination) in [("COPY", "/d/b"), ("MOVE", "http://any.example/d/b?x"), ("MOVE", "b")] {
            client.fill(&["/d/a", "/d/b", "/d/c"]).await;
            client.send(method, "/d/a", &[("destination", destination)], "").await;
            client.expect(&[("/d/a", "MISS"), ("/d/b", "MISS"), ("/d/c", "HIT")]).await;
        }
    }
}
