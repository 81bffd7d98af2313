//! The nominated request fields as one text, which tells a variant from another.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, HeaderName};

use crate::fields::{preferences, split_list};

/// The values of the nominated fields in one request, a line each: for the caller to hash.
///
/// Two requests have the same text exactly when every named field has the same value in both, lines combined and
/// whitespace around list commas dropped. Accept-Language and Accept-Encoding are compared by what they mean; with
/// `any_order` the order of what is wanted alike counts for nothing, which an origin may see otherwise. A field that is
/// absent differs from one that is empty. The text is ASCII: other bytes, and `%`, are percent-encoded.
///
/// Source: RFC 9111 section 4.1
pub fn selecting(names: &[HeaderName], request: &HeaderMap, any_order: bool) -> String {
    let mut text = String::new();
    for name in names {
        text.push_str(name.as_str());
        if let Some(wanted) = meaning(name, request, any_order) {
            // Values that are only text begin with `=`.
            text.push(':');
            push_encoded(&mut text, wanted.as_bytes());
            text.push('\n');
            continue;
        }
        // Neither `=` nor a line feed can stand in a field name, no line feed in a value.
        let mut separator = '=';
        for member in request.get_all(name).into_iter().flat_map(|line| split_list(line.as_bytes())) {
            text.push(separator);
            push_encoded(&mut text, member);
            separator = ',';
        }
        text.push('\n');
    }
    text
}

/// What a field says, for those whose meaning is known.
fn meaning(name: &HeaderName, request: &HeaderMap, any_order: bool) -> Option<String> {
    let known = [ACCEPT_LANGUAGE, ACCEPT_ENCODING].contains(name);
    known.then(|| preferences(request, name, any_order)).flatten()
}

fn push_encoded(text: &mut String, value: &[u8]) {
    for &byte in value {
        if byte.is_ascii() && byte != b'%' && byte != b'\n' {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for half in [byte >> 4, byte & 0xf] {
                text.extend(char::from_digit(u32::from(half), 16));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;
    use http::HeaderValue;

    fn text(lines: &[&[u8]]) -> String {
        let name = HeaderName::from_static("accept");
        selecting(std::slice::from_ref(&name), &field(&name, lines), false)
    }

    #[test]
    fn lines_are_combined_and_whitespace_around_commas_goes() {
        for lines in [&[&b"a/b,c;q=1"[..]][..], &[b" a/b ,\tc;q=1 "], &[b"a/b", b"c;q=1"]] {
            assert_eq!(text(lines), "accept=a/b,c;q=1\n");
        }
    }

    #[test]
    fn different_values_have_different_texts() {
        let values: [&[&[u8]]; 14] = [
            &[],
            &[b""],
            &[b"", b""],
            &[b"a"],
            &[b"A"],
            &[b"a b"],
            &[b"a  b"],
            &[b"a,b"],
            &[b"b,a"],
            &[b"a,,b"],
            &[b"\"a, b\""],
            &[b"\"a,b\""],
            &[b"\xe9"],
            &[b"%e9"],
        ];
        let texts: std::collections::HashSet<_> = values.iter().map(|lines| text(lines)).collect();
        assert_eq!(texts.len(), values.len());
    }

    #[test]
    fn what_languages_mean_counts_and_not_how_it_is_written() {
        let text = |value, any_order| {
            let request = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(value))]);
            selecting(&[ACCEPT_LANGUAGE], &request, any_order)
        };
        assert_eq!(text("DE, en ;q=0.5", false), text("en;q=0.50,de", false));
        assert_ne!(text("de, en", false), text("en, de", false));
        assert_eq!(text("de, en", true), text("en, de", true));
        assert_ne!(text("de;x", true), text("de", true));
    }

    #[test]
    fn one_field_cannot_imitate_another() {
        let names = ["a", "b"].map(HeaderName::from_static);
        let request = |lines: &[(&'static str, &'static str)]| {
            let fields = lines.iter().map(|&(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            selecting(&names, &fields.collect(), false)
        };
        assert_eq!(request(&[("b", "2"), ("a", "1")]), "a=1\nb=2\n");
        assert_eq!(request(&[("a", "1,b=2")]), "a=1,b=2\nb\n");
        assert_eq!(selecting(&[], &HeaderMap::new(), false), "");
    }
}
