//! A write's words, as far as the rules look at them: its own, and those of its answer.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use super::ingress::Admitted;
use crate::fields::{CACHE_GROUP_INVALIDATION, cache_groups};
use crate::rules::{Tag, Write};

/// A write's own words, as far as the rules look at them.
pub(super) struct Words {
    pub(super) paths: Vec<String>,
    pub(super) json: Option<Value>,
    pub(super) raw: Bytes,
    /// Paths of this origin that the answer's Location and Content-Location name.
    pub(super) also: Vec<String>,
    /// The groups that the answer makes old.
    pub(super) groups: Vec<Tag>,
}

impl Words {
    /// The write as the rules see it.
    pub(super) fn write<'a>(&'a self, request: &'a Admitted, response: Option<&'a Value>) -> Write<'a> {
        Write {
            method: &request.method,
            paths: &self.paths,
            also: &self.also,
            groups: &self.groups,
            query: request.query(),
            body: self.json.as_ref(),
            response,
        }
    }
}

/// The groups that the answer to a write makes old: of the host that was written to, and those of all hosts.
///
/// Source: RFC 9875 section 3
pub(super) fn groups_made_old(request: &Admitted, answer: &HeaderMap) -> Vec<Tag> {
    let names = cache_groups(answer, &CACHE_GROUP_INVALIDATION);
    let of = |host| names.iter().map(move |name| Tag::cache_group(host, name));
    of(request.host_text()).chain(of("")).collect()
}
