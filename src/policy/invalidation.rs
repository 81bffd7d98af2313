//! Which answered requests make stored responses old.

use http::{Method, StatusCode};

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

#[cfg(test)]
mod tests {
    use super::*;

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
