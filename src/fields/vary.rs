//! Vary: which request fields an answer depends on.

use http::HeaderMap;
use http::header::{HeaderName, VARY};

use super::list::list_members;

/// The request fields that a response says it was chosen by.
///
/// Source: RFC 9110 section 12.5.5
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// `*`, a list that cannot be read, or one of more than a hundred names: no request is known to match.
    Any,
    /// These, lower-cased, sorted, each once; empty when the response depends on none.
    Fields(Vec<HeaderName>),
}

/// How many fields an answer may be chosen by, for each of them is looked at whenever the answer is looked up.
const MOST: usize = 100;

impl Vary {
    /// Reads every Vary line of a response.
    pub fn of(response: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for member in list_members(response, &VARY) {
            match HeaderName::from_bytes(member) {
                Ok(name) if member != b"*" => names.push(name),
                _ => return Self::Any,
            }
        }
        names.sort_unstable_by(|left, right| left.as_str().cmp(right.as_str()));
        names.dedup();
        if names.len() > MOST { Self::Any } else { Self::Fields(names) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    fn vary(lines: &[&[u8]]) -> Vary {
        Vary::of(&field(&VARY, lines))
    }

    #[test]
    fn names_are_lower_cased_sorted_and_each_once() {
        let names = ["accept", "origin", "x-a"].map(HeaderName::from_static).to_vec();
        assert_eq!(vary(&[b"X-A, Origin", b"ACCEPT,, origin"]), Vary::Fields(names));
    }

    #[test]
    fn nothing_named_is_an_empty_list() {
        for lines in [&[][..], &[&b""[..]], &[b" , "]] {
            assert_eq!(vary(lines), Vary::Fields(Vec::new()));
        }
    }

    #[test]
    fn more_names_than_are_looked_at_are_any() {
        let list = |count: usize| (0..count).map(|number| format!("x-{number}, x-0")).collect::<Vec<_>>().join(",");
        assert!(matches!(vary(&[list(MOST).as_bytes()]), Vary::Fields(names) if names.len() == MOST));
        assert_eq!(vary(&[list(MOST + 1).as_bytes()]), Vary::Any);
        assert_eq!(vary(&[list(100_000).as_bytes()]), Vary::Any);
    }

    #[test]
    fn a_star_or_what_cannot_be_read_is_any() {
        for line in [&b"*"[..], b"accept, *", b"a b", b"accept; x", b"\xff", b"\"accept\"", b"a, :"] {
            assert_eq!(vary(&[b"accept", line]), Vary::Any, "{line:?}");
        }
    }
}
