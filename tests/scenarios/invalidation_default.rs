//! What a write makes old by the paths it has to do with: its target, what lies around it, and what its answer names.

use super::support::node::Node;
use super::support::origin::{Origin, json, response};

#[tokio::test]
async fn by_path_a_write_drops_its_path_what_lies_under_it_and_its_parent() {
    let origin = Origin::counting().await;
    let config = r#"
[[route]]
path = "/users"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/users/{id}"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/users/{id}/orders"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/fruit/{id}"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/fixed/{id}"
ttl = "1h"
invalidated_by = []
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    let all = ["/users", "/users?sort=name", "/users/7", "/users/7?full=1", "/users/8", "/users/7/orders", "/fruit/1"];
    client.fill(&all).await;
    client.put("/users/7", "{}").await;
    client
        .expect(&[
            ("/users", "MISS"),
            ("/users?sort=name", "MISS"),
            ("/users/7", "MISS"),
            ("/users/7?full=1", "MISS"),
            ("/users/8", "HIT"),
            ("/users/7/orders", "MISS"),
            ("/fruit/1", "HIT"),
        ])
        .await;
    client.post("/users", "{}").await;
    client.expect(&[("/users", "MISS"), ("/users/8", "MISS"), ("/users/7/orders", "MISS"), ("/fruit/1", "HIT")]).await;
    // An empty list leaves what a write was sent to, and nothing around it.
    client.fill(&["/fixed/1", "/fixed/2"]).await;
    client.put("/fixed/1", "{}").await;
    client.post("/fixed", "{}").await;
    client.put("/fixed/2/x", "{}").await;
    client.expect(&[("/fixed/1", "MISS"), ("/fixed/2", "HIT")]).await;
}

#[tokio::test]
async fn a_refused_write_drops_nothing() {
    let origin = Origin::start(|asked| async move {
        match asked.method.as_str() {
            "GET" => json("{}"),
            _ => response(asked.query_status(), &[], ""),
        }
    })
    .await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/x\"\nttl = \"1h\"\n");
    let client = node.client();
    client.fill(&["/x"]).await;
    for status in [400, 403, 404, 409, 422] {
        client.put(&format!("/x?{status}"), "").await;
        client.expect(&[("/x", "HIT")]).await;
    }
    // A view that committed and then failed: nobody knows, so what it wrote is not served any more.
    for status in [201, 204, 303, 500, 503] {
        client.put(&format!("/x?{status}"), "").await;
        client.expect(&[("/x", "MISS"), ("/x", "HIT")]).await;
    }
}

#[tokio::test]
async fn without_a_route_a_write_drops_its_target_and_parent() {
    let origin = Origin::start(|_| async { response(200, &[("cache-control", "max-age=60")], "x") }).await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    client.fill(&["/a/b?x=1", "/a", "/c"]).await;
    client.put("/a/b", "").await;
    client.expect(&[("/a/b?x=1", "MISS"), ("/a", "MISS"), ("/c", "HIT")]).await;
}

#[tokio::test]
async fn what_a_writes_answer_names_as_its_location_is_made_old_too() {
    let origin = Origin::start(|asked| async move {
        match asked.target.as_str() {
            "/made" => response(201, &[("location", "/orders/7")], ""),
            "/moved" => response(200, &[("content-location", "/orders/8")], ""),
            "/elsewhere" => response(201, &[("location", "http://other.example/orders/9")], ""),
            _ => response(200, &[("cache-control", "max-age=60")], "x"),
        }
    })
    .await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/orders/{id}\"\nttl = \"1h\"\ninvalidated_by = []\n");
    let client = node.client();
    client.fill(&["/orders/7", "/orders/8", "/orders/9"]).await;
    for target in ["/made", "/moved", "/elsewhere"] {
        client.post(target, "{}").await;
    }
    client.expect(&[("/orders/7", "MISS"), ("/orders/8", "MISS"), ("/orders/9", "HIT")]).await;
}
