//! A fragment is no part of a target, and what looks like one elsewhere is none.

use super::{Case, passes, refused};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, target) in [
        ("a fragment", "/x#y"),
        ("after a query", "/x?y#z"),
        ("alone", "#"),
        ("that is empty", "/x#"),
        ("of the root", "/#"),
        ("two of them", "/x#y#z"),
        ("with a query in it", "/x#y?z"),
        ("of the absolute form", "http://a/x#y"),
        ("of the absolute form without a path", "http://a#y"),
        ("that looks like a version", "/x#HTTP/1.1"),
    ] {
        cases.push(refused(name, 400, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    for (name, head) in [
        ("of a POST", "POST /x#y HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        ("of OPTIONS", "OPTIONS *#y HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("in HTTP/1.0", "GET /x#y HTTP/1.0\r\n\r\n"),
        ("after empty lines", "\r\n\r\nGET /x#y HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("in a line that ends with LF alone", "GET /x#y HTTP/1.1\nHost: a\n\n"),
    ] {
        cases.push(refused(name, 400, head));
    }
    cases.extend(others());
    cases
}

/// What stays as it is.
fn others() -> Vec<Case> {
    let line = "\nGET /x#y HTTP/1.1\n";
    let post = |fields: &str, body: &str| format!("POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
    let length = post(&format!("Content-Length: {}", line.len()), line);
    let chunks = post("Transfer-Encoding: chunked", &format!("{:x};a=#\r\n{line}\r\n0\r\n\r\n", line.len()));
    vec![
        passes("a body that looks like a request", "POST /x", length).body(line),
        passes("a chunk that looks like one", "POST /x", chunks).body(line),
        passes("an encoded one", "GET /x%23y?a%23b", "GET /x%23y?a%23b HTTP/1.1\r\nHost: a\r\n\r\n"),
        passes("a `#` in a method and in a field", "A#B /x", "A#B /x HTTP/1.1\r\nHost: a\r\nX-A: /x#y\r\n\r\n")
            .with("x-a", "/x#y"),
    ]
}
