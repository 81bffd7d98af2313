//! Conditional requests: the client's, answered from the store, and ours, to make what is stored fresh again, by what the
//! answer to a HEAD tells as well.

use http::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    EXPIRES, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, SET_COOKIE, VARY, VIA,
};
use http::{HeaderMap, StatusCode};

use crate::fields::{EntityTag, EntityTags, content_length, date_in, strip_hop_by_hop};

/// What a 304 never changes in what is stored: it describes the body, which a 304 does not bring, or it is for one
/// user.
static NEVER_FRESHENED: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, SET_COOKIE];

/// True when a GET or HEAD that would be answered with this status and these fields is answered 304 instead.
///
/// If-None-Match counts alone when it is there, compared weakly; else If-Modified-Since, compared with Last-Modified
/// or, without one, with Date.
///
/// Source: RFC 9110 section 13.2.2, RFC 9111 section 4.3.2
pub fn not_modified(request: &HeaderMap, status: StatusCode, response: &HeaderMap) -> bool {
    // RFC 9110 section 13.2.1: conditions count only where the answer would have been a success.
    if !status.is_success() {
        return false;
    }
    if let Some(wanted) = EntityTags::of(request, &IF_NONE_MATCH) {
        return match entity_tag(response) {
            Some(tag) => wanted.weakly_contain(&tag),
            None => wanted == EntityTags::Any,
        };
    }
    let Some(since) = date_in(request, &IF_MODIFIED_SINCE) else { return false };
    date_in(response, &LAST_MODIFIED).or_else(|| date_in(response, &DATE)).is_some_and(|modified| modified <= since)
}

/// The fields of an answer that its 304 carries, in their order: those that guide caches, those without which a browser
/// keeps the answer from the page that asked, and Via, which is every message's. Last-Modified goes along where there is no
/// entity tag.
///
/// The caller adds Age and its own fields.
///
/// Source: RFC 9110 sections 7.6.3 and 15.4.5, Fetch section 4.9
pub fn fields_for_304(response: &HeaderMap) -> HeaderMap {
    let has_tag = response.contains_key(ETAG);
    let mut carried = HeaderMap::new();
    for (name, value) in response {
        let guides = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY, VIA].contains(name);
        if guides || name.as_str().starts_with("access-control-") || (*name == LAST_MODIFIED && !has_tag) {
            carried.append(name, value.clone());
        }
    }
    carried
}

/// True when a stored response can be validated.
pub fn has_validator(stored: &HeaderMap) -> bool {
    stored.get(ETAG).is_some_and(|tag| !tag.is_empty()) || date_in(stored, &LAST_MODIFIED).is_some()
}

/// The conditions that ask the origin whether a stored response is still right; empty without a validator.
///
/// The entity tag goes back as it came, quoted or not. One that was made by the proxy is none the origin knows: the
/// caller takes it out before.
///
/// Source: RFC 9111 section 4.3.1
pub fn conditional_for(stored: &HeaderMap) -> HeaderMap {
    let mut conditions = HeaderMap::new();
    if let Some(tag) = stored.get(ETAG).filter(|tag| !tag.is_empty()) {
        conditions.insert(IF_NONE_MATCH, tag.clone());
    }
    if let Some(modified) = stored.get(LAST_MODIFIED).filter(|_| date_in(stored, &LAST_MODIFIED).is_some()) {
        conditions.insert(IF_MODIFIED_SINCE, modified.clone());
    }
    conditions
}

/// True when a 304 speaks of this stored response: of the validators that both name, the entity tag or else
/// Last-Modified, is the same.
///
/// A strong entity tag confirms a weak one only with the same Last-Modified beside it. A 304 without a validator is
/// believed, for it answers conditions that were made from this very response. Otherwise the stored response is of no
/// use, and the request has to be sent again without conditions.
///
/// Source: RFC 9111 section 4.3.4
pub fn confirms(stored: &HeaderMap, not_modified: &HeaderMap) -> bool {
    let same_date = || stored.get(LAST_MODIFIED) == not_modified.get(LAST_MODIFIED);
    match (stored.get(ETAG), not_modified.get(ETAG)) {
        (Some(_), Some(_)) => match (entity_tag(stored), entity_tag(not_modified)) {
            (Some(ours), Some(theirs)) => {
                let alike = theirs.weak || ours.strong_eq(&theirs);
                ours.weak_eq(&theirs) && (alike || (stored.contains_key(LAST_MODIFIED) && same_date()))
            }
            _ => stored.get(ETAG) == not_modified.get(ETAG),
        },
        _ if not_modified.contains_key(LAST_MODIFIED) && stored.contains_key(LAST_MODIFIED) => same_date(),
        _ => true,
    }
}

/// The fields of a stored response after a 304: each field that the 304 brings replaces all stored lines of its name.
///
/// What describes the body stays as it is; Set-Cookie and hop-by-hop fields of the 304 stay out. The stored Age and
/// Date go also where the 304 has none: they told how old the response was before it was validated. The caller asks
/// again whether the result may be stored, for the 304 may forbid it.
///
/// Source: RFC 9111 sections 3.2 and 4.3.4
pub fn freshen(stored: &HeaderMap, not_modified: &HeaderMap) -> HeaderMap {
    let mut update = not_modified.clone();
    strip_hop_by_hop(&mut update);
    for name in &NEVER_FRESHENED {
        update.remove(name);
    }
    let mut fresh = stored.clone();
    fresh.remove(AGE);
    fresh.remove(DATE);
    fresh.extend(update);
    fresh
}

fn entity_tag(fields: &HeaderMap) -> Option<EntityTag> {
    EntityTag::parse(fields.get(ETAG)?.as_bytes())
}

/// What a HEAD told of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing that counts.
    Nothing,
    /// The origin's representation is the stored one: its fields may be freshened.
    Same,
    /// It is another one: what is stored is of no use any more.
    Other,
}

/// What an answer to HEAD with this status and these fields tells of a stored response with `stored` status, fields and
/// body length.
///
/// Only a 200 tells anything. Another entity tag, Last-Modified or Content-Length is another representation. Stricter
/// than the RFC: one that names no validator tells nothing, for the same length is not the same body.
///
/// Source: RFC 9111 section 4.3.5
pub fn told_by_head(stored: (StatusCode, &HeaderMap, u64), status: StatusCode, head: &HeaderMap) -> Told {
    let (stored_status, stored, length) = stored;
    if status != StatusCode::OK {
        return Told::Nothing;
    }
    let named = [ETAG, LAST_MODIFIED].map(|name| head.get(&name).map(|value| stored.get(&name) == Some(value)));
    let other_length = head.contains_key(CONTENT_LENGTH) && content_length(head) != Ok(Some(length));
    if stored_status != StatusCode::OK || other_length || named.contains(&Some(false)) {
        return Told::Other;
    }
    if named.contains(&Some(true)) { Told::Same } else { Told::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    const EARLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATE: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    #[test]
    fn a_matching_condition_is_answered_304() {
        let answer = fields(&[("etag", "\"a\""), ("last-modified", LATE)]);
        for (request, expected) in [
            (&[][..], false),
            (&[("if-none-match", "\"a\"")], true),
            (&[("if-none-match", "W/\"a\"")], true),
            (&[("if-none-match", "\"x\", \"a\"")], true),
            (&[("if-none-match", "\"x\""), ("if-none-match", "\"a\"")], true),
            (&[("if-none-match", "*")], true),
            (&[("if-none-match", "\"x\"")], false),
            (&[("if-none-match", "a")], false),
            (&[("if-none-match", "")], false),
            (&[("if-none-match", "\"x\""), ("if-modified-since", LATE)], false),
            (&[("if-none-match", "\"a\""), ("if-modified-since", EARLY)], true),
            (&[("if-modified-since", LATE)], true),
            (&[("if-modified-since", EARLY)], false),
            (&[("if-modified-since", "tomorrow")], false),
            (&[("if-modified-since", LATE), ("if-modified-since", LATE)], false),
        ] {
            assert_eq!(not_modified(&fields(request), StatusCode::OK, &answer), expected, "{request:?}");
            assert!(!not_modified(&fields(request), StatusCode::NOT_FOUND, &answer), "{request:?}");
        }
    }

    #[test]
    fn an_answer_without_validators_has_its_date() {
        let since = fields(&[("if-modified-since", EARLY)]);
        for (answer, expected) in [
            (&[("date", EARLY)][..], true),
            (&[("date", LATE)], false),
            (&[("date", EARLY), ("last-modified", LATE)], false),
            (&[], false),
        ] {
            assert_eq!(not_modified(&since, StatusCode::OK, &fields(answer)), expected, "{answer:?}");
        }
        assert!(!not_modified(&fields(&[("if-none-match", "\"\"")]), StatusCode::OK, &HeaderMap::new()));
        assert!(not_modified(&fields(&[("if-none-match", "*")]), StatusCode::OK, &HeaderMap::new()));
    }

    #[test]
    fn a_304_carries_what_guides_caches() {
        let answer = fields(&[
            ("content-type", "a/b"),
            ("content-length", "1"),
            ("set-cookie", "a=b"),
            ("etag", "\"a\""),
            ("last-modified", EARLY),
            ("vary", "accept"),
            ("vary", "origin"),
            ("access-control-allow-origin", "https://a.example"),
            ("x-other", "1"),
            ("via", "1.0 a"),
            ("via", "1.1 b"),
        ]);
        let carried = fields(&[
            ("etag", "\"a\""),
            ("vary", "accept"),
            ("vary", "origin"),
            ("access-control-allow-origin", "https://a.example"),
            ("via", "1.0 a"),
            ("via", "1.1 b"),
        ]);
        assert_eq!(fields_for_304(&answer), carried);
        assert_eq!(fields_for_304(&fields(&[("last-modified", EARLY)])), fields(&[("last-modified", EARLY)]));
    }

    #[test]
    fn our_conditions_are_the_stored_validators() {
        for (stored, conditions) in [
            (
                &[("etag", "W/\"a\""), ("last-modified", EARLY)][..],
                &[("if-none-match", "W/\"a\""), ("if-modified-since", EARLY)][..],
            ),
            (&[("etag", "unquoted")], &[("if-none-match", "unquoted")]),
            (&[("etag", ""), ("last-modified", "rubbish")], &[]),
            (&[], &[]),
        ] {
            let stored = fields(stored);
            assert_eq!(conditional_for(&stored), fields(conditions));
            assert_eq!(has_validator(&stored), !conditions.is_empty());
        }
    }

    #[test]
    fn a_304_speaks_of_the_entity_tag_it_names() {
        for (stored, named, expected) in [
            (&[("etag", "\"a\"")][..], &[("etag", "\"a\"")][..], true),
            (&[("etag", "\"a\"")], &[("etag", "W/\"a\"")], true),
            (&[("etag", "W/\"a\"")], &[("etag", "\"a\"")], false),
            (&[("etag", "W/\"a\""), ("last-modified", EARLY)], &[("etag", "\"a\""), ("last-modified", EARLY)], true),
            (&[("last-modified", EARLY)], &[("last-modified", EARLY)], true),
            (&[("last-modified", EARLY)], &[("last-modified", LATE)], false),
            (&[("last-modified", EARLY)], &[], true),
            (&[("etag", "\"a\""), ("last-modified", EARLY)], &[("etag", "\"a\""), ("last-modified", LATE)], true),
            (&[("etag", "\"a\"")], &[("etag", "\"b\"")], false),
            (&[("etag", "a")], &[("etag", "a")], true),
            (&[("etag", "a")], &[("etag", "\"a\"")], false),
            (&[("etag", "\"a\"")], &[], true),
            (&[], &[("etag", "\"a\"")], true),
        ] {
            assert_eq!(confirms(&fields(stored), &fields(named)), expected, "{stored:?} {named:?}");
        }
    }

    #[test]
    fn freshening_replaces_what_the_304_brings_and_keeps_what_describes_the_body() {
        let stored = fields(&[
            ("age", "100"),
            ("date", EARLY),
            ("content-type", "a/b"),
            ("content-length", "10"),
            ("x-many", "1"),
            ("x-many", "2"),
            ("x-kept", "1"),
        ]);
        let brought = fields(&[
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-type", "evil/type"),
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("content-range", "bytes 0-1/2"),
            ("set-cookie", "a=b"),
            ("x-many", "3"),
            ("x-many", "4"),
            ("cache-control", "max-age=9"),
        ]);
        let expected = fields(&[
            ("content-type", "a/b"),
            ("content-length", "10"),
            ("x-many", "3"),
            ("x-many", "4"),
            ("x-kept", "1"),
            ("cache-control", "max-age=9"),
        ]);
        assert_eq!(freshen(&stored, &brought), expected);
        assert_eq!(freshen(&stored, &fields(&[("date", LATE)])).get(DATE).unwrap(), LATE);
    }

    type Lines<'a> = &'a [(&'static str, &'static str)];

    fn told(stored: Lines<'_>, head: Lines<'_>) -> Told {
        told_after(200, stored, 200, head)
    }

    fn told_after(stored_status: u16, stored: Lines<'_>, status: u16, head: Lines<'_>) -> Told {
        let code = |status| StatusCode::from_u16(status).unwrap();
        let (stored, head) = (fields(stored), fields(head));
        told_by_head((code(stored_status), &stored, 4), code(status), &head)
    }

    #[test]
    fn every_validator_that_is_named_has_to_be_the_stored_one() {
        let stored = &[("etag", "\"a\""), ("last-modified", EARLY)];
        for (head, expected) in [
            (&[("etag", "\"a\""), ("last-modified", EARLY), ("content-length", "4")] as Lines<'_>, Told::Same),
            (&[("etag", "\"a\"")], Told::Same),
            (&[("last-modified", EARLY)], Told::Same),
            (&[("etag", "\"b\"")], Told::Other),
            (&[("etag", "W/\"a\"")], Told::Other),
            (&[("etag", "\"a\""), ("last-modified", LATE)], Told::Other),
            (&[("etag", "\"a\""), ("content-length", "5")], Told::Other),
            (&[("etag", "\"a\""), ("content-length", "many")], Told::Other),
            (&[("content-length", "5")], Told::Other),
            (&[("content-length", "4")], Told::Nothing),
            (&[], Told::Nothing),
        ] {
            assert_eq!(told(stored, head), expected, "{head:?}");
        }
        assert_eq!(told(&[], &[("etag", "\"a\"")]), Told::Other, "there was none");
    }

    #[test]
    fn only_a_200_tells_anything_and_only_of_a_stored_200_that_it_is_the_same() {
        let tag = &[("etag", "\"a\"")];
        for status in [204, 206, 304, 404, 405, 500] {
            assert_eq!(told_after(200, tag, status, tag), Told::Nothing, "{status}");
        }
        assert_eq!(told_after(404, tag, 200, tag), Told::Other);
    }
}
