//! `[origin.tls]`: whom an https:// origin must be certified by, and what it is shown of us.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::client_tls::ClientTls;
use super::findings::{Findings, Text};
use super::table::{Hint, Table};
use crate::tls::Tls;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [origin.tls] and its keys below it, as in ca = \"ca.pem\""
)]
pub(super) struct RawOriginTls {
    ca: Option<Text>,
    name: Option<Text>,
    cert: Option<Text>,
    key: Option<Text>,
    verify: Option<Spanned<bool>>,
}

impl Table for RawOriginTls {
    const TITLE: &'static str = "[origin.tls]";
    const HINTS: &'static [Hint] = &[
        Hint::here(&["insecure", "insecure_skip_verify", "skip_verify"], "write verify = false"),
        Hint::here(&["server_name", "sni"], "write `name`"),
    ];
}

/// How TLS is spoken to the origin; `None` for an http:// one. `url` is the URL's place.
pub(super) fn resolve(
    raw: Option<Spanned<RawOriginTls>>,
    secure: bool,
    url: Option<Range<usize>>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<Tls> {
    if !secure {
        if let Some(raw) = raw {
            let message = "[origin.tls] has no effect, because the origin's URL begins with http://";
            findings.warning(raw.span(), message, "write https:// in the URL, or delete the table");
        }
        return None;
    }
    let table = raw.map(Spanned::into_inner).unwrap_or_default();
    let unverified = unverified(&table, findings);
    let tls = ClientTls {
        title: RawOriginTls::TITLE,
        ca: table.ca.as_ref(),
        name: table.name.as_ref(),
        cert: table.cert.as_ref(),
        key: table.key.as_ref(),
        unverified,
        url,
    };
    tls.resolve(folder, findings)
}

/// Whether the origin's certificate is not verified, which is always a warning.
fn unverified(table: &RawOriginTls, findings: &mut Findings<'_>) -> bool {
    let Some(verify) = table.verify.as_ref().filter(|verify| !*verify.get_ref()) else { return false };
    let message =
        "the origin's certificate is not verified: anyone between aside and the origin can read and change everything";
    findings.warning(
        verify.span(),
        message,
        "delete this line, and if need be name the issuer's certificate: ca = \"ca.pem\"",
    );
    true
}
