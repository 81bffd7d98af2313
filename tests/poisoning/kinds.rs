//! Every kind of unkeyed input, as requests: the fields one by one, and what is done with request line, framing and query.

use super::fields::{FORGED, ORDINARY, TELLING};
use super::mirror::BAD;

/// One way to bring something into a request that is in nobody's key.
#[derive(Clone, Debug)]
pub struct Kind {
    pub name: String,
    /// The whole request; `{P}` is its path, `{T}` the target that everybody asks for.
    request: String,
    /// What nobody else may get to see.
    pub bad: String,
    /// A field of the client's own, which an origin without a route sees.
    pub ordinary: bool,
}

impl Kind {
    /// The request for a path, with more field lines.
    pub fn request(&self, path: &str, more: &str) -> Vec<u8> {
        let text = self.request.replace("{T}", &target(path)).replace("{P}", path).replace("{MORE}", more);
        text.replace('\n', "\r\n").into_bytes()
    }
}

/// What everybody asks for.
pub fn target(path: &str) -> String {
    format!("{path}?page=1")
}

pub fn plain(path: &str, more: &str) -> Vec<u8> {
    let target = target(path);
    format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{more}\r\n").into_bytes()
}

const GET: &str = "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}";

pub fn kinds() -> Vec<Kind> {
    let lines = |lines: &[&str], ordinary| {
        let kind = |line: &&str| Kind {
            name: (*line).to_owned(),
            request: format!("{GET}{line}\n\n"),
            bad: BAD.to_owned(),
            ordinary,
        };
        lines.iter().map(kind).collect::<Vec<_>>()
    };
    let mut kinds = lines(FORGED, false);
    kinds.extend(lines(ORDINARY, true));
    kinds.extend(lines(TELLING, false));
    kinds.extend(queries().map(|(name, target)| whole(name, &GET.replace("{T}", target), BAD)));
    kinds.extend(HOSTS.iter().map(|(name, request, bad)| whole(name, request, bad)));
    kinds.extend(SHAPES.iter().map(|(name, request)| whole(name, request, BAD)));
    kinds.extend(oversized());
    kinds
}

fn whole(name: &str, request: &str, bad: &str) -> Kind {
    let request = if request.contains("\n\n") { request.to_owned() } else { format!("{request}\n") };
    Kind { name: name.to_owned(), request, bad: bad.to_owned(), ordinary: false }
}

fn queries() -> impl Iterator<Item = (&'static str, &'static str)> {
    QUERIES.iter().copied()
}

/// Cloaked and unlisted parameters.
const QUERIES: &[(&str, &str)] = &[
    ("an unlisted parameter", "{T}&utm_source=m4rk"),
    ("a method override in the query", "{T}&_method=m4rk"),
    ("a callback", "{T}&callback=m4rk"),
    ("a parameter behind a semicolon", "{T};callback=m4rk"),
    ("a parameter behind an encoded semicolon", "{T}%3Bcallback=m4rk"),
    ("a parameter behind an encoded ampersand", "{T}%26callback=m4rk"),
    ("a parameter given twice", "{T}&page=m4rk"),
    ("a parameter given twice, encoded", "{T}&%70age=m4rk"),
    ("an array", "{T}&page[]=m4rk"),
    ("an array, encoded", "{T}&page%5B0%5D=m4rk"),
    ("an object", "{T}&page[x]=m4rk"),
    ("another case", "{T}&PAGE=m4rk"),
    ("a blank before the name", "{T}&+page=m4rk"),
    ("a blank after the name", "{T}&page%20=m4rk"),
    ("a NUL after the name", "{T}&page%00=m4rk"),
    ("a name without a value", "{T}&m4rk"),
    ("a value without a name", "{T}&=m4rk"),
    ("a second question mark", "{T}?callback=m4rk"),
    ("an encoded CRLF", "{T}&x=%0d%0aX-m4rk:%201"),
    ("an encoded NUL", "{T}&x=%00m4rk"),
    ("an overlong encoding", "{T}&x=%c0%afm4rk"),
    ("a broken escape", "{T}&x=%zzm4rk"),
    ("a fragment", "{T}#m4rk"),
    ("a fragment with a query", "{T}#?page=m4rk"),
    ("braces and quotes", "{T}&x={\"m4rk\"}"),
    ("bytes outside of ASCII", "{T}&x=\u{e9}m4rk"),
];

/// What is done with Host, with its own mark where it has none.
const HOSTS: &[(&str, &str, &str)] = &[
    ("another Host", "GET {T} HTTP/1.1\nHost: m4rk.example\nConnection: close\n{MORE}", "m4rk"),
    ("a Host in capitals", "GET {T} HTTP/1.1\nHost: SHOP.EXAMPLE\nConnection: close\n{MORE}", "SHOP.EXAMPLE"),
    ("a Host with a port", "GET {T} HTTP/1.1\nHost: shop.example:4711\nConnection: close\n{MORE}", ":4711"),
    ("a Host with a dot", "GET {T} HTTP/1.1\nHost: shop.example.\nConnection: close\n{MORE}", "shop.example.\n"),
    ("a Host with a bad port", "GET {T} HTTP/1.1\nHost: shop.example:m4rk\nConnection: close\n{MORE}", "m4rk"),
    ("a Host with a user", "GET {T} HTTP/1.1\nHost: m4rk@shop.example\nConnection: close\n{MORE}", "m4rk"),
    ("a Host with a path", "GET {T} HTTP/1.1\nHost: shop.example/m4rk\nConnection: close\n{MORE}", "m4rk"),
    ("two Hosts", "GET {T} HTTP/1.1\nHost: shop.example\nHost: m4rk.example\nConnection: close\n{MORE}", "m4rk"),
    ("a folded Host", "GET {T} HTTP/1.1\nHost: shop.example\n m4rk.example\nConnection: close\n{MORE}", "m4rk"),
    ("a Host behind a blank", "GET {T} HTTP/1.1\nHost : m4rk.example\nConnection: close\n{MORE}", "m4rk"),
    ("no Host", "GET {T} HTTP/1.1\nConnection: close\n{MORE}", "m4rk"),
    ("an empty Host", "GET {T} HTTP/1.1\nHost:\nConnection: close\n{MORE}", "m4rk"),
    (
        "an absolute target",
        "GET http://m4rk.example{T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}",
        "m4rk",
    ),
    (
        "an absolute target for another Host",
        "GET http://shop.example{T} HTTP/1.1\nHost: m4rk.example\nConnection: close\n{MORE}",
        "m4rk",
    ),
    (
        "an absolute https target",
        "GET https://shop.example{T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}",
        "https",
    ),
    ("HTTP/1.0 without a Host", "GET {T} HTTP/1.0\n{MORE}", "m4rk"),
    ("HTTP/1.0 with another Host", "GET {T} HTTP/1.0\nHost: m4rk.example\n{MORE}", "m4rk"),
];

/// What is done with framing, methods and hop-by-hop fields.
const SHAPES: &[(&str, &str)] = &[
    (
        "a GET with a body",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}Content-Length: 11\n\npage=1&m4rk",
    ),
    (
        "a GET with a form",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}Content-Type: application/x-www-form-urlencoded\nContent-Length: 12\n\n_method=m4rk",
    ),
    (
        "a GET with a body in chunks",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}Transfer-Encoding: chunked\n\n4\nm4rk\n0\n\n",
    ),
    (
        "a trailer",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}Transfer-Encoding: chunked\nTrailer: X-M4rk\n\n0\nX-M4rk: 1\n\n",
    ),
    ("an unknown coding", "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}Transfer-Encoding: m4rk\n\n"),
    ("a nominated field", "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close, X-M4rk\nX-M4rk: 1\n{MORE}"),
    (
        "a nominated forwarding field",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close, X-Forwarded-For, X-m4rk\n{MORE}",
    ),
    ("a nominated Host", "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close, Host\n{MORE}"),
    ("a nominated Cookie", "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close, Cookie\nCookie: m4rk\n{MORE}"),
    (
        "a nominated credential",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close, X-Api-Key\nX-Api-Key: m4rk\n{MORE}",
    ),
    (
        "the same field twice",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}X-Host: a\nX-Host: m4rk\n",
    ),
    ("a HEAD", "HEAD {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}X-HTTP-Method: m4rk\n"),
    ("an OPTIONS", "OPTIONS {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}X-Debug: m4rk\n"),
    ("a method in small letters", "get {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}X-Debug: m4rk\n"),
    ("an unknown method", "M4RK {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}"),
    (
        "a POST with an override to GET",
        "POST {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}X-HTTP-Method-Override: GET\nContent-Length: 4\n\nm4rk",
    ),
    ("a TRACE", "TRACE {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}X-Debug: m4rk\n"),
    ("a control character", "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}X-Debug: m4rk\u{7}\n"),
    ("a field without a name", "GET {T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}: m4rk\n"),
    (
        "an upgrade to HTTP/2",
        "GET {T} HTTP/1.1\nHost: shop.example\nConnection: Upgrade\nUpgrade: h2c, m4rk\n{MORE}Connection: close\n",
    ),
    ("a path with a second slash", "GET /{P}?m4rk HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}"),
    ("a path with dots", "GET /m4rk/..{T} HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}"),
    ("a path with a parameter", "GET {P};m4rk?page=1 HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}"),
    (
        "a path with an encoded question mark",
        "GET {P}%3Fm4rk?page=1 HTTP/1.1\nHost: shop.example\nConnection: close\n{MORE}",
    ),
];

/// Heads that are too large for some servers and not for others.
fn oversized() -> Vec<Kind> {
    let long = "m4rk".repeat(2500);
    let many: String = (0..80).map(|n| format!("X-M4rk-{n}: m4rk\n")).collect::<Vec<_>>().concat();
    vec![
        whole("a field of ten thousand bytes", &format!("{GET}X-Host: {long}\n"), BAD),
        whole("a value of twenty thousand bytes", &format!("{GET}X-Host: {long}{long}\n"), BAD),
        whole("eighty forged fields", &format!("{GET}{}", many.replace("X-M4rk", "X-Forwarded-M4rk")), BAD),
        whole("two hundred fields", &format!("{GET}{many}{many}{many}"), BAD),
        whole("a long query", &GET.replace("{T}", &format!("{{T}}&x={}", "m4rk".repeat(1500))), BAD),
        whole("a query that is too long", &GET.replace("{T}", &format!("{{T}}&x={long}")), BAD),
    ]
}
