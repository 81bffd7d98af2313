//! Which answered writes make stored responses old, and which others their answers name.

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

/// How much an answered write may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it was refused, or is to be sent elsewhere and was not carried out.
    Nothing,
    /// What it was sent to has moved for good, and may answer otherwise now.
    Target,
    /// Anything.
    Anything,
}

/// How much a write may have changed that was answered with this status; `None` for no answer at all.
///
/// A view that has committed and then fails says 5xx, and a form that was taken says 302 or 303. 307 and 308 ask for the
/// same request somewhere else, and 4xx refuses it.
pub fn effect(status: Option<StatusCode>) -> Effect {
    match status {
        Some(StatusCode::MOVED_PERMANENTLY) => Effect::Target,
        Some(StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) => Effect::Nothing,
        Some(status) if status.is_client_error() => Effect::Nothing,
        _ => Effect::Anything,
    }
}

/// Whether an answered write invalidates what is stored under its URI where no route speaks: an answer that is no error.
/// A write without an answer counts, too: what it did is unknown.
///
/// Source: RFC 9111 section 4.4
pub fn invalidates(status: Option<StatusCode>) -> bool {
    status.is_none_or(|status| status.is_success() || status.is_redirection())
}

/// The paths that Location and Content-Location name on the origin of a request for `target`, a path and perhaps a query,
/// at this scheme and host, and where `also` is known to be the same one; percent-encoded, without dot segments. Empty
/// where they name none.
///
/// Source: RFC 9111 section 4.4; RFC 3986 section 5
pub fn named_on_origin(answer: &HeaderMap, (scheme, host, target): (&str, &str, &str), also: &[Url]) -> Vec<String> {
    // A host that is in no URL, `app.1` for one, may be the client's word for this origin all the same.
    let at = |host: &str| Url::parse(&format!("{scheme}://{host}{target}"));
    let Ok(asked) = at(host).or_else(|_| at("nowhere.invalid")) else { return Vec::new() };
    let is_own = |named: &Url| std::iter::once(&asked).chain(also).any(|known| is_of_same_host(known, named));
    let lines = [LOCATION, CONTENT_LOCATION].into_iter().flat_map(|name| answer.get_all(name));
    let named = lines.filter_map(|line| {
        let reference = String::from_utf8_lossy(line.as_bytes());
        asked.join(path_on(host, &reference).unwrap_or(&reference)).ok()
    });
    named.filter(is_own).map(|named| named.path().to_owned()).collect()
}

/// The path, percent-encoded and without dot segments, that a reference in the exchange of a request for `target` names, on
/// whichever host; `None` where it is none.
///
/// Source: RFC 3986 section 5
pub fn path_of(reference: &HeaderValue, target: &str) -> Option<String> {
    let asked = Url::parse(&format!("http://nowhere.invalid{target}")).ok()?;
    let named = asked.join(&String::from_utf8_lossy(reference.as_bytes())).ok()?;
    named.has_host().then(|| named.path().to_owned())
}

/// What comes after the authority of a reference that has this one, word for word.
fn path_on<'a>(host: &str, reference: &'a str) -> Option<&'a str> {
    let (scheme, rest) = reference.split_once("//")?;
    let is_http = ["", "http:", "https:"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let (authority, path) = rest.split_at_checked(host.len())?;
    let is_own = is_http && !host.is_empty() && authority.eq_ignore_ascii_case(host);
    match path.bytes().next() {
        Some(b'/') if is_own => Some(path),
        None | Some(b'?' | b'#') if is_own => Some("/"),
        _ => None,
    }
}

/// Whichever scheme: TLS may end before an origin that does not know of it.
fn is_of_same_host(one: &Url, other: &Url) -> bool {
    one.host() == other.host() && one.port() == other.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_leave_this_origin_for_none() {
        let named = |reference: &'static str| {
            let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(reference))]);
            let own = [Url::parse("http://127.0.0.1:5000").unwrap()];
            named_on_origin(&answer, ("http", "api.example", "/l/4?page=1"), &own).pop()
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
    fn a_status_says_what_may_have_changed() {
        for (status, expected) in [
            (200, Effect::Anything),
            (204, Effect::Anything),
            (300, Effect::Anything),
            (301, Effect::Target),
            (302, Effect::Anything),
            (303, Effect::Anything),
            (304, Effect::Anything),
            (307, Effect::Nothing),
            (308, Effect::Nothing),
            (400, Effect::Nothing),
            (422, Effect::Nothing),
            (500, Effect::Anything),
            (504, Effect::Anything),
        ] {
            assert_eq!(effect(StatusCode::from_u16(status).ok()), expected, "{status}");
        }
        assert_eq!(effect(None), Effect::Anything);
    }

    #[test]
    fn every_line_of_both_fields_counts() {
        let mut answer = HeaderMap::new();
        for (name, value) in [(LOCATION, "/a"), (LOCATION, "/b"), (CONTENT_LOCATION, "/c"), (CONTENT_LOCATION, "/d")] {
            answer.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(named_on_origin(&answer, ("http", "api.example", "/"), &[]), ["/a", "/b", "/c", "/d"]);
    }

    #[test]
    fn a_host_that_is_in_no_url_names_this_origin_too() {
        for host in ["app.1", "1.2.3.999", "xn--a", "app.1:8080", "my_api", "api.example:443", "[::1]:5000"] {
            let named = |reference: &str| {
                let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(reference).unwrap())]);
                named_on_origin(&answer, ("https", host, "/n/zz"), &[]).pop()
            };
            for scheme in ["http:", "https:", "HTTP:", ""] {
                assert_eq!(named(&format!("{scheme}//{host}/n/80")).as_deref(), Some("/n/80"), "{host}");
                assert_eq!(named(&format!("{scheme}//{host}?a")).as_deref(), Some("/"), "{host}");
            }
            assert_eq!(named("80").as_deref(), Some("/n/80"), "{host}");
            for elsewhere in [format!("http://{host}x.example/n/80"), format!("http://{host}@b.example/n/80")] {
                assert_eq!(named(&elsewhere), None, "{elsewhere}");
            }
        }
        assert_eq!(path_on("", "http:///n/80"), None);
    }

    #[test]
    fn octets_outside_ascii_are_a_path_as_well() {
        let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_bytes("/caf\u{e9}".as_bytes()).unwrap())]);
        assert_eq!(named_on_origin(&answer, ("http", "api.example", "/"), &[]), ["/caf%C3%A9"]);
    }

    #[test]
    fn without_a_route_an_answer_that_is_no_error_invalidates() {
        for (status, expected) in [
            (200, true),
            (201, true),
            (204, true),
            (301, true),
            (303, true),
            (304, true),
            (307, true),
            (308, true),
            (100, false),
            (400, false),
            (500, false),
        ] {
            assert_eq!(invalidates(StatusCode::from_u16(status).ok()), expected, "{status}");
        }
        assert!(invalidates(None));
    }

    #[test]
    fn a_reference_has_a_path_on_whichever_host() {
        let path = |reference: &'static str| path_of(&HeaderValue::from_static(reference), "/a/b?c=d");
        for reference in ["/x/y", "//h/x/y", "http://h:1/x/y#z", "../x/y", "https://h/a/../x/y?q"] {
            assert_eq!(path(reference).as_deref(), Some("/x/y"), "{reference}");
        }
        assert_eq!(path("y").as_deref(), Some("/a/y"));
        assert_eq!(path("mailto:a@b"), None);
    }
}
