//! `[clients]`: what clients are offered, and whose word about them is believed.

use ipnet::IpNet;

use super::file::ClientsTable;
use super::findings::{Findings, one_of};
use super::limits::size_from;
use super::trusted;
use crate::fields::ContentCoding;
use crate::proxy::CompressionSettings;

const MEMORY: u64 = 16 << 20;
/// Less memory than this holds no copy of a larger body.
const LEAST_MEMORY: u64 = 1 << 20;

/// The settings of the rooms that meet clients.
pub(super) struct Clients {
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) compression: CompressionSettings,
}

/// What the table says.
pub(super) fn mean(table: ClientsTable, findings: &mut Findings<'_>) -> Clients {
    let trusted_proxies = trusted::mean(table.trusted_proxies, findings);
    let words = ContentCoding::ALL.map(|coding| (coding.as_str(), coding));
    let codings = match table.compression {
        None => ContentCoding::ALL.to_vec(),
        Some(written) => {
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
    };
    let memory = size_from(LEAST_MEMORY, u64::MAX, table.compression_memory, MEMORY, findings);
    Clients { trusted_proxies, compression: CompressionSettings { codings, memory } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::forms::List;
    use toml::Spanned;

    fn codings(words: Option<&[&str]>) -> (Vec<ContentCoding>, usize) {
        let list = |words: &[&str]| List(words.iter().map(|word| Spanned::new(0..0, (*word).to_owned())).collect());
        let mut findings = Findings::new("");
        let table = ClientsTable { compression: words.map(list), ..ClientsTable::default() };
        let codings = mean(table, &mut findings).compression.codings;
        (codings, findings.into_vec().len())
    }

    #[test]
    fn the_codings_are_offered_in_the_order_of_the_list() {
        use ContentCoding::{Br, Gzip, Zstd};
        assert_eq!(codings(None), (vec![Zstd, Br, Gzip], 0));
        assert_eq!(codings(Some(&[])), (vec![], 0));
        assert_eq!(codings(Some(&["gzip", "br"])), (vec![Gzip, Br], 0));
        assert_eq!(codings(Some(&["deflate"])).1, 1);
        assert_eq!(codings(Some(&["br", "br"])).1, 1);
    }
}
