//! The nominated request fields as one text, which tells a variant from another.

use http::HeaderMap;
use http::header::HeaderName;

use crate::fields::split_list;

/// The values of the nominated fields in one request, a line each: for the caller to hash.
///
/// Two requests have the same text exactly when every named field has the same value in both, lines combined and
/// whitespace around list commas dropped. A field that is absent differs from one that is empty. The text is ASCII:
/// other bytes, and `%`, are percent-encoded.
///
/// Source: RFC 9111 section 4.1
pub fn selecting(names: &[HeaderName], request: &HeaderMap) -> String {
    let mut text = String::new();
    for name in names {
        text.push_str(name.as_str());
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
    use http::HeaderValue;

    fn text(lines: &[&[u8]]) -> String {
        let name = HeaderName::from_static("accept");
        let mut request = HeaderMap::new();
        for line in lines {
            request.append(&name, HeaderValue::from_bytes(line).unwrap());
        }
        selecting(&[name], &request)
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
    fn one_field_cannot_imitate_another() {
        let names = ["a", "b"].map(HeaderName::from_static);
        let request = |lines: &[(&'static str, &'static str)]| {
            let fields = lines.iter().map(|&(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            selecting(&names, &fields.collect())
        };
        assert_eq!(request(&[("b", "2"), ("a", "1")]), "a=1\nb=2\n");
        assert_eq!(request(&[("a", "1,b=2")]), "a=1,b=2\nb\n");
        assert_eq!(selecting(&[], &HeaderMap::new()), "");
    }
}
