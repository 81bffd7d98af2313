//! Which methods are writes: those that are registered as safe are none, and those that nobody knows are.

use super::support::node::Node;
use super::support::origin::Origin;

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
invalidated_by = ["* /items/{id}", "* /free"]
[[route]]
path = "/items"
ttl = "1h"
invalidated_by = "path"
"#;

const READS: [&str; 5] = ["/items/1", "/other", "/listed", "/items", "/free"];

// RFC 9110 section 16.1.1: the registry says which are safe.
#[tokio::test]
async fn a_registered_safe_method_is_passed_on_with_its_body_and_drops_nothing() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let client = node.client();
        client.fill(&READS).await;
        for method in ["QUERY", "PROPFIND", "REPORT", "SEARCH", "OPTIONS"] {
            for target in ["/items/1", "/items", "/free"] {
                for body in ["", "<find/>"] {
                    for _ in 0..2 {
                        let before = origin.count();
                        let answer = client.send(method, target, &[("answer", "207")], body).await;
                        assert_eq!((answer.status, answer.text()), (207, body), "{method} {target}");
                        assert_eq!(origin.count(), before + 1, "{method} {target} is never answered from the store");
                        let seen = origin.asked().pop().unwrap();
                        assert_eq!((seen.method.as_str(), &*seen.body), (method, body.as_bytes()));
                    }
                }
            }
        }
        client.expect(&READS.map(|target| (target, "HIT"))).await;
    }
}

#[tokio::test]
async fn a_method_that_nobody_knows_and_one_that_only_looks_safe_may_change_anything() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let client = node.client();
        for method in ["BREW", "BAN", "PSOT", "query", "Search", "get", "MKCOL", "LOCK", "ACL", "PROPPATCH"] {
            client.fill(&READS).await;
            client.send(method, "/items/1", &[], "").await;
            client
                .expect(&[
                    ("/items/1", "MISS"),
                    ("/other", "MISS"),
                    ("/listed", "MISS"),
                    ("/items", "MISS"),
                    ("/free", "HIT"),
                ])
                .await;
            client.send(method, "/free", &[], "").await;
            client.expect(&[("/free", "MISS"), ("/listed", "MISS"), ("/other", "MISS"), ("/items", "HIT")]).await;
        }
    }
}
