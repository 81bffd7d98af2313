//! What may be asked for: the paths and methods of the admin listener.

use http::{Method, StatusCode};

use super::answer::Refusal;
use super::page::Piece;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Whether the process is up.
    Live,
    /// Whether it serves clients.
    Ready,
    /// How it is.
    Status,
    /// Every figure, for Prometheus.
    Metrics,
    /// What happened lately.
    Recent,
    /// What would become of a request.
    Explain,
    /// What is stored.
    Entries,
    /// What was found comparing hits with the origin's answers.
    Verify,
    /// To drop what is stored of something.
    Purge,
    /// To read the configuration again.
    Reload,
    /// The dashboard.
    Page(Piece),
}

/// Whether asking changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reads,
    Changes,
}

const ENDPOINTS: [(&str, Kind, Endpoint); 13] = [
    ("/livez", Kind::Reads, Endpoint::Live),
    ("/readyz", Kind::Reads, Endpoint::Ready),
    ("/status", Kind::Reads, Endpoint::Status),
    ("/metrics", Kind::Reads, Endpoint::Metrics),
    ("/recent", Kind::Reads, Endpoint::Recent),
    ("/explain", Kind::Reads, Endpoint::Explain),
    ("/entries", Kind::Reads, Endpoint::Entries),
    ("/verify", Kind::Reads, Endpoint::Verify),
    ("/purge", Kind::Changes, Endpoint::Purge),
    ("/reload", Kind::Changes, Endpoint::Reload),
    ("/", Kind::Reads, Endpoint::Page(Piece::Page)),
    ("/page.css", Kind::Reads, Endpoint::Page(Piece::Style)),
    ("/page.js", Kind::Reads, Endpoint::Page(Piece::Script)),
];

impl Endpoint {
    /// What a method and a path ask for: 404 for another path, 405 for another method.
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, Refusal> {
        let Some((_, kind, endpoint)) = ENDPOINTS.iter().find(|(known, ..)| *known == path) else {
            let known: Vec<&str> = ENDPOINTS.iter().map(|(path, ..)| *path).collect();
            let told = format!("There is nothing at this path; there is something at {}.", known.join(", "));
            return Err(Refusal::new(StatusCode::NOT_FOUND, told));
        };
        let allow = match kind {
            Kind::Reads if matches!(*method, Method::GET | Method::HEAD) => return Ok(*endpoint),
            Kind::Changes if *method == Method::POST => return Ok(*endpoint),
            Kind::Reads => "GET, HEAD",
            Kind::Changes => "POST",
        };
        let told = format!("{path} takes {allow}, and nothing else.");
        Err(Refusal { allow: Some(allow), ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, told) })
    }

    /// Whether a query may stand behind it: probes and browsers add some that mean nothing.
    pub(super) fn takes_query(self) -> bool {
        matches!(self, Self::Explain | Self::Entries | Self::Page(_) | Self::Live | Self::Ready)
    }

    /// Whether anybody may ask, token or not: whoever looks after the process has none, and a browser can send none with the
    /// first thing it asks for.
    pub(super) fn is_open(path: &str) -> bool {
        Self::is_probe(path) || matches!(path, "/" | "/page.css" | "/page.js")
    }

    /// Whether it may be asked by any name: a probe knows none.
    pub(super) fn is_probe(path: &str) -> bool {
        matches!(path, "/livez" | "/readyz")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_methods() {
        assert_eq!(Endpoint::find(&Method::GET, "/status").unwrap(), Endpoint::Status);
        assert_eq!(Endpoint::find(&Method::HEAD, "/livez").unwrap(), Endpoint::Live);
        assert_eq!(Endpoint::find(&Method::POST, "/reload").unwrap(), Endpoint::Reload);
        for (method, path, status, allow) in [
            (Method::GET, "/reload", 405, Some("POST")),
            (Method::PUT, "/reload", 405, Some("POST")),
            (Method::POST, "/status", 405, Some("GET, HEAD")),
            (Method::OPTIONS, "/status", 405, Some("GET, HEAD")),
            (Method::GET, "/Status", 404, None),
            (Method::GET, "/status/", 404, None),
            (Method::GET, "/../status", 404, None),
        ] {
            let refusal = Endpoint::find(&method, path).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.allow), (status, allow), "{method} {path}");
        }
    }
}
