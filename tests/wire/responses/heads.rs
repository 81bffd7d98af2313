//! Field lines, and the fields that mean something to a proxy.

use super::{Case, late, passes, refused};

fn answer(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok")
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, lines) in [
        ("a space before the colon", "X : 1\r\n"),
        ("a folded value", "X: 1\r\n 2\r\n"),
        ("a value folded with a tab", "X: 1\r\n\t2\r\n"),
        ("a space before the first field", " X: 1\r\n"),
        ("no colon", "X\r\n"),
        ("no name", ": 1\r\n"),
        ("a name with a space", "X Y: 1\r\n"),
        ("a name outside ASCII", "Xé: 1\r\n"),
        ("a name with a NUL", "X\0: 1\r\n"),
        ("a value with a NUL", "X: a\0b\r\n"),
        ("a value with a CR", "X: a\rb\r\n"),
        ("a value with a CR at its end", "X: a\r\r\n"),
        ("a value with an escape", "X: a\x1bb\r\n"),
        ("a value with a DEL", "X: a\x7fb\r\n"),
        ("a second status line", "HTTP/1.1 200 OK\r\n"),
    ] {
        cases.push(refused(name, answer(lines)));
    }
    cases.push(refused("1101 fields", answer(&"X: 1\r\n".repeat(1100))));
    cases.push(refused("a head of a megabyte", answer(&format!("X: {}\r\n", "a".repeat(1 << 20)))));
    cases.push(refused("a head that never ends", "X: 1\r\n".repeat(1000)).endless());
    cases.push(refused("a field that never ends", "a".repeat(10_000)).endless());
    cases.push(late("half a head, and silence", "HTTP/1.1 200 OK\r\nX: 1\r\n"));
    cases.push(refused("half a head, and the end", "HTTP/1.1 200 OK\r\nX: 1\r\n").closing());
    cases.push(refused("half a field, and a reset", "HTTP/1.1 200 OK\r\nX: ").resetting());
    for (name, lines, field, values) in [
        ("Connection nominates Set-Cookie", "Connection: set-cookie\r\nSet-Cookie: a=b\r\n", "set-cookie", &[][..]),
        (
            "Connection nominates Cache-Control",
            "Connection: cache-control\r\nCache-Control: private\r\n",
            "cache-control",
            &[],
        ),
        ("Connection nominates Vary", "Connection: close, Vary\r\nVary: cookie\r\n", "vary", &[]),
        ("Connection nominates Content-Length", "Connection: content-length\r\n", "content-length", &["2"]),
        (
            "two Content-Types",
            "Content-Type: text/html\r\nContent-Type: text/plain\r\n",
            "content-type",
            &["text/html", "text/plain"],
        ),
        ("two entity tags", "ETag: \"a\"\r\nETag: \"b\"\r\n", "etag", &["\"a\"", "\"b\""]),
        ("Set-Cookie", "Set-Cookie: a=b\r\n", "set-cookie", &["a=b"]),
    ] {
        cases.push(passes(name, 200, "ok", answer(lines)).with(field, values));
    }
    for (name, lines, field, values) in [
        ("Connection nominates a field of the origin's own", "Connection: x-mine\r\nX-Mine: 1\r\n", "x-mine", &[][..]),
        ("Keep-Alive", "Keep-Alive: timeout=5\r\n", "keep-alive", &[]),
        ("Trailer", "Trailer: X-Sum\r\n", "trailer", &[]),
        ("TE", "TE: trailers\r\n", "te", &[]),
        ("Upgrade", "Upgrade: h2c\r\n", "upgrade", &[]),
        ("Proxy-Authenticate", "Proxy-Authenticate: Basic\r\n", "proxy-authenticate", &[]),
        (
            "two Content-Types that are one",
            "Content-Type: a/b\r\nContent-Type: a/b\r\n",
            "content-type",
            &["a/b", "a/b"],
        ),
        ("a value outside ASCII", "X: caf\u{e9}\r\n", "x", &["caf\u{e9}"]),
        ("a line that ends with LF alone", "X: 1\n", "x", &["1"]),
    ] {
        cases.push(passes(name, 200, "ok", answer(lines)).with(field, values).kept());
    }
    cases.push(passes("lines that end with LF alone", 200, "ok", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok").kept());
    cases
}
