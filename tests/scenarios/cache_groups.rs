//! Groups of cached responses (RFC 9875): named by answers, made old by the answers to writes.

use super::support::node::Node;
use super::support::origin::{Asked, Origin, response};
use super::support::redis::RedisServer;
use super::support::until;

// RFC 9875 section 3.
#[tokio::test]
async fn the_answer_to_a_write_makes_the_groups_old_that_it_names() {
    let origin = Origin::start(|asked: Asked| async move {
        let field = match asked.method.as_str() {
            "GET" => ("cache-groups", asked.target.rsplit('/').next().unwrap_or_default().to_owned()),
            _ => ("cache-group-invalidation", "\"Fruit\", \"other\"".to_owned()),
        };
        let value = if field.0 == "cache-groups" { format!("\"{}\"", field.1) } else { field.1 };
        response(200, &[("cache-control", "max-age=60"), (field.0, &value)], "x")
    })
    .await;
    let routes = "[[route]]\npath = \"/shop/{group}\"\nttl = \"1h\"\ninvalidated_by = []\n";
    for store in [None, Some(RedisServer::start())] {
        let url = store.as_ref().map_or("memory://".to_owned(), RedisServer::url);
        let node = Node::on(origin.address, &url, routes);
        let client = node.client();
        let targets = ["/shop/Fruit", "/free/Fruit", "/shop/fruit", "/free/fruit"];
        for target in targets {
            // Redis may not be connected yet.
            until("it is stored", || async { client.get(target).await.cache() == "HIT" }).await;
        }
        client.post("/anything", "{}").await;
        let mut seen = Vec::new();
        for target in targets {
            seen.push(client.get(target).await.cache().to_owned());
        }
        assert_eq!(seen, ["MISS", "MISS", "HIT", "HIT"], "{url}");
    }
}

#[tokio::test]
async fn groups_are_a_hosts_own_where_the_origin_sees_no_client_and_safe_answers_make_none_old() {
    let origin = Origin::start(|asked: Asked| async move {
        let groups = [("cache-groups", "\"a\""), ("cache-group-invalidation", "\"a\"")];
        let kept = ("cache-control", "max-age=60");
        if asked.method == "GET" {
            response(200, &[&[kept], &groups[..]].concat(), "x")
        } else {
            response(200, &groups, "x")
        }
    })
    .await;
    for (rule, other) in [("origin", "HIT"), ("client", "MISS")] {
        let node = Node::start(origin.address, &format!("[origin]\nurl = \"ORIGIN\"\nhost = \"{rule}\"\n"));
        let client = node.client();
        client.get_with("/x", &[("host", "one")]).await;
        client.get_with("/x", &[("host", "two")]).await;
        assert_eq!(client.get_with("/x", &[("host", "one")]).await.cache(), "HIT");
        client.send("POST", "/y", &[("host", "ONE")], "{}").await;
        // Where the app sees the client's Host, all hosts are its own, and a write concerns them all.
        assert_eq!(client.get_with("/x", &[("host", "two")]).await.cache(), other, "{rule}");
        assert_eq!(client.get_with("/x", &[("host", "one")]).await.cache(), "MISS", "{rule}");
    }
}
