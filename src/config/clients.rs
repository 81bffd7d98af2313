//! `[clients]`: what clients may speak, and what stands between them and here.

use super::file::ClientsTable;
use super::findings::{Findings, one_of};
use crate::server::{Http2, ServerSettings};

/// Writes the table's meaning into the server's settings.
pub(super) fn mean(table: ClientsTable, server: &mut ServerSettings, findings: &mut Findings<'_>) {
    let words = [("tls", Http2::Tls), ("off", Http2::Off), ("always", Http2::Always)];
    server.http2 = table.http2.and_then(|word| one_of(&word, &words, findings)).unwrap_or_default();
    server.proxy_protocol = table.proxy_protocol.unwrap_or(false);
}
