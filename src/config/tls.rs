//! `[tls]`: the certificate that clients are served with.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::findings::{Findings, Text};
use super::table::{Hint, Table};
use crate::server::TlsSettings;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [tls] and its keys below it, as in cert = \"cert.pem\""
)]
pub(super) struct RawTls {
    cert: Option<Text>,
    key: Option<Text>,
}

impl Table for RawTls {
    const TITLE: &'static str = "[tls]";
    const HINTS: &'static [Hint] = &[
        Hint::here(&["certificate", "cert_file", "crt", "chain"], "write cert = \"cert.pem\""),
        Hint::here(&["private_key", "key_file"], "write key = \"key.pem\""),
        Hint::anywhere(&["ssl", "https"], "write a [tls] table with `cert` and `key`"),
    ];
}

const HELP: &str = "write cert = \"cert.pem\" and key = \"key.pem\" below [tls], for two files in PEM";

/// The two files, their paths from `folder`, where they are looked into. Without a folder they are taken as written.
pub(super) fn resolve(
    raw: Option<Spanned<RawTls>>,
    folder: Option<&Path>,
    findings: &mut Findings<'_>,
) -> Option<TlsSettings> {
    let raw = raw?;
    let place = raw.span();
    let RawTls { cert, key } = raw.into_inner();
    let missing = if cert.is_none() { "cert" } else { "key" };
    let (Some(cert), Some(key)) = (cert, key) else {
        findings.lacks(
            place,
            &["cert", "key"],
            format!("[tls] needs both `cert` and `key`, and `{missing}` is missing"),
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
