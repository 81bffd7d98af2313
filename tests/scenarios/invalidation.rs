//! What a write makes old, and what it leaves alone.

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{Origin, json, response};

async fn fill(client: &Client, targets: &[&str]) {
    for target in targets {
        client.get(target).await;
        assert_eq!(client.get(target).await.cache(), "HIT", "{target} is not stored");
    }
}

async fn expect(client: &Client, expected: &[(&str, &str)]) {
    for (target, cache) in expected {
        assert_eq!(client.get(target).await.cache(), *cache, "{target}");
    }
}

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
    fill(&client, &["/fruit/1", "/fruit/2"]).await;
    client.put("/fruit/1", "{}").await;
    let missed = client.get("/fruit/1").await;
    assert_eq!(missed.cache_status(), "aside; fwd=uri-miss; fwd-status=200; ttl=3600; stored; detail=invalidated");
    expect(&client, &[("/fruit/2", "HIT"), ("/fruit/1", "HIT")]).await;
    client.send("DELETE", "/fruit/2", &[], "").await;
    expect(&client, &[("/fruit/1", "HIT"), ("/fruit/2", "MISS")]).await;
}

#[tokio::test]
async fn a_write_that_does_not_tell_a_variable_drops_the_whole_route() {
    let origin = Origin::counting().await;
    let config = r#"
[[route]]
path = "/orders/{page}"
ttl = "1h"
invalidated_by = ["POST /orders", "PUT /orders/{order_id}"]
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    for write in [("POST", "/orders"), ("PUT", "/orders/7")] {
        fill(&client, &["/orders/1", "/orders/99"]).await;
        client.send(write.0, write.1, &[], "{}").await;
        expect(&client, &[("/orders/1", "MISS"), ("/orders/99", "MISS")]).await;
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
    fill(&client, &all).await;
    client.put("/item?id=1", "{}").await;
    expect(&client, &[(all[0], "MISS"), (all[1], "HIT"), (all[2], "HIT")]).await;
    client.put("/item", r#"{"id": 2}"#).await;
    expect(&client, &[(all[0], "HIT"), (all[1], "MISS"), (all[2], "HIT")]).await;
    client.send("PATCH", "/items", &[], r#"{"item": {"id": "1"}}"#).await;
    expect(&client, &[(all[0], "MISS"), (all[1], "HIT"), (all[2], "HIT")]).await;
    client.post("/items", "{}").await;
    expect(&client, &[(all[0], "HIT"), (all[1], "HIT"), (all[2], "MISS")]).await;
    // A body that is no JSON tells nothing: the whole route goes.
    client.put("/item", "id=2").await;
    expect(&client, &[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS")]).await;
    // So does one too large to be looked into.
    client.put("/item", &format!(r#"{{"id": 2, "x": "{}"}}"#, "x".repeat(100_000))).await;
    expect(&client, &[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS")]).await;
}

#[tokio::test]
async fn a_query_or_body_field_that_the_origin_may_ignore_does_not_narrow_an_invalidation() {
    let origin = Origin::counting().await;
    let config = r#"
[[route]]
path = "/orders/{page}"
ttl = "1h"
invalidated_by = ["POST /orders", "PUT /orders/{order_id}"]
[[route]]
path = "/active"
query = ["country", "city"]
key = "{country}-{city}"
ttl = "1h"
invalidated_by = ["PUT /active"]
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    for (method, write, body) in [
        ("POST", "/orders?page=5", "{}"),
        ("POST", "/orders", r#"{"page": 5}"#),
        ("PUT", "/orders/7?page=5", r#"{"page": 5}"#),
    ] {
        fill(&client, &["/orders/1"]).await;
        client.send(method, write, &[], body).await;
        expect(&client, &[("/orders/1", "MISS")]).await;
    }
    let (leon, rivas) = ("/active?country=NI&city=Leon", "/active?country=NI&city=Rivas");
    fill(&client, &[leon, rivas]).await;
    client.put("/active?city=Granada", r#"{"country": "NI", "city": "Leon"}"#).await;
    expect(&client, &[(leon, "MISS"), (rivas, "MISS")]).await;
    client.put("/active?city=le%C3%B3n", r#"{"country": "NI", "city": "Leon"}"#).await;
    expect(&client, &[(leon, "MISS"), (rivas, "HIT")]).await;
}

#[tokio::test]
async fn an_entry_without_a_listed_parameter_goes_with_every_other() {
    let origin = Origin::counting().await;
    let config = r#"
[[route]]
path = "/active"
query = ["country", "city"]
key = "{country}-{city}"
ttl = "1h"
invalidated_by = ["PUT /active"]
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    let all = ["/active?city=Leon", "/active", "/active?country=NI&city=Leon", "/active?country=NI&city=Rivas"];
    fill(&client, &all).await;
    client.put("/active", r#"{"country": "NI", "city": "Leon"}"#).await;
    expect(&client, &[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS"), (all[3], "HIT")]).await;
}

#[tokio::test]
async fn a_method_in_lower_case_is_the_same_write() {
    let origin = Origin::counting().await;
    let config = "[[route]]\npath = \"/orders/{page}\"\nttl = \"1h\"\ninvalidated_by = [\"POST /orders\"]\n";
    let node = Node::start(origin.address, config);
    let client = node.client();
    for method in ["post", "Post"] {
        fill(&client, &["/orders/1"]).await;
        client.send(method, "/orders", &[], "{}").await;
        expect(&client, &[("/orders/1", "MISS")]).await;
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
    fill(&client, &[managua, leon]).await;
    client.put("/active", r#"{"result": "Fail", "country": "NI", "city": "Managua"}"#).await;
    client.put("/active", r#"{"country": "NI", "city": "Managua"}"#).await;
    expect(&client, &[(managua, "HIT"), (leon, "HIT")]).await;
    client.put("/active", r#"{"result": "Ok", "country": "NI", "city": "Managua"}"#).await;
    expect(&client, &[(managua, "MISS"), (leon, "HIT")]).await;
}

#[tokio::test]
async fn what_a_database_takes_for_the_same_is_dropped_together() {
    let origin = Origin::counting().await;
    let config =
        "[[route]]\npath = \"/active\"\nquery = [\"city\"]\nttl = \"1h\"\ninvalidated_by = [\"PUT /active\"]\n";
    let node = Node::start(origin.address, config);
    let client = node.client();
    let all = ["/active?city=Le%C3%B3n", "/active?city=leon", "/active?city=LEON+"];
    fill(&client, &all).await;
    client.put("/active", r#"{"city": "León"}"#).await;
    expect(&client, &[(all[0], "MISS"), (all[1], "MISS"), (all[2], "MISS")]).await;
}

#[tokio::test]
async fn by_default_a_write_drops_its_path_what_lies_under_it_and_its_parent() {
    let origin = Origin::counting().await;
    let config = r#"
[[route]]
path = "/users"
ttl = "1h"
[[route]]
path = "/users/{id}"
ttl = "1h"
[[route]]
path = "/users/{id}/orders"
ttl = "1h"
[[route]]
path = "/fruit/{id}"
ttl = "1h"
[[route]]
path = "/fixed/{id}"
ttl = "1h"
invalidated_by = []
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    let all = ["/users", "/users?sort=name", "/users/7", "/users/7?full=1", "/users/8", "/users/7/orders", "/fruit/1"];
    fill(&client, &all).await;
    client.put("/users/7", "{}").await;
    expect(
        &client,
        &[
            ("/users", "MISS"),
            ("/users?sort=name", "MISS"),
            ("/users/7", "MISS"),
            ("/users/7?full=1", "MISS"),
            ("/users/8", "HIT"),
            ("/users/7/orders", "MISS"),
            ("/fruit/1", "HIT"),
        ],
    )
    .await;
    client.post("/users", "{}").await;
    expect(&client, &[("/users", "MISS"), ("/users/8", "MISS"), ("/users/7/orders", "MISS"), ("/fruit/1", "HIT")])
        .await;
    fill(&client, &["/fixed/1"]).await;
    client.put("/fixed/1", "{}").await;
    expect(&client, &[("/fixed/1", "HIT")]).await;
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
    fill(&client, &["/x"]).await;
    for status in [400, 403, 404, 409, 422] {
        client.put(&format!("/x?{status}"), "").await;
        expect(&client, &[("/x", "HIT")]).await;
    }
    // A view that committed and then failed: nobody knows, so what it wrote is not served any more.
    for status in [201, 204, 303, 500, 503] {
        client.put(&format!("/x?{status}"), "").await;
        expect(&client, &[("/x", "MISS"), ("/x", "HIT")]).await;
    }
}

#[tokio::test]
async fn a_write_is_understood_however_its_path_is_spelt() {
    let origin = Origin::counting().await;
    let config = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\ninvalidated_by = [\"PUT /fruit/{id}\"]\n";
    let node = Node::start(origin.address, config);
    let client = node.client();
    for path in
        ["/fruit%2F1", "//fruit/1", "/fruit/1/", "/Fruit/1", "/x/../fruit/1", "/fruit/01", "/%66ruit/1", "/fruit/1;v=1"]
    {
        fill(&client, &["/fruit/1", "/fruit/2"]).await;
        let request = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        super::support::client::raw(node.address, request.as_bytes()).await;
        assert_eq!(client.get("/fruit/1").await.cache(), "MISS", "{path}");
        assert_eq!(client.get("/fruit/2").await.cache(), "HIT", "{path}");
    }
}

#[tokio::test]
async fn without_a_route_a_write_drops_its_target_and_parent() {
    let origin = Origin::start(|_| async { response(200, &[("cache-control", "max-age=60")], "x") }).await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    fill(&client, &["/a/b?x=1", "/a", "/c"]).await;
    client.put("/a/b", "").await;
    expect(&client, &[("/a/b?x=1", "MISS"), ("/a", "MISS"), ("/c", "HIT")]).await;
}

#[tokio::test]
async fn tags_from_config_and_response_fields_can_be_dropped_by_a_rule() {
    let origin = Origin::start(|asked| async move {
        match asked.path() {
            "/orders/1" => json(r#"{"customer_id": 7}"#),
            "/orders/2" => json(r#"{"customer_id": 8}"#),
            _ => json("{}"),
        }
    })
    .await;
    let config = r#"
[[route]]
path = "/orders/{id}"
ttl = "1h"
tags = ["customer:{response:/customer_id}"]
[[route.invalidated_by]]
request = "PUT /customers/{customer_id}"
tags = ["customer:{customer_id}"]
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    fill(&client, &["/orders/1", "/orders/2"]).await;
    client.put("/customers/7", "{}").await;
    expect(&client, &[("/orders/1", "MISS"), ("/orders/2", "HIT")]).await;
}

#[tokio::test]
async fn an_answer_with_more_tags_than_are_kept_is_not_stored() {
    let many: Vec<String> = (0..200).map(|n| format!("tag-{n}")).collect();
    let many = many.join(" ");
    let origin = Origin::start(move |_| {
        let many = many.clone();
        async move { response(200, &[("surrogate-key", &many)], "x") }
    })
    .await;
    let node = Node::start(origin.address, "[[route]]\npath = \"/x\"\nttl = \"1h\"\n");
    for _ in 0..2 {
        let answer = node.client().get("/x").await;
        assert_eq!(answer.cache_status(), "aside; fwd=uri-miss; fwd-status=200; detail=too-many-tags");
    }
}

#[tokio::test]
async fn a_tag_that_a_response_field_names_meets_the_same_tag_of_a_rule() {
    let config = "[[route]]\npath = \"/p/{id}\"\nttl = \"1h\"\n\
        invalidated_by = [{ request = \"POST /shop\", tags = [\"shop:{shop_id}\"] }]\n";
    for (field, id) in [
        ("shop:ABC", "ABC"),
        ("shop:a@b", "a@b"),
        ("shop:7 ciudad:León", "7"),
        ("shop:007", "7"),
        ("shop:León", "leon"),
    ] {
        let origin = Origin::start(move |_| async move {
            let mut answer = json("{}");
            let line = hyper::header::HeaderValue::from_bytes(field.as_bytes()).unwrap();
            answer.headers_mut().insert("surrogate-key", line);
            answer
        })
        .await;
        let node = Node::start(origin.address, config);
        let client = node.client();
        fill(&client, &["/p/1"]).await;
        client.post("/shop", r#"{"shop_id": "another"}"#).await;
        expect(&client, &[("/p/1", "HIT")]).await;
        client.post("/shop", &format!(r#"{{"shop_id": "{id}"}}"#)).await;
        expect(&client, &[("/p/1", "MISS")]).await;
    }
}

#[tokio::test]
async fn an_answer_that_does_not_say_a_tags_value_is_not_stored() {
    let origin = Origin::start(|_| async { response(200, &[("content-type", "text/html")], "<p>shop 7") }).await;
    let config = "[[route]]\npath = \"/p/{id}\"\nttl = \"1h\"\ntags = [\"shop:{response:/shop_id}\"]\n";
    let node = Node::start(origin.address, config);
    for _ in 0..2 {
        let answer = node.client().get("/p/1").await;
        assert_eq!(answer.cache_status(), "aside; fwd=uri-miss; fwd-status=200; detail=tag-unknown");
    }
}

#[tokio::test]
async fn a_tag_that_the_write_does_not_tell_drops_every_route_of_the_group() {
    let origin = Origin::start(|_| async { json(r#"{"customer_id": 7}"#) }).await;
    let config = r#"
[[route]]
path = "/a/{x}"
group = "shop"
ttl = "1h"
tags = ["customer:{response:/customer_id}"]
invalidated_by = [{ request = "POST /customers", tags = ["customer:{id}"] }]
[[route]]
path = "/b/{x}"
group = "shop"
ttl = "1h"
tags = ["customer:{response:/customer_id}"]
invalidated_by = []
"#;
    let node = Node::start(origin.address, config);
    let client = node.client();
    for (body, cache) in [(r#"{"id": 7}"#, "MISS"), (r#"{"id": 8}"#, "HIT"), ("not json", "MISS")] {
        fill(&client, &["/a/1", "/b/1"]).await;
        client.post("/customers", body).await;
        expect(&client, &[("/a/1", cache), ("/b/1", cache)]).await;
    }
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
    let node = Node::start(origin.address, "[[route]]\npath = \"/orders/{id}\"\nttl = \"1h\"\n");
    let client = node.client();
    fill(&client, &["/orders/7", "/orders/8", "/orders/9"]).await;
    for target in ["/made", "/moved", "/elsewhere"] {
        client.post(target, "{}").await;
    }
    expect(&client, &[("/orders/7", "MISS"), ("/orders/8", "MISS"), ("/orders/9", "HIT")]).await;
}
