//! `[verify]` on the blog: it names what a rule of paths lacks, and proposes what may be dropped less.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aside::proxy::Shared;
use aside::verify::{Proposal, Report};

use super::blog::Blog;
use super::reads::Readers;
use super::routes::Slash;
use super::support::client::Answer;
use super::support::node::Process;
use super::{MEMORY, Stand};

/// What a node compares.
pub struct Verified {
    shared: Shared,
    hits: AtomicU64,
}

impl Verified {
    /// Waits until what this answer may have begun is done: so that every run tells the same.
    pub async fn follow(&self, answer: &Answer) {
        let status = answer.cache_status();
        let is_hit = status.contains("hit") || status.contains("shadow");
        let hits = self.hits.fetch_add(u64::from(is_hit), Ordering::SeqCst) + u64::from(is_hit);
        if is_hit {
            let compared = || self.shared.verified().routes.iter().map(|route| route.compared).sum::<u64>();
            while compared() != hits {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

/// Each hit, and waited for.
const SAMPLED: &str = "[verify]\nsample = \"100%\"\nat_once = 64\n";
/// A few, behind everything else.
const SPARSE: &str = "[verify]\nsample = \"1%\"\n";
const SHADOW: &str = "[verify]\nshadow = true\nat_once = 64\n";

/// A day on a blog of its own: the hits of a hundred pages, what was stale, and what the node has to tell.
async fn a_day(config: &str, requests: usize, seed: u64) -> (f64, Vec<String>, Report) {
    let mut stand = Stand::new(Slash::Without, MEMORY, config).await;
    if config.ends_with(SAMPLED) || config.ends_with(SHADOW) {
        stand.readers.verified = Some(Verified { shared: stand.node.shared.clone(), hits: AtomicU64::new(0) });
    }
    let day = stand.readers.spend_a_day(requests, seed).await;
    (day.reads.hits_percent(), day.reads.stale, stand.node.shared.verified())
}

fn of<'r>(report: &'r Report, request: &str) -> Option<&'r Proposal> {
    report.proposals.iter().find(|proposal| proposal.request == request)
}

#[tokio::test]
async fn verify_names_what_a_rule_of_paths_lacks() {
    let config = Slash::Without.routes("invalidated_by = \"path\"\n") + SAMPLED;
    let (_, stale, report) = a_day(&config, 4_000, 8).await;
    println!("{}", report.text());
    assert!(!stale.is_empty(), "such a rule is wrong here");
    let old: u64 = report.routes.iter().map(|route| route.old).sum();
    assert_eq!(old, u64::try_from(stale.len()).unwrap(), "every stale answer was found, and no other");
    assert!(report.findings.iter().any(|finding| finding.text.contains("which drops nothing of route /articles")));
    let (mut pasted, mut report, mut left) = (String::new(), report, vec![stale.len()]);
    for _ in 0..2 {
        pasted.extend(report.proposals.iter().map(Proposal::toml));
        let config = Slash::Without.routes("invalidated_by = \"path\"\n") + &pasted + SAMPLED;
        let (_, stale, next) = a_day(&config, 4_000, 8).await;
        println!("{pasted}{}", next.text());
        left.push(stale.len());
        report = next;
    }
    println!("stale, and with what was pasted: {left:?}");
    assert!(left[1] * 4 <= left[0], "one paste mends most of it: {left:?}");
    assert_eq!(left[2], 0, "two all of it: {left:?}");
}

#[tokio::test]
async fn a_process_prints_what_a_rule_of_paths_lacks() {
    let (blog, origin) = Blog::founded().serve().await;
    let config = Slash::Without.routes("invalidated_by = \"path\"\n") + SAMPLED;
    let process = Process::start(origin.address, MEMORY, &config).await;
    Readers::new(process.client(), blog, Slash::Without).spend_a_day(4_000, 8).await;
    let place = format!("unix:{}", process.admin_socket().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    let output = command.args(["verify", "--admin", &place]).current_dir("/").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    println!("{text}");
    let entry = "[[write]]\nrequest = \"POST /articles/{slug}/favorite\"\ndrops = [\"/articles\"";
    assert!(output.status.success() && text.contains(entry), "{text}");
}

#[tokio::test]
async fn what_verify_proposes_after_a_day_is_right_the_next_day() {
    let routes = Slash::Without.routes("");
    let (_, stale, report) = a_day(&(routes.clone() + SPARSE), 10_000, 8).await;
    println!("{}", report.text());
    assert!(stale.is_empty() && report.routes.iter().all(|route| route.old == 0));
    let proposed: String = report.proposals.iter().map(Proposal::toml).collect();
    // Of what changes nothing, the writes that came often enough, and what was read often enough after them.
    for request in ["POST /users/login", "POST /beacon"] {
        let idle = of(&report, request).expect("it is proposed");
        assert!(idle.spares.len() >= 2 && idle.drops.len() + idle.spares.len() == 7, "{idle:?}");
        let bounds = idle.evidence.iter().filter(|line| line.contains("with 95 % certainty fewer than about 3 in"));
        assert_eq!(bounds.count(), idle.spares.len(), "{idle:?}");
    }
    let idle = ["POST /users/login", "POST /beacon", "POST /search"];
    assert!(report.proposals.iter().all(|proposal| idle.contains(&&*proposal.request)), "and no others: {proposed}");
    let mut hits = Vec::new();
    for narrowed in ["", &proposed] {
        let (percent, stale, report) = a_day(&(routes.clone() + narrowed + SAMPLED), 3_000, 9).await;
        let compared: u64 = report.routes.iter().map(|route| route.compared).sum();
        println!("the next day: {percent:.1} % hits, {} stale; {compared} compared", stale.len());
        assert!(stale.is_empty(), "{proposed}\n{}", stale.join("\n"));
        assert!(report.routes.iter().all(|route| route.old == 0), "{}", report.text());
        hits.push(percent);
    }
    assert!(hits[1] > hits[0] + 5.0, "{hits:?}");
}

#[tokio::test]
async fn in_shadow_nothing_is_served_from_the_cache_and_it_is_told_what_would_have_been() {
    let by_path = Slash::Without.routes("invalidated_by = \"path\"\n");
    let (percent, stale, report) = a_day(&(by_path.clone() + SHADOW), 2_000, 8).await;
    println!("{}", report.text());
    assert!(stale.is_empty() && percent == 0.0, "{percent} {stale:?}");
    let (mut compared, mut old) = (0, 0);
    for route in &report.routes {
        compared += route.compared;
        old += route.old;
    }
    // What would have been is what is, without `[verify]`.
    let stand = Stand::new(Slash::Without, MEMORY, &by_path).await;
    let day = stand.readers.spend_a_day(2_000, 8).await;
    println!("without: {} hits, {} stale", day.reads.hits, day.reads.stale.len());
    assert_eq!(
        (compared, old),
        (u64::try_from(day.reads.hits).unwrap(), u64::try_from(day.reads.stale.len()).unwrap())
    );
}
