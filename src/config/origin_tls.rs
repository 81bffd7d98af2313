//! `[origin.tls]`: whom an https:// origin must be certified by, and what it is shown of us.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::findings::{Findings, Problem, Text};
use super::table::{Hint, Table};
use crate::files::read_pem;
use crate::tls::{Identity, Tls, TlsError, Trust};

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
    let ca = read(table.ca.as_ref(), folder, findings);
    let identity = identity(&table, folder, findings);
    if findings.has_errors() {
        return None;
    }
    let trust = match &ca {
        _ if unverified => Trust::Anybody,
        Some(pem) => Trust::Only(pem),
        None => Trust::Machine,
    };
    let identity = identity.as_ref().map(|(certificate, key)| Identity { certificate, key });
    let made = Tls::new(&trust, table.name.as_ref().map(|name| name.get_ref().as_str()), identity);
    made.map_err(|error| report(&error, &table, url, findings)).ok()
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

fn read(path: Option<&Text>, folder: &Path, findings: &mut Findings<'_>) -> Option<Vec<u8>> {
    let path = path?;
    let help =
        "name a file in PEM that exists and that this user may read; relative paths start at the folder of proxy.toml";
    let bytes = read_pem(&folder.join(path.get_ref()));
    findings.check(path, bytes.map_err(|error| Problem::new(format!("{} {error}", path.get_ref()), help)))
}

/// The certificate and key that the origin may ask for: both or none.
fn identity(table: &RawOriginTls, folder: &Path, findings: &mut Findings<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    match (&table.cert, &table.key) {
        (Some(cert), None) => {
            findings.lacks(
                cert.span(),
                &["key"],
                "`key` is missing: the certificate cannot be used without it",
                "add key = \"key.pem\"",
            );
        }
        (None, Some(key)) => {
            findings.lacks(
                key.span(),
                &["cert"],
                "`cert` is missing: the key cannot be used without it",
                "add cert = \"cert.pem\"",
            );
        }
        _ => {}
    }
    let cert = read(table.cert.as_ref(), folder, findings);
    let key = read(table.key.as_ref(), folder, findings);
    cert.zip(key)
}

fn report(error: &TlsError, table: &RawOriginTls, url: Option<Range<usize>>, findings: &mut Findings<'_>) {
    let (value, help) = match error {
        TlsError::NoRoots(_) => (None, "install ca-certificates, or add [origin.tls] and ca = \"ca.pem\" below it"),
        TlsError::Authority(_) => (table.ca.as_ref(), "name a file with the issuer's certificate in PEM"),
        TlsError::Certificate(_) => {
            (table.cert.as_ref(), "name a file with the certificate in PEM, followed by those of its issuers")
        }
        TlsError::Key(_) => (table.key.as_ref(), "name a file with the certificate's private key in PEM"),
        TlsError::Name => {
            (table.name.as_ref(), "write the name in the origin's certificate, as in \"api.example.com\"")
        }
    };
    let message = match value {
        Some(value) => format!("`{}` {error}", value.get_ref()),
        None => error.to_string(),
    };
    match value.map(Spanned::span).or(url) {
        Some(place) => findings.error(place, message, help),
        None => findings.error_nowhere(Problem::new(message, help)),
    }
}
