//! The groups that an origin puts its answers into, and makes old: Cache-Groups and Cache-Group-Invalidation, and the names
//! that other caches know as Surrogate-Key, xkey and Cache-Tag.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use sfv::{BareItem, List, ListEntry, Parser};

/// The groups that a response belongs to.
///
/// Source: RFC 9875 section 2
pub const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");

/// The groups that the answer to a write makes old.
///
/// Source: RFC 9875 section 3
pub const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// The names on all lines of one of the two fields, each as it stands: they are case-sensitive and have no structure.
///
/// Empty where the field is absent or malformed: it is a list of strings, read strictly. Parameters mean nothing.
///
/// Source: RFC 9875 sections 2 and 3
pub fn cache_groups(fields: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines: Vec<&[u8]> = fields.get_all(name).into_iter().map(HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let list: List = Parser::new(&lines.join(&b", "[..])).parse().unwrap_or_default();
    let names: Option<Vec<String>> = list.into_iter().map(string).collect();
    names.unwrap_or_default()
}

fn string(member: ListEntry) -> Option<String> {
    match member {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::String(name) => Some(name.as_str().to_owned()),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    }
}

/// The fields that have such names, and what separates these in each.
static CACHE_TAGS: [(HeaderName, char); 3] = [
    // Fastly
    (HeaderName::from_static("surrogate-key"), ' '),
    // Varnish
    (HeaderName::from_static("xkey"), ' '),
    // Cloudflare
    (HeaderName::from_static("cache-tag"), ','),
];

/// The names that a response has, each as it stands. A line with bytes outside ASCII has those that it has.
pub fn cache_tags(response: &HeaderMap) -> Vec<String> {
    let mut names = Vec::new();
    for (field, separator) in &CACHE_TAGS {
        for line in response.get_all(field) {
            let text = String::from_utf8_lossy(line.as_bytes());
            let named =
                text.split(*separator).map(|name| name.trim().trim_matches('"')).filter(|name| !name.is_empty());
            names.extend(named.map(str::to_owned));
        }
    }
    names
}

/// Takes these fields out of a response: they are for caches and no business of clients.
pub fn drop_cache_tags(response: &mut HeaderMap) {
    for (field, _) in &CACHE_TAGS {
        response.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::{field, fields};

    fn read(lines: &[&'static str]) -> Vec<String> {
        cache_groups(&field(&CACHE_GROUPS, lines), &CACHE_GROUPS)
    }

    #[test]
    fn the_names_of_all_lines_are_one_list() {
        assert_eq!(read(&["\"a\", \"b, c\";x=1", "\"A\""]), ["a", "b, c", "A"]);
    }

    #[test]
    fn what_is_absent_or_no_list_of_strings_names_no_group() {
        for lines in [&[][..], &[""], &["a"], &["\"a\", b"], &["\"a\" \"b\""], &["\"a"], &["(\"a\")"], &["\"a\"", "1"]]
        {
            assert!(read(lines).is_empty(), "{lines:?}");
        }
    }

    #[test]
    fn the_names_of_all_three_are_read_and_taken_out() {
        let mut response = fields(&[
            ("surrogate-key", "a  b,c"),
            ("surrogate-key", "d"),
            ("xkey", "e \"f\""),
            ("cache-tag", "g h, i ,"),
            ("surrogate-control", "max-age=1"),
            ("cache-groups", "\"j\""),
        ]);
        assert_eq!(cache_tags(&response), ["a", "b,c", "d", "e", "f", "g h", "i"]);
        drop_cache_tags(&mut response);
        assert_eq!(response, fields(&[("surrogate-control", "max-age=1"), ("cache-groups", "\"j\"")]));
        assert!(cache_tags(&response).is_empty());
    }
}
