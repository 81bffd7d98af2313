//! `[origin.tls]`: whom an https:// origin must be certified by, and what it is shown of us.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::file::OriginTlsTable;
use super::findings::{Findings, Problem, Text};
use super::pem;
use crate::origin::{Identity, Tls, TlsError, Trust};

/// How TLS is spoken to the origin; `None` for an http:// one. `url` is where the URL stands.
pub(super) fn mean(
    written: Option<Spanned<OriginTlsTable>>,
    secure: bool,
    url: Option<Range<usize>>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<Tls> {
    if !secure {
        if let Some(written) = written {
            let message = "[origin.tls] does nothing where the origin's URL begins with http://";
            findings.warning(written.span(), message, "write https:// in the URL, or delete this table");
        }
        return None;
    }
    let table = written.map(Spanned::into_inner).unwrap_or_default();
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

/// Whether the origin need not prove who it is, which is never said quietly.
fn unverified(table: &OriginTlsTable, findings: &mut Findings<'_>) -> bool {
    let Some(verify) = table.verify.as_ref().filter(|verify| !*verify.get_ref()) else { return false };
    let message = "the origin's certificate is not verified: whoever stands in between can read and change everything";
    findings.warning(verify.span(), message, "delete this line, and name the issuer's certificate: ca = \"ca.pem\"");
    true
}

fn read(path: Option<&Text>, folder: &Path, findings: &mut Findings<'_>) -> Option<Vec<u8>> {
    pem::read(path?, folder, findings)
}

/// The certificate and key that the origin may ask for: both or none.
fn identity(table: &OriginTlsTable, folder: &Path, findings: &mut Findings<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    match (&table.cert, &table.key) {
        (Some(cert), None) => {
            findings.lacks(
                cert.span(),
                &["key"],
                "a certificate is of no use without its key",
                "add key = \"key.pem\"",
            );
        }
        (None, Some(key)) => {
            findings.lacks(
                key.span(),
                &["cert"],
                "a key is of no use without its certificate",
                "add cert = \"cert.pem\"",
            );
        }
        _ => {}
    }
    let cert = read(table.cert.as_ref(), folder, findings);
    let key = read(table.key.as_ref(), folder, findings);
    cert.zip(key)
}

fn report(error: &TlsError, table: &OriginTlsTable, url: Option<Range<usize>>, findings: &mut Findings<'_>) {
    let (value, help) = match error {
        TlsError::NoRoots(_) => (None, "install ca-certificates, or add [origin.tls] and ca = \"ca.pem\" below it"),
        TlsError::Authority(_) => (table.ca.as_ref(), "name a file with the issuer's certificate in PEM"),
        TlsError::Certificate(_) => (table.cert.as_ref(), "name a file with the certificate in PEM, its own first"),
        TlsError::Key(_) => (table.key.as_ref(), "name a file with the certificate's private key in PEM"),
        TlsError::Name => {
            (table.name.as_ref(), "write the name that stands in its certificate, as in \"api.example.com\"")
        }
    };
    let message = match value {
        Some(value) => format!("`{}`: {error}", value.get_ref()),
        None => error.to_string(),
    };
    match value.map(Spanned::span).or(url) {
        Some(place) => findings.error(place, message, help),
        None => findings.error_nowhere(Problem::new(message, help)),
    }
}
