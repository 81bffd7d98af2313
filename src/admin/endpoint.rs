//! What may be asked for: the paths and methods of the admin listener.

use http::{Method, StatusCode};

use super::answer::Refusal;
use super::page::Piece;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// What is known, and told at once.
    Told(Known),
    /// What takes a while.
    Done(Task),
}

/// What is known without a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
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
    /// What was found comparing hits with the origin's answers.
    Verify,
    /// The dashboard.
    Page(Piece),
}

/// What the store or a file is waited for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// What would become of a request.
    Explain,
    /// What is stored.
    Entries,
    /// To drop what is stored of something.
    Purge,
    /// To read the configuration again.
    Reload,
}

/// Whether asking changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reads,
    Changes,
}

const ENDPOINTS: [(&str, Kind, Endpoint); 13] = [
    ("/livez", Kind::Reads, Endpoint::Told(Known::Live)),
    ("/readyz", Kind::Reads, Endpoint::Told(Known::Ready)),
    ("/status", Kind::Reads, Endpoint::Told(Known::Status)),
    ("/metrics", Kind::Reads, Endpoint::Told(Known::Metrics)),
    ("/recent", Kind::Reads, Endpoint::Told(Known::Recent)),
    ("/explain", Kind::Reads, Endpoint::Done(Task::Explain)),
    ("/entries", Kind::Reads, Endpoint::Done(Task::Entries)),
    ("/verify", Kind::Reads, Endpoint::Told(Known::Verify)),
    ("/purge", Kind::Changes, Endpoint::Done(Task::Purge)),
    ("/reload", Kind::Changes, Endpoint::Done(Task::Reload)),
    ("/", Kind::Reads, Endpoint::Told(Known::Page(Piece::Page))),
    ("/page.css", Kind::Reads, Endpoint::Told(Known::Page(Piece::Style))),
    ("/page.js", Kind::Reads, Endpoint::Told(Known::Page(Piece::Script))),
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

impl Known {
    /// Whether a query may stand behind it: probes and browsers add some that mean nothing.
    pub(super) fn takes_query(self) -> bool {
        matches!(self, Self::Page(_) | Self::Live | Self::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_methods() {
        assert_eq!(Endpoint::find(&Method::GET, "/status").unwrap(), Endpoint::Told(Known::Status));
        assert_eq!(Endpoint::find(&Method::HEAD, "/livez").unwrap(), Endpoint::Told(Known::Live));
        assert_eq!(Endpoint::find(&Method::POST, "/reload").unwrap(), Endpoint::Done(Task::Reload));
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
