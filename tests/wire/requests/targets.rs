//! The target: origin form, absolute form, authority form, and `*`.

use super::{Case, passes, refused};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, target) in [
        ("no leading slash", "x"),
        ("a query alone", "?x"),
        ("a dot segment alone", "../x"),
        ("the authority form", "a:80"),
        ("the authority form with a user", "u@a:80"),
        ("the asterisk", "*"),
        ("an asterisk with a path", "*/x"),
        ("another scheme", "ftp://a/x"),
        ("a scheme without an authority", "http:/x"),
        ("a scheme with an empty authority", "http:///x"),
        ("a scheme alone", "http://"),
        ("a scheme of files", "file:///x"),
        ("a scheme of scripts", "javascript:x"),
        ("an absolute form with a user", "http://u@a/x"),
        ("an absolute form with user and password", "http://u:p@a/x"),
        ("an absolute form with an empty user", "http://@a/x"),
        ("an absolute form with a port that is none", "http://a:x/x"),
        ("an absolute form with a port too large", "http://a:65536/x"),
        ("an absolute form with an empty port", "http://a:/x"),
        ("an absolute form with two ports", "http://a:1:2/x"),
        ("an absolute form with a comma", "http://a,b/x"),
        ("an absolute form with an unclosed bracket", "http://[::1/x"),
        ("an absolute form with a percent-encoded host", "http://a%2eb/x"),
        ("an absolute form with a backslash", "http://a\\b/x"),
        ("a NUL", "/x\0y"),
        ("a control character", "/x\x01y"),
        ("a DEL", "/x\x7fy"),
        ("a bare CR", "/x\ry"),
        ("a vertical tab", "/x\x0by"),
        ("a space", "/x y"),
        ("a tab", "/x\ty"),
    ] {
        cases.push(refused(name, 400, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    cases.push(refused(
        "an asterisk that is not for OPTIONS",
        400,
        "POST * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ));
    cases.push(refused("an asterisk with a query", 400, "OPTIONS *?x HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (name, target, as_seen) in [
        ("an encoded fragment is none", "/x%23y", "/x%23y"),
        ("an encoded fragment in a query is none", "/x?a%23y", "/x?a%23y"),
        ("the absolute form", "http://b/x?y", "/x?y"),
        ("the absolute form in upper case", "HTTP://B/x", "/x"),
        ("the absolute form of https", "https://b/x", "/x"),
        ("the absolute form without a path", "http://b", "/"),
        ("the absolute form with a query alone", "http://b?y", "/?y"),
        ("two slashes", "//b/x", "//b/x"),
        ("dot segments", "/a/../x/./y", "/a/../x/./y"),
        ("encoded slashes, dots and NULs", "/a%2f%2e%2e%00", "/a%2f%2e%2e%00"),
        ("a percent sign alone", "/100%", "/100%"),
        ("a query that is empty", "/x?", "/x?"),
        ("question marks in a query", "/x?a?b=c?", "/x?a?b=c?"),
        ("an absolute URL in a path", "/http://b/x", "/http://b/x"),
        ("letters outside ASCII", "/L\u{e9}on", "/L\u{c3}\u{a9}on"),
    ] {
        cases.push(passes(name, &format!("GET {as_seen}"), format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    cases.push(passes("OPTIONS of the asterisk", "OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
    cases.push(
        passes("the absolute form's host counts", "GET /x", "GET http://b.example:81/x HTTP/1.1\r\nHost: a\r\n\r\n")
            .with("x-forwarded-host", "b.example:81"),
    );
    cases
}
