//! `POST /purge` and `GET /entries`: what the store drops by name, and what it holds.

use std::fmt;

use http::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::answer::Refusal;
use super::query;
use crate::proxy::PurgeUnderWay;
use crate::rules::{Purge, Ruleset, UNROUTED};
use crate::store::{Listing, Store, Strength};
use crate::telemetry::{self, PurgeAsker, Recorder};

/// The members of a JSON object in their order: one that is there twice is, too.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Each)
    }
}

/// What a body asks to be purged: one of `key`, `url`, `tag`, `route`, `prefix` and `all`, and whether `soft`.
fn read(body: &[u8]) -> Result<(Purge, Strength), Refusal> {
    let Members(members) = serde_json::from_slice(body)
        .map_err(|error| Refusal::of_field("body", format!("The body is no JSON object: {error}.")))?;
    let (mut purge, mut soft_is) = (None, None);
    for (name, value) in members {
        let named = match (&*name, value) {
            ("soft", Value::Bool(soft)) => {
                if soft_is.replace(soft).is_some() {
                    return Err(Refusal::of_field(&name, "`soft` is there twice."));
                }
                continue;
            }
            ("all", Value::Bool(true)) => Purge::All,
            ("key", Value::String(text)) => Purge::Key(text),
            ("url", Value::String(text)) => Purge::Url(text),
            ("tag", Value::String(text)) => Purge::Tag(text),
            ("route", Value::String(text)) => Purge::Route(text),
            ("prefix", Value::String(text)) => Purge::Prefix(text),
            ("all" | "soft", _) => return Err(Refusal::of_field(&name, format!("`{name}` is true, or not there."))),
            ("key" | "url" | "tag" | "route" | "prefix", _) => {
                return Err(Refusal::of_field(&name, format!("`{name}` is a string.")));
            }
            _ => {
                let told = "There is no such member; there are key, url, tag, route, prefix, all and soft.";
                return Err(Refusal::of_field(&name, told));
            }
        };
        if purge.replace(named).is_some() {
            return Err(Refusal::of_field(&name, "One thing is purged at a time; send a request for each."));
        }
    }
    let missing = || Refusal::of_field("body", "Nothing is named; write key, url, tag, route, prefix or all.");
    let strength = if soft_is == Some(true) { Strength::Soft } else { Strength::Hard };
    Ok((purge.ok_or_else(missing)?, strength))
}

/// Purges what a body names, on every node that shares the store. 503 where that is pending.
pub(super) async fn purge(body: &[u8], rules: &Ruleset, store: &Store, recorder: &Recorder) -> Result<Value, Refusal> {
    let (purge, strength) = read(body)?;
    let under_way = PurgeUnderWay::begin(recorder, &purge, strength, PurgeAsker::Admin);
    let purging = match rules.routes.purging(purge, store.prefix()) {
        Ok(purging) => purging,
        Err(no) => {
            under_way.is_refused(StatusCode::BAD_REQUEST);
            return Err(Refusal::of_field(no.field, no.why));
        }
    };
    let purged = store.purge(&purging, strength).await;
    under_way.ends(&purged);
    let purged = purged.map_err(|_| {
        tracing::warn!("a purge of {}, by the admin listener, is pending: the store did not confirm it", purging.purge);
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The store did not confirm it. It is pending: this process gives out nothing of the store before it is done, and \
             other nodes reuse nothing of it.",
        )
    })?;
    tracing::info!("purged {purged}, by the admin listener");
    Ok(purged.to_json())
}

/// Some of what is stored, as a query asks for it. What no route speaks of is called as in every figure.
pub(super) async fn entries(query: &str, rules: &Ruleset, store: &Store) -> Result<Listing, Refusal> {
    let (route, limit) = query::entries(query)?;
    if let Some(name) = &route {
        let known = rules.routes.purging(Purge::Route(name.clone()), store.prefix());
        known.map_err(|no| Refusal::of_field(no.field, no.why))?;
    }
    let route = route.map(|name| if name == telemetry::UNROUTED { UNROUTED.to_owned() } else { name });
    let mut listing = store.entries(route.as_deref(), limit).await.map_err(|fault| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("The store cannot be looked into: {fault}."))
    })?;
    for entry in listing.entries.iter_mut().filter(|entry| entry.route == UNROUTED) {
        telemetry::UNROUTED.clone_into(&mut entry.route);
    }
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_named_and_how_hard() {
        let named = |text: &str| read(text.as_bytes()).unwrap();
        assert_eq!(named("{\"key\": \"fruit:1\"}"), (Purge::Key("fruit:1".to_owned()), Strength::Hard));
        assert_eq!(named("{\"all\": true, \"soft\": true}"), (Purge::All, Strength::Soft));
        for (text, field) in [
            ("", "body"),
            ("[]", "body"),
            ("{}", "body"),
            ("{\"soft\": true}", "body"),
            ("{\"all\": false}", "all"),
            ("{\"key\": 5}", "key"),
            ("{\"kee\": \"a\"}", "kee"),
            ("{\"soft\": 1, \"all\": true}", "soft"),
            ("{\"key\": \"a\", \"tag\": \"b\"}", "tag"),
            ("{\"key\": \"a\", \"key\": \"b\"}", "key"),
            ("{\"all\": true, \"all\": true}", "all"),
            ("{\"soft\": false, \"soft\": true, \"all\": true}", "soft"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().told.field.as_deref(), Some(field), "{text}");
        }
    }
}
