//! Content-Length: digits, once.

use super::{Case, cut, get, passes, post, refused};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, value) in [
        ("a plus", "+5"),
        ("a minus", "-5"),
        ("minus zero", "-0"),
        ("a list of the same", "5,5"),
        ("a list of the same with a space", "5, 5"),
        ("a list of different", "5, 6"),
        ("a comma at the end", "5,"),
        ("a comma first", ",5"),
        ("hex", "0x5"),
        ("hex without its mark", "5h"),
        ("octal", "0o5"),
        ("a space inside", "5 5"),
        ("a tab inside", "5\t0"),
        ("a fraction", "5.0"),
        ("an exponent", "5e0"),
        ("an underscore", "0_5"),
        ("a semicolon", "5;q=1"),
        ("quotes", "\"5\""),
        ("a word", "five"),
        ("nothing", ""),
        ("blanks", " \t "),
        ("digits outside ASCII", "\u{ff15}"),
        ("a NUL at the end", "5\0"),
        ("a vertical tab first", "\x0b5"),
        ("a form feed at the end", "5\x0c"),
        ("2 to the 64th", "18446744073709551616"),
        ("2 to the 64th and 5", "18446744073709551621"),
        ("more digits than any number has", "99999999999999999999999999999999999999999"),
    ] {
        cases.push(refused(name, 400, post(&format!("Content-Length: {value}\r\n"), "hello")));
    }
    for (name, lines) in [
        ("two that differ", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ("two that differ, the larger first", "Content-Length: 6\r\nContent-Length: 5\r\n"),
        ("two of which one is none", "Content-Length: 5\r\nContent-Length: +5\r\n"),
        ("two of which one is empty", "Content-Length:\r\nContent-Length: 5\r\n"),
        ("a space before the colon", "Content-Length : 5\r\n"),
        ("a tab before the colon", "Content-Length\t: 5\r\n"),
        ("a folded one", "Content-Length:\r\n 5\r\n"),
        ("one that goes on in the next line", "Content-Length: 5\r\n 0\r\n"),
        ("nominated in Connection", "Connection: content-length\r\nContent-Length: 5\r\n"),
    ] {
        cases.push(refused(name, 400, post(lines, "hello")));
    }
    cases.push(refused("HTTP/1.0 with a plus", 400, "POST /x HTTP/1.0\r\nContent-Length: +5\r\n\r\nhello"));
    for (name, lines) in [
        ("five", "Content-Length: 5\r\n"),
        ("five in upper case", "CONTENT-LENGTH: 5\r\n"),
        ("no space after the colon", "Content-Length:5\r\n"),
        ("blanks around it", "Content-Length: \t 5 \t\r\n"),
        ("leading zeros", "Content-Length: 0000000000000000000000005\r\n"),
        ("two that are the same", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("two that are the same number", "Content-Length: 5\r\nContent-Length: 05\r\n"),
    ] {
        cases.push(passes(name, "POST /x", post(lines, "hello")).body("hello").with("content-length", "5"));
    }
    cases.push(passes("zeros alone", "POST /x", post("Content-Length: 000\r\n", "")).with("content-length", "0"));
    cases.push(passes("a POST without one", "POST /x", post("", "")));
    cases.push(passes("a GET with none to come", "GET /x", get("Content-Length: 0\r\n")).with("content-length", "0"));
    cases.push(
        passes("an underscore does not make one", "GET /x", get("Content_Length: 63\r\n")).without("content_length"),
    );
    for method in ["GET", "DELETE", "OPTIONS", "PROPFIND"] {
        let request = format!("{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        cases.push(passes(&format!("a {method} with a body"), &format!("{method} /x"), request).body("hello"));
    }
    let head = "HEAD /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    cases.push(passes("a HEAD with a body", "HEAD /x", head).body("hello"));
    let kept = "GET /kept HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    cases.push(passes("a GET with a body on a route", "GET /kept", kept).body("hello"));
    cases.push(passes("and again: it was not stored", "GET /kept", kept).body("hello"));
    let smuggled = "GET /y HTTP/1.1\r\nHost: a\r\n\r\n";
    cases.push(
        passes(
            "a request inside a body",
            "POST /x",
            post(&format!("Content-Length: {}\r\n", smuggled.len()), smuggled),
        )
        .body(smuggled),
    );
    cases.push(cut("a body that ends early", post("Content-Length: 6\r\n", "hello")));
    cases
}
