//! Transfer-Encoding: the one word `chunked`, or nothing.

use super::{Case, get, passes, post, refused};

const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // The parser refuses what does not end with chunked, the validator what has more than that.
    for (name, status, value) in [
        ("another coding before it", 501, "gzip, chunked"),
        ("another coding after it", 400, "chunked, gzip"),
        ("twice in a list", 501, "chunked, chunked"),
        ("twice without a space", 501, "chunked,chunked"),
        ("a comma first", 501, ", chunked"),
        ("a comma at the end", 400, "chunked,"),
        ("identity before it", 501, "identity, chunked"),
        ("identity after it", 400, "chunked, identity"),
        ("identity", 400, "identity"),
        ("gzip alone", 400, "gzip"),
        ("deflate alone", 400, "deflate"),
        ("nothing", 400, ""),
        ("blanks", 400, " \t"),
        ("a parameter", 400, "chunked;q=1"),
        ("a parameter with a space", 400, "chunked ; a=b"),
        ("quotes", 400, "\"chunked\""),
        ("quotes in a list", 400, "\"gzip\", \"chunked\""),
        ("single quotes", 400, "'chunked'"),
        ("a prefix", 400, "x-chunked"),
        ("a prefix without a dash", 400, "xchunked"),
        ("a suffix", 400, "chunkedx"),
        ("cut short", 400, "chunke"),
        ("a space inside", 400, "chun ked"),
        ("a semicolon first", 400, ";chunked"),
        ("a colon first", 400, ": chunked"),
        ("a list with a semicolon", 400, "gzip; chunked"),
        ("a vertical tab first", 400, "\x0bchunked"),
        ("a vertical tab at the end", 400, "chunked\x0b"),
        ("a form feed at the end", 400, "chunked\x0c"),
        ("a NUL at the end", 400, "chunked\0"),
        ("a bare CR at the end", 400, "chunked\r"),
        ("a bare CR first", 400, "\rchunked"),
        ("a space of Unicode at the end", 400, "chunked\u{a0}"),
        ("a letter that folds to an ASCII one", 400, "chun\u{212a}ed"),
    ] {
        cases.push(refused(name, status, post(&format!("Transfer-Encoding: {value}\r\n"), HELLO)));
        let with_length = post(&format!("Transfer-Encoding: {value}\r\nContent-Length: 5\r\n"), HELLO);
        cases.push(refused(&format!("{name}, with a length"), status, with_length));
    }
    for (name, status, lines) in [
        ("two lines", 501, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("two lines, another coding first", 501, "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
        ("two lines, another coding last", 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"),
        ("two lines, identity last", 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        ("two lines, an empty one first", 501, "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"),
        ("two lines, an empty one last", 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n"),
        ("a space before the colon", 400, "Transfer-Encoding : chunked\r\n"),
        ("a tab before the colon", 400, "Transfer-Encoding\t: chunked\r\n"),
        ("a NUL before the colon", 400, "Transfer-Encoding\0: chunked\r\n"),
        ("a space before the name", 400, "X: 1\r\n Transfer-Encoding: chunked\r\n"),
        ("a folded one", 400, "Transfer-Encoding:\r\n chunked\r\n"),
        ("one folded with a tab", 400, "Transfer-Encoding:\r\n\tchunked\r\n"),
        ("one folded with LF alone", 400, "Transfer-Encoding:\n chunked\r\n"),
        ("one that goes on in the next line", 400, "Transfer-Encoding: chunked\r\n , identity\r\n"),
        ("hidden after a bare CR", 400, "X: 1\rTransfer-Encoding: chunked\r\n"),
        ("a bad length before it", 400, "Content-Length: +5\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        cases.push(refused(name, status, post(lines, HELLO)));
    }
    cases.push(refused(
        "HTTP/1.0",
        400,
        format!("POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{HELLO}"),
    ));
    cases.push(refused(
        "HTTP/1.0 with a length",
        400,
        format!("POST /x HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{HELLO}"),
    ));
    for (name, lines) in [
        ("the one word", "Transfer-Encoding: chunked\r\n"),
        ("in upper case", "TRANSFER-ENCODING: CHUNKED\r\n"),
        ("in mixed case", "Transfer-Encoding: Chunked\r\n"),
        ("no space before it", "Transfer-Encoding:chunked\r\n"),
        ("blanks around it", "Transfer-Encoding: \t chunked \t\r\n"),
        ("nominated in Connection", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        let case = passes(name, "POST /x", post(lines, HELLO)).body("hello");
        cases.push(case.with("content-length", "5").without("transfer-encoding"));
    }
    // RFC 9112 section 6.3: the chunks count, and nothing else is read from such a connection.
    for (name, lines) in [
        ("a length before it", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("a length after it", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        ("a wrong length before it", "Content-Length: 50\r\nTransfer-Encoding: chunked\r\n"),
        ("a bad length after it", "Transfer-Encoding: chunked\r\nContent-Length: +5\r\n"),
        ("two lengths around it", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n"),
        ("a length and keep-alive", "Connection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        cases.push(passes(name, "POST /x", post(lines, HELLO)).body("hello").with("content-length", "5").closes());
    }
    cases.push(
        passes("a GET in chunks", "GET /x", format!("{}{HELLO}", get("Transfer-Encoding: chunked\r\n"))).body("hello"),
    );
    cases.push(passes("an underscore does not make one", "GET /x", get("Transfer_Encoding: chunked\r\n")));
    cases
}
