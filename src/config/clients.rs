//! `[clients]`: what clients may speak and are offered, and whose word about them is believed.

use ipnet::IpNet;

use super::file::ClientsTable;
use super::findings::{Findings, Text, one_of};
use super::forms::List;
use super::limits::size_from;
use super::{hosts, trusted};
use crate::fields::ContentCoding;
use crate::proxy::CompressionSettings;
use crate::server::{Http2, ServerSettings};

const MEMORY: u64 = 16 << 20;
/// Less memory than this holds no copy of a larger body.
const LEAST_MEMORY: u64 = 1 << 20;

/// The settings of the rooms that meet clients.
pub(super) struct Clients {
    /// As the file has them.
    pub(super) hosts: hosts::Written,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) compression: CompressionSettings,
    pub(super) pass_tags: bool,
}

/// What the table says; what concerns connections is written into the server's settings.
pub(super) fn mean(table: ClientsTable, server: &mut ServerSettings, findings: &mut Findings<'_>) -> Clients {
    let words = [("tls", Http2::Tls), ("off", Http2::Off), ("always", Http2::Always)];
    server.http2 = table.http2.and_then(|word| one_of(&word, &words, findings)).unwrap_or_default();
    server.proxy_protocol = table.proxy_protocol.unwrap_or(false);
    server.secure = table.secure.unwrap_or(false);
    let trusted_proxies = trusted::mean(table.trusted_proxies, findings);
    let memory = size_from(LEAST_MEMORY, u64::MAX, table.compression_memory, MEMORY, findings);
    let codings = codings(table.compression, findings);
    let pass_tags = table.pass_tags.unwrap_or(false);
    Clients { hosts: table.hosts, trusted_proxies, compression: CompressionSettings { codings, memory }, pass_tags }
}

fn codings(written: Option<List<Text>>, findings: &mut Findings<'_>) -> Vec<ContentCoding> {
    let words = ContentCoding::ALL.map(|coding| (coding.as_str(), coding));
    let Some(written) = written else { return ContentCoding::ALL.to_vec() };
    let mut codings = Vec::new();
    for word in written.0 {
        let Some(coding) = one_of(&word, &words, findings) else { continue };
        if codings.contains(&coding) {
            let message = format!("`{}` stands twice", coding.as_str());
            findings.error(word.span(), message, "delete one of the two");
        }
        codings.push(coding);
    }
    codings
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Spanned;

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
}
