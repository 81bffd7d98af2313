//! `[limits]`: how much the proxy takes on.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::duration::{RawDuration, not_zero};
use super::findings::Findings;
use super::size::{LEAST_HEADER, RawCount, RawSize, at_least, between, bytes, show, size_from};
use super::table::{Hint, Table};
use crate::proxy::ProxySettings;
use crate::server::ServerSettings;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [limits] and its keys below it, as in connections = 10000"
)]
pub(super) struct RawLimits {
    cores: Option<Spanned<RawCount>>,
    connections: Option<Spanned<RawCount>>,
    header: Option<Spanned<RawSize>>,
    fields: Option<Spanned<RawCount>>,
    target: Option<Spanned<RawSize>>,
    header_timeout: Option<Spanned<RawDuration>>,
    idle_timeout: Option<Spanned<RawDuration>>,
    write_stall: Option<Spanned<RawDuration>>,
    shutdown_timeout: Option<Spanned<RawDuration>>,
    request_body: Option<Spanned<RawSize>>,
    buffer_body: Option<Spanned<RawSize>>,
    variants: Option<Spanned<RawCount>>,
    body_rate: Option<Spanned<RawSize>>,
    waiters: Option<Spanned<RawCount>>,
    answers: Option<Spanned<RawSize>>,
    connection_answers: Option<Spanned<RawSize>>,
}

impl Table for RawLimits {
    const TITLE: &'static str = "[limits]";
    const HINTS: &'static [Hint] = &[
        Hint::here(&["keepalive", "keep_alive", "keepalive_timeout"], "write `idle_timeout`"),
        Hint::here(&["write_timeout", "send_timeout"], "write `write_stall`"),
        Hint::anywhere(&["workers", "threads", "worker_processes"], "write cores = 2 in [limits]"),
        Hint::anywhere(
            &["max_connections", "worker_connections"],
            "write `connections` in [limits], or `max_connections` in [origin]",
        ),
    ];
}

/// How many bytes of answers may be on their way: as much as the store holds without a line about it. A slow client keeps
/// an answer of up to `max_body`, so that this is enough for dozens of those at once.
const ANSWERS: u64 = 64 << 20;
/// Those of one connection of HTTP/2: a few of the largest that are stored without a line about it, of sixteen clients.
const CONNECTION_ANSWERS: u64 = 4 << 20;
/// Less is no room for a single answer.
const LEAST_ANSWERS: u64 = 64 << 10;

/// What a client on the slowest of lines sends in a second.
const BODY_RATE: u64 = 240;

/// With the three seconds that the server adds for writes it stays below the ten after which Docker kills a container.
const SHUTDOWN: Duration = Duration::from_secs(6);

/// The settings of the rooms that take it on, with what other tables say still left out.
pub(super) fn resolve(raw: RawLimits, findings: &mut Findings<'_>) -> (ServerSettings, ProxySettings) {
    let header = size_from(LEAST_HEADER, 1 << 20, raw.header, 16 << 10, findings);
    let target_place = raw.target.as_ref().map(Spanned::span);
    let target = size_from(64, 1 << 20, raw.target, 8 << 10, findings);
    if let Some(place) = target_place.filter(|_| target > header) {
        let message = format!("a `target` of {} does not fit in a `header` of {}", show(target), show(header));
        findings.lacks(place, &["header", "target"], message, "write a smaller `target` or a larger `header`");
    }
    let fields = at_least(1, raw.fields, 100, findings);
    let connection_answers = size_from(LEAST_ANSWERS, u64::MAX, raw.connection_answers, CONNECTION_ANSWERS, findings);
    let server = ServerSettings {
        cores: at_least(1, raw.cores, cores(), findings),
        max_connections: at_least(1, raw.connections, 10_000, findings),
        header_timeout: not_zero(raw.header_timeout, Duration::from_secs(10), findings),
        idle_timeout: not_zero(raw.idle_timeout, Duration::from_secs(60), findings),
        write_stall: not_zero(raw.write_stall, Duration::from_secs(30), findings),
        max_connection_answers: bytes(connection_answers),
        max_header: bytes(header),
        max_fields: fields,
        shutdown_timeout: raw.shutdown_timeout.map_or(SHUTDOWN, |raw| raw.get_ref().0),
        ..ServerSettings::default()
    };
    let proxy = ProxySettings {
        max_fields: fields,
        max_target: bytes(target),
        max_request_body: raw.request_body.map(|size| size.get_ref().0),
        buffer_body: raw.buffer_body.map_or(64 << 10, |size| size.get_ref().0),
        max_variants: between(1, MOST_VARIANTS, raw.variants, 32, findings),
        body_rate: NonZeroU64::new(raw.body_rate.map_or(BODY_RATE, |size| size.get_ref().0)),
        max_waiters: raw.waiters.map_or(1024, |count| count.get_ref().0),
        max_answers: bytes(size_from(LEAST_ANSWERS, u64::MAX, raw.answers, ANSWERS, findings)),
        ..ProxySettings::default()
    };
    (server, proxy)
}

/// So many that the list of them stays a small entry.
const MOST_VARIANTS: usize = 1024;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(raw: RawLimits) -> (ServerSettings, ProxySettings, usize) {
        let mut findings = Findings::new("");
        let (server, proxy) = resolve(raw, &mut findings);
        (server, proxy, findings.into_vec().len())
    }

    #[test]
    fn every_limit_has_a_default() {
        let (server, proxy, errors) = resolved(RawLimits::default());
        assert_eq!(errors, 0);
        assert_eq!((server.max_connections, server.max_header, server.max_fields), (10_000, 16_384, 100));
        assert!(server.cores >= 1);
        assert_eq!((proxy.max_fields, proxy.max_target, proxy.max_request_body), (100, 8192, None));
        assert_eq!((proxy.buffer_body, proxy.max_variants, proxy.body_rate), (65_536, 32, NonZeroU64::new(240)));
        assert_eq!((proxy.max_waiters, proxy.max_answers), (1024, 64 << 20));
    }

    #[test]
    fn a_body_rate_of_nothing_is_none() {
        let body_rate = Some(Spanned::new(0..0, RawSize(0)));
        assert_eq!(resolved(RawLimits { body_rate, ..RawLimits::default() }).1.body_rate, None);
    }

    #[test]
    fn bounds_are_held() {
        let size = |bytes| Some(Spanned::new(0..0, RawSize(bytes)));
        let count = |number| Some(Spanned::new(0..0, RawCount(number)));
        for table in [
            RawLimits { header: size(100), ..RawLimits::default() },
            RawLimits { header: size(1 << 30), ..RawLimits::default() },
            RawLimits { target: size(32 << 10), ..RawLimits::default() },
            RawLimits { cores: count(0), ..RawLimits::default() },
            RawLimits { connections: count(0), ..RawLimits::default() },
            RawLimits { answers: size(1 << 10), ..RawLimits::default() },
            RawLimits { connection_answers: size(1 << 10), ..RawLimits::default() },
            RawLimits { variants: count(0), ..RawLimits::default() },
            RawLimits { variants: count(2000), ..RawLimits::default() },
            RawLimits { header_timeout: Some(Spanned::new(0..0, RawDuration(Duration::ZERO))), ..RawLimits::default() },
        ] {
            assert_eq!(resolved(table.clone()).2, 1, "{table:?}");
        }
    }
}
