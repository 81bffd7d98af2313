//! The methods that are registered, and which of them are safe.

use http::Method;

/// Every registered method and whether it is safe, in order.
///
/// Source: IANA's Hypertext Transfer Protocol (HTTP) Method Registry
const REGISTERED: [(&str, bool); 40] = [
    ("ACL", false),
    ("BASELINE-CONTROL", false),
    ("BIND", false),
    ("CHECKIN", false),
    ("CHECKOUT", false),
    ("CONNECT", false),
    ("COPY", false),
    ("DELETE", false),
    ("GET", true),
    ("HEAD", true),
    ("LABEL", false),
    ("LINK", false),
    ("LOCK", false),
    ("MERGE", false),
    ("MKACTIVITY", false),
    ("MKCALENDAR", false),
    ("MKCOL", false),
    ("MKREDIRECTREF", false),
    ("MKWORKSPACE", false),
    ("MOVE", false),
    ("OPTIONS", true),
    ("ORDERPATCH", false),
    ("PATCH", false),
    ("POST", false),
    ("PRI", true),
    ("PROPFIND", true),
    ("PROPPATCH", false),
    ("PUT", false),
    ("QUERY", true),
    ("REBIND", false),
    ("REPORT", true),
    ("SEARCH", true),
    ("TRACE", true),
    ("UNBIND", false),
    ("UNCHECKOUT", false),
    ("UNLINK", false),
    ("UNLOCK", false),
    ("UPDATE", false),
    ("UPDATEREDIRECTREF", false),
    ("VERSION-CONTROL", false),
];

/// Whether a method is safe; `None` for one that is not registered.
pub fn registered(method: &str) -> Option<bool> {
    let at = REGISTERED.binary_search_by(|(name, _)| (*name).cmp(method)).ok()?;
    REGISTERED.get(at).map(|(_, safe)| *safe)
}

/// Every registered method that a client may change something with.
pub fn unsafe_methods() -> impl Iterator<Item = &'static str> {
    REGISTERED.iter().filter(|(name, safe)| !safe && *name != "CONNECT").map(|(name, _)| *name)
}

/// True for the methods that are registered as safe. One that is not registered may change something.
///
/// Source: RFC 9110 sections 9.2.1 and 16.1.1
pub fn is_safe(method: &Method) -> bool {
    // The everyday ones without a search.
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        Method::POST | Method::PUT | Method::DELETE | Method::PATCH => false,
        _ => registered(method.as_str()) == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched() {
        assert!(REGISTERED.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    #[test]
    fn what_is_registered_as_safe_is_and_nothing_else() {
        for name in ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"] {
            assert!(is_safe(&Method::from_bytes(name.as_bytes()).unwrap()), "{name}");
        }
        for name in ["POST", "PUT", "PATCH", "DELETE", "MKCOL", "COPY", "MOVE", "LOCK", "PURGE", "FOO", "query", "Get"]
        {
            assert!(!is_safe(&Method::from_bytes(name.as_bytes()).unwrap()), "{name}");
        }
    }
}
