//! `[clients] hosts`: the names by which clients know this proxy.

use std::net::SocketAddr;
use std::ops::Range;

use toml::Spanned;

use super::findings::{Findings, Problem, Text};
use super::forms::List;
use crate::fields::HostName;
use crate::origin::HostRule;
use crate::rules::Hosts;

/// The hosts as the file lists them.
pub(super) type Written = Option<Spanned<List<Text>>>;

/// The names, where the origin sees the client's Host; those of the listeners unless the file lists some.
pub(super) fn mean(
    written: Written,
    rule: Option<&HostRule>,
    listen: &[SocketAddr],
    findings: &mut Findings<'_>,
) -> Option<Hosts> {
    let place = written.as_ref().map(Spanned::span);
    let listed = written.and_then(|written| Hosts::named(names(written, findings)));
    if !matches!(rule, None | Some(HostRule::Client)) {
        if let Some(place) = place {
            let message = "`hosts` changes nothing: the origin does not see the client's Host";
            findings.warning(place, message, "delete it, or write host = \"client\" into [origin]");
        }
        return None;
    }
    Some(listed.unwrap_or_else(|| Hosts::of_listeners(listen)))
}

fn names(written: Spanned<List<Text>>, findings: &mut Findings<'_>) -> Vec<HostName> {
    let place = written.span();
    let List(texts) = written.into_inner();
    if texts.is_empty() {
        let help = "write the names that clients use, as in [\"shop.example\"], or delete the line";
        findings.error(place, "the list is empty: every request would be for an unknown host", help);
    }
    let mut names = Vec::new();
    for text in &texts {
        let Some(name) = findings.check(text, name(text.get_ref())) else { continue };
        if names.contains(&name) {
            findings.error(text.span(), format!("`{name}` is listed twice"), "delete one of the two");
        }
        names.push(name);
    }
    names
}

/// Reads a name or an address, perhaps with a port.
fn name(text: &str) -> Result<HostName, Problem> {
    if let Some(name) = HostName::parse(text) {
        return Ok(name);
    }
    let (has_scheme, rest) = text.split_once("://").map_or((false, text), |(_, rest)| (true, rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let message = if has_scheme {
        format!("`{text}` has a scheme; clients' Host fields have none")
    } else if authority != rest {
        format!("`{text}` has a path; clients' Host fields have none")
    } else {
        format!("`{text}` is not a host")
    };
    let help = match (HostName::parse(authority), HostName::parse(&format!("[{rest}]"))) {
        (Some(name), _) | (None, Some(name)) => format!("write \"{name}\""),
        (None, None) if rest.contains('*') => "write each name in full, as in \"shop.example\"".to_owned(),
        (None, None) => {
            "write a name or an address, perhaps with a port, as in \"shop.example\" or \"localhost:8080\"".to_owned()
        }
    };
    Err(Problem::new(message, help))
}

/// Says of a store that nodes share under which condition they do. `place` is that of the store's URL.
pub(super) fn note_for_nodes(hosts: Option<&Hosts>, place: Option<Range<usize>>, findings: &mut Findings<'_>) {
    let Some(hosts) = hosts.filter(|hosts| hosts.keeps_others_apart()) else { return };
    let message = if hosts.first_is_loopback() {
        "where clients of nodes that share this Redis come by other names than localhost, each has answers of its own"
            .to_owned()
    } else {
        let first = hosts.first();
        format!(
            "nodes that share this Redis share answers only where the first name they are known by is the same: here it is {first}"
        )
    };
    findings.note_at(
        place,
        message,
        "write the same list into each node's [clients], as in hosts = [\"shop.example\"]",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_says_what_to_write() {
        for (text, message, help) in [
            ("http://shop.example", "has a scheme", "\"shop.example\""),
            ("https://shop.example:8443/x", "has a scheme", "\"shop.example:8443\""),
            ("shop.example/api", "has a path", "\"shop.example\""),
            ("::1", "is not a host", "\"[::1]\""),
            ("*.shop.example", "is not a host", "each name in full"),
            ("u@shop.example", "is not a host", "\"shop.example\" or"),
            ("shop.example:http", "is not a host", "\"localhost:8080\""),
            ("caf\u{e9}.example", "is not a host", "\"shop.example\" or"),
            ("", "is not a host", "\"shop.example\" or"),
        ] {
            let problem = name(text).unwrap_err();
            assert!(problem.message.contains(message) && problem.help.contains(help), "{text}: {problem:?}");
        }
        assert_eq!(name("Shop.Example:8443").unwrap().to_string(), "shop.example:8443");
    }
}
