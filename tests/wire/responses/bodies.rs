//! Answers that have no body, and those whose body ends with the connection.

use super::{Case, cut, passes};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    for (name, rest) in [
        ("a body", "Content-Length: 5\r\n\r\nhello"),
        ("chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("a length and no body", "Content-Length: 5\r\n\r\n"),
        ("another answer after it", &format!("\r\n{poison}")),
        ("nothing", "\r\n"),
    ] {
        let answer = |status: &str| format!("HTTP/1.1 {status}\r\nX-One: 1\r\n{rest}");
        let no_content = passes(&format!("204 with {name}"), 204, "", answer("204 No Content"));
        cases.push(no_content.with("content-length", &[]).with("transfer-encoding", &[]));
        let not_modified = passes(&format!("304 with {name}"), 304, "", answer("304 Not Modified"));
        cases.push(not_modified.with("transfer-encoding", &[]));
        let to_head = passes(&format!("{name}, to a HEAD"), 200, "", answer("200 OK"));
        cases.push(to_head.with("transfer-encoding", &[]).to_head());
    }
    for (name, rest) in [
        ("a body", "Content-Length: 5\r\n\r\nhello"),
        ("chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("nothing", "Content-Length: 0\r\n\r\n"),
    ] {
        let reset = passes(&format!("205 with {name}"), 205, "", format!("HTTP/1.1 205 Reset Content\r\n{rest}"));
        cases.push(reset.with("content-length", &["0"]).with("transfer-encoding", &[]));
    }
    for (name, head) in [
        ("no length", "HTTP/1.1 200 OK\r\n\r\n"),
        ("no length, and close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
        ("no length, on HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n"),
        ("no length but keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"),
    ] {
        cases.push(passes(name, 200, "hello", format!("{head}hello")).closing());
        cases.push(cut(&format!("{name}, and silence"), format!("{head}hello")));
    }
    cases.push(passes("no length and no body", 200, "", "HTTP/1.1 200 OK\r\n\r\n").closing());
    cases
}
