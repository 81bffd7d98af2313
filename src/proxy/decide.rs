//! Reuse? What becomes of a read, by what the store had for it: the one decision that serving and `aside explain --live`
//! share (RFC 9111 section 4).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::asked::{Asked, Missed, Seen, stored, withheld_detail};
use super::error::Refusal;
use super::ingress::Admitted;
use super::route::Unkeyed;
use crate::clock::Millis;
use crate::fields::{CacheStatus, Detail, Forward};
use crate::policy::{
    Choices, Reuse, asks_for_part, credential_in, credential_that_counts, only_if_cached, reuse, wants_the_origin,
};
use crate::rules::{Ruleset, WriteTarget};
use crate::store::{Kind, StoredResponse};

/// What becomes of a read.
pub(super) enum Next {
    /// It is answered from the store.
    Serve(Serve),
    /// It would be answered with this; in shadow it goes to the origin, whose answer is compared with it.
    Shadowed(Arc<StoredResponse>),
    /// It goes to the origin, and the answer must not be stored.
    Pass(Forward, Option<Detail>),
    /// It asks for a part of what is not stored whole: from the parts that are stored, or from the origin.
    Part(Missed),
    /// It goes to the origin as the HEAD that it is: its answer may speak of the stored one.
    Head(Missed),
    /// It goes to the origin for all who ask.
    Fetch(Missed),
    /// The proxy answers by itself.
    Refuse(Refusal),
}

/// An entry that answers.
pub(super) struct Serve {
    pub(super) entry: Arc<StoredResponse>,
    pub(super) age: Duration,
    pub(super) status: CacheStatus,
    /// It is stale, within its stale-while-revalidate window, and is to be renewed with this.
    pub(super) refresh: Option<Missed>,
}

/// What becomes of a read that has a key. In `shadow` nothing that is stored answers, whatever becomes of the origin: no hit, no
/// part, and nothing stale that could be validated or stand in.
pub(super) fn decide(asked: &Asked, seen: &Seen, now: Millis, shadow: bool) -> Next {
    match reused(asked, seen, now) {
        Ok(Next::Serve(serve)) if shadow => Next::Shadowed(serve.entry),
        Ok(next) => next,
        Err(missed) if shadow => match onward(asked, Missed { stale: None, ..missed }) {
            Next::Part(missed) => Next::Pass(missed.forward, Some(Detail::Shadow)),
            next => next,
        },
        Err(missed) => onward(asked, missed),
    }
}

/// What becomes of a read that has none.
pub(super) fn decide_unkeyed(rules: &Ruleset, request: &Admitted, unkeyed: &Unkeyed) -> Next {
    if unkeyed.choices(rules).is_some_and(|choices| only_if_cached(&request.fields, choices)) {
        return Next::Refuse(Refusal::OnlyIfCached);
    }
    Next::Pass(Forward::Bypass, Some(unkeyed.detail))
}

/// What the stored entry is good for; the miss, where it is good for nothing by itself.
fn reused(asked: &Asked, seen: &Seen, now: Millis) -> Result<Next, Missed> {
    if let Some(why) = seen.withheld {
        let detail = Some(withheld_detail(why));
        return if may_be_written(asked) {
            Ok(Next::Pass(Forward::Miss, detail))
        } else {
            Err(seen.as_missed(Forward::Miss, detail, None))
        };
    }
    let Some(entry) = &seen.entry else { return Err(seen.missed()) };
    if entry.kind == Kind::Around {
        return Ok(Next::Pass(Forward::Bypass, Some(Detail::WriteAround)));
    }
    let stale = || Some(Arc::clone(entry));
    let serve = |age, ttl_left, detail, refresh| {
        let status = CacheStatus { hit: true, ttl: Some(ttl_left), detail, ..CacheStatus::default() };
        Ok(Next::Serve(Serve { entry: Arc::clone(entry), age, status, refresh }))
    };
    match judge(entry, seen.soft, asked, now) {
        Reuse::Fresh { age, ttl_left } => serve(age, ttl_left, None, None),
        Reuse::MaxStale { age, ttl_left } => serve(age, ttl_left, Some(Detail::MaxStale), None),
        Reuse::StaleWhileRevalidate { age, ttl_left } => {
            let refresh = seen.as_missed(Forward::Stale, None, stale());
            serve(age, ttl_left, Some(Detail::StaleWhileRevalidate), Some(refresh))
        }
        Reuse::Validate { .. } => {
            let detail = seen.soft.then_some(Detail::InvalidatedSoftly);
            Err(seen.as_missed(Forward::Stale, detail, stale()))
        }
        // The origin's answer is for this client alone: the entry is all there is of what was written to the cache only.
        Reuse::RequestDirective if holds_out(entry, seen.soft, asked, now) => {
            Ok(Next::Pass(Forward::Request, Some(Detail::RequestDirective)))
        }
        Reuse::RequestDirective => Err(seen.as_missed(Forward::Request, Some(Detail::RequestDirective), stale())),
        Reuse::Credentials => {
            let counts = credential_that_counts(&asked.request.fields, asked.choices());
            Err(seen.as_missed(Forward::Bypass, Some(counts.unwrap_or(Detail::Private)), None))
        }
    }
}

/// How a request goes on that the store has no answer for.
fn onward(asked: &Asked, missed: Missed) -> Next {
    let request = &asked.request;
    // On a route the whole is fetched, and the part taken out of it.
    if asked.resource.route.is_none() && request.method == Method::GET && asks_for_part(&request.fields) {
        return Next::Part(missed);
    }
    if only_if_cached(&request.fields, asked.choices()) {
        return Next::Refuse(Refusal::OnlyIfCached);
    }
    match missed.stale {
        _ if request.method != Method::HEAD => Next::Fetch(missed),
        Some(_) => Next::Head(missed),
        None => Next::Pass(missed.forward, missed.detail),
    }
}

/// Whether a write policy may have left something that no answer of the origin's takes the place of, or a marker that keeps its
/// answers from being stored. While the store gives nothing out nobody knows.
fn may_be_written(asked: &Asked) -> bool {
    let offers = [WriteTarget::Around, WriteTarget::Cache].iter().any(|target| asked.resource.offers(*target));
    offers && !only_if_cached(&asked.request.fields, asked.choices())
}

/// The policy's judgement of one entry, softly invalidated or not, for one request.
pub(super) fn judge(entry: &StoredResponse, soft: bool, asked: &Asked, now: Millis) -> Reuse {
    reuse(&stored(entry, soft), &asked.request.fields, asked.choices(), now)
}

/// Whether an entry stays, and this request goes past it: it was written to the cache only, and is fresh for whoever asks
/// for nothing in particular.
fn holds_out(entry: &StoredResponse, soft: bool, asked: &Asked, now: Millis) -> bool {
    entry.kind == Kind::CacheOnly
        && matches!(for_anybody(entry, soft, asked.choices(), now), Reuse::Fresh { .. })
        && !only_if_cached(&asked.request.fields, asked.choices())
}

/// Whether somebody who asks for nothing in particular would be given this entry now.
pub(super) fn is_shareable(entry: &StoredResponse, choices: &Choices, now: Millis) -> bool {
    matches!(for_anybody(entry, false, choices, now), Reuse::Fresh { .. } | Reuse::StaleWhileRevalidate { .. })
}

fn for_anybody(entry: &StoredResponse, soft: bool, choices: &Choices, now: Millis) -> Reuse {
    reuse(&stored(entry, soft), &HeaderMap::new(), choices, now)
}

/// Whether a request fetches by itself although others may be fetching: it has little to hope for from a stranger's
/// answer. So has one that takes nothing stored; and, where no route speaks, one with a credential, or one whose answers
/// are known to vary.
pub(super) fn goes_alone(asked: &Asked, missed: &Missed) -> bool {
    let fields = &asked.request.fields;
    let unrouted = asked.resource.route.is_none();
    wants_the_origin(fields, asked.choices())
        || (unrouted && (missed.forward == Forward::VaryMiss || credential_in(fields).is_some()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Version;

    use super::super::asked::Resource;
    use super::*;
    use crate::handler::Client;
    use crate::policy::{Lifetime, LifetimeSource, StoredFlags};
    use crate::rules::{KeyedHost, Read, Routes};
    use crate::store::{Token, Withheld};

    const CAME: Millis = 1_000_000_000_000;
    const TOKEN: Token = Token { epoch: 1, seq: 1 };

    /// A read of `/a` without a route, with this Cache-Control.
    fn asked(method: Method, cache_control: &'static str) -> Asked {
        let choices = Choices { honour_request_directives: true, ..Choices::default() };
        let rules = Ruleset::new(Routes::default(), Some(choices), false, None);
        let fields = crate::fields::literal::fields(&[("cache-control", cache_control)]);
        let target = "/a".parse().unwrap();
        let read = Read { target: &target, fields: &fields, host: Some(KeyedHost::Other("h")), secure: false };
        let at = rules.routes.unrouted_place(&read).unwrap_or_else(|_| panic!("it has a place"));
        let request = Admitted {
            method,
            target,
            fields,
            body: None,
            host: None,
            client: Client::default(),
            version: Version::HTTP_11,
            upgrade: None,
            interim: None,
            share: None,
            expects: false,
        };
        Asked { rules, request, resource: Resource { route: None, at, host: None, written: None } }
    }

    /// An entry that is fresh for a minute.
    fn entry() -> Arc<StoredResponse> {
        let lifetime = Lifetime {
            fresh_for: Duration::from_secs(60),
            source: LifetimeSource::MaxAge,
            stale_while_revalidate: Duration::from_secs(60),
            stale_if_error: Duration::from_secs(60),
        };
        let flags = StoredFlags { public_enough: false, must_revalidate: false, private: false };
        let (status, tags) = (http::StatusCode::OK, Vec::new());
        let (fields, body, age) = (HeaderMap::new(), Bytes::new(), Duration::ZERO);
        let kind = Kind::Response;
        Arc::new(StoredResponse::new(kind, status, fields, body, CAME, age, lifetime, flags, tags, TOKEN))
    }

    #[test]
    fn what_the_store_does_not_give_out_is_a_miss_for_all_and_nothing_of_it_stands_in() {
        for (why, detail) in [
            (Withheld::Lapsed, Detail::StoreLapsed),
            (Withheld::Peer, Detail::PeerSilent),
            (Withheld::Rules, Detail::RulesDiffer),
        ] {
            let seen = Seen { entry: Some(entry()), ..Seen::withheld(TOKEN, why) };
            let Next::Fetch(missed) = decide(&asked(Method::GET, ""), &seen, CAME, false) else {
                panic!("it is fetched")
            };
            assert_eq!((missed.forward, missed.detail, missed.stale.is_none()), (Forward::Miss, Some(detail), true));
            let head = decide(&asked(Method::HEAD, ""), &seen, CAME, false);
            assert!(matches!(head, Next::Pass(Forward::Miss, told) if told == Some(detail)));
            let only = decide(&asked(Method::GET, "only-if-cached"), &seen, CAME, false);
            assert!(matches!(only, Next::Refuse(Refusal::OnlyIfCached)));
        }
    }

    #[test]
    fn what_was_invalidated_softly_is_validated_however_new_and_whatever_the_client_accepts() {
        let seen = Seen { entry: Some(entry()), soft: true, ..Seen::nothing(TOKEN) };
        for (cache_control, age) in [("", 0), ("max-stale", 0), ("", 90_000), ("max-stale=1000", 200_000)] {
            let next = decide(&asked(Method::GET, cache_control), &seen, CAME + age, false);
            let Next::Fetch(missed) = next else { panic!("it is validated") };
            assert_eq!((missed.forward, missed.detail), (Forward::Stale, Some(Detail::InvalidatedSoftly)));
            assert!(missed.soft && missed.stale.is_some());
        }
        assert!(matches!(decide(&asked(Method::HEAD, ""), &seen, CAME, false), Next::Head(missed) if missed.soft));
        let only = decide(&asked(Method::GET, "only-if-cached"), &seen, CAME, false);
        assert!(matches!(only, Next::Refuse(Refusal::OnlyIfCached)));
        let hard = Seen { soft: false, ..seen };
        assert!(matches!(decide(&asked(Method::GET, ""), &hard, CAME, false), Next::Serve(_)));
    }

    #[test]
    fn in_shadow_nothing_that_is_stored_answers_or_stands_in() {
        let seen = |soft| Seen { entry: Some(entry()), soft, ..Seen::nothing(TOKEN) };
        let (fresh, stale, old) = (seen(false), seen(true), CAME + 90_000);
        for method in [Method::GET, Method::HEAD] {
            // Fresh, within its stale-while-revalidate window, and for a client who takes it stale.
            for (cache_control, now) in [("", CAME), ("", old), ("max-stale=1000", CAME + 200_000)] {
                let next = decide(&asked(method.clone(), cache_control), &fresh, now, true);
                assert!(matches!(next, Next::Shadowed(_)), "{method} {cache_control} {now}");
            }
        }
        for (cache_control, seen) in [("", &stale), ("no-cache", &fresh)] {
            let next = decide(&asked(Method::GET, cache_control), seen, CAME, true);
            assert!(matches!(next, Next::Fetch(Missed { stale: None, .. })), "{cache_control}");
            let head = decide(&asked(Method::HEAD, cache_control), seen, CAME, true);
            assert!(matches!(head, Next::Pass(..)), "{cache_control}");
        }
        let mut part = asked(Method::GET, "");
        part.request.fields.insert(http::header::RANGE, http::HeaderValue::from_static("bytes=0-1"));
        let nothing = Seen::nothing(TOKEN);
        assert!(matches!(decide(&part, &nothing, CAME, false), Next::Part(_)));
        let next = decide(&part, &nothing, CAME, true);
        assert!(matches!(next, Next::Pass(Forward::UriMiss, Some(Detail::Shadow))));
    }
}
