//! The dashboard: one page with its style and its script, out of the program, that asks this listener and nobody else.
//!
//! It holds nothing of the process, so it is given without the token; what it asks for is not. No frame may hold it, it runs
//! no script but its own, and no text of a client becomes markup in it.

use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderValue, Response, StatusCode};

use super::answer::with;
use crate::body::Body;

/// A file of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// What is looked at.
    Page,
    /// How it looks.
    Style,
    /// What it does.
    Script,
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// One of its files.
pub(super) fn page(piece: Piece) -> Response<Body> {
    let (media_type, text) = match piece {
        Piece::Page => ("text/html; charset=utf-8", include_str!("page/index.html")),
        Piece::Style => ("text/css; charset=utf-8", include_str!("page/page.css")),
        Piece::Script => ("text/javascript; charset=utf-8", include_str!("page/page.js")),
    };
    let mut answer = with(StatusCode::OK, HeaderValue::from_static(media_type), text.into());
    let fields = answer.headers_mut();
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    fields.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    fields.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 3] =
        [include_str!("page/index.html"), include_str!("page/page.css"), include_str!("page/page.js")];

    #[test]
    fn it_asks_nobody_else_and_makes_no_markup_of_texts() {
        for text in FILES {
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("//www.") && !elsewhere.contains("https://"), "{text}");
            for way in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " onclick=", " style="]
            {
                assert!(!text.contains(way), "{way}");
            }
        }
        let answer = page(Piece::Page);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["x-frame-options"], "DENY");
    }
}
