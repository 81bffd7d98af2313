//! A freshness lifetime: how long, and where it comes from.

use std::time::Duration;

/// How long a response may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// The freshness lifetime, counted in age; zero when it has to be validated at every use.
    pub fresh_for: Duration,
    /// Where it comes from.
    pub source: LifetimeSource,
    /// How long after that it may be served while it is being renewed. Source: RFC 5861 section 3
    pub stale_while_revalidate: Duration,
    /// How long after that it may be served when the origin fails. Source: RFC 5861 section 4
    pub stale_if_error: Duration,
}

/// Where a freshness lifetime comes from, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LifetimeSource {
    /// The route, against the origin's word.
    Override,
    /// The origin: to be validated at every use. Source: RFC 9111 section 5.2.2.4
    NoCache,
    /// The origin, for shared caches. Source: RFC 9111 section 5.2.2.10
    SMaxAge,
    /// The origin. Source: RFC 9111 section 5.2.2.1
    MaxAge,
    /// The origin. Source: RFC 9111 section 5.3
    Expires,
    /// The route's `ttl`.
    RouteTtl,
    /// The route, for this very status.
    Status,
    /// A guess from Last-Modified. Source: RFC 9111 section 4.2.2
    Heuristic,
}

impl LifetimeSource {
    const ALL: [Self; 8] = [
        Self::Override,
        Self::NoCache,
        Self::SMaxAge,
        Self::MaxAge,
        Self::Expires,
        Self::RouteTtl,
        Self::Status,
        Self::Heuristic,
    ];

    /// The source in kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::NoCache => "no-cache",
            Self::SMaxAge => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::RouteTtl => "route-ttl",
            Self::Status => "status",
            Self::Heuristic => "heuristic",
        }
    }

    /// Reads what [`LifetimeSource::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// True when the origin itself named a time.
    ///
    /// Source: RFC 9111 section 4.2.1
    pub const fn is_explicit(self) -> bool {
        matches!(self, Self::SMaxAge | Self::MaxAge | Self::Expires)
    }

    /// True when the route gave the time.
    pub const fn is_of_route(self) -> bool {
        matches!(self, Self::Override | Self::RouteTtl | Self::Status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_was_written() {
        for source in LifetimeSource::ALL {
            assert_eq!(LifetimeSource::parse(source.as_str()), Some(source));
        }
        assert_eq!(LifetimeSource::parse("magic"), None);
    }
}
