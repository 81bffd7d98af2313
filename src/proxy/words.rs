//! A write's words, as far as the rules look at them: its own, and those of its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LOCATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use url::Url;

use super::ingress::Admitted;
use crate::body::Body;
use crate::fields::{CACHE_GROUP_INVALIDATION, cache_groups, is_plain_json};
use crate::origin::OriginSettings;
use crate::policy::named_on_origin;
use crate::rules::{
    Content, Document, Hosts, Invalidation, Overriding, Ruleset, Tag, Write, WriteAnswer, overriding, read_json,
    write_paths, written_paths,
};

/// A write's own words, as far as the rules look at them.
pub(super) struct Words {
    /// The rules that hold for it to its end.
    pub(super) rules: Arc<Ruleset>,
    paths: Vec<String>,
    overriding: Overriding,
    body: ReadBody,
    /// The body, where it is JSON.
    pub(super) raw: Bytes,
    answer: AnswerWords,
}

/// What is there of the request's body.
enum ReadBody {
    Absent,
    NotUnderstood,
    Json(Value),
}

/// What an answer names on the origin that it comes from.
#[derive(Default)]
pub(super) struct Named {
    /// The raw path of its Location, where it has one; another host's is none.
    pub(super) location: Option<String>,
    /// The decoded paths of Location and Content-Location.
    pub(super) paths: Vec<String>,
}

/// What the answer says that the rules look at.
#[derive(Default)]
pub(super) struct AnswerWords {
    status: Option<StatusCode>,
    location: Option<String>,
    also: Vec<String>,
    groups: Vec<Tag>,
    response: Option<Value>,
}

impl Words {
    /// Reads what the rules want to know of a write, and the evidence where it `notes` writes. Where its answer may be stored too,
    /// it has to be that of the method in its request line.
    pub(super) fn of(request: &Admitted, body: &Body, rules: Arc<Ruleset>, notes: bool) -> Self {
        let (told_apart, alone) = (rules.routes.tells_writes_apart(), stores_post(&rules));
        let mut words = Self {
            rules,
            paths: written_paths(request.target.as_str(), &request.fields),
            overriding: Overriding::default(),
            body: if matches!(body, Body::Empty) { ReadBody::Absent } else { ReadBody::NotUnderstood },
            raw: Bytes::new(),
            answer: AnswerWords::default(),
        };
        if let Body::Full(bytes) = body
            && (told_apart || alone || notes)
            && says_json(&request.fields)
            && let Some(json) = read_json(bytes)
        {
            words.body = ReadBody::Json(json);
            words.raw = bytes.clone();
        }
        if told_apart || alone {
            let content = match (&words.body, body) {
                (ReadBody::Json(json), _) => Content::Json(json),
                (_, Body::Empty) => Content::Absent,
                (_, Body::Full(bytes)) => Content::Whole(bytes),
                (_, Body::Stream(_) | Body::Metered(_)) => Content::Unread,
            };
            words.overriding = overriding(&request.method, &request.fields, request.query(), content);
        }
        words
    }

    /// Takes down what the answer says of what it changed, and what it names on this origin.
    pub(super) fn hear(&mut self, request: &Admitted, status: StatusCode, fields: &HeaderMap, named: Named) {
        let Named { location, paths: also } = named;
        self.answer = AnswerWords {
            status: Some(status),
            location,
            also,
            groups: invalidated_groups(request, fields),
            response: None,
        };
    }

    /// Takes down the answer's JSON.
    pub(super) fn hear_body(&mut self, response: Option<Value>) {
        self.answer.response = response;
    }

    /// Whether the write may be meant as another method than its own, and nobody here can tell which.
    pub(super) fn may_be_another(&self) -> bool {
        self.overriding.unknown
    }

    /// Whether the request's body is JSON that was understood.
    pub(super) fn has_json(&self) -> bool {
        matches!(self.body, ReadBody::Json(_))
    }

    /// What the rules say that the write invalidates, by what is known of it so far.
    pub(super) fn invalidations(&self, request: &Admitted) -> Vec<Invalidation> {
        self.rules.routes.invalidations(&self.write(request))
    }

    /// The write as the rules see it.
    pub(super) fn write<'a>(&'a self, request: &'a Admitted) -> Write<'a> {
        let AnswerWords { status, location, also, groups, response } = &self.answer;
        Write {
            method: &request.method,
            overriding: &self.overriding,
            path: request.target.path(),
            paths: &self.paths,
            query: request.query(),
            body: match &self.body {
                ReadBody::Absent => Document::Absent,
                ReadBody::NotUnderstood => Document::NotUnderstood,
                ReadBody::Json(json) => Document::Json(json),
            },
            answer: WriteAnswer {
                status: *status,
                location: location.as_deref(),
                also,
                groups,
                response: response.as_ref(),
            },
        }
    }
}

/// What the answer to a write names on this origin.
pub(super) fn named_by(rules: &Ruleset, origin: &OriginSettings, request: &Admitted, answer: &HeaderMap) -> Named {
    if !answer.contains_key(LOCATION) && !answer.contains_key(CONTENT_LOCATION) {
        return Named::default();
    }
    let scheme = if request.client.secure { "https" } else { "http" };
    let known = rules.hosts.iter().flat_map(Hosts::iter).map(|host| format!("{scheme}://{host}"));
    let urls = origin.urls().into_iter().chain(known);
    let own: Vec<Url> = urls.filter_map(|url| Url::parse(&url).ok()).collect();
    let named =
        |fields: &HeaderMap| named_on_origin(fields, (scheme, request.host_text(), request.target.as_str()), &own);
    let locations = answer.get_all(LOCATION).iter().map(|value| (LOCATION, value.clone()));
    let mut locations = named(&locations.collect()).into_iter();
    Named {
        location: locations.next().filter(|_| locations.next().is_none()),
        paths: named(answer).iter().flat_map(|path| write_paths(path)).collect(),
    }
}

/// Whether answers to POST are stored, where no route speaks.
pub(super) fn stores_post(rules: &Ruleset) -> bool {
    rules.unrouted.as_ref().is_some_and(|choices| choices.store_post)
}

/// Whether a message says that its body is JSON as it stands.
pub(super) fn says_json(fields: &HeaderMap) -> bool {
    let mut types = fields.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    is_plain_json(only) && !fields.contains_key(CONTENT_ENCODING)
}

/// The groups that the answer to a write invalidates: of the host that was written to, and those of all hosts.
///
/// Source: RFC 9875 section 3
fn invalidated_groups(request: &Admitted, answer: &HeaderMap) -> Vec<Tag> {
    let names = cache_groups(answer, &CACHE_GROUP_INVALIDATION);
    let of = |host| names.iter().map(move |name| Tag::cache_group(host, name));
    of(request.host_text()).chain(of("")).collect()
}
