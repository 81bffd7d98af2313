//! Weights of what a client would rather have (RFC 9110 section 12.4.2).

use http::HeaderMap;
use http::header::HeaderName;

use super::list::list_members;

/// A weight in thousandths: 0 refuses, 1000 is the most.
pub(super) type Weight = u16;

/// The `;q=` of a member; `None` where the parameters are something else.
pub(super) fn weight(parameters: &[u8]) -> Option<Weight> {
    let [b'q' | b'Q', b'=', value @ ..] = parameters.trim_ascii() else { return None };
    let (whole, decimals) = match value {
        [whole @ (b'0' | b'1')] => (*whole, &b""[..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (*whole, decimals),
        _ => return None,
    };
    let mut thousandths = u16::from(whole - b'0') * 1000;
    for (digit, worth) in decimals.iter().zip([100, 10, 1]) {
        thousandths += digit.is_ascii_digit().then(|| u16::from(digit - b'0') * worth)?;
    }
    (thousandths <= 1000).then_some(thousandths)
}

/// What a request would rather have, as one text: two requests that want the same have the same text.
///
/// Case counts for nothing, nor does whitespace, nor how a weight is written; the weightiest comes first. Of the same
/// weight the first comes first, unless `any_order` says that their order, too, counts for nothing. `None` where the
/// field is absent or a member cannot be read.
///
/// Source: RFC 9110 sections 12.5.3 and 12.5.4, RFC 9111 section 4.1
pub fn preferences(request: &HeaderMap, name: &HeaderName, any_order: bool) -> Option<String> {
    let mut wanted = Vec::new();
    for member in list_members(request, name) {
        let mut parts = member.splitn(2, |&byte| byte == b';');
        let value = std::str::from_utf8(parts.next()?.trim_ascii()).ok()?.to_ascii_lowercase();
        wanted.push((value, parts.next().map_or(Some(1000), weight)?));
    }
    if any_order {
        wanted.sort();
    }
    wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let texts: Vec<String> = wanted.into_iter().map(|(value, weight)| format!("{value};{weight}")).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::ACCEPT_LANGUAGE;

    fn read(line: &'static str, any_order: bool) -> Option<String> {
        let request = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(line))]);
        preferences(&request, &ACCEPT_LANGUAGE, any_order)
    }

    #[test]
    fn the_same_wishes_are_the_same_text() {
        for line in ["de, en;q=0.5", "DE ,en ; Q=0.50", "en;q=0.5,de;q=1", "de,,en;q=0.500"] {
            assert_eq!(read(line, false).as_deref(), Some("de;1000,en;500"), "{line}");
        }
        assert_ne!(read("de, en", false), read("en, de", false));
        assert_eq!(read("de, en", true), read("en, de", true));
        assert_ne!(read("de, en;q=0.5", true), read("en, de;q=0.5", true));
    }

    #[test]
    fn what_is_absent_or_cannot_be_read_is_none() {
        for line in ["", ",", "en;level=1", "en;q=2", "en;q=0.1234"] {
            assert_eq!(read(line, false), None, "{line}");
        }
    }
}
