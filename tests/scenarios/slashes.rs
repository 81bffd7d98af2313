//! A slash at the end of a path matters to nothing that a write drops: Django REST framework has one everywhere, Flask
//! sends clients to the path that has it.

use super::support::node::Node;
use super::support::origin::{Origin, json, response};

/// The routes of a list and its members, with and without a slash, by this `invalidated_by`.
fn routes(rule: &str) -> String {
    let route = |path: &str| format!("[[route]]\npath = \"{path}\"\nttl = \"1h\"\n{rule}\n");
    ["/items/", "/items/{id}/", "/things", "/things/{id}"].map(route).concat()
}

const READS: [&str; 6] = ["/items/", "/items/1/", "/items/2/", "/things", "/things/1", "/things/2"];

#[tokio::test]
async fn by_path_a_detail_and_its_list_meet_however_they_are_spelt() {
    let origin = Origin::obeying().await;
    for (node, _redis) in &Node::on_each_store(origin.address, &routes("invalidated_by = \"path\"")).await {
        let client = node.client();
        for (write, gone) in [
            ("/items/1/", &["/items/", "/items/1/"][..]),
            ("/items/1", &["/items/", "/items/1/"]),
            ("/things/1", &["/things", "/things/1"]),
            ("/things/1/", &["/things", "/things/1"]),
            ("/items", &["/items/", "/items/1/", "/items/2/"]),
            ("/items/", &["/items/", "/items/1/", "/items/2/"]),
            ("/things/", &["/things", "/things/1", "/things/2"]),
            ("/items//1//", &["/items/", "/items/1/"]),
        ] {
            client.fill(&READS).await;
            client.put(write, "{}").await;
            for target in READS {
                let expected = if gone.contains(&target) { "MISS" } else { "HIT" };
                assert_eq!(client.get(target).await.cache(), expected, "PUT {write}: {target}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_and_a_write_rule_meet_a_write_however_either_is_spelt() {
    let origin = Origin::obeying().await;
    for (rule, write) in [("/jobs/{id}", "/jobs/1/"), ("/jobs/{id}/", "/jobs/1"), ("/jobs/{id}/", "/jobs/1/")] {
        let listed = routes(&format!("invalidated_by = [\"PUT {rule}\"]"));
        let narrowed = format!(
            "{}[[write]]\nrequest = \"PUT {rule}\"\ndrops = [\"/items/{{id}}\", \"/things/{{id}}/\"]\n",
            routes("")
        );
        for (config, lists) in [(listed, "MISS"), (narrowed, "HIT")] {
            let node = Node::start(origin.address, &config);
            let client = node.client();
            client.fill(&READS).await;
            client.put(write, "{}").await;
            client
                .expect(&[
                    ("/items/1/", "MISS"),
                    ("/things/1", "MISS"),
                    ("/items/2/", "HIT"),
                    ("/things/2", "HIT"),
                    ("/items/", lists),
                    ("/things", lists),
                ])
                .await;
        }
    }
}

// By default it does not matter either, for everything goes; and what is sent to a route goes where nothing else does.
#[tokio::test]
async fn what_a_write_was_sent_to_is_dropped_however_it_is_spelt() {
    let origin = Origin::obeying().await;
    for write in ["/items/1/", "/items/1", "/things/1", "/things/1/"] {
        for (config, others) in [(routes(""), "MISS"), (routes("invalidated_by = []"), "HIT")] {
            let node = Node::start(origin.address, &config);
            let client = node.client();
            client.fill(&READS).await;
            client.put(write, "{}").await;
            for target in READS {
                let sent_to = target.trim_end_matches('/') == write.trim_end_matches('/');
                let expected = if sent_to { "MISS" } else { others };
                assert_eq!(client.get(target).await.cache(), expected, "PUT {write}: {target}");
            }
        }
    }
}

/// Keeps one item at `/items/1/`, and sends who leaves the slash out there with this status.
async fn strict(status: u16) -> Origin {
    let value = std::sync::Arc::new(std::sync::Mutex::new("0".to_owned()));
    Origin::start(move |asked| {
        let value = std::sync::Arc::clone(&value);
        async move {
            if !asked.path().ends_with('/') {
                return response(status, &[("location", &format!("{}/", asked.path()))], "");
            }
            let mut value = value.lock().unwrap();
            if asked.method == "PUT" {
                *value = String::from_utf8(asked.body.to_vec()).unwrap();
            }
            json(&value)
        }
    })
    .await
}

#[tokio::test]
async fn a_client_that_follows_the_redirect_reads_what_it_wrote() {
    // Flask and Starlette say 308 and 307, Django 301.
    for (status, first) in [(308, "HIT"), (307, "HIT"), (301, "MISS")] {
        let origin = strict(status).await;
        for rule in ["", "invalidated_by = \"path\"", "invalidated_by = [\"PUT /items/{id}/\"]", "invalidated_by = []"]
        {
            let node = Node::start(origin.address, &routes(rule));
            let client = node.client();
            client.fill(&["/items/", "/items/1/"]).await;
            let sent_on = client.put("/items/1", "\"a\"").await;
            assert_eq!((sent_on.status, sent_on.field("location")), (status, "/items/1/"));
            client.expect(&[("/items/", "HIT"), ("/items/1/", first)]).await;
            client.put("/items/1/", "\"b\"").await;
            assert_eq!(client.get("/items/1/").await.text(), "\"b\"", "{status} {rule}");
            client.put("/items/1/", "0").await;
        }
    }
}
