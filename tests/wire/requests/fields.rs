//! Field lines, and the fields that mean something to a proxy.

use super::{Case, answered, cut, get, passes, refused};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, lines) in [
        ("a space before the colon", "X : 1\r\n"),
        ("a tab before the colon", "X\t: 1\r\n"),
        ("a folded value", "X: 1\r\n 2\r\n"),
        ("a value folded with a tab", "X: 1\r\n\t2\r\n"),
        ("a folded empty value", "X:\r\n 1\r\n"),
        ("a fold that is empty", "X: 1\r\n \r\n"),
        ("no colon", "X\r\n"),
        ("no colon and two words", "X 1\r\n"),
        ("no name", ": 1\r\n"),
        ("a blank for a name", " : 1\r\n"),
        ("a name with a space", "X Y: 1\r\n"),
        ("a name with a bracket", "X(: 1\r\n"),
        ("a name with a slash", "X/Y: 1\r\n"),
        ("a name with an at sign", "X@Y: 1\r\n"),
        ("a name with a comma", "X,Y: 1\r\n"),
        ("a name with a semicolon", "X;Y: 1\r\n"),
        ("a name with an equals sign", "X=Y: 1\r\n"),
        ("a name in quotes", "\"X\": 1\r\n"),
        ("a name with a square bracket", "X[: 1\r\n"),
        ("a name with a brace", "{X}: 1\r\n"),
        ("a name with a backslash", "X\\Y: 1\r\n"),
        ("a name with a NUL", "X\0Y: 1\r\n"),
        ("a name with a CR", "X\rY: 1\r\n"),
        ("a name with a DEL", "X\x7f: 1\r\n"),
        ("a name outside ASCII", "Xé: 1\r\n"),
        ("a value with a NUL", "X: a\0b\r\n"),
        ("a value with a CR", "X: a\rb\r\n"),
        ("a value that ends with a CR", "X: a\r\r\n"),
        ("a value that begins with a CR", "X: \ra\r\n"),
        ("a value with a BEL", "X: a\x07b\r\n"),
        ("a value with a backspace", "X: a\x08b\r\n"),
        ("a value with a vertical tab", "X: a\x0bb\r\n"),
        ("a value with a form feed", "X: a\x0cb\r\n"),
        ("a value with an escape", "X: a\x1bb\r\n"),
        ("a value with a DEL", "X: a\x7fb\r\n"),
        ("a line that begins with a NUL", "\0X: 1\r\n"),
        ("a byte order mark", "\u{feff}X: 1\r\n"),
        ("a request line among the fields", "GET /y HTTP/1.1\r\n"),
    ] {
        cases.push(refused(name, 400, get(lines)));
    }
    cases.push(refused("a space before the first field", 400, "GET /x HTTP/1.1\r\n Host: a\r\n\r\n"));
    for name in [
        "Authorization",
        "Cookie",
        "Host",
        "Cache-Control",
        "Content-Type",
        "Content-Encoding",
        "X-Forwarded-For",
        "Forwarded",
        "If-None-Match",
        "If-Modified-Since",
        "If-Match",
        "Range",
        "Via",
        "Date",
        "Pragma",
        "Origin",
        "Accept",
        "Accept-Encoding",
        "User-Agent",
        "Set-Cookie",
        "Vary",
        "Expires",
        "Age",
        "ETag",
    ] {
        cases.push(refused(&format!("Connection nominates {name}"), 400, get(&format!("Connection: {name}\r\n"))));
    }
    for (name, line) in [
        ("in lower case, after others", "Connection: keep-alive, x-mine, cookie\r\n"),
        ("on a second line", "Connection: keep-alive\r\nConnection: cookie\r\n"),
        ("between empty members", "Connection: ,,cookie,\r\n"),
        ("after a quote that is not closed", "Connection: \"x, cookie\r\n"),
    ] {
        cases.push(refused(&format!("Connection nominates Cookie {name}"), 400, get(line)));
    }
    cases.append(&mut hop_by_hop());
    cases.append(&mut forged());
    for (name, lines, value) in [
        ("a value outside ASCII", "X-One: caf\u{e9}\r\n", "caf\u{c3}\u{a9}"),
        ("a tab inside a value", "X-One: a\tb\r\n", "a\tb"),
        ("blanks around a value", "X-One: \t a \t\r\n", "a"),
        ("colons in a value", "X-One:a: b:c\r\n", "a: b:c"),
        ("quotes and backslashes in a value", "X-One: \"a\\\"b\r\n", "\"a\\\"b"),
        ("a line that ends with LF alone", "X-One: a\n", "a"),
    ] {
        cases.push(passes(name, "GET /x", get(lines)).with("x-one", value));
    }
    cases.push(
        passes("every odd character that a name may have", "GET /x", get("!#$%&'*+-.^`|~: 1\r\n"))
            .with("!#$%&'*+-.^`|~", "1"),
    );
    cases.push(cut("an end inside the head", "GET /x HTTP/1.1\r\nHost: a\r\n"));
    cases.push(cut("an end inside a field", "GET /x HTTP/1.1\r\nHost: a\r\nX: "));
    cases.push(cut("an end inside the head's end", "GET /x HTTP/1.1\r\nHost: a\r\n\r"));
    cases
}

/// Fields that end here.
fn hop_by_hop() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, lines, gone) in [
        ("TE", "TE: trailers\r\n", "te"),
        ("TE, nominated", "Connection: TE\r\nTE: trailers, deflate\r\n", "te"),
        ("Trailer", "Trailer: X-Sum\r\n", "trailer"),
        ("Keep-Alive", "Keep-Alive: timeout=5\r\n", "keep-alive"),
        ("Proxy-Connection", "Proxy-Connection: keep-alive\r\n", "proxy-connection"),
        ("Proxy-Authorization", "Proxy-Authorization: Basic eA==\r\n", "proxy-authorization"),
        ("a nominated field of the client's own", "Connection: X-Mine\r\nX-Mine: 1\r\nX-Mine: 2\r\n", "x-mine"),
        ("a nominated field that is not there", "Connection: x-mine, y-mine\r\n", "x-mine"),
        ("Upgrade to another protocol", "Connection: upgrade\r\nUpgrade: x/1\r\n", "upgrade"),
        ("Upgrade that is not nominated", "Upgrade: x/1\r\n", "upgrade"),
        (
            "Upgrade to HTTP/2",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
            "http2-settings",
        ),
    ] {
        cases.push(passes(&format!("{name} ends here"), "GET /x", get(lines)).without(gone).without("connection"));
    }
    cases.push(passes("Connection: close", "GET /x", get("Connection: close\r\n")).closes());
    cases.push(passes("close among others", "GET /x", get("Connection: keep-alive, Close\r\n")).closes());
    cases.push(
        passes("close, and keep-alive after it", "GET /x", get("Connection: close\r\nConnection: keep-alive\r\n"))
            .closes(),
    );
    let options = |hops: &str| format!("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: {hops}\r\n\r\n");
    cases.push(passes("Max-Forwards is counted", "OPTIONS /x", options("7")).with("max-forwards", "6"));
    cases.push(answered("Max-Forwards ends here", 200, options("0")));
    cases.push(refused("Max-Forwards with a sign", 400, options("-1")));
    cases.push(refused("Max-Forwards that is no number", 400, options("many")));
    cases.push(passes("Max-Forwards of a GET means nothing", "GET /x", get("Max-Forwards: 0\r\n")));
    cases
}

/// Fields that only a proxy may write, and names that a server behind cannot tell from others.
fn forged() -> Vec<Case> {
    let mut cases = vec![
        passes("a forged X-Forwarded-For", "GET /x", get("X-Forwarded-For: 6.6.6.6\r\n"))
            .with("x-forwarded-for", "127.0.0.1"),
        passes("a forged X-Forwarded-Host", "GET /x", get("X-Forwarded-Host: evil\r\n")).with("x-forwarded-host", "a"),
        passes("a forged X-Forwarded-Proto", "GET /x", get("X-Forwarded-Proto: https\r\n"))
            .with("x-forwarded-proto", "http"),
    ];
    for (name, field) in [
        ("an underscore", "x_mine"),
        ("an underscore for a dash", "x_forwarded_for"),
        ("an underscore in the middle", "content_type"),
        ("an underscore first", "_x"),
        ("Forwarded", "forwarded"),
        ("another path", "x-original-url"),
        ("another method", "x-http-method-override"),
    ] {
        cases
            .push(passes(&format!("{name} goes no further"), "GET /x", get(&format!("{field}: 1\r\n"))).without(field));
    }
    cases
}
