//! A cached answer is a function of its key: reads that share a key are one read to the origin. And what a read stores,
//! a write to the same target drops.
//!
//! The input: two reads with an empty line between them, each a target and then a field a line.

#![no_main]

mod text;

use std::sync::LazyLock;

use aside::config::Config;
use aside::rules::{
    CacheKey, Content, Document, EntryRef, KeyedHost, Read, Route, Routes, Write, WriteAnswer, overriding, place,
    written_paths,
};
use aside::store::key_name;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;

static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
    let text = r#"
origin = "http://127.0.0.1:1"
[[route]]
path = "/fruit/{id}"
key = "fruit:{id}"
ttl = "1h"
invalidated_by = "path"
[[route]]
path = "/active"
query = ["country", "city"]
key = "{country}-{city}"
ttl = "1h"
invalidated_by = ["PUT /active"]
[[route]]
path = "/files/{*rest}"
query = ["lang"]
vary = ["Accept", "Accept-Language"]
ttl = "1h"
invalidated_by = []
[[route]]
path = "/mine/{a}/{b}"
key = "{a}.{b}"
cookies = "key"
authorization = "key"
ttl = "1h"
invalidated_by = ["PUT /mine/{a}/{b}"]
[[route]]
path = "/all/{x}"
ttl = "1h"
"#;
    Config::from_text("fuzz.toml", text, |_| None).unwrap().proxy.rules.routes.clone()
});

struct Parsed {
    target: PathAndQuery,
    fields: HeaderMap,
}

impl Parsed {
    fn of(lines: &[&[u8]]) -> Option<Self> {
        let target: PathAndQuery = (*lines.first()?).try_into().ok()?;
        // Ingress lets no other through. Read once more, for an empty one is equal to no other, and says that it is `/`.
        let target: PathAndQuery = target.as_str().parse().ok().filter(|_| target.as_str().starts_with('/'))?;
        let mut fields = HeaderMap::new();
        lines[1..].iter().for_each(|line| text::append(&mut fields, line));
        Some(Self { target, fields })
    }

    /// The same with the digits of its path's encoded octets in upper case.
    fn in_upper_case(&self) -> Self {
        let mut octets = self.target.path().split('%');
        let mut path = octets.next().unwrap_or_default().to_owned();
        for octet in octets {
            let (digits, rest) = octet.split_at_checked(2).unwrap_or((octet, ""));
            path.extend(["%", &digits.to_ascii_uppercase(), rest]);
        }
        if let Some(query) = self.target.query() {
            path.extend(["?", query]);
        }
        Self { target: path.parse().expect("it was one before"), fields: self.fields.clone() }
    }

    fn read(&self) -> Read<'_> {
        Read { target: &self.target, fields: &self.fields, host: Some(KeyedHost::Other("a")), secure: false }
    }

    fn place(&self) -> Option<(Option<&Route>, EntryRef)> {
        match ROUTES.find(self.target.path()) {
            Some((route, captures)) => Some((Some(&**route), place(route, &self.read(), &captures).ok()?)),
            None => Some((None, ROUTES.unrouted_place(&self.read()).ok()?)),
        }
    }

    /// What the origin sees of it, as far as it may shape the answer.
    fn seen(&self, route: Option<&Route>) -> (String, HeaderMap) {
        match route {
            Some(route) => {
                let fill = route.fill(&self.read()).expect("what has a key can be asked for");
                (fill.target.to_string(), fill.fields)
            }
            None => (self.target.to_string(), HeaderMap::new()),
        }
    }

    fn is_dropped_by_a_write(&self, place: &EntryRef) -> bool {
        let (path, query) = (self.target.path(), self.target.query().unwrap_or_default());
        let write = Write {
            method: &Method::PUT,
            overriding: &overriding(&Method::PUT, &self.fields, query, Content::Absent),
            path,
            paths: &written_paths(path, &self.fields),
            query,
            body: Document::Absent,
            answer: WriteAnswer::default(),
        };
        let drops = ROUTES.invalidations(&write);
        drops.iter().any(|drop| place.tags.contains(&drop.tag))
    }
}

fn is_plain(key: &CacheKey) -> bool {
    key_name(key).bytes().all(|byte| byte.is_ascii_graphic())
}

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let gap = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
    let one = Parsed::of(&lines[..gap]);
    let two = Parsed::of(lines.get(gap + 1..).unwrap_or_default());
    let mut places = Vec::new();
    for read in one.iter().chain(&two) {
        let Some((route, place)) = read.place() else { continue };
        assert!(is_plain(&place.key), "{}", key_name(&place.key));
        assert!(read.is_dropped_by_a_write(&place), "{} keeps {:?}", read.target, place.tags);
        let upper = read.in_upper_case();
        let (_, plain) = upper.place().expect("the case of an octet's digits bars nobody");
        assert_eq!(plain.tags, place.tags, "{} and {}", read.target, upper.target);
        assert_eq!(
            plain.key == place.key,
            upper.target == read.target,
            "{} and {}",
            key_name(&plain.key),
            key_name(&place.key)
        );
        places.push((read.seen(route), place));
    }
    if let [(seen_one, one), (seen_two, two)] = &places[..]
        && (&one.key.route, key_name(&one.key)) == (&two.key.route, key_name(&two.key))
    {
        assert_eq!(one.key, two.key);
        assert_eq!(seen_one, seen_two, "{}", key_name(&one.key));
        assert_eq!(one.tags, two.tags);
    }
});
