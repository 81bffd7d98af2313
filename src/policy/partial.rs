//! A part of what is stored, for a request with a Range.

use http::header::{DATE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, StatusCode};

use crate::fields::{ByteRange, ContentRange, EntityTag, date_in};

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

/// True when a request asks for a part in whatever way, or sets a condition for one.
pub fn asks_for_part(request: &HeaderMap) -> bool {
    request.contains_key(RANGE) || request.contains_key(IF_RANGE)
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
    use http::HeaderValue;

    const EARLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATE: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

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
}
