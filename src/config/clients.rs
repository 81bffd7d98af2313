//! `[clients]`: what clients may speak and are offered, by which names they know this proxy, and whose word about them is
//! believed.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::findings::{Findings, Problem, Text};
use super::forms::{List, Word, Words, each_once};
use super::size::{RawSize, size_from};
use super::table::{Hint, Table};
use crate::fields::{BearerToken, ContentCoding, HostName};
use crate::origin::HostRule;
use crate::proxy::{CompressionSettings, ProxySettings, Purgers};
use crate::rules::Hosts;
use crate::server::{Http2, ServerSettings};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [clients] and its keys below it, as in http2 = \"tls\""
)]
pub(super) struct RawClients {
    http2: Option<Word<Spoken>>,
    proxy_protocol: Option<bool>,
    secure: Option<bool>,
    hosts: Option<Spanned<List<Text>>>,
    trusted_proxies: Option<List<Text>>,
    purge_from: Option<List<Text>>,
    purge_token: Option<Text>,
    compression: Option<List<Text>>,
    compression_memory: Option<Spanned<RawSize>>,
    pass_tags: Option<bool>,
}

impl Table for RawClients {
    const TITLE: &'static str = "[clients]";
    const HINTS: &'static [Hint] = &[
        Hint::here(
            &["server_name", "server_names", "domain", "domains", "names", "virtual_hosts", "allowed_hosts"],
            "write hosts = [\"shop.example\"]",
        ),
        Hint::anywhere(&["h2", "h2c"], "write http2 = \"tls\", \"off\" or \"always\" in [clients]"),
        Hint::anywhere(
            &["gzip", "brotli", "zstd", "encode", "encodings", "gzip_types"],
            "write compression = [\"zstd\", \"br\", \"gzip\"] in [clients]",
        ),
        Hint::anywhere(
            &["allow_purge", "purgers", "purge_allow", "purge_ips", "proxy_cache_purge"],
            "write purge_from = [\"10.0.0.0/8\"] or purge_token = \"${PURGE_TOKEN}\" in [clients]",
        ),
        Hint::anywhere(
            &[
                "trust_proxy",
                "trusted_proxy",
                "trusted_ips",
                "set_real_ip_from",
                "real_ip",
                "real_ip_header",
                "forwarded_allow_ips",
            ],
            "write trusted_proxies = [\"10.0.0.0/8\"] in [clients]",
        ),
    ];
}

/// Where HTTP/2 is spoken.
#[derive(Clone, Copy, Debug)]
struct Spoken;

impl Words for Spoken {
    type Meaning = Http2;
    const WORDS: &'static [(&'static str, Http2)] =
        &[("tls", Http2::Tls), ("off", Http2::Off), ("always", Http2::Always)];
}

/// The content codings on offer.
#[derive(Clone, Copy, Debug)]
struct Codings;

impl Words for Codings {
    type Meaning = ContentCoding;
    const WORDS: &'static [(&'static str, ContentCoding)] =
        &[("zstd", ContentCoding::Zstd), ("br", ContentCoding::Br), ("gzip", ContentCoding::Gzip)];
}

const MEMORY: u64 = 16 << 20;
/// Less memory than this holds no copy of a larger body.
const LEAST_MEMORY: u64 = 1 << 20;

/// Writes what the table says into the settings of the rooms that meet clients. What comes back are the names by which
/// clients know this proxy; `rule` is which Host the origin sees, if that could be read.
pub(super) fn resolve(
    raw: RawClients,
    rule: Option<&HostRule>,
    (server, proxy): (&mut ServerSettings, &mut ProxySettings),
    findings: &mut Findings<'_>,
) -> Option<Hosts> {
    server.http2 = raw.http2.map(|Word(chosen)| chosen).unwrap_or_default();
    server.proxy_protocol = raw.proxy_protocol.unwrap_or(false);
    server.secure = raw.secure.unwrap_or(false);
    proxy.trusted_proxies = ranges(raw.trusted_proxies, ANYBODY_ELSE, findings);
    let purge_from = raw.purge_from.clone();
    proxy.purgers = Purgers {
        from: ranges(raw.purge_from, ANYBODY_PURGES, findings),
        token: raw.purge_token.and_then(|text| findings.check(&text, token(text.get_ref()))),
    };
    warn_of_proxies_that_purge(purge_from, &proxy.trusted_proxies, findings);
    proxy.pass_tags = raw.pass_tags.unwrap_or(false);
    proxy.compression = CompressionSettings {
        codings: codings(raw.compression, findings),
        memory: size_from(LEAST_MEMORY, u64::MAX, raw.compression_memory, MEMORY, findings),
    };
    host_names(raw.hosts, rule, &server.listen, findings)
}

fn codings(raw: Option<List<Text>>, findings: &mut Findings<'_>) -> Vec<ContentCoding> {
    raw.map_or_else(|| ContentCoding::ALL.to_vec(), |list| each_once::<Codings>(list, findings))
}

/// The names, where the origin sees the client's Host; those of the listeners unless the file lists some.
fn host_names(
    raw: Option<Spanned<List<Text>>>,
    rule: Option<&HostRule>,
    listen: &[SocketAddr],
    findings: &mut Findings<'_>,
) -> Option<Hosts> {
    let place = raw.as_ref().map(Spanned::span);
    let listed = raw.and_then(|raw| Hosts::named(names(raw, findings)));
    if !matches!(rule, None | Some(HostRule::Client)) {
        if let Some(place) = place {
            let message = "`hosts` has no effect, because the origin does not see the client's Host";
            findings.warning(place, message, "delete it, or write host = \"client\" in [origin]");
        }
        return None;
    }
    Some(listed.unwrap_or_else(|| Hosts::of_listeners(listen)))
}

/// The first name of the list, where there is one.
pub(super) fn first_host(raw: RawClients, findings: &mut Findings<'_>) -> Option<HostName> {
    names(raw.hosts?, findings).into_iter().next()
}

fn names(raw: Spanned<List<Text>>, findings: &mut Findings<'_>) -> Vec<HostName> {
    let place = raw.span();
    let List(texts) = raw.into_inner();
    if texts.is_empty() {
        let help = "write the names that clients use, as in [\"shop.example\"], or delete the line";
        findings.error(place, "the list is empty, so every request would be for an unknown host", help);
    }
    let mut names = Vec::new();
    for text in &texts {
        let Some(name) = findings.check(text, name(text.get_ref())) else { continue };
        if names.contains(&name) {
            findings.error(text.span(), format!("`{name}` is listed twice"), "delete one of the two");
        }
        names.push(name);
    }
    names
}

/// Reads a name or an address, perhaps with a port.
fn name(text: &str) -> Result<HostName, Problem> {
    if let Some(name) = HostName::parse(text) {
        return Ok(name);
    }
    let (has_scheme, rest) = text.split_once("://").map_or((false, text), |(_, rest)| (true, rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let message = if has_scheme {
        format!("`{text}` has a scheme, which a client's Host never has")
    } else if authority != rest {
        format!("`{text}` has a path, which a client's Host never has")
    } else {
        format!("`{text}` is not a host")
    };
    let help = match (HostName::parse(authority), HostName::parse(&format!("[{rest}]"))) {
        (Some(name), _) | (None, Some(name)) => format!("write \"{name}\""),
        (None, None) if rest.contains('*') => "write each name in full, as in \"shop.example\"".to_owned(),
        (None, None) => {
            "write a name or an address, with or without a port, as in \"shop.example\" or \"localhost:8080\""
                .to_owned()
        }
    };
    Err(Problem::new(message, help))
}

/// Says of a store that nodes share under which condition they do. `place` is that of the store's URL.
pub(super) fn note_for_nodes(hosts: Option<&Hosts>, place: Option<Range<usize>>, findings: &mut Findings<'_>) {
    let Some(hosts) = hosts.filter(|hosts| hosts.keeps_others_apart()) else { return };
    let message = if hosts.first_is_loopback() {
        "nodes that share this Redis share no answers for hosts other than localhost: without `hosts`, each node keeps its own"
            .to_owned()
    } else {
        let first = hosts.first();
        format!(
            "nodes that share this Redis share answers only if the first of their names is the same; here it is {first}"
        )
    };
    findings.note_at(place, message, "write the same list in each node's [clients], as in hosts = [\"shop.example\"]");
}

/// What follows where a range has every address in it, and what to write.
type Warned = (&'static str, &'static str);
const ANYBODY_ELSE: Warned = ("so that any client can claim to be another", "name the addresses of your own proxies");
const ANYBODY_PURGES: Warned = ("so that any client can empty the cache", "name the addresses of those who publish");

/// Reads a token. The problem repeats nothing of it.
fn token(text: &str) -> Result<BearerToken, Problem> {
    let help = "write ${PURGE_TOKEN} or ${file:/run/secrets/purge}, and give it at least 16 letters and digits";
    BearerToken::new(text).map_err(|why| Problem::new(why, help))
}

/// Ranges of addresses; none unless the file names some.
fn ranges(raw: Option<List<Text>>, everybody: Warned, findings: &mut Findings<'_>) -> Vec<IpNet> {
    let mut trusted = Vec::new();
    for text in raw.into_iter().flat_map(|list| list.0) {
        let Some(range) = findings.check(&text, range(text.get_ref())) else { continue };
        if trusted.contains(&range) {
            findings.error(text.span(), format!("`{range}` is listed twice"), "delete one of the two");
        }
        if range.prefix_len() == 0 {
            let (so, help) = everybody;
            findings.warning(text.span(), format!("`{range}` includes every address, {so}"), help);
        }
        trusted.push(range);
    }
    trusted
}

/// Says of who may purge by address where a trusted proxy may be: there it is the proxy's word that decides.
fn warn_of_proxies_that_purge(purge_from: Option<List<Text>>, trusted: &[IpNet], findings: &mut Findings<'_>) {
    for text in purge_from.into_iter().flat_map(|list| list.0) {
        let Ok(from) = range(text.get_ref()) else { continue };
        if trusted.iter().any(|proxies| proxies.contains(&from) || from.contains(proxies)) {
            let message = format!(
                "`{from}` and `trusted_proxies` have addresses in common: whoever asks there without an X-Forwarded-For may not \
                 purge, and through a proxy that passes on the client's own X-Forwarded-For any client may"
            );
            findings.warning(text.span(), message, "name the addresses of those who publish, or write purge_token");
        }
    }
}

/// Reads an address, or a range whose first address is written in full.
fn range(text: &str) -> Result<IpNet, Problem> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let Ok(range) = text.parse::<IpNet>() else {
        let help = "write addresses or ranges, as in [\"10.0.0.0/8\", \"::1\"]";
        return Err(Problem::new(format!("`{text}` is not an IP address or a range of addresses"), help));
    };
    let first = range.trunc();
    if first != range {
        return Err(Problem::new(format!("`{text}` has bits set after its prefix"), format!("write \"{first}\"")));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(words: Option<&[&str]>) -> (Vec<ContentCoding>, usize) {
        let list = |words: &[&str]| List(words.iter().map(|word| Spanned::new(0..0, (*word).to_owned())).collect());
        let mut findings = Findings::new("");
        let codings = codings(words.map(list), &mut findings);
        (codings, findings.into_vec().len())
    }

    #[test]
    fn the_codings_are_offered_in_the_order_of_the_list() {
        use ContentCoding::{Br, Gzip, Zstd};
        assert_eq!(offered(None), (vec![Zstd, Br, Gzip], 0));
        assert_eq!(offered(Some(&[])), (vec![], 0));
        assert_eq!(offered(Some(&["gzip", "br"])), (vec![Gzip, Br], 0));
        assert_eq!(offered(Some(&["deflate"])).1, 1);
        assert_eq!(offered(Some(&["br", "br"])).1, 1);
    }

    #[test]
    fn what_is_no_host_says_what_to_write() {
        for (text, message, help) in [
            ("http://shop.example", "has a scheme", "\"shop.example\""),
            ("https://shop.example:8443/x", "has a scheme", "\"shop.example:8443\""),
            ("shop.example/api", "has a path", "\"shop.example\""),
            ("::1", "is not a host", "\"[::1]\""),
            ("*.shop.example", "is not a host", "each name in full"),
            ("u@shop.example", "is not a host", "\"shop.example\" or"),
            ("shop.example:http", "is not a host", "\"localhost:8080\""),
            ("caf\u{e9}.example", "is not a host", "\"shop.example\" or"),
            ("", "is not a host", "\"shop.example\" or"),
        ] {
            let problem = name(text).unwrap_err();
            assert!(problem.message.contains(message) && problem.help.contains(help), "{text}: {problem:?}");
        }
        assert_eq!(name("Shop.Example:8443").unwrap().to_string(), "shop.example:8443");
    }

    #[test]
    fn addresses_and_ranges_are_read() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::1", "::1/128"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ] {
            assert_eq!(range(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (text, help) in
            [("10.0.0.1/8", "\"10.0.0.0/8\""), ("10.0.0.0/33", "10.0.0.0/8"), ("localhost", "::1"), ("", "::1")]
        {
            assert!(range(text).unwrap_err().help.contains(help), "{text}");
        }
    }

    #[test]
    fn a_token_is_long_and_never_repeated() {
        assert_eq!(token("0123456789abcdef"), Ok(BearerToken::new("0123456789abcdef").unwrap()));
        for text in ["", "brief", "0123456789 abcdef", "0123456789abcdé"] {
            let problem = token(text).unwrap_err();
            assert!(text.is_empty() || !format!("{problem:?}").contains(text), "{problem:?}");
        }
    }

    #[test]
    fn one_range_twice_or_everybody_is_told() {
        for list in [&["10.0.0.0/8", "10.0.0.0/8"][..], &["0.0.0.0/0"], &["::/0"]] {
            let texts = list.iter().map(|text| Spanned::new(0..0, (*text).to_owned())).collect();
            let mut findings = Findings::new("");
            ranges(Some(List(texts)), ANYBODY_PURGES, &mut findings);
            assert_eq!(findings.into_vec().len(), 1, "{list:?}");
        }
    }
}
