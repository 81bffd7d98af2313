//! CDN-Cache-Control: what the origin says to this cache and to nobody else (RFC 9213).

use super::support::node::Node;
use super::support::origin::Origin;

type Fields = &'static [(&'static str, &'static str)];

const LATER: (&str, &str) = ("expires", "Fri, 01 Jan 2100 00:00:00 GMT");

/// The lifetime that each answer is stored with; `None` where it is not stored.
async fn lifetimes(cases: &[(Fields, Option<i64>)]) {
    let heads: Vec<_> = cases.iter().map(|(fields, _)| (200, *fields)).collect();
    let origin = Origin::numbered(&heads).await;
    let node = Node::timed(origin.address, "");
    for (n, (fields, expected)) in cases.iter().enumerate() {
        let answer = node.client().get(&format!("/{n}")).await;
        let told = answer.cache_status().split("; ").find_map(|part| part.strip_prefix("ttl="));
        assert_eq!(told.map(|ttl| ttl.parse().unwrap()), *expected, "{fields:?}: {}", answer.cache_status());
        let sent_on = answer.fields.get_all("cdn-cache-control").iter().count();
        assert_eq!(sent_on, fields.iter().filter(|(name, _)| *name == "cdn-cache-control").count());
    }
}

#[tokio::test]
async fn section_2_2_the_targeted_field_takes_the_place_of_the_others() {
    lifetimes(&[
        (&[("cdn-cache-control", "max-age=9"), ("cache-control", "no-store")], Some(9)),
        (&[("cdn-cache-control", "max-age=9"), ("cache-control", "private, max-age=1, must-revalidate")], Some(9)),
        (&[("cdn-cache-control", "no-store"), ("cache-control", "public, max-age=60")], None),
        (&[("cdn-cache-control", "private"), ("cache-control", "public, max-age=60")], None),
        (&[("cdn-cache-control", "s-maxage=7, max-age=9"), ("cache-control", "s-maxage=60")], Some(7)),
        (&[("cdn-cache-control", "max-age=9"), LATER], Some(9)),
        // It is there and names no time: neither does anybody else.
        (&[("cdn-cache-control", "public"), LATER], None),
        (&[("cdn-cache-control", "public"), ("cache-control", "max-age=60")], None),
    ])
    .await;
}

#[tokio::test]
async fn section_2_1_a_field_that_is_no_dictionary_counts_as_absent() {
    lifetimes(&[
        (&[("cdn-cache-control", "Max-Age=9"), ("cache-control", "max-age=60")], Some(60)),
        (&[("cdn-cache-control", "max-age=\"9\""), ("cache-control", "max-age=60")], Some(60)),
        (&[("cdn-cache-control", "max-age=9,"), ("cache-control", "max-age=60")], Some(60)),
        (&[("cdn-cache-control", "max-age=9.5"), ("cache-control", "max-age=60")], Some(60)),
        (&[("cdn-cache-control", "no-store=1"), ("cache-control", "max-age=60")], Some(60)),
        (&[("cdn-cache-control", ""), ("cache-control", "max-age=60")], Some(60)),
        (&[("cdn-cache-control", "&"), ("cache-control", "no-store")], None),
    ])
    .await;
}

#[tokio::test]
async fn section_2_1_lines_are_one_dictionary_whose_last_word_counts() {
    lifetimes(&[
        (&[("cdn-cache-control", "max-age=9"), ("cdn-cache-control", "max-age=7")], Some(7)),
        (&[("cdn-cache-control", "unknown=\"no-store\";p=1, max-age=9;x=y")], Some(9)),
        (&[("cdn-cache-control", "no-store=?0, max-age=9")], Some(9)),
        (&[("cdn-cache-control", "max-age=0"), ("cache-control", "max-age=60")], None),
    ])
    .await;
}
