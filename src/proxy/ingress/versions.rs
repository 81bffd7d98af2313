//! What the versions of HTTP say differently, said in one way.

use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::{HeaderValue, Version};

use super::super::error::Refusal;

/// Brings a request of any version into the form of HTTP/1.1: one Cookie field, and a Host that says nothing else than
/// the target's authority.
///
/// Source: RFC 9113 sections 8.2.1, 8.2.3 and 8.3.1
pub(super) fn unify(head: &mut Parts) -> Result<(), Refusal> {
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    // HTTP/1.1 would drop it on the way, and who compares the two would take them for different values.
    if head.headers.values().any(|value| value.as_bytes().trim_ascii().len() != value.len()) {
        return Err(Refusal::BadRequest("A field's value begins or ends with whitespace."));
    }
    if head.headers.get_all(COOKIE).iter().nth(1).is_some() {
        // One without anything in it would leave whitespace at an end, which the next hop reads away.
        let crumbs = head.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).filter(|crumb| !crumb.is_empty());
        let cookie = HeaderValue::from_maybe_shared(crumbs.collect::<Vec<_>>().join(&b"; "[..]))
            .map_err(|_| Refusal::BadRequest("The Cookie field is malformed."))?;
        head.headers.insert(COOKIE, cookie);
    }
    let Some(authority) = head.uri.authority() else { return Ok(()) };
    let agrees = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
    if head.headers.get_all(HOST).iter().all(agrees) {
        Ok(())
    } else {
        Err(Refusal::BadRequest("The Host field and the :authority differ."))
    }
}

/// What `Via` says of this hop to the origin: the version that the request came in.
///
/// Source: RFC 9110 section 7.6.3
pub(super) fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_2 => "2.0 aside",
        Version::HTTP_10 => "1.0 aside",
        _ => "1.1 aside",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: Version, uri: &str, fields: &[(&'static str, &'static str)]) -> Parts {
        let mut request = http::Request::builder().version(version).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn cookie_crumbs_become_one_field() {
        let mut two = head(Version::HTTP_2, "https://a/", &[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        unify(&mut two).unwrap();
        assert_eq!(two.headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
        let mut empty = head(Version::HTTP_2, "https://a/", &[("cookie", ""), ("cookie", "a=1"), ("cookie", "")]);
        unify(&mut empty).unwrap();
        assert_eq!(empty.headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1"]);
        let mut one = head(Version::HTTP_11, "/", &[("cookie", "a=1"), ("cookie", "b=2")]);
        unify(&mut one).unwrap();
        assert_eq!(one.headers.get_all(COOKIE).iter().count(), 2);
    }

    #[test]
    fn a_host_beside_the_authority_says_the_same() {
        let of = |host| unify(&mut head(Version::HTTP_2, "https://a.example/", &[("host", host)]));
        assert!(of("A.example").is_ok());
        assert!(of("b.example").is_err());
        assert!(unify(&mut head(Version::HTTP_2, "https://a.example/", &[])).is_ok());
        let twice = &[("host", "a.example"), ("host", "b.example")];
        assert!(unify(&mut head(Version::HTTP_2, "https://a.example/", twice)).is_err());
    }
}
