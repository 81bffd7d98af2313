//! A part of what is stored, for a request with a Range.

use http::header::{DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, StatusCode};

use super::storable::BodyFraming;
use crate::fields::{ByteRange, ContentRange, EntityTag, Vary, date_in, is_encoded};

/// What of a stored response answers a GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// All of it: there is no Range, none that counts, or none that can be read.
    Whole,
    /// These bytes, with 206.
    Part(ContentRange),
    /// None of it: 416, with the length in Content-Range.
    Unsatisfiable {
        /// The length of all of it.
        complete: u64,
    },
}

/// What of a complete stored response of `length` bytes a GET asks for. Conditions were judged before.
///
/// Only a 200 has parts, and several at once are answered with the whole, as a server is free to do.
///
/// Source: RFC 9110 sections 14.2, 15.3.7 and 15.5.17
pub fn selected(request: &HeaderMap, status: StatusCode, response: &HeaderMap, length: u64) -> Selected {
    if status != StatusCode::OK || !if_range_holds(request, response) {
        return Selected::Whole;
    }
    let Some(range) = ByteRange::of(request) else { return Selected::Whole };
    match range.within(length) {
        Some((first, last)) => Selected::Part(ContentRange { first, last, complete: Some(length) }),
        None => Selected::Unsatisfiable { complete: length },
    }
}

/// The bytes of a stored part that a GET asks for; `None` when it asks for more than there is, or for something else.
///
/// The part is one that the origin sent with 206 and `part` as its Content-Range.
///
/// Source: RFC 9111 section 3.3
pub fn selected_of_part(request: &HeaderMap, response: &HeaderMap, part: ContentRange) -> Option<ContentRange> {
    if !if_range_holds(request, response) {
        return None;
    }
    let (first, last) = match (ByteRange::of(request)?, part.complete) {
        (range, Some(complete)) => range.within(complete)?,
        (ByteRange::From { first, last: Some(last) }, None) => (first, last),
        // The end is unknown.
        (_, None) => return None,
    };
    (part.first <= first && last <= part.last).then_some(ContentRange { first, last, ..part })
}

/// The place of a 206 in its representation, where it may be stored on that account: Content-Range says so, the body is
/// exactly as long, a strong entity tag tells whose part it is, and it depends on nothing in the request but the range.
///
/// Whether the answer may be stored at all is for [`storable`](super::storable()) to say, asked as of a 200.
///
/// Source: RFC 9111 section 3.3
pub fn storable_part(response: &HeaderMap, body: BodyFraming) -> Option<ContentRange> {
    let range = ContentRange::of(response)?;
    let plain = Vary::of(response) == Vary::Fields(Vec::new()) && !is_encoded(response);
    let sound = plain && body == BodyFraming::Length(range.length()) && strong_tag(response).is_some();
    sound.then_some(range)
}

/// The place that two parts take together; `None` where a byte between them is missing, or where they are not parts of
/// the same representation.
///
/// Source: RFC 9111 section 3.4
pub fn combined(before: (&HeaderMap, ContentRange), new: (&HeaderMap, ContentRange)) -> Option<ContentRange> {
    let same = strong_tag(before.0)?.strong_eq(&strong_tag(new.0)?);
    let (before, new) = (before.1, new.1);
    let agree = before.complete.is_none() || new.complete.is_none() || before.complete == new.complete;
    let touch = new.first <= before.last.saturating_add(1) && before.first <= new.last.saturating_add(1);
    let (first, last) = (before.first.min(new.first), before.last.max(new.last));
    let complete = new.complete.or(before.complete);
    (same && agree && touch && complete.is_none_or(|all| last < all)).then_some(ContentRange { first, last, complete })
}

/// The bytes of two parts that [`combined`] has put together; where both have one, the new one's counts.
pub fn joined(before: (&[u8], ContentRange), new: (&[u8], ContentRange)) -> Vec<u8> {
    let at = |byte: u64| usize::try_from(byte.saturating_sub(before.1.first)).unwrap_or(usize::MAX);
    let ahead = before.0.get(..at(new.1.first).min(before.0.len())).unwrap_or_default();
    let after = before.0.get(at(new.1.last.saturating_add(1))..).unwrap_or_default();
    [ahead, new.0, after].concat()
}

/// True when a request asks for a part in whatever way, or sets a condition for one.
pub fn asks_for_part(request: &HeaderMap) -> bool {
    request.contains_key(RANGE) || request.contains_key(IF_RANGE)
}

fn strong_tag(response: &HeaderMap) -> Option<EntityTag> {
    EntityTag::parse(response.get(ETAG)?.as_bytes()).filter(|tag| !tag.weak)
}

/// If-Range, where it is there: an entity tag compared strongly, or a date that is exactly Last-Modified and old enough
/// to be a strong validator.
///
/// Source: RFC 9110 sections 13.1.5 and 8.8.2.2
fn if_range_holds(request: &HeaderMap, response: &HeaderMap) -> bool {
    let mut lines = request.get_all(IF_RANGE).iter();
    let (Some(condition), more) = (lines.next(), lines.next()) else { return true };
    if more.is_some() {
        return false;
    }
    if let Some(wanted) = EntityTag::parse(condition.as_bytes()) {
        let ours = response.get(ETAG).and_then(|tag| EntityTag::parse(tag.as_bytes()));
        return ours.is_some_and(|ours| ours.strong_eq(&wanted));
    }
    let (Some(wanted), Some(modified)) = (date_in(request, &IF_RANGE), date_in(response, &LAST_MODIFIED)) else {
        return false;
    };
    let strong = date_in(response, &DATE).is_some_and(|date| date >= modified.saturating_add(1000));
    strong && wanted == modified
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    const EARLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATE: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn of_ten(request: &[(&'static str, &'static str)], response: &[(&'static str, &'static str)]) -> Selected {
        selected(&fields(request), StatusCode::OK, &fields(response), 10)
    }

    const TWO_TO_THREE: Selected = Selected::Part(ContentRange { first: 2, last: 3, complete: Some(10) });

    #[test]
    fn a_range_selects_a_part_of_a_200() {
        assert_eq!(of_ten(&[("range", "bytes=2-3")], &[]), TWO_TO_THREE);
        assert_eq!(of_ten(&[("range", "bytes=10-")], &[]), Selected::Unsatisfiable { complete: 10 });
        for request in [&[][..], &[("range", "bytes=0-1,2-3")], &[("range", "lines=2-3")]] {
            assert_eq!(of_ten(request, &[]), Selected::Whole, "{request:?}");
        }
        let range = fields(&[("range", "bytes=2-3")]);
        assert_eq!(selected(&range, StatusCode::NOT_FOUND, &HeaderMap::new(), 10), Selected::Whole);
    }

    #[test]
    fn if_range_counts_only_where_it_names_exactly_what_is_stored() {
        let tagged = &[("etag", "\"a\"")][..];
        let dated = &[("last-modified", EARLY), ("date", LATE)][..];
        for (condition, response, holds) in [
            ("\"a\"", tagged, true),
            ("\"b\"", tagged, false),
            ("W/\"a\"", &[("etag", "W/\"a\"")], false),
            ("\"a\"", &[], false),
            (EARLY, dated, true),
            (LATE, dated, false),
            (EARLY, &[("last-modified", EARLY), ("date", EARLY)], false),
            (EARLY, &[("last-modified", EARLY)], false),
            ("rubbish", dated, false),
        ] {
            let request = [("range", "bytes=2-3"), ("if-range", condition)];
            let expected = if holds { TWO_TO_THREE } else { Selected::Whole };
            assert_eq!(of_ten(&request, response), expected, "{condition} {response:?}");
        }
        let twice = [("range", "bytes=2-3"), ("if-range", "\"a\""), ("if-range", "\"a\"")];
        assert_eq!(of_ten(&twice, tagged), Selected::Whole);
    }

    #[test]
    fn a_stored_part_answers_for_what_lies_in_it() {
        let part = ContentRange { first: 4, last: 8, complete: Some(10) };
        let unknown = ContentRange { complete: None, ..part };
        for (range, part, expected) in [
            ("bytes=4-8", part, Some((4, 8))),
            ("bytes=6-7", part, Some((6, 7))),
            ("bytes=6-7", unknown, Some((6, 7))),
            ("bytes=6-", part, None),
            ("bytes=-2", part, None),
            ("bytes=-2", ContentRange { last: 9, ..part }, Some((8, 9))),
            ("bytes=-2", unknown, None),
            ("bytes=3-5", part, None),
            ("bytes=6-20", part, None),
            ("bytes=20-", part, None),
            ("bytes=0-1,4-5", part, None),
        ] {
            let found = selected_of_part(&fields(&[("range", range)]), &HeaderMap::new(), part);
            assert_eq!(found.map(|found| (found.first, found.last)), expected, "{range} of {part}");
        }
        let condition = fields(&[("range", "bytes=4-5"), ("if-range", "\"b\"")]);
        assert_eq!(selected_of_part(&condition, &fields(&[("etag", "\"a\"")]), part), None);
    }

    const OF_TEN: ContentRange = ContentRange { first: 4, last: 6, complete: Some(10) };

    fn together(tags: [&'static str; 2], before: ContentRange, new: ContentRange) -> Option<ContentRange> {
        let [left, right] = tags.map(|tag| fields(&[("etag", tag)]));
        combined((&left, before), (&right, new))
    }

    #[test]
    fn parts_that_touch_are_one_part() {
        let unknown = ContentRange { complete: None, ..OF_TEN };
        for (first, last, expected) in [
            (7, 9, Some((4, 9))),
            (0, 3, Some((0, 6))),
            (5, 5, Some((4, 6))),
            (0, 9, Some((0, 9))),
            (6, 7, Some((4, 7))),
            (8, 9, None),
            (0, 2, None),
        ] {
            let new = ContentRange { first, last, complete: Some(10) };
            let both = expected.map(|(first, last)| ContentRange { first, last, complete: Some(10) });
            assert_eq!(together(["\"a\"", "\"a\""], OF_TEN, new), both, "{new}");
            assert_eq!(together(["\"a\"", "\"a\""], unknown, new), both, "{new}");
            let Some(both) = both else { continue };
            let bytes = |at: ContentRange| (at.first..=at.last).map(|n| b"0123456789"[usize::try_from(n).unwrap()]);
            let new_bytes: Vec<u8> = bytes(new).collect();
            assert_eq!(joined((b"456", OF_TEN), (&new_bytes, new)), bytes(both).collect::<Vec<_>>(), "{new}");
        }
    }

    #[test]
    fn parts_of_different_representations_are_never_one() {
        let new = ContentRange { first: 7, last: 8, complete: Some(10) };
        for tags in [["\"a\"", "\"b\""], ["W/\"a\"", "\"a\""], ["\"a\"", "W/\"a\""], ["", ""]] {
            assert_eq!(together(tags, OF_TEN, new), None, "{tags:?}");
        }
        assert_eq!(together(["\"a\"", "\"a\""], OF_TEN, ContentRange { complete: Some(11), ..new }), None);
        let beyond = ContentRange { complete: None, last: 20, ..new };
        assert_eq!(together(["\"a\"", "\"a\""], OF_TEN, beyond), None);
    }
}
