//! Whom and what a request is about: one host that everybody reads the same way; a path and perhaps a query, or the server
//! as a whole.

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::super::error::Refusal;
use crate::fields::is_host;

const MALFORMED: Refusal = Refusal::BadRequest("The Host is malformed.");

/// The host that the request names: the authority of its target where it has one, else its Host field.
///
/// `None` only for an HTTP/1.0 request that names none.
///
/// Source: RFC 9112 sections 3.2 and 3.2.2
pub(super) fn host(uri: &Uri, fields: &HeaderMap, version: Version) -> Result<Option<HeaderValue>, Refusal> {
    let mut lines = fields.get_all(HOST).iter();
    let named = lines.next();
    if lines.next().is_some() {
        return Err(Refusal::BadRequest("There is more than one Host field."));
    }
    let may_be_absent = version == Version::HTTP_10 || (version > Version::HTTP_11 && uri.authority().is_some());
    if named.is_none() && !may_be_absent {
        return Err(Refusal::BadRequest("The Host field is missing."));
    }
    if named.is_some_and(|named| !named.to_str().is_ok_and(is_host)) {
        return Err(MALFORMED);
    }
    match uri.authority() {
        Some(authority) if !is_host(authority.as_str()) => Err(MALFORMED),
        Some(authority) => HeaderValue::from_str(authority.as_str()).map(Some).map_err(|_| MALFORMED),
        None => Ok(named.cloned()),
    }
}

/// The target in origin form, or `*` of an OPTIONS request.
///
/// Source: RFC 9112 section 3.2
pub(super) fn target(uri: &Uri, method: &Method) -> Result<PathAndQuery, Refusal> {
    if uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Refusal::BadRequest("The request target has a scheme other than http."));
    }
    match uri.path_and_query() {
        Some(target) if target.as_str() == "*" && method == Method::OPTIONS => Ok(target.clone()),
        Some(target) if target.as_str().starts_with('/') => Ok(target.clone()),
        // An absolute form without a path, as in `GET http://host?x`: printing it puts the `/` in.
        Some(target) if target.as_str().starts_with('?') && uri.authority().is_some() => {
            target.to_string().parse().map_err(|_| Refusal::BadRequest("The request target is malformed."))
        }
        None if uri.authority().is_some() && uri.scheme().is_some() => Ok(PathAndQuery::from_static("/")),
        _ => Err(Refusal::BadRequest("The request target does not start with `/`.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_authority_wins_and_each_version_has_its_own_need() {
        let read = |target: &str, lines: &[&'static str], version| {
            let mut fields = HeaderMap::new();
            for line in lines {
                fields.append(HOST, HeaderValue::from_static(line));
            }
            host(&target.parse().unwrap(), &fields, version)
                .map(|host| host.map_or(String::new(), |host| host.to_str().unwrap().to_owned()))
        };
        assert_eq!(read("http://a/x", &["b"], Version::HTTP_11), Ok("a".to_owned()));
        assert_eq!(read("http://a/x", &[], Version::HTTP_2), Ok("a".to_owned()));
        assert_eq!(read("/x", &["b"], Version::HTTP_11), Ok("b".to_owned()));
        assert_eq!(read("/x", &[], Version::HTTP_10), Ok(String::new()));
        for (target, lines, version) in [
            ("/x", &[][..], Version::HTTP_11),
            ("http://a/x", &[], Version::HTTP_11),
            ("/x", &[], Version::HTTP_2),
            ("http://u@a/x", &["a"], Version::HTTP_11),
            ("http://a/x", &["a", "a"], Version::HTTP_11),
            ("http://a/x", &["a b"], Version::HTTP_11),
        ] {
            assert!(read(target, lines, version).is_err(), "{target} {lines:?} {version:?}");
        }
    }
}
