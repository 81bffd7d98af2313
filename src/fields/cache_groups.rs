//! Cache-Groups and Cache-Group-Invalidation: which responses belong together, and which groups an answer makes old.

use http::HeaderMap;
use http::header::HeaderName;
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
    let lines: Vec<&[u8]> = fields.get_all(name).into_iter().map(http::HeaderValue::as_bytes).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

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
}
