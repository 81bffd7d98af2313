//! `trusted_proxies`: whose word about the clients behind them is believed.

use std::net::IpAddr;

use ipnet::IpNet;

use super::findings::{Findings, Problem, Text};
use super::forms::List;

/// The ranges of trusted proxies; none unless the file names some.
pub(super) fn mean(written: Option<List<Text>>, findings: &mut Findings<'_>) -> Vec<IpNet> {
    let mut trusted = Vec::new();
    for text in written.into_iter().flat_map(|list| list.0) {
        let Some(range) = findings.check(&text, range(text.get_ref())) else { continue };
        if trusted.contains(&range) {
            findings.error(text.span(), format!("`{range}` stands twice"), "delete one of the two");
        }
        if range.prefix_len() == 0 {
            let message = format!("`{range}` is everybody: each client may then say where it comes from");
            findings.warning(text.span(), message, "name the addresses of your own proxies");
        }
        trusted.push(range);
    }
    trusted
}

/// Reads an address, or a range whose first address is written in full.
fn range(text: &str) -> Result<IpNet, Problem> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let Ok(range) = text.parse::<IpNet>() else {
        let help = "write addresses or ranges, as in [\"10.0.0.0/8\", \"::1\"]";
        return Err(Problem::new(format!("`{text}` is no address and no range of addresses"), help));
    };
    let first = range.trunc();
    if first != range {
        return Err(Problem::new(format!("`{text}` has bits set behind its prefix"), format!("write \"{first}\"")));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Spanned;

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
    fn one_range_twice_or_everybody_is_told() {
        for list in [&["10.0.0.0/8", "10.0.0.0/8"][..], &["0.0.0.0/0"], &["::/0"]] {
            let texts = list.iter().map(|text| Spanned::new(0..0, (*text).to_owned())).collect();
            let mut findings = Findings::new("");
            mean(Some(List(texts)), &mut findings);
            assert_eq!(findings.into_vec().len(), 1, "{list:?}");
        }
    }
}
