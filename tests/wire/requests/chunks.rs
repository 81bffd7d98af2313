//! Bodies in chunks: sizes, extensions, ends, trailers.

use super::{Case, cut, passes, post, refused};

fn chunked(chunks: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", chunks)
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, chunks) in [
        ("a size that is a word", "x\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("an extension without a size", ";a=b\r\nhello\r\n0\r\n\r\n"),
        ("a plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a minus", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a mark of hex", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("an underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        ("a letter after f", "g\r\nhello\r\n0\r\n\r\n"),
        ("a fraction", "5.0\r\nhello\r\n0\r\n\r\n"),
        ("a comma", "5,5\r\nhello\r\n0\r\n\r\n"),
        ("quotes", "\"5\"\r\nhello\r\n0\r\n\r\n"),
        ("a space before the size", " 5\r\nhello\r\n0\r\n\r\n"),
        ("a tab before the size", "\t5\r\nhello\r\n0\r\n\r\n"),
        ("a space inside the size", "0 5\r\nhello\r\n0\r\n\r\n"),
        ("a vertical tab after the size", "5\x0b\r\nhello\r\n0\r\n\r\n"),
        ("a NUL after the size", "5\0\r\nhello\r\n0\r\n\r\n"),
        ("digits outside ASCII", "\u{ff15}\r\nhello\r\n0\r\n\r\n"),
        ("2 to the 64th and 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("more digits than any size has", "fffffffffffffffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("LF alone after the size", "5\nhello\r\n0\r\n\r\n"),
        ("CR alone after the size", "5\rhello\r\n0\r\n\r\n"),
        ("two CRs after the size", "5\r\r\nhello\r\n0\r\n\r\n"),
        ("LF alone after the data", "5\r\nhello\n0\r\n\r\n"),
        ("CR alone after the data", "5\r\nhello\r0\r\n\r\n"),
        ("nothing after the data", "5\r\nhello0\r\n\r\n"),
        ("two bytes that are no CRLF after the data", "5\r\nhelloxx0\r\n\r\n"),
        ("data longer than its size", "4\r\nhello\r\n0\r\n\r\n"),
        ("data shorter than its size", "6\r\nhello\r\n0\r\n\r\n"),
        ("LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("LF at the end of an extension", "5;a=b\nhello\r\n0\r\n\r\n"),
        ("CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("LF alone after the last size", "5\r\nhello\r\n0\n\r\n"),
        ("LF alone at the very end", "5\r\nhello\r\n0\r\n\n"),
        ("CR and another byte at the very end", "5\r\nhello\r\n0\r\n\rx"),
        ("a trailer without a colon", "5\r\nhello\r\n0\r\nx\r\n\r\n"),
        ("a trailer without a name", "5\r\nhello\r\n0\r\n: x\r\n\r\n"),
        ("a trailer with a space before the colon", "5\r\nhello\r\n0\r\nX : 1\r\n\r\n"),
        ("a trailer with a NUL", "5\r\nhello\r\n0\r\nX: \0\r\n\r\n"),
        ("a trailer with CR", "5\r\nhello\r\n0\r\nX: 1\rY: 2\r\n\r\n"),
        // A sound trailer section cannot be told from one that swallows the next request: see `Timed::without_trailers`.
        ("a trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
        ("a trailer that ends with LF alone", "5\r\nhello\r\n0\r\nX-Sum: 1\n\r\n"),
        ("a trailer section that ends with LF alone", "5\r\nhello\r\n0\r\nX-Sum: 1\n\n"),
        ("a length in a trailer", "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"),
        ("a coding in a trailer", "5\r\nhello\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n"),
        ("a host in a trailer", "5\r\nhello\r\n0\r\nHost: b\r\n\r\n"),
        ("a credential in a trailer", "5\r\nhello\r\n0\r\nAuthorization: x\r\nCookie: a=b\r\n\r\n"),
        ("a request in place of the last chunk's end", "5\r\nhello\r\n0\r\nGET /y HTTP/1.1\r\n\r\n"),
    ] {
        cases.push(refused(name, 400, chunked(chunks)));
    }
    let extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(20_000));
    cases.push(refused("an extension without end", 400, chunked(&extension)));
    let extensions = format!("{}0\r\n\r\n", format!("1;{}\r\na\r\n", "b".repeat(1000)).repeat(40));
    cases.push(refused("more extensions than data", 400, chunked(&extensions)));
    let trailers = format!("5\r\nhello\r\n0\r\n{}\r\n", "X: 1\r\n".repeat(2000));
    cases.push(refused("trailers without end", 400, chunked(&trailers)));
    let trailer = format!("5\r\nhello\r\n0\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    cases.push(refused("a trailer without end", 400, chunked(&trailer)));
    for (name, chunks) in [
        ("one chunk", "5\r\nhello\r\n0\r\n\r\n"),
        ("a chunk a byte", "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n"),
        ("leading zeros", "000005\r\nhello\r\n000\r\n\r\n"),
        ("an extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n"),
        ("an extension in quotes", "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n"),
        ("an empty extension", "5;\r\nhello\r\n0\r\n\r\n"),
        ("blanks before an extension", "5 \t;a\r\nhello\r\n0\r\n\r\n"),
        ("blanks after the size", "5 \t\r\nhello\r\n0\r\n\r\n"),
    ] {
        cases.push(passes(name, "POST /x", chunked(chunks)).body("hello").with("content-length", "5"));
    }
    for (name, size) in [("lower-case hex", "a"), ("upper-case hex", "A"), ("hex with a leading zero", "0a")] {
        cases.push(passes(name, "POST /x", chunked(&format!("{size}\r\nhellohello\r\n0\r\n\r\n"))).body("hellohello"));
    }
    cases.push(passes("no data", "POST /x", chunked("0\r\n\r\n")));
    cases.push(
        passes(
            "an announced trailer that does not come",
            "POST /x",
            post("Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n", "0\r\n\r\n"),
        )
        .without("trailer"),
    );
    for (name, chunks) in [
        ("an end before the first size", ""),
        ("an end inside a size", "5"),
        ("an end inside the data", "5\r\nhel"),
        ("an end after the data", "5\r\nhello\r\n"),
        ("an end before the last chunk's end", "5\r\nhello\r\n0\r\n"),
        ("an end inside the last chunk's end", "5\r\nhello\r\n0\r\n\r"),
        ("an end inside a trailer", "5\r\nhello\r\n0\r\nX: 1\r\n"),
    ] {
        cases.push(cut(name, chunked(chunks)));
    }
    cases
}
