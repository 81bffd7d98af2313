//! Host: one, plain, and there.

use super::{Case, passes, refused};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, lines) in [
        ("none", ""),
        ("two that differ", "Host: a\r\nHost: b\r\n"),
        ("two that are the same", "Host: a\r\nHost: a\r\n"),
        ("two in different case", "Host: a\r\nhOST: a\r\n"),
        ("two far apart", "Host: a\r\nX: 1\r\nY: 2\r\nHost: b\r\n"),
        ("an empty one", "Host:\r\n"),
        ("an empty one and another", "Host:\r\nHost: a\r\n"),
        ("blanks", "Host: \t \r\n"),
        ("a list", "Host: a, b\r\n"),
        ("a list without a space", "Host: a,b\r\n"),
        ("a user", "Host: u@a\r\n"),
        ("a user and a password", "Host: u:p@a\r\n"),
        ("an empty port", "Host: a:\r\n"),
        ("a port that is no number", "Host: a:x\r\n"),
        ("a port that is too large", "Host: a:65536\r\n"),
        ("a port with a sign", "Host: a:+80\r\n"),
        ("a negative port", "Host: a:-80\r\n"),
        ("two ports", "Host: a:80:81\r\n"),
        ("a port alone", "Host: :80\r\n"),
        ("a space", "Host: a b\r\n"),
        ("a tab", "Host: a\tb\r\n"),
        ("a path", "Host: a/b\r\n"),
        ("a scheme", "Host: http://a\r\n"),
        ("a query", "Host: a?b\r\n"),
        ("a fragment", "Host: a#b\r\n"),
        ("a backslash", "Host: a\\b\r\n"),
        ("quotes", "Host: \"a\"\r\n"),
        ("a semicolon", "Host: a;b\r\n"),
        ("a percent-encoded NUL", "Host: a%00\r\n"),
        ("letters outside ASCII", "Host: León\r\n"),
        ("an unclosed bracket", "Host: [::1\r\n"),
        ("brackets around a name", "Host: [a]\r\n"),
        ("an IPv6 address without brackets", "Host: ::1\r\n"),
        ("an IPv6 address with a zone", "Host: [fe80::1%25eth0]\r\n"),
        ("something after the bracket", "Host: [::1]a\r\n"),
        ("a space before the colon", "Host : a\r\n"),
        ("a folded one", "Host:\r\n a\r\n"),
        ("an underscore does not make one", "H_ost: a\r\n"),
    ] {
        cases.push(refused(name, 400, format!("GET /x HTTP/1.1\r\n{lines}\r\n")));
    }
    for (name, lines) in [
        ("none", ""),
        ("two", "Host: b\r\nHost: b\r\n"),
        ("a malformed one", "Host: b b\r\n"),
        ("a user", "Host: u@b\r\n"),
    ] {
        let name = format!("the absolute form does not make up for {name}");
        cases.push(refused(&name, 400, format!("GET http://b/x HTTP/1.1\r\n{lines}\r\n")));
    }
    cases.push(refused("HTTP/1.0 with two", 400, "GET /x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"));
    cases.push(refused("HTTP/1.0 with an empty one", 400, "GET /x HTTP/1.0\r\nHost:\r\n\r\n"));
    for (name, host) in [
        ("a port", "a:8080"),
        ("upper case", "A.Example"),
        ("an underscore", "my_api"),
        ("a dot at the end", "a.example."),
        ("an IPv4 address", "127.0.0.1"),
        ("an IPv6 address", "[::1]"),
        ("an IPv6 address and a port", "[2001:db8::1]:65535"),
    ] {
        for (method, seen) in [("GET", host.to_ascii_lowercase()), ("POST", host.to_owned())] {
            let (line, name) = (format!("{method} /x"), format!("{name}, {method}"));
            let case = passes(&name, &line, format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            cases.push(case.with("x-forwarded-host", &seen).with("host", &seen));
        }
    }
    cases.push(passes("HTTP/1.0 with none", "GET /x", "GET /x HTTP/1.0\r\n\r\n").closes());
    let post = "POST /x HTTP/1.0\r\n\r\n";
    cases.push(passes("HTTP/1.0 with none, POST", "POST /x", post).without("x-forwarded-host").closes());
    cases
}
