//! The status line, and answers before the answer.

use super::{Case, late, passes, refused};

const REST: &str = "Content-Length: 2\r\n\r\nok";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, line) in [
        ("status 0", "HTTP/1.1 0 x"),
        ("status 000", "HTTP/1.1 000 x"),
        ("status 99", "HTTP/1.1 99 x"),
        ("status 099", "HTTP/1.1 099 x"),
        ("status 600", "HTTP/1.1 600 x"),
        ("status 999", "HTTP/1.1 999 x"),
        ("status 1000", "HTTP/1.1 1000 x"),
        ("status 2000", "HTTP/1.1 2000 x"),
        ("status 20", "HTTP/1.1 20 x"),
        ("a status with a sign", "HTTP/1.1 +200 x"),
        ("a negative status", "HTTP/1.1 -200 x"),
        ("a status in words", "HTTP/1.1 abc x"),
        ("a status with a dot", "HTTP/1.1 200.1 x"),
        ("a status without a space after it", "HTTP/1.1 200OK"),
        ("no status", "HTTP/1.1"),
        ("no status but a reason", "HTTP/1.1 OK"),
        ("two spaces before the status", "HTTP/1.1  200 OK"),
        ("a tab before the status", "HTTP/1.1\t200 OK"),
        ("a space before the version", " HTTP/1.1 200 OK"),
        ("a lower-case version", "http/1.1 200 OK"),
        ("version 1.2", "HTTP/1.2 200 OK"),
        ("version 2.0", "HTTP/2.0 200 OK"),
        ("version 0.9", "HTTP/0.9 200 OK"),
        ("another protocol", "ICY 200 OK"),
        ("a request in place of an answer", "GET /x HTTP/1.1"),
        ("a NUL in the reason", "HTTP/1.1 200 O\0K"),
        ("a bare CR in the reason", "HTTP/1.1 200 O\rK"),
        ("an escape in the reason", "HTTP/1.1 200 O\x1bK"),
        ("a DEL in the reason", "HTTP/1.1 200 O\x7fK"),
    ] {
        cases.push(refused(name, format!("{line}\r\n{REST}")));
    }
    cases.push(refused(
        "a switch of protocols",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ));
    cases.push(refused(
        "a switch of protocols and an answer",
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n{OK}"),
    ));
    cases.push(refused(
        "an interim answer with a body",
        format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello{OK}"),
    ));
    cases.push(refused(
        "an interim answer in chunks",
        format!("HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{OK}"),
    ));
    cases.push(refused("seventeen interim answers", format!("{}{OK}", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17))));
    cases.push(refused("interim answers without end", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").endless());
    cases.push(refused("interim answers and no other", "HTTP/1.1 100 Continue\r\n\r\n").closing());
    for (name, bytes) in [
        ("HTTP/0.9", "hello"),
        ("HTTP/0.9 with markup", "<html><body>hello</body></html>\r\n"),
        ("nothing", ""),
        ("an empty line", "\r\n"),
        ("zeros", "\0\0\0\0\0\0\0\0"),
        ("the first bytes of TLS", "\x15\x03\x01\0\x02\x02\x46"),
        ("the end of a status line before its time", "HTTP/1.1 200"),
    ] {
        cases.push(refused(&format!("{name}, and the end"), bytes).closing());
    }
    cases.push(refused("nothing, and a reset", "").resetting());
    cases.push(refused("half a status line, and a reset", "HTTP/1.").resetting());
    cases.push(late("silence", ""));
    for (name, line, status) in [
        ("no reason", "HTTP/1.1 200 ", 200),
        ("no reason and no space", "HTTP/1.1 200", 200),
        ("another reason", "HTTP/1.1 200 Fine: \t really", 200),
        ("HTTP/1.0", "HTTP/1.0 200 OK", 200),
        ("HTTP/1.0 kept alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive", 200),
        ("an empty line first", "\r\nHTTP/1.1 200 OK", 200),
        ("sixteen interim answers first", &format!("{}HTTP/1.1 200 OK", "HTTP/1.1 103 x\r\n\r\n".repeat(16)), 200),
    ] {
        cases.push(passes(name, status, "ok", format!("{line}\r\n{REST}")).kept());
    }
    for status in [299, 499, 599] {
        cases.push(passes("a status nobody knows", status, "ok", format!("HTTP/1.1 {status} x\r\n{REST}")));
    }
    cases
}
