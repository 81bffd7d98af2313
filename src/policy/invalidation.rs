//! Which answered requests make stored responses old.

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// True when an answered request invalidates what is stored under its URI: a method that is unsafe, or unknown and so
/// not known to be safe, with an answer that is no error.
///
/// Source: RFC 9111 section 4.4
pub fn invalidates(method: &Method, status: StatusCode) -> bool {
    !is_safe(method) && (status.is_success() || status.is_redirection())
}

/// True for the methods that RFC 9110 calls safe: GET, HEAD, OPTIONS and TRACE.
///
/// Source: RFC 9110 section 9.2.1
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The paths that Location and Content-Location name on the origin of the request's target, where `also` is known to be
/// the same one; percent-encoded as they came, without dot segments. Empty where they name none.
///
/// Source: RFC 9111 section 4.4; RFC 3986 section 5
pub fn named_on_origin(answer: &HeaderMap, target: &Url, also: &[Url]) -> Vec<String> {
    let is_own = |named: &Url| std::iter::once(target).chain(also).any(|known| is_of_same_host(known, named));
    let lines = [LOCATION, CONTENT_LOCATION].into_iter().flat_map(|name| answer.get_all(name));
    let named = lines.filter_map(|line| target.join(line.to_str().ok()?).ok());
    named.filter(is_own).map(|named| named.path().to_owned()).collect()
}

/// Whichever scheme: TLS may end before an origin that does not know of it.
fn is_of_same_host(one: &Url, other: &Url) -> bool {
    one.host() == other.host() && one.port() == other.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn references_are_resolved_and_leave_this_origin_for_none() {
        let named = |reference: &'static str| {
            let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(reference))]);
            let target = Url::parse("http://api.example/l/4?page=1").unwrap();
            named_on_origin(&answer, &target, &[Url::parse("http://127.0.0.1:5000").unwrap()]).pop()
        };
        for reference in [
            "/l/9",
            "9",
            "./9",
            "../l/9",
            "/l/9#top",
            "/l/9?a=b",
            "//api.example/l/9",
            "http://api.example/l/9",
            "http://API.example:80/l/9",
            "https://api.example:443/l/9",
            "http://127.0.0.1:5000/l/9",
            "/x/../l/9",
        ] {
            assert_eq!(named(reference).as_deref(), Some("/l/9"), "{reference}");
        }
        assert_eq!(named("?page=2").as_deref(), Some("/l/4"));
        assert_eq!(named("/caf%C3%A9").as_deref(), Some("/caf%C3%A9"));
        for elsewhere in [
            "http://other.example/l/9",
            "//other.example/l/9",
            "http://api.example:81/l/9",
            "mailto:a@api.example",
            "http://",
        ] {
            assert_eq!(named(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn every_line_of_both_fields_counts() {
        let mut answer = HeaderMap::new();
        for (name, value) in [(LOCATION, "/a"), (LOCATION, "/b"), (CONTENT_LOCATION, "/c"), (CONTENT_LOCATION, "/d")] {
            answer.append(name, HeaderValue::from_static(value));
        }
        let target = Url::parse("http://api.example/").unwrap();
        assert_eq!(named_on_origin(&answer, &target, &[]), ["/a", "/b", "/c", "/d"]);
    }

    #[test]
    fn an_unsafe_method_invalidates_unless_it_failed() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get", "WHATEVER"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert!(!is_safe(&method), "{method}");
            for (status, expected) in [
                (200, true),
                (201, true),
                (204, true),
                (303, true),
                (304, true),
                (100, false),
                (400, false),
                (500, false),
            ] {
                assert_eq!(invalidates(&method, StatusCode::from_u16(status).unwrap()), expected, "{method} {status}");
            }
        }
    }

    #[test]
    fn a_safe_method_never_invalidates() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
            assert!(is_safe(&method));
            assert!(!invalidates(&method, StatusCode::OK));
        }
    }
}
