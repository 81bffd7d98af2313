//! The request line: methods, versions, and what stands between the words.

use super::{Case, passes, refused};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, line) in [
        ("a version is missing, as in HTTP/0.9", "GET /x"),
        ("a space in place of the version", "GET /x "),
        ("version 1.2", "GET /x HTTP/1.2"),
        ("version 2.0", "GET /x HTTP/2.0"),
        ("version 3", "GET /x HTTP/3"),
        ("version 0.9 in words", "GET /x HTTP/0.9"),
        ("a version of one digit", "GET /x HTTP/1"),
        ("a version of two digits after the dot", "GET /x HTTP/1.10"),
        ("a version with a leading zero", "GET /x HTTP/01.1"),
        ("a version without its dot", "GET /x HTTP/11"),
        ("a version with a comma", "GET /x HTTP/1,1"),
        ("a lower-case version", "GET /x http/1.1"),
        ("a mixed-case version", "GET /x Http/1.1"),
        ("another protocol's version", "GET /x HTTPS/1.1"),
        ("a space inside the version", "GET /x HTTP/ 1.1"),
        ("a space after the version", "GET /x HTTP/1.1 "),
        ("a tab after the version", "GET /x HTTP/1.1\t"),
        ("a fourth word", "GET /x HTTP/1.1 x"),
        ("two versions", "GET /x HTTP/1.1 HTTP/1.1"),
        ("two spaces after the method", "GET  /x HTTP/1.1"),
        ("two spaces after the target", "GET /x  HTTP/1.1"),
        ("a tab after the method", "GET\t/x HTTP/1.1"),
        ("a tab after the target", "GET /x\tHTTP/1.1"),
        ("a vertical tab after the target", "GET /x\x0bHTTP/1.1"),
        ("a form feed after the method", "GET\x0c/x HTTP/1.1"),
        ("a space before the method", " GET /x HTTP/1.1"),
        ("a tab before the method", "\tGET /x HTTP/1.1"),
        ("no method", "/x HTTP/1.1"),
        ("an empty method", " /x HTTP/1.1"),
        ("a method alone", "GET"),
        ("a method with a colon", "GET: /x HTTP/1.1"),
        ("a method with a slash", "GET/ /x HTTP/1.1"),
        ("a method in quotes", "\"GET\" /x HTTP/1.1"),
        ("a method in brackets", "(GET) /x HTTP/1.1"),
        ("a method with a NUL", "GE\0T /x HTTP/1.1"),
        ("a method with a bare CR", "GE\rT /x HTTP/1.1"),
        ("a method with a DEL", "GE\x7fT /x HTTP/1.1"),
        ("a method outside ASCII", "GÉT /x HTTP/1.1"),
        ("a method of 33 bytes", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG /x HTTP/1.1"),
        ("a bare CR after the target", "GET /x\r HTTP/1.1"),
        ("a bare CR after the version", "GET /x HTTP/1.1\r"),
        ("a bare CR in place of the line's end", "GET /x HTTP/1.1\rX: 1"),
        ("a second line that is a request line", "GET /x HTTP/1.1\r\nGET /y HTTP/1.1"),
        ("a bare LF between method and target", "GET\n/x HTTP/1.1"),
        ("an answer in place of a request", "HTTP/1.1 200 OK"),
        ("another protocol's words", "EHLO a"),
        ("words without a meaning", "nonsense"),
    ] {
        cases.push(refused(name, 400, format!("{line}\r\nHost: a\r\n\r\n")));
    }
    cases.push(refused("the first bytes of TLS", 400, b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03\r\n\r\n"));
    cases.push(refused("an HTTP/2 preface nobody asked for", 0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    for method in ["TRACE", "CONNECT"] {
        cases.push(refused(method, 405, format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    cases.push(refused("CONNECT of an authority", 405, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"));
    cases.push(refused("TRACE with Max-Forwards", 405, "TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"));
    for (name, method) in [
        ("a method of 32 bytes", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"),
        ("a method of every odd character that a token may have", "!#$%&'*+-.^_`|~"),
        ("a method in lower case is another method", "get"),
        ("a method of WebDAV", "PROPFIND"),
    ] {
        cases.push(passes(name, &format!("{method} /x"), format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    for (name, before) in
        [("an empty line first", "\r\n"), ("two empty lines first", "\r\n\r\n"), ("an empty LF first", "\n")]
    {
        cases.push(passes(name, "GET /x", format!("{before}GET /x HTTP/1.1\r\nHost: a\r\n\r\n")));
    }
    cases.push(
        passes("lines that end with LF alone", "GET /x", "GET /x HTTP/1.1\nHost: a\nX-One: 1\n\n").with("x-one", "1"),
    );
    cases.push(passes("HTTP/1.0", "GET /x", "GET /x HTTP/1.0\r\nHost: a\r\n\r\n").closes());
    cases.push(passes("HTTP/1.0 kept alive", "GET /x", "GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"));
    cases
}
