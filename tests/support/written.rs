//! A write as a table of a test has it, and what a configuration's rules drop because of it: pure, nothing is sent.

#![allow(dead_code, unreachable_pub, reason = "each test target uses its own part of this module")]

use aside::fields::{CACHE_GROUP_INVALIDATION, cache_groups, is_plain_json};
use aside::policy::{named_on_origin, path_of};
use aside::rules::{
    Content, Document, Invalidation, Read, Routes, Tag, Write, WriteAnswer, overriding, place, read_json, write_paths,
    written_paths,
};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

/// A write and its answer. [`sent`] makes one, answered 200.
#[derive(Clone, Debug)]
pub struct Sent {
    method: Method,
    target: String,
    fields: HeaderMap,
    body: Body,
    status: Option<StatusCode>,
    answer: HeaderMap,
    response: Option<Value>,
}

/// What a request has for a body.
#[derive(Clone, Debug)]
enum Body {
    Absent,
    Whole(Vec<u8>),
    Unread,
}

/// `PUT /fruit/1`, without fields and without a body, answered 200.
pub fn sent(line: &str) -> Sent {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    Sent {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        target: target.to_owned(),
        fields: HeaderMap::new(),
        body: Body::Absent,
        status: Some(StatusCode::OK),
        answer: HeaderMap::new(),
        response: None,
    }
}

impl Sent {
    /// With a field more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a field"));
        self
    }

    /// With a body of a media type.
    #[must_use]
    pub fn of_type(self, media_type: &str, body: impl AsRef<[u8]>) -> Self {
        Self { body: Body::Whole(body.as_ref().to_vec()), ..self.with("content-type", media_type) }
    }

    /// With a body and no word of what it is.
    #[must_use]
    pub fn untyped(self, body: impl AsRef<[u8]>) -> Self {
        Self { body: Body::Whole(body.as_ref().to_vec()), ..self }
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.of_type("application/json", body)
    }

    /// With a body that goes on as it comes.
    #[must_use]
    pub fn unread(self, media_type: &str) -> Self {
        Self { body: Body::Unread, ..self.with("content-type", media_type) }
    }

    /// Answered so; 0 for no answer.
    #[must_use]
    pub fn answered(self, status: u16) -> Self {
        Self { status: StatusCode::from_u16(status).ok(), ..self }
    }

    /// With a field more in the answer.
    #[must_use]
    pub fn answering(mut self, name: &'static str, value: &str) -> Self {
        self.answer.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a field"));
        self
    }

    /// With JSON in the answer.
    #[must_use]
    pub fn saying(self, response: Value) -> Self {
        Self { response: Some(response), ..self }
    }

    /// Everything that it makes old.
    pub fn invalidations(&self, routes: &Routes) -> Vec<Invalidation> {
        self.with_write(|write| routes.invalidations(write))
    }

    /// The tags of everything that it makes old.
    pub fn drops(&self, routes: &Routes) -> Vec<Tag> {
        self.invalidations(routes).into_iter().map(|drop| drop.tag).collect()
    }

    /// Whether it makes old what a read of this target stored.
    pub fn drops_read(&self, routes: &Routes, target: &str) -> bool {
        meet(&self.drops(routes), &stored_tags(routes, target))
    }

    /// The write as the rules see it.
    pub fn with_write<T>(&self, look: impl FnOnce(&Write<'_>) -> T) -> T {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let json = match &self.body {
            Body::Whole(bytes) if self.says_json() => read_json(bytes),
            _ => None,
        };
        let (content, body) = match (&json, &self.body) {
            (Some(json), _) => (Content::Json(json), Document::Json(json)),
            (None, Body::Absent) => (Content::Absent, Document::Absent),
            (None, Body::Whole(bytes)) => (Content::Whole(bytes), Document::NotUnderstood),
            (None, Body::Unread) => (Content::Unread, Document::NotUnderstood),
        };
        let location = self.answer.get(LOCATION).and_then(|value| path_of(value, &self.target));
        let named = named_on_origin(&self.answer, ("http", HOST, &self.target), &[]);
        let also: Vec<String> = named.iter().flat_map(|path| write_paths(path)).collect();
        let groups = cache_groups(&self.answer, &CACHE_GROUP_INVALIDATION);
        let groups: Vec<Tag> = groups.iter().map(|name| Tag::cache_group(HOST, name)).collect();
        look(&Write {
            method: &self.method,
            overriding: &overriding(&self.method, &self.fields, query, content),
            path,
            paths: &written_paths(&self.target, &self.fields),
            query,
            body,
            answer: WriteAnswer {
                status: self.status,
                location: location.as_deref(),
                also: &also,
                groups: &groups,
                response: self.response.as_ref(),
            },
        })
    }

    fn says_json(&self) -> bool {
        let mut types = self.fields.get_all(CONTENT_TYPE).iter();
        let only = types.next().filter(|_| types.next().is_none());
        only.is_some_and(is_plain_json) && !self.fields.contains_key(CONTENT_ENCODING)
    }
}

/// The host that every write is sent to.
pub const HOST: &str = "api.example";

/// The tags under which a fetched answer to a read of this target is kept, by a plain client; none where it goes past the
/// cache. Those that an answer would tell are not among them.
pub fn stored_tags(routes: &Routes, target: &str) -> Vec<Tag> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let Ok(asked) = target.parse() else { return Vec::new() };
    let read = Read { target: &asked, fields: &HeaderMap::new(), host: None, secure: false };
    let (place, fetched) = match routes.find(path) {
        Some((route, captures)) => {
            (place(route, &read, &captures), route.fetched_tags(path, query.unwrap_or_default()))
        }
        None => (routes.unrouted_place(&read), Vec::new()),
    };
    place.map(|place| place.tags.iter().cloned().chain(fetched).collect()).unwrap_or_default()
}

/// Whether an entry with some tags is old once others were dropped.
pub fn meet(dropped: &[Tag], stored: &[Tag]) -> bool {
    !stored.is_empty() && dropped.iter().any(|tag| *tag == Tag::everything() || stored.contains(tag))
}
