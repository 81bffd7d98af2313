//! Connections that were ended before there was a request to answer: what no outcome tells of.

use std::sync::atomic::{AtomicU64, Ordering};

use super::episode::{Ended, Episode};
use crate::clock::Millis;

macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident, $token:literal, $status:expr, $sentence:literal;)*) => {
        /// Why a connection was ended before there was a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refused {
            $($(#[$doc])* $name,)*
        }

        impl Refused {
            /// Every one, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word, as labels have it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $token),* }
            }

            /// The status that the client is told; `None` where it is told none.
            pub const fn status(self) -> Option<u16> {
                match self { $(Self::$name => $status),* }
            }

            /// What was wrong.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $sentence),* }
            }
        }
    };
}

refused! {
    /// The head of a request cannot be read.
    Malformed, "malformed", Some(400), "the head of a request is malformed";
    /// The head, or its target, is too large.
    HeadTooLarge, "head-too-large", Some(431), "the head of a request is too large ([limits] header, fields)";
    /// A piece of a head came, and the rest did not in time.
    HeadTooSlow, "head-too-slow", Some(408), "the head of a request did not come in time ([limits] header_timeout)";
    /// HTTP/2 was broken.
    Http2, "http2", None, "the client broke the protocol of HTTP/2";
    /// Plain HTTP came where TLS is spoken.
    PlainHttp, "plain-http", Some(400), "the client speaks plain HTTP where TLS is spoken";
    /// No TLS came about.
    Tls, "tls", None, "the TLS handshake failed";
    /// The load balancer's header cannot be read.
    ProxyHeader, "proxy-header", None, "the PROXY protocol's header is missing or malformed";
}

/// How many there were, of all cores: one counter for all of them costs nothing beside a connection. And what is told of them,
/// which does not grow with how many there are.
#[derive(Debug, Default)]
pub struct RefusedConnections {
    counts: [AtomicU64; Refused::ALL.len()],
    episode: Episode,
}

/// What is to be told of a connection that was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedNews {
    /// Those before it, where there were several and then none for a while.
    pub before: Option<Ended>,
    /// Whether this one is the first of its kind since.
    pub is_first: bool,
}

impl RefusedConnections {
    /// One more, at this tick. Comes back with what is to be told.
    pub fn count(&self, why: Refused, ticks: Millis) -> RefusedNews {
        if let Some(count) = self.counts.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let before = self.episode.is_over(ticks).filter(|ended| ended.times > 1);
        RefusedNews { before, is_first: self.episode.met_as(why as u8, ticks) }
    }

    /// How many of each kind.
    pub(super) fn read(&self) -> Vec<(&'static str, u64)> {
        Refused::ALL
            .iter()
            .zip(&self.counts)
            .map(|(why, count)| (why.as_str(), count.load(Ordering::Relaxed)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_for_each_kind_and_counted_whole() {
        let refused = RefusedConnections::default();
        let told = |why, ticks| refused.count(why, ticks).is_first;
        let lines = (0..1_000).filter(|tick| told(Refused::Malformed, *tick)).count();
        assert_eq!((lines, told(Refused::Tls, 1_000), told(Refused::Tls, 1_001)), (1, true, false));
        let news = refused.count(Refused::Malformed, 20_000);
        assert!(news.is_first && news.before.is_some_and(|ended| ended.times == 1_002), "{news:?}");
        assert_eq!(refused.count(Refused::Malformed, 40_000).before, None, "one alone was told by its line");
        let counted: u64 = refused.read().iter().map(|(_, count)| count).sum();
        assert_eq!(counted, 1_004);
    }
}
