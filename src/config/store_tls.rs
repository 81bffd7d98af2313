//! `[store.tls]`: whom a Redis over TLS must be certified by, and what it is shown of us.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::client_tls::ClientTls;
use super::findings::{Findings, Text};
use super::table::{Hint, Table};
use crate::store::RedisUrl;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [store.tls] and its keys below it, as in ca = \"ca.pem\""
)]
pub(super) struct RawStoreTls {
    ca: Option<Text>,
    name: Option<Text>,
    cert: Option<Text>,
    key: Option<Text>,
}

impl Table for RawStoreTls {
    const TITLE: &'static str = "[store.tls]";
    const HINTS: &'static [Hint] = &[
        Hint::here(
            &["verify", "insecure", "insecure_skip_verify", "skip_verify"],
            "name the issuer's certificate: ca = \"ca.pem\"; whoever can read what goes to Redis has every answer",
        ),
        Hint::here(&["server_name", "sni"], "write `name`"),
    ];
}

/// The URL with the way that TLS is spoken, where it is. `place` is the URL's.
pub(super) fn resolve(
    raw: Option<Spanned<RawStoreTls>>,
    url: RedisUrl,
    place: Option<Range<usize>>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> RedisUrl {
    if !url.is_secure() {
        if let Some(raw) = raw {
            refuse(raw.span(), findings);
        }
        return url;
    }
    let table = raw.map(Spanned::into_inner).unwrap_or_default();
    let tls = ClientTls {
        title: RawStoreTls::TITLE,
        ca: table.ca.as_ref(),
        name: table.name.as_ref(),
        cert: table.cert.as_ref(),
        key: table.key.as_ref(),
        unverified: false,
        url: place,
    };
    match tls.resolve(folder, findings) {
        Some(tls) => url.with_tls(tls),
        None => url,
    }
}

/// Says that TLS is not spoken: whoever wrote the table believes that it is.
pub(super) fn refuse(place: Range<usize>, findings: &mut Findings<'_>) {
    let message =
        "[store.tls] has no effect, because the store's URL begins with neither rediss:// nor rediss+sentinel://";
    findings.error(place, message, "write rediss:// in place of redis:// in [store] url, or delete the table");
}
