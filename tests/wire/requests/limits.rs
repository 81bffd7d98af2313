//! Sizes, each at its limit and one above it.

use super::{Case, answered, cut, passes, post, refused};

/// Limits that are quickly reached, and a route.
pub const CONFIG: &str = "\
[[route]]
path = \"/kept\"
ttl = \"1h\"
[limits]
header = \"16KiB\"
fields = 100
target = \"8KiB\"
request_body = \"10KiB\"
";

/// A head of so many bytes, its end included.
fn head(bytes: usize) -> String {
    let without = "GET /x HTTP/1.1\r\nHost: a\r\nX-One: \r\n\r\n";
    without.replace("One: ", &format!("One: {}", "a".repeat(bytes - without.len())))
}

/// A request with so many fields.
fn fields(count: usize) -> String {
    format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(count - 1))
}

fn target(bytes: usize) -> String {
    format!("/{}", "a".repeat(bytes - 1))
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn chunks(bytes: usize) -> String {
    format!("{bytes:x}\r\n{}\r\n0\r\n\r\n", "a".repeat(bytes))
}

pub fn cases() -> Vec<Case> {
    let body = |bytes: usize| post(&format!("Content-Length: {bytes}\r\n"), &"a".repeat(bytes));
    let chunked = |bytes: usize| post("Transfer-Encoding: chunked\r\n", &chunks(bytes));
    let slash_query = |bytes: usize| format!("/?{}", "a".repeat(bytes - 2));
    vec![
        passes("a head at the limit", "GET /x", head(16 * 1024)),
        refused("a head above the limit", 431, head(16 * 1024 + 1)),
        refused("a head far above the limit", 431, head(200 * 1024)),
        passes("as many fields as the limit", "GET /x", fields(100)),
        refused("one field more", 431, fields(101)),
        refused("a thousand fields", 431, fields(1000)),
        passes("a target at the limit", &format!("GET {}", target(8192)), get(&target(8192))),
        answered("a target above the limit", 414, get(&target(8193))),
        passes("a query at the limit", &format!("GET {}", slash_query(8192)), get(&slash_query(8192))),
        answered("a query above the limit", 414, get(&slash_query(8193))),
        answered("an absolute form above the limit", 414, get(&format!("http://a{}", target(8193)))),
        passes("a body at the limit", "POST /x", body(10 * 1024)).body("a".repeat(10 * 1024)),
        refused("a body above the limit", 413, body(10 * 1024 + 1)),
        passes("chunks at the limit", "POST /x", chunked(10 * 1024)).body("a".repeat(10 * 1024)),
        refused("chunks above the limit", 413, chunked(10 * 1024 + 1)),
        refused("a body as long as a number can be", 413, post("Content-Length: 18446744073709551613\r\n", "hello")),
        cut("a chunk as long as a number can be", post("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\nhello")),
    ]
}
