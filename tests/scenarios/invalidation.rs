//! `invalidated_by`: what a write makes old by a route's own list, and what it leaves alone.

use super::support::node::Node;
use super::support::origin::{Origin, json};

const ORDERS: &str = r#"
[[route]]
path = "/orders/{page}"
ttl = "1h"
invalidated_by = ["POST /orders", "PUT /orders/{order_id}"]
"#;

const ACTIVE: &str = r#"
[[route]]
path = "/active"
query = ["country", "city"]
key = "{country}-{city}"
ttl = "1h"
invalidated_by = ["PUT /active"]
"#;

#[tokio::test]
async fn a_write_whose_variables_are_known_drops_that_entry_only() {
    let origin = Origin::counting().await;
    let config = r#"
[[route]]
path = "/fruit/{id}"
key = "fruit:{id}"
ttl = "1h"
invalidated_by = ["PUT /fruit/{id}", "DELETE /fruit/{id}"]
"#;
    let node = Node::timed(origin.address, config);
    let client = node.client();
    client.fill(&["/fruit/1", "/fruit/2"]).await;
    client.put("/fruit/1", "{}").await;
    let missed = client.get("/fruit/1").await;
    assert_eq!(missed.cache_status(), "aside; fwd=uri-miss; fwd-status=200; ttl=3600; stored; detail=invalidated");
    client.expect(&[("/fruit/2", "HIT"), ("/fruit/1", "HIT")]).await;
    client.send("DELETE", "/fruit/2", &[], "").await;
    client.expect(&[("/fruit/1", "HIT"), ("/fruit/2", "MISS")]).await;
}

#[tokio::test]
async fn a_write_that_does_not_tell_a_variable_drops_the_whole_route() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    for write in [("POST", "/orders"), ("PUT", "/orders/7")] {
        client.fill(&["/orders/1", "/orders/99"]).await;
        client.send(write.0, write.1, &[], "{}").await;
        client.expect(&[("/orders/1", "MISS"), ("/orders/99", "MISS")]).await;
    }
}

#[tokio::test]
async fn variables_are_found_in_query_body_and_response() {
    let origin = Origin::start(|asked| async move {
        match asked.method.as_str() {
            "POST" => json(r#"{"created": {"id": 3}}"#),
            _ => json("{}"),
        }
    })
    .await;
    let config = r#"
[[route]]
path = "/item"
query = ["id"]
key = "item:{id}"
ttl = "1h"
[[route.invalidated_by]]
request = "PUT /item"
[[route.invalidated_by]]
request = "PATCH /items"
variables = { id = "{body:/item/id}" }
[[route.invalidated_by]]
request = "POST /items"
variables = { id = "{response:/created/id}" }
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    let all = ["/item?id=1", "/item?id=2", "/item?id=3"];
    client.fill(&all).await;
    client.put("/item?id=1", "{}").await;
    client.expect(&[(all[0], "MISS"), (all[1], "HIT"), (all[2], "HIT")]).await;
    client.put("/item", r#"{"id": 2}"#).await;
    client.expect(&[(all[0], "HIT"), (all[1], "MISS"), (all[2], "HIT")]).await;
    client.send("PATCH", "/items", &[("content-type", "application/json")], r#"{"item": {"id": "1"}}"#).await;
    client.expect(&[(all[0], "MISS"), (all[1], "HIT"), (all[2], "HIT")]).await;
    client.post("/items", "{}").await;
    client.expect(&[(all[0], "HIT"), (all[1], "HIT"), (all[2], "MISS")]).await;
    // A body that is no JSON tells nothing: the whole route goes.
    client.put("/item", "id=2").await;
    client.expect(&[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS")]).await;
    // So does one too large to be looked into.
    client.put("/item", &format!(r#"{{"id": 2, "x": "{}"}}"#, "x".repeat(100_000))).await;
    client.expect(&[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS")]).await;
}

#[tokio::test]
async fn a_query_or_body_field_that_the_origin_may_ignore_does_not_narrow_an_invalidation() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, &[ORDERS, ACTIVE].concat());
    let client = node.client();
    for (method, write, body) in [
        ("POST", "/orders?page=5", "{}"),
        ("POST", "/orders", r#"{"page": 5}"#),
        ("PUT", "/orders/7?page=5", r#"{"page": 5}"#),
    ] {
        client.fill(&["/orders/1"]).await;
        client.send(method, write, &[], body).await;
        client.expect(&[("/orders/1", "MISS")]).await;
    }
    let (leon, rivas) = ("/active?country=NI&city=Leon", "/active?country=NI&city=Rivas");
    client.fill(&[leon, rivas]).await;
    client.put("/active?city=Granada", r#"{"country": "NI", "city": "Leon"}"#).await;
    client.expect(&[(leon, "MISS"), (rivas, "MISS")]).await;
    client.put("/active?city=le%C3%B3n", r#"{"country": "NI", "city": "león"}"#).await;
    client.expect(&[(leon, "MISS"), (rivas, "HIT")]).await;
    // Told in two ways it is told in none, though some would take the one for the other.
    client.put("/active?city=le%C3%B3n", r#"{"country": "NI", "city": "Leon"}"#).await;
    client.expect(&[(leon, "MISS"), (rivas, "MISS")]).await;
}

#[tokio::test]
async fn an_entry_without_a_listed_parameter_goes_with_every_other() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, ACTIVE);
    let client = node.client();
    let all = ["/active?city=Leon", "/active", "/active?country=NI&city=Leon", "/active?country=NI&city=Rivas"];
    client.fill(&all).await;
    client.put("/active", r#"{"country": "NI", "city": "Leon"}"#).await;
    client.expect(&[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS"), (all[3], "HIT")]).await;
}

#[tokio::test]
async fn a_method_in_lower_case_is_the_same_write() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    for method in ["post", "Post"] {
        client.fill(&["/orders/1"]).await;
        client.send(method, "/orders", &[], "{}").await;
        client.expect(&[("/orders/1", "MISS")]).await;
    }
}

#[tokio::test]
async fn when_decides_by_the_response() {
    let origin = Origin::start(|asked| async move {
        match asked.method.as_str() {
            "PUT" => json(std::str::from_utf8(&asked.body).unwrap()),
            _ => json("{}"),
        }
    })
    .await;
    let config = r#"
[[route]]
path = "/active"
query = ["country", "city"]
key = "{country}-{city}"
ttl = "1h"
[[route.invalidated_by]]
request = "PUT /active"
when = { "response.result" = "Ok" }
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    let (managua, leon) = ("/active?country=NI&city=Managua", "/active?country=NI&city=Leon");
    client.fill(&[managua, leon]).await;
    client.put("/active", r#"{"result": "Fail", "country": "NI", "city": "Managua"}"#).await;
    client.put("/active", r#"{"country": "NI", "city": "Managua"}"#).await;
    client.expect(&[(managua, "HIT"), (leon, "HIT")]).await;
    client.put("/active", r#"{"result": "Ok", "country": "NI", "city": "Managua"}"#).await;
    client.expect(&[(managua, "MISS"), (leon, "HIT")]).await;
}

#[tokio::test]
async fn what_a_database_takes_for_the_same_is_dropped_together() {
    let origin = Origin::counting().await;
    let config =
        "[[route]]\npath = \"/active\"\nquery = [\"city\"]\nttl = \"1h\"\ninvalidated_by = [\"PUT /active\"]\n";
    let node = Node::start(origin.address, config);
    let client = node.client();
    let all = ["/active?city=Le%C3%B3n", "/active?city=leon", "/active?city=LEON+"];
    client.fill(&all).await;
    client.put("/active", r#"{"city": "León"}"#).await;
    client.expect(&[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS")]).await;
}

#[tokio::test]
async fn a_write_is_understood_however_its_path_is_spelt() {
    let origin = Origin::counting().await;
    let config = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\ninvalidated_by = [\"PUT /fruit/{id}\"]\n";
    let node = Node::start(origin.address, config);
    let client = node.client();
    for path in
        ["/fruit%2F1", "//fruit/1", "/fruit/1/", "/Fruit/1", "/x/../fruit/1", "/%66ruit/1", "/fruit/1;v=1", "/fruit/01"]
    {
        client.fill(&["/fruit/1", "/fruit/2"]).await;
        let request = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        super::support::client::raw(node.address, request.as_bytes()).await;
        assert_eq!(client.get("/fruit/1").await.cache(), "MISS", "{path}");
        // Which fruit `01` is, or `1;v=1`, depends on who reads it.
        let other = if matches!(path, "/fruit/01" | "/fruit/1;v=1") { "MISS" } else { "HIT" };
        assert_eq!(client.get("/fruit/2").await.cache(), other, "{path}");
    }
}
