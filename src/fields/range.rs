//! Range and Content-Range, in bytes and of one part.

use http::HeaderMap;
use http::header::{CONTENT_RANGE, RANGE};

use super::framing::decimal;

/// One part of a representation, as a request asks for it.
///
/// Source: RFC 9110 section 14.1.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From the byte `first`, counted from 0, to the byte `last` or to the end.
    From {
        /// The first byte.
        first: u64,
        /// The last byte; `None` for all the rest.
        last: Option<u64>,
    },
    /// So many bytes at the end.
    Suffix(u64),
}

impl ByteRange {
    /// The one part that a request asks for; `None` where it asks for none, for several, or in a way that cannot be read:
    /// Range is then as good as absent.
    ///
    /// Source: RFC 9110 section 14.2
    pub fn of(request: &HeaderMap) -> Option<Self> {
        let mut lines = request.get_all(RANGE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let (unit, set) = line.to_str().ok()?.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        match (first, last) {
            ("", length) => decimal(length.as_bytes()).map(Self::Suffix),
            (first, "") => decimal(first.as_bytes()).map(|first| Self::From { first, last: None }),
            (first, last) => {
                let (first, last) = (decimal(first.as_bytes())?, decimal(last.as_bytes())?);
                (first <= last).then_some(Self::From { first, last: Some(last) })
            }
        }
    }

    /// The first and the last byte of it in a representation of `length` bytes; `None` when it has none of them.
    pub fn within(self, length: u64) -> Option<(u64, u64)> {
        let end = length.checked_sub(1)?;
        match self {
            Self::From { first, last } => (first <= end).then(|| (first, last.map_or(end, |last| last.min(end)))),
            Self::Suffix(0) => None,
            Self::Suffix(bytes) => Some((length.saturating_sub(bytes), end)),
        }
    }
}

impl std::fmt::Display for ByteRange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::From { first, last: Some(last) } => write!(out, "bytes={first}-{last}"),
            Self::From { first, last: None } => write!(out, "bytes={first}-"),
            Self::Suffix(bytes) => write!(out, "bytes=-{bytes}"),
        }
    }
}

/// What a part's answer says of its place.
///
/// Source: RFC 9110 section 14.4
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, not before the first.
    pub last: u64,
    /// The length of all of it, more than `last`; `None` where the origin does not know.
    pub complete: Option<u64>,
}

impl ContentRange {
    /// Reads a response's Content-Range; `None` when it is absent, twice there, unsatisfied or malformed.
    pub fn of(response: &HeaderMap) -> Option<Self> {
        let mut lines = response.get_all(CONTENT_RANGE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let (unit, rest) = line.to_str().ok()?.split_once(' ')?;
        let (range, complete) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (decimal(first.as_bytes())?, decimal(last.as_bytes())?);
        let complete = if complete == "*" { None } else { Some(decimal(complete.as_bytes())?) };
        let sound = unit.eq_ignore_ascii_case("bytes") && first <= last && complete.is_none_or(|all| last < all);
        sound.then_some(Self { first, last, complete })
    }

    /// True when nothing of the representation is missing.
    pub fn is_all(self) -> bool {
        self.first == 0 && self.complete == Some(self.length())
    }

    /// How many bytes the part has.
    pub fn length(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

impl std::fmt::Display for ContentRange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last, complete } = self;
        write!(out, "bytes {first}-{last}/")?;
        match complete {
            Some(complete) => write!(out, "{complete}"),
            None => out.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    #[test]
    fn one_part_is_asked_for_in_three_ways() {
        let from = |first, last| Some(ByteRange::From { first, last });
        for (line, range) in [
            ("bytes=0-1", from(0, Some(1))),
            ("Bytes=5-", from(5, None)),
            ("bytes=-7", Some(ByteRange::Suffix(7))),
            ("bytes= 3-3 ", from(3, Some(3))),
        ] {
            assert_eq!(ByteRange::of(&field(&RANGE, &[line])), range, "{line}");
        }
        for (line, plain) in [("Bytes= 007-8", "bytes=7-8"), ("bytes=5-", "bytes=5-"), ("bytes=-07", "bytes=-7")] {
            assert_eq!(ByteRange::of(&field(&RANGE, &[line])).unwrap().to_string(), plain);
        }
    }

    #[test]
    fn what_asks_for_several_parts_or_cannot_be_read_is_as_good_as_absent() {
        for lines in [
            &[][..],
            &["bytes=0-1", "bytes=0-1"],
            &["bytes=0-1,3-4"],
            &["bytes=2-1"],
            &["bytes=-"],
            &["bytes=a-b"],
            &["bytes=+1-2"],
            &["bytes=99999999999999999999-"],
            &["items=0-1"],
            &["bytes"],
            &[""],
        ] {
            assert_eq!(ByteRange::of(&field(&RANGE, lines)), None, "{lines:?}");
        }
    }

    #[test]
    fn a_part_ends_where_the_representation_ends() {
        let from = |first, last| ByteRange::From { first, last };
        for (range, length, part) in [
            (from(0, Some(1)), 10, Some((0, 1))),
            (from(8, Some(99)), 10, Some((8, 9))),
            (from(9, None), 10, Some((9, 9))),
            (from(10, None), 10, None),
            (from(0, None), 0, None),
            (ByteRange::Suffix(3), 10, Some((7, 9))),
            (ByteRange::Suffix(30), 10, Some((0, 9))),
            (ByteRange::Suffix(0), 10, None),
            (ByteRange::Suffix(3), 0, None),
        ] {
            assert_eq!(range.within(length), part, "{range:?} of {length}");
        }
    }

    #[test]
    fn the_place_of_a_part_is_read_as_it_is_written() {
        for line in ["bytes 0-4/10", "bytes 5-5/*", "bytes 0-18446744073709551614/18446744073709551615"] {
            let read = ContentRange::of(&field(&CONTENT_RANGE, &[line])).unwrap();
            assert_eq!(read.to_string(), line);
        }
        assert_eq!(ContentRange { first: 2, last: 4, complete: None }.length(), 3);
    }

    #[test]
    fn a_place_that_cannot_be_is_none() {
        for line in
            ["bytes */10", "bytes 5-4/10", "bytes 0-10/10", "items 0-1/2", "bytes 0-1", "bytes -1/2", "0-1/2", ""]
        {
            assert_eq!(ContentRange::of(&field(&CONTENT_RANGE, &[line])), None, "{line}");
        }
        assert_eq!(ContentRange::of(&field(&CONTENT_RANGE, &["bytes 0-1/2", "bytes 0-1/2"])), None);
    }
}
