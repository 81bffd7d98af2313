//! Several nodes with one store: each knows its own writes and its own looks, and says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aside::verify::{Asked, Compared, Evidence, Report};

use super::hostile::{report as told, rules, subject, written};
use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{self, Origin, response};
use super::support::redis::RedisServer;
use super::support::{connected, until};

/// A GET is answered with the version, which `POST /b` raises and `POST /login` does not.
async fn api() -> Origin {
    let version = Arc::new(AtomicUsize::new(1));
    Origin::start(move |asked: origin::Asked| {
        let raises = usize::from(asked.method == "POST" && asked.path() == "/b");
        let version = version.fetch_add(raises, Ordering::SeqCst) + raises;
        async move { response(200, &[("content-type", "application/json")], &format!("{{\"version\":{version}}}")) }
    })
    .await
}

fn report(node: &Node) -> Report {
    node.shared.verified()
}

async fn knows_of(node: &Node, others: usize) {
    let asked = || async {
        node.client().get("/a/unlike").await;
        report(node).others == others
    };
    until("it knows of them", asked).await;
}

/// Reads what is old until it is found so: a node that hears of its Redis late for once finds nothing.
async fn found_old(node: &Node, target: &str) {
    let found = || async {
        node.client().get(target).await;
        report(node).findings.iter().any(|found| found.target == target)
    };
    until("it is found old", found).await;
}

/// Writes that change nothing, and a look at two answers after each.
async fn idle_writes(client: &Client) {
    for _ in 0..40 {
        client.post("/login", "{}").await;
        for target in ["/a/1", "/a/2"] {
            assert_eq!(client.get(target).await.cache(), "MISS");
        }
    }
}

#[tokio::test]
async fn a_node_that_shares_the_store_proposes_nothing_that_drops_less() {
    let (origin, redis) = (api().await, RedisServer::start());
    let config = "[[route]]\npath = \"/a/{id}\"\nttl = \"1h\"\n[verify]\nsample = \"1%\"\n";
    let alone = Node::on(origin.address, &redis.url(), config);
    connected(&alone.client()).await;
    knows_of(&alone, 0).await;
    idle_writes(&alone.client()).await;
    let proposed = report(&alone).proposals;
    assert!(proposed.len() == 1 && proposed[0].narrows && proposed[0].drops.is_empty(), "{proposed:?}");
    // What it saw while it was alone is not gone, and says nothing of what the other one sees.
    let other = Node::on(origin.address, &redis.url(), config);
    connected(&other.client()).await;
    knows_of(&alone, 1).await;
    knows_of(&other, 1).await;
    idle_writes(&other.client()).await;
    for node in [&alone, &other] {
        let report = report(node);
        assert!(report.proposals.is_empty(), "{:?}", report.proposals);
        let text = report.text();
        assert!(text.contains("this is what 1 of 2 nodes has seen: "), "{text}");
    }
}

#[tokio::test]
async fn what_a_write_through_another_node_left_old_is_told_and_named_by_that_one() {
    let (origin, redis) = (api().await, RedisServer::start());
    let config = "[[route]]\npath = \"/a/{id}\"\nttl = \"1h\"\ninvalidated_by = []\n[verify]\nsample = \"100%\"\n";
    let [one, other] = Node::two_on(origin.address, &redis.url(), config).await;
    knows_of(&one, 1).await;
    knows_of(&other, 1).await;
    assert_eq!(one.client().get("/a/1").await.cache(), "MISS");
    assert_eq!(other.client().get("/a/2").await.cache(), "MISS");
    one.client().post("/b", "{}").await;
    assert_eq!(other.client().get("/a/2").await.cache(), "HIT");
    found_old(&other, "/a/2").await;
    let of_other = report(&other);
    let finding = of_other.findings.iter().find(|found| found.target == "/a/2").unwrap();
    assert!(finding.blamed.is_empty(), "{finding:?}");
    let words =
        "the API has changed it by itself, or was told another way; what went through 1 other node is not known here";
    assert!(finding.text.ends_with(words), "{}", finding.text);
    assert!(of_other.proposals.is_empty() && of_other.routes[0].by_itself == 0 && of_other.routes[0].elsewhere > 0);
    // The node that the write went through names it for what it finds itself, and so do both together.
    assert_eq!(one.client().get("/a/1").await.cache(), "HIT");
    found_old(&one, "/a/1").await;
    let joined = of_other.and(report(&one));
    let [proposal] = &joined.proposals[..] else { panic!("{joined:?}") };
    assert_eq!((&*proposal.request, &*proposal.drops), ("POST /b", &["route:/a/{id}".to_owned()][..]));
    assert!(!proposal.narrows && !proposal.certain, "another write may have done it: {proposal:?}");
    assert_eq!((joined.nodes, joined.others), (2, 0));
}

#[test]
fn once_the_others_are_gone_evidence_of_what_stays_begins_anew() {
    let rules = rules("[[route]]\npath = \"/a\"\nttl = \"1h\"\n");
    let mut evidence = Evidence::about(&rules, 0);
    let look = |evidence: &mut Evidence, digest| {
        let began = evidence.moment();
        evidence.refetched(&subject(&rules, "/a"), Asked { digest, began, body: b"" });
    };
    let day = |evidence: &mut Evidence| {
        for _ in 0..31 {
            look(evidence, 1);
            written(evidence, &rules, "POST /w");
        }
        told(evidence).proposals.len()
    };
    assert_eq!(day(&mut evidence), 1);
    evidence.knows_of_others(1);
    assert_eq!((told(&evidence).proposals.len(), day(&mut evidence)), (0, 0), "another node may know better");
    evidence.knows_of_others(0);
    look(&mut evidence, 1);
    assert_eq!(told(&evidence).proposals.len(), 0, "nothing of before counts");
    assert_eq!(day(&mut evidence), 1);
}

/// Whoever writes reads what has changed once, and nobody else's has: it is one route, and the write names nothing of it.
#[test]
fn what_is_another_one_after_each_write_is_not_left_out() {
    let rules = rules("[[route]]\npath = \"/cart\"\nttl = \"1h\"\n[[route]]\npath = \"/other\"\nttl = \"1h\"\n");
    let mut evidence = Evidence::about(&rules, 0);
    let look = |evidence: &mut Evidence, target: &str, digest| {
        let began = evidence.moment();
        evidence.refetched(&subject(&rules, target), Asked { digest, began, body: b"" });
    };
    for write in 0..32 {
        // The key of each user is another one; so is what a query makes here.
        for target in ["/cart?user=2", "/cart?user=3", "/other"] {
            look(&mut evidence, target, 0);
        }
        look(&mut evidence, "/cart?user=1", write);
        written(&mut evidence, &rules, "POST /items");
    }
    let [proposal] = &told(&evidence).proposals[..] else { panic!("one of /other") };
    assert_eq!((&proposal.drops[..], &proposal.spares[..]), (&["/cart".to_owned()][..], &["/other".to_owned()][..]));
}

/// What was begun before counts for nothing after: its moments are none of the new evidence.
#[test]
fn a_look_of_before_says_nothing_to_the_evidence_that_has_begun_anew() {
    let rules = rules("[[route]]\npath = \"/a\"\nttl = \"1h\"\n");
    let mut before = Evidence::about(&rules, 0);
    written(&mut before, &rules, "POST /w");
    let began = before.moment();
    let mut evidence = Evidence::about(&rules, 0).after(&before);
    evidence.refetched(&subject(&rules, "/a"), Asked { digest: 1, began, body: b"" });
    let old = Compared::Old { stored: 1, received: 0 };
    assert_eq!(evidence.compared(&subject(&rules, "/a"), Asked { digest: 2, began, body: b"" }, old.clone(), 0), None);
    assert_eq!((told(&evidence).routes[0].void, told(&evidence).routes[0].refetched), (1, 0));
    written(&mut evidence, &rules, "POST /w");
    let began = evidence.moment();
    let found = evidence.compared(&subject(&rules, "/a"), Asked { digest: 2, began, body: b"" }, old, 0).unwrap();
    assert_eq!(found.finding.blamed, ["POST /w"]);
}
