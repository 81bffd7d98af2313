//! Transfer-Encoding of an answer, and its chunks.

use super::{Case, cut, passes, refused};

fn answer(coding: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n{body}")
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let hello = "5\r\nhello\r\n0\r\n\r\n";
    for (name, coding) in [
        ("another coding before chunked", "gzip, chunked"),
        ("another coding after chunked", "chunked, gzip"),
        ("chunked twice", "chunked, chunked"),
        ("a comma first", ", chunked"),
        ("a comma at the end", "chunked,"),
        ("identity", "identity"),
        ("gzip", "gzip"),
        ("nothing", ""),
        ("quotes", "\"chunked\""),
        ("a parameter", "chunked;q=1"),
        ("a prefix", "x-chunked"),
        ("a vertical tab", "\x0bchunked"),
        ("a NUL", "chunked\0"),
        ("a space of Unicode", "chunked\u{a0}"),
        ("two lines", "chunked\r\nTransfer-Encoding: chunked"),
        ("two lines, another coding first", "gzip\r\nTransfer-Encoding: chunked"),
        ("two lines, another coding last", "chunked\r\nTransfer-Encoding: gzip"),
        ("a folded one", "\r\n chunked"),
    ] {
        cases.push(refused(name, answer(coding, hello)).closing());
    }
    // RFC 9112 section 6.3, item 4: where `chunked` does not come last, the body ends with the connection.
    cases.push(passes("a word that nobody knows", 200, hello, answer("whatever", hello)).closing());
    cases.push(refused("HTTP/1.0", format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{hello}")).closing());
    for (name, chunks) in [
        ("a size that is a word", "x\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("a plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a mark of hex", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a space before the size", " 5\r\nhello\r\n0\r\n\r\n"),
        ("2 to the 64th and 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("LF alone after the size", "5\nhello\r\n0\r\n\r\n"),
        ("LF alone after the data", "5\r\nhello\n0\r\n\r\n"),
        ("nothing after the data", "5\r\nhello0\r\n\r\n"),
        ("data longer than its size", "4\r\nhello\r\n0\r\n\r\n"),
        ("LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("CR and another byte at the very end", "5\r\nhello\r\n0\r\n\rx"),
        ("a trailer without a colon", "5\r\nhello\r\n0\r\nx\r\n\r\n"),
        ("a trailer with a space before the colon", "5\r\nhello\r\n0\r\nX : 1\r\n\r\n"),
    ] {
        cases.push(refused(name, answer("chunked", chunks)));
    }
    for (name, chunks) in [
        ("LF alone at the very end", "5\r\nhello\r\n0\r\n\n"),
        ("an end before the first size", ""),
        ("an end inside the data", "5\r\nhel"),
        ("an end after the data", "5\r\nhello\r\n"),
        ("an end before the last chunk's end", "5\r\nhello\r\n0\r\n"),
        ("an end inside a trailer", "5\r\nhello\r\n0\r\nX: 1\r\n"),
    ] {
        cases.push(cut(name, answer("chunked", chunks)).closing());
    }
    cases.push(cut("a reset inside the data", answer("chunked", "5\r\nhel")).resetting());
    cases.push(cut("silence after the data", answer("chunked", "5\r\nhello\r\n")));
    for (name, chunks) in [
        ("one chunk", hello),
        ("an extension", "5;a=b\r\nhello\r\n0\r\n\r\n"),
        ("leading zeros", "005\r\nhello\r\n0\r\n\r\n"),
        ("a trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n"),
        ("another answer after the end", "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"),
    ] {
        let case = passes(name, 200, "hello", answer("chunked", chunks)).with("x-sum", &[]);
        cases.push(case.with("set-cookie", &[]).kept());
    }
    cases.push(passes("Chunked", 200, "hello", answer("Chunked", hello)).kept());
    cases
}
