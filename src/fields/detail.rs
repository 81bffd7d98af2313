//! Every named reason for what the cache did: one vocabulary for Cache-Status, logs, metrics and `explain`.

/// One row a reason: its name, its token, its sentence.
macro_rules! details {
    ($($name:ident, $text:literal, $sentence:literal;)*) => {
        /// Why an answer was, or was not, taken from the cache or stored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Detail {
            $(#[doc = $sentence] $name,)*
        }

        impl Detail {
            /// Every reason there is, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason in kebab-case, a token as Cache-Status wants it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The reason as a sentence for people.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

details! {
    Method, "method", "Only answers to GET are stored.";
    Authorization, "authorization", "The request carries Authorization, so its answer may be for one user only.";
    Cookie, "cookie", "The request carries Cookie, so its answer may be for one user only.";
    Credential, "credential", "The request carries a credential, so its answer may be for one user only.";
    RequestBody, "request-body", "The request has a body, which no key accounts for.";
    RequestDirective, "request-directive", "The client's Cache-Control asked for it.";
    Precondition, "precondition", "Only the origin knows whether it still has what If-Match or If-Unmodified-Since names.";
    Expectation, "expectation", "Only the origin knows whether it can do what Expect asks for.";
    Upgrade, "upgrade", "The connection becomes a tunnel for another protocol.";
    PathAmbiguous, "path-ambiguous", "The path can be read in more than one way.";
    QueryAmbiguous, "query-ambiguous", "The query can be read in more than one way.";
    HostUnknown, "host-unknown", "Answers for this Host are not stored: it is not one of the names that this proxy is known by.";
    Shadow, "shadow", "Nothing is served from the cache: what is stored is only compared with the origin's answer.";
    RouteOff, "route-off", "Caching is turned off for this path.";
    StoreDown, "store-down", "The store cannot be reached, or refuses what it is asked.";
    StoreTimeout, "store-timeout", "The store did not answer in time.";
    StoreFull, "store-full", "The store has no room.";
    StoreLapsed, "store-lapsed", "The store has not confirmed in time that this node is told of all writes, so nothing stored is reused.";
    PeerSilent, "peer-silent", "Another node is silent, and what its writes have changed is not known, so nothing stored is reused.";
    RulesDiffer, "rules-differ", "Other nodes have other rules, and do not all know of this one yet, so nothing stored is reused.";
    Invalidated, "invalidated", "A write or a purge has invalidated the stored answer.";
    InvalidatedSoftly, "invalidated-softly", "The stored answer was invalidated softly: it is stale, however new.";
    RacedWrite, "raced-write", "A write or a purge came between fetching the answer and storing it.";
    Held, "held", "A write has changed this, or may still change it, so nothing of it is stored for a while.";
    NewerFill, "newer-fill", "A newer answer is stored already.";
    Gone, "gone", "The stored answer that this one was to renew is gone.";
    WriteAround, "write-around", "The entry was written around the cache and waits for a write through it.";
    WriteThrough, "write-through", "The write went to the origin, and the entry is filled again.";
    ValueUnknown, "value-unknown", "The write lacks a value that the key or the entry needs, so nothing is stored.";
    WriteCache, "write-cache", "The write went to the cache only, and the origin has not seen it.";
    NoStore, "no-store", "The origin said no-store.";
    Private, "private", "The origin said private.";
    NoFreshness, "no-freshness", "Neither the origin nor a route makes the answer fresh for any time.";
    StatusNotCacheable, "status-not-cacheable", "Answers with this status are not stored.";
    SetCookie, "set-cookie", "The answer sets a cookie.";
    VaryAny, "vary-any", "The answer varies on everything or by too many fields, or Vary cannot be read.";
    VaryWithheld, "vary-withheld", "The answer varies by a field that the request has and the route kept from the origin.";
    TooLarge, "too-large", "The body is larger than the largest that is stored.";
    TooSlow, "too-slow", "The body came too slowly to be stored.";
    Excluded, "excluded", "The route says that such an answer is not stored.";
    TooManyTags, "too-many-tags", "The answer names more tags than an entry may have.";
    TagUnknown, "tag-unknown", "The answer lacks the value of a tag, so no write could invalidate it.";
    CloseDelimited, "close-delimited", "The body ends with the connection, so it may have been cut short.";
    PartialContent, "partial-content", "The answer is a part of a representation.";
    PartRequested, "part-requested", "The request asks for a part in a way that may have shaped the answer.";
    Encoding, "encoding", "The answer has a content coding, and the key does not say who accepts it.";
    Ambiguous, "ambiguous", "The answer contradicts itself: in a field that says one thing, or with a body where its status has none.";
    HopByHop, "hop-by-hop", "The origin's Connection names a field that is meant for clients, so what it says goes no further.";
    ContentLocation, "content-location", "The answer to a POST does not say with Content-Location that a GET would get the same.";
    Streaming, "streaming", "The answer is a stream without an end.";
    AnswersFull, "answers-full", "Too many bytes of answers are on their way to clients.";
    AnswersUnread, "answers-unread", "Too many bytes of other answers on the client's connection have not been read yet.";
    OriginDown, "origin-down", "The origin cannot be reached, or broke off.";
    OriginBusy, "origin-busy", "Too many requests are under way to the origin, and none of them ended in time.";
    LargeHead, "large-head", "The head of the origin's answer is larger than allowed.";
    OriginTimeout, "origin-timeout", "The origin did not answer in time.";
    StaleWhileRevalidate, "stale-while-revalidate", "The stored answer is stale and is renewed in the background.";
    StaleIfError, "stale-if-error", "The stored answer is stale, and the origin failed to renew it.";
    MaxStale, "max-stale", "The stored answer is stale, and the client accepts that.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_its_own_kebab_case_token() {
        let tokens: HashSet<_> = Detail::ALL.iter().map(|detail| detail.as_str()).collect();
        assert_eq!(tokens.len(), Detail::ALL.len());
        for token in tokens {
            assert!(token.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{token}");
        }
    }

    #[test]
    fn the_token_is_the_name() {
        for detail in Detail::ALL {
            assert_eq!(format!("{detail:?}").to_lowercase(), detail.as_str().replace('-', ""));
        }
    }

    #[test]
    fn every_reason_is_a_sentence() {
        for detail in Detail::ALL {
            assert!(detail.describe().ends_with('.') && detail.describe().starts_with(char::is_uppercase));
        }
    }
}
