//! Comma-separated field values, in which a comma inside a quoted string separates nothing.

use http::HeaderMap;
use http::header::HeaderName;

/// The members of one field value in their order, whitespace around them dropped, empty members kept.
///
/// A quote that is never closed counts as an ordinary byte, so that it cannot hide the members after it.
/// Takes one pass over the value, whatever is in it.
///
/// Source: RFC 9110 sections 5.6.1 and 5.6.4
pub fn split_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    Members { rest: Some(value), quotes: true }
}

/// The members of every line of the field `name`, in their order; empty members do not count.
///
/// Source: RFC 9110 section 5.6.1.2
pub fn list_members<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    fields
        .get_all(name)
        .into_iter()
        .flat_map(|line| Members { rest: Some(line.as_bytes()), quotes: true })
        .filter(|member| !member.is_empty())
}

struct Members<'a> {
    rest: Option<&'a [u8]>,
    /// False once an unclosed quote was met: no later quote can be closed either.
    quotes: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let Some((member, after)) = self.comma(rest).and_then(|at| rest.split_at_checked(at)) else {
            return Some(rest.trim_ascii());
        };
        self.rest = after.get(1..);
        Some(member.trim_ascii())
    }
}

impl Members<'_> {
    fn comma(&mut self, value: &[u8]) -> Option<usize> {
        let mut from = 0;
        loop {
            let ahead = value.get(from..)?;
            let at = from + ahead.iter().position(|&byte| byte == b',' || (self.quotes && byte == b'"'))?;
            if value.get(at) == Some(&b',') {
                return Some(at);
            }
            from = at + 1;
            match closing_quote(value.get(from..)?) {
                Some(length) => from += length + 1,
                None => self.quotes = false,
            }
        }
    }
}

fn closing_quote(inside: &[u8]) -> Option<usize> {
    let mut escaped = false;
    inside.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    fn split(value: &str) -> Vec<&str> {
        split_list(value.as_bytes()).map(|member| std::str::from_utf8(member).unwrap()).collect()
    }

    #[test]
    fn commas_separate_and_whitespace_around_them_goes() {
        assert_eq!(split("a,b"), ["a", "b"]);
        assert_eq!(split(" a ,\tb c , "), ["a", "b c", ""]);
        assert_eq!(split(""), [""]);
        assert_eq!(split(",,"), ["", "", ""]);
    }

    #[test]
    fn a_comma_in_a_quoted_string_separates_nothing() {
        assert_eq!(split(r#"a="x, y", b"#), [r#"a="x, y""#, "b"]);
        assert_eq!(split(r#"a="x\", y", b"#), [r#"a="x\", y""#, "b"]);
        assert_eq!(split(r#"a="x\\", b"#), [r#"a="x\\""#, "b"]);
    }

    #[test]
    fn an_unclosed_quote_hides_nothing() {
        assert_eq!(split(r#"a="x, no-store"#), [r#"a="x"#, "no-store"]);
        assert_eq!(split(r#""ok,ok", "x, y"#), [r#""ok,ok""#, r#""x"#, "y"]);
    }

    #[test]
    fn a_value_full_of_quotes_takes_one_pass() {
        let hostile = r#"\","#.repeat(500_000);
        assert!(split_list(hostile.as_bytes()).count() > 1);
        let unclosed = r#""\""#.repeat(500_000);
        assert!(split_list(unclosed.as_bytes()).count() >= 1);
    }

    #[test]
    fn the_lines_of_a_field_are_one_list() {
        let name = HeaderName::from_static("x-list");
        let fields = field(&name, &["a, ,b", "", "c"]);
        assert_eq!(list_members(&fields, &name).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    }
}
