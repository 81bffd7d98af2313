//! Fields: whatever stands in them is read without a panic, and what is printed is read back.

use aside::fields::{
    ByteRange, CACHE_GROUPS, CacheControl, CacheStatus, ContentRange, EntityTag, EntityTags, Vary, cache_groups,
    delta_seconds, format_http_date, parse_http_date, split_list,
};
use http::header::{CACHE_CONTROL, CONTENT_RANGE, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>().prop_filter("no control characters", |b| *b >= 32 && *b != 127), 0..60),
        "[a-z\"\\\\,;= 0-9/*WTMGF:-]{0,60}".prop_map(String::into_bytes),
    ]
}

fn fields(name: &'static str, lines: &[Vec<u8>]) -> HeaderMap {
    let name = HeaderName::from_static(name);
    lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line).unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_stands_in_a_field_is_read_without_a_panic(lines in proptest::collection::vec(value(), 0..4)) {
        for name in ["cache-control", "cdn-cache-control"] {
            let _ = CacheControl::of_response(&fields(name, &lines));
        }
        let _ = Vary::of(&fields("vary", &lines));
        let _ = EntityTags::of(&fields("if-none-match", &lines), &IF_NONE_MATCH);
        let _ = ByteRange::of(&fields("range", &lines));
        let _ = ContentRange::of(&fields("content-range", &lines));
        let _ = cache_groups(&fields("cache-groups", &lines), &CACHE_GROUPS);
        for line in &lines {
            let _ = EntityTag::parse(line);
            let _ = delta_seconds(line);
            let _ = parse_http_date(&String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_list_put_together_again_has_the_same_members(line in value()) {
        let members: Vec<&[u8]> = split_list(&line).collect();
        let again = members.join(&b","[..]);
        prop_assert_eq!(split_list(&again).collect::<Vec<_>>(), members);
    }

    #[test]
    fn a_printed_date_is_read_back(seconds in 0u64..253_402_300_800) {
        let at = seconds * 1000;
        prop_assert_eq!(parse_http_date(&format_http_date(at)), Some(at));
    }

    #[test]
    fn a_printed_entity_tag_is_read_back(line in value()) {
        if let Some(tag) = EntityTag::parse(&line) {
            prop_assert_eq!(EntityTag::parse(tag.to_string().as_bytes()), Some(tag));
        }
    }

    #[test]
    fn a_printed_content_range_is_read_back(first in any::<u64>(), length in 0u64..1000, more in 1u64..1000, known in any::<bool>()) {
        let last = first.saturating_add(length);
        let range = ContentRange { first, last, complete: known.then(|| last.saturating_add(more)) };
        prop_assume!(range.complete.is_none_or(|all| last < all));
        let printed = HeaderMap::from_iter([(CONTENT_RANGE, range.to_string().parse().unwrap())]);
        prop_assert_eq!(ContentRange::of(&printed), Some(range));
    }

    #[test]
    fn a_part_lies_within_what_is_there(line in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0u64..300) {
        let request = HeaderMap::from_iter([(RANGE, line.parse().unwrap())]);
        if let Some((first, last)) = ByteRange::of(&request).and_then(|range| range.within(length)) {
            prop_assert!(first <= last && last < length);
        }
    }

    #[test]
    fn no_directive_is_lost_by_what_stands_before_it(before in value()) {
        // A quote may swallow what follows on the same line, as quotes do; a line of its own it may not.
        let request = HeaderMap::from_iter([
            (CACHE_CONTROL, HeaderValue::from_bytes(&before).unwrap()),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ]);
        prop_assert!(CacheControl::parse(&request).no_store);
    }

    #[test]
    fn what_cache_status_says_is_a_structured_field(ttl in any::<i64>(), status in 100u16..1000) {
        let said = CacheStatus { ttl: Some(ttl), forward_status: Some(status), stored: true, ..CacheStatus::default() };
        let mut answer = HeaderMap::new();
        said.append_to(&mut answer);
        let line = answer.get("cache-status").unwrap().to_str().unwrap();
        prop_assert!(sfv::Parser::new(line).parse::<sfv::List>().is_ok(), "{}", line);
    }
}
