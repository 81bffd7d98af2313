//! `[tls]`: the certificate that clients are served with.

use std::path::Path;

use toml::Spanned;

use super::file::TlsTable;
use super::findings::Findings;
use crate::server::TlsSettings;

const HELP: &str = "write cert = \"cert.pem\" and key = \"key.pem\" below [tls], two files in PEM form";

/// The two files, their paths from `folder`, where they are looked into. Without a folder they are taken as written.
pub(super) fn mean(
    table: Option<Spanned<TlsTable>>,
    folder: Option<&Path>,
    findings: &mut Findings<'_>,
) -> Option<TlsSettings> {
    let table = table?;
    let place = table.span();
    let TlsTable { cert, key } = table.into_inner();
    let missing = if cert.is_none() { "cert" } else { "key" };
    let (Some(cert), Some(key)) = (cert, key) else {
        findings.lacks(
            place,
            &["cert", "key"],
            format!("[tls] needs both `cert` and `key`: `{missing}` is missing"),
            HELP,
        );
        return None;
    };
    for path in [&cert, &key].into_iter().filter(|path| path.get_ref().is_empty()) {
        findings.error(path.span(), "the path is empty", HELP);
    }
    let from = folder.unwrap_or(Path::new(""));
    let settings = TlsSettings { cert: from.join(cert.get_ref()), key: from.join(key.get_ref()) };
    if let (Some(_), Err(error)) = (folder, settings.check()) {
        let place = if error.in_key { key.span() } else { cert.span() };
        findings.error(place, error.to_string(), error.help);
    }
    Some(settings)
}
