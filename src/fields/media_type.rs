//! What a Content-Type says a body is, as far as that matters here.

use http::HeaderValue;

/// The kinds of bodies that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`, or one with the suffix `+json` (RFC 6839 section 3.1).
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data` and its kin.
    Multipart,
    /// Anything else.
    Other,
}

/// The kind of body that a Content-Type speaks of, whatever its parameters say.
///
/// Source: RFC 9110 section 8.3.1
pub fn media_type(value: &HeaderValue) -> MediaType {
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => MediaType::Json,
        "application/x-www-form-urlencoded" => MediaType::Form,
        other if other.starts_with("multipart/") => MediaType::Multipart,
        other if other.starts_with("application/") && other.ends_with("+json") => MediaType::Json,
        _ => MediaType::Other,
    }
}

/// Whether it is JSON in UTF-8, the one charset that JSON has: one that names another means something else.
///
/// Source: RFC 8259 section 8.1
pub fn is_plain_json(value: &HeaderValue) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let charset = text
        .split(';')
        .skip(1)
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim() == "charset")
        .map(|(_, value)| value);
    let utf8 = |name: &str| matches!(name.trim().trim_matches('"'), "utf-8" | "utf8" | "us-ascii");
    media_type(value) == MediaType::Json && !text.contains(',') && charset.into_iter().all(utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_essence() {
        for (text, kind) in [
            ("application/json", MediaType::Json),
            ("Application/JSON; charset=utf-8", MediaType::Json),
            ("application/problem+json", MediaType::Json),
            ("application/x-www-form-urlencoded;charset=UTF-8", MediaType::Form),
            ("multipart/form-data; boundary=x", MediaType::Multipart),
            ("text/json", MediaType::Other),
            ("text/plain", MediaType::Other),
            ("", MediaType::Other),
        ] {
            assert_eq!(media_type(&HeaderValue::from_static(text)), kind, "{text}");
        }
    }

    #[test]
    fn json_has_one_charset() {
        for text in ["application/json", "application/json;charset=\"UTF-8\"", "application/x+json; v=1"] {
            assert!(is_plain_json(&HeaderValue::from_static(text)), "{text}");
        }
        for text in [
            "application/json; charset=utf-16",
            "application/json;charset=latin1",
            "text/plain",
            "application/json, text/plain",
        ] {
            assert!(!is_plain_json(&HeaderValue::from_static(text)), "{text}");
        }
    }
}
