//! The entity tags of answers whose bytes are not the origin's: annotated ones, and coded ones.
//!
//! Such an answer means the same as the origin's, so its tag is the origin's, weakened. A weak tag never matches in
//! If-Match, though, and a client that has only that one could no longer say which state it means to change. So the tag is
//! marked, and a marked one that a client sends is the origin's again before anybody looks at it.

use http::HeaderMap;
use http::header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use super::list::list_members;

/// Stands at the end of a tag that was weakened here, within its quotes.
pub(super) const OWN_MARK: &str = ";aside";
/// The same with the quote that ends the tag.
const MARK: &[u8] = b";aside\"";

/// Weakens a strong entity tag, with the mark; weak ones stay as they are.
///
/// Source: RFC 9110 section 8.8.1
pub fn weaken_entity_tag(fields: &mut HeaderMap) {
    if let Some(strong) = fields.get(ETAG).and_then(|tag| tag.as_bytes().strip_suffix(b"\""))
        && !strong.starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", strong, MARK].concat())
    {
        fields.insert(ETAG, weak);
    }
}

/// Gives back the origin's own tags in If-Match and If-None-Match. If-Range stays as it is: of what it names the bytes
/// count, and those are not the origin's.
///
/// Source: RFC 9110 sections 13.1.1 and 13.1.2
pub fn restore_entity_tags(request: &mut HeaderMap) {
    for name in [IF_MATCH, IF_NONE_MATCH] {
        if !request.get_all(&name).iter().any(|line| line.as_bytes().windows(MARK.len()).any(|bytes| bytes == MARK)) {
            continue;
        }
        let members: Vec<Vec<u8>> = list_members(request, &name).map(restored).collect();
        if let Ok(value) = HeaderValue::from_bytes(&members.join(&b", "[..])) {
            request.insert(name, value);
        }
    }
}

fn restored(tag: &[u8]) -> Vec<u8> {
    match tag.strip_prefix(b"W/").and_then(|tag| tag.strip_suffix(MARK)) {
        Some(own) => [own, b"\""].concat(),
        None => tag.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakened(tag: &'static str) -> String {
        let mut fields = HeaderMap::from_iter([(ETAG, HeaderValue::from_static(tag))]);
        weaken_entity_tag(&mut fields);
        fields[ETAG].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_strong_tag_is_weakened_and_given_back() {
        for tag in ["\"a\"", "\"a, b\"", "\"\"", "\"a;b\""] {
            let weak = weakened(tag);
            assert!(weak.starts_with("W/\"") && weak.ends_with(";aside\""), "{weak}");
            for name in [IF_MATCH, IF_NONE_MATCH] {
                let line = format!("\"x\", {weak}");
                let mut request = HeaderMap::from_iter([(name.clone(), HeaderValue::from_str(&line).unwrap())]);
                restore_entity_tags(&mut request);
                assert_eq!(request[name], format!("\"x\", {tag}"));
            }
        }
    }

    #[test]
    fn what_is_weak_or_no_tag_already_stays() {
        for tag in ["W/\"a\"", "a", ""] {
            assert_eq!(weakened(tag), tag);
        }
    }

    #[test]
    fn a_clients_other_conditions_are_not_touched() {
        for line in ["*", "W/\"a\",\"b\"", "\"a;aside\"", "W/a;aside", ""] {
            let mut request = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(line))]);
            restore_entity_tags(&mut request);
            assert_eq!(request[IF_MATCH], line);
        }
        let range = HeaderValue::from_static("W/\"a;aside\"");
        let mut request = HeaderMap::from_iter([(http::header::IF_RANGE, range.clone())]);
        restore_entity_tags(&mut request);
        assert_eq!(request[http::header::IF_RANGE], range);
    }
}
