//! `[limits]`: how much the proxy takes on, and the bounds that numbers of any table have.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use toml::Spanned;

use super::duration::WrittenDuration;
use super::file::LimitsTable;
use super::findings::Findings;
use super::size::{WrittenCount, WrittenSize, show};
use crate::server::{Http2, ServerSettings};

/// The HTTP library reads heads into a buffer of at least this many bytes.
pub(super) const LEAST_HEADER: u64 = 8 << 10;

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

/// The limits that concern requests rather than connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestLimits {
    pub(super) fields: usize,
    pub(super) target: usize,
    pub(super) request_body: Option<u64>,
    pub(super) buffer_body: u64,
    pub(super) variants: usize,
    pub(super) body_rate: Option<NonZeroU64>,
    pub(super) waiters: usize,
    pub(super) answers: usize,
}

/// The server's settings and the limits of a request.
pub(super) fn mean(
    table: LimitsTable,
    listen: Vec<SocketAddr>,
    findings: &mut Findings<'_>,
) -> (ServerSettings, RequestLimits) {
    let header = size_from(LEAST_HEADER, 1 << 20, table.header, 16 << 10, findings);
    let target_place = table.target.as_ref().map(Spanned::span);
    let target = size_from(64, 1 << 20, table.target, 8 << 10, findings);
    if let Some(place) = target_place.filter(|_| target > header) {
        let message = format!("a target of {} does not fit into a head of {}", show(target), show(header));
        findings.lacks(place, &["header", "target"], message, "write a smaller `target` or a larger `header`");
    }
    let server = ServerSettings {
        listen,
        tls: None,
        http2: Http2::default(),
        proxy_protocol: false,
        secure: false,
        cores: at_least(1, table.cores, cores(), findings),
        max_connections: at_least(1, table.connections, 10_000, findings),
        header_timeout: not_zero(table.header_timeout, Duration::from_secs(10), findings),
        idle_timeout: not_zero(table.idle_timeout, Duration::from_secs(60), findings),
        write_stall: not_zero(table.write_stall, Duration::from_secs(30), findings),
        max_connection_answers: bytes(size_from(
            LEAST_ANSWERS,
            u64::MAX,
            table.connection_answers,
            CONNECTION_ANSWERS,
            findings,
        )),
        max_header: bytes(header),
        max_fields: at_least(1, table.fields, 100, findings),
        shutdown_timeout: table.shutdown_timeout.map_or(SHUTDOWN, |written| written.get_ref().0),
    };
    let request = RequestLimits {
        fields: server.max_fields,
        target: bytes(target),
        request_body: table.request_body.map(|size| size.get_ref().0),
        buffer_body: table.buffer_body.map_or(64 << 10, |size| size.get_ref().0),
        variants: between(1, MOST_VARIANTS, table.variants, 32, findings),
        body_rate: NonZeroU64::new(table.body_rate.map_or(BODY_RATE, |size| size.get_ref().0)),
        waiters: table.waiters.map_or(1024, |count| count.get_ref().0),
        answers: bytes(size_from(LEAST_ANSWERS, u64::MAX, table.answers, ANSWERS, findings)),
    };
    (server, request)
}

/// So many that the list of them stays a small entry.
const MOST_VARIANTS: usize = 1024;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

pub(super) fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// A duration that must take some time.
pub(super) fn not_zero(
    written: Option<Spanned<WrittenDuration>>,
    default: Duration,
    findings: &mut Findings<'_>,
) -> Duration {
    let Some(written) = written else { return default };
    let duration = written.get_ref().0;
    if duration.is_zero() {
        let help = format!("write a longer one; it is \"{}\" without this line", super::duration::show(default));
        findings.error(written.span(), "with no time at all nothing can be done", help);
    }
    duration
}

/// A count with a least value.
pub(super) fn at_least(
    least: usize,
    written: Option<Spanned<WrittenCount>>,
    default: usize,
    findings: &mut Findings<'_>,
) -> usize {
    let Some(written) = written else { return default };
    let count = written.get_ref().0;
    if count < least {
        let help = format!("write at least {least}; it is {default} without this line");
        findings.error(written.span(), format!("{count} is too few"), help);
    }
    count
}

/// A count between two bounds.
pub(super) fn between(
    least: usize,
    most: usize,
    written: Option<Spanned<WrittenCount>>,
    default: usize,
    findings: &mut Findings<'_>,
) -> usize {
    let place = written.as_ref().map(Spanned::span);
    let count = at_least(least, written, default, findings);
    if let Some(place) = place.filter(|_| count > most) {
        let help = format!("write at most {most}; it is {default} without this line");
        findings.error(place, format!("{count} is too many"), help);
    }
    count
}

/// A size between two bounds.
pub(super) fn size_from(
    least: u64,
    most: u64,
    written: Option<Spanned<WrittenSize>>,
    default: u64,
    findings: &mut Findings<'_>,
) -> u64 {
    let Some(written) = written else { return default };
    let size = written.get_ref().0;
    if size < least {
        let help = format!("write at least \"{}\"; it is \"{}\" without this line", show(least), show(default));
        findings.error(written.span(), format!("{} is too small", show(size)), help);
    }
    if size > most {
        let help = format!("write at most \"{}\"; it is \"{}\" without this line", show(most), show(default));
        findings.error(written.span(), format!("{} is too large", show(size)), help);
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(table: LimitsTable) -> (ServerSettings, RequestLimits, usize) {
        let mut findings = Findings::new("");
        let (server, request) = mean(table, Vec::new(), &mut findings);
        (server, request, findings.into_vec().len())
    }

    #[test]
    fn every_limit_has_a_default() {
        let (server, request, errors) = mean_of(LimitsTable::default());
        assert_eq!(errors, 0);
        assert_eq!((server.max_connections, server.max_header, server.max_fields), (10_000, 16_384, 100));
        assert!(server.cores >= 1);
        assert_eq!(
            request,
            RequestLimits {
                fields: 100,
                target: 8192,
                request_body: None,
                buffer_body: 65_536,
                variants: 32,
                body_rate: NonZeroU64::new(240),
                waiters: 1024,
                answers: 64 << 20
            }
        );
    }

    #[test]
    fn a_body_rate_of_nothing_is_none() {
        let body_rate = Some(Spanned::new(0..0, WrittenSize(0)));
        assert_eq!(mean_of(LimitsTable { body_rate, ..LimitsTable::default() }).1.body_rate, None);
    }

    #[test]
    fn bounds_are_held() {
        let size = |bytes| Some(Spanned::new(0..0, WrittenSize(bytes)));
        let count = |number| Some(Spanned::new(0..0, WrittenCount(number)));
        for table in [
            LimitsTable { header: size(100), ..LimitsTable::default() },
            LimitsTable { header: size(1 << 30), ..LimitsTable::default() },
            LimitsTable { target: size(32 << 10), ..LimitsTable::default() },
            LimitsTable { cores: count(0), ..LimitsTable::default() },
            LimitsTable { connections: count(0), ..LimitsTable::default() },
            LimitsTable { answers: size(1 << 10), ..LimitsTable::default() },
            LimitsTable { connection_answers: size(1 << 10), ..LimitsTable::default() },
            LimitsTable { variants: count(0), ..LimitsTable::default() },
            LimitsTable { variants: count(2000), ..LimitsTable::default() },
            LimitsTable {
                header_timeout: Some(Spanned::new(0..0, WrittenDuration(Duration::ZERO))),
                ..LimitsTable::default()
            },
        ] {
            assert_eq!(mean_of(table.clone()).2, 1, "{table:?}");
        }
    }
}
