//! Content-Length of an answer, and bodies that are not as long as it says.

use super::{Case, cut, passes, refused};

fn answer(lines: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}")
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, value) in [
        ("a plus", "+2"),
        ("a minus", "-2"),
        ("hex", "0x2"),
        ("a list of different", "2, 3"),
        ("a comma at the end", "2,"),
        ("a space inside", "2 2"),
        ("a fraction", "2.0"),
        ("quotes", "\"2\""),
        ("a word", "two"),
        ("nothing", ""),
        ("2 to the 64th and 2", "18446744073709551618"),
        ("letters outside ASCII", "\u{ff12}"),
    ] {
        cases.push(refused(name, answer(&format!("Content-Length: {value}\r\n"), "ok")));
        cases.push(
            refused(&format!("{name}, to a HEAD"), answer(&format!("Content-Length: {value}\r\n"), "")).to_head(),
        );
    }
    cases.push(refused("two that differ", answer("Content-Length: 2\r\nContent-Length: 3\r\n", "ok!")));
    cases.push(refused("two of which one is none", answer("Content-Length: 2\r\nContent-Length: x\r\n", "ok")));
    cases.push(refused(
        "one before chunks",
        answer("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
    ));
    cases.push(refused(
        "one after chunks",
        answer("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "2\r\nok\r\n0\r\n\r\n"),
    ));
    cases.push(
        refused("one with chunks, to a HEAD", answer("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", ""))
            .to_head(),
    );
    for (name, lines) in [
        ("a list of the same", "Content-Length: 2, 2\r\n"),
        ("two lines of the same", "Content-Length: 2\r\nContent-Length: 2\r\n"),
        ("leading zeros", "Content-Length: 002\r\n"),
        ("blanks around it", "Content-Length: \t2 \r\n"),
    ] {
        cases.push(passes(name, 200, "ok", answer(lines, "ok")).with("content-length", &["2"]).kept());
    }
    cases.push(
        passes("a list of the same, to a HEAD", 200, "", answer("Content-Length: 2, 2\r\n", ""))
            .with("content-length", &["2"])
            .to_head(),
    );
    cases.push(
        passes("nothing to come", 200, "", answer("Content-Length: 0\r\n", "")).with("content-length", &["0"]).kept(),
    );
    let short = answer("Content-Length: 10\r\n", "hello");
    cases.push(cut("a body cut short", &short).closing());
    cases.push(cut("a body cut short by a reset", &short).resetting());
    cases.push(cut("a body that stalls", &short));
    cases.push(cut("a body that does not come", answer("Content-Length: 10\r\n", "")).closing());
    cases.push(
        cut("a body of a megabyte cut short", answer("Content-Length: 1048577\r\n", &"a".repeat(1 << 20))).closing(),
    );
    for (name, more) in [
        ("a byte more than it says", "!"),
        ("a line more than it says", "\r\n"),
        ("another answer after it", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"),
    ] {
        cases.push(passes(name, 200, "ok", answer("Content-Length: 2\r\n", &format!("ok{more}"))).kept());
    }
    cases
}
