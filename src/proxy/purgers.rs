//! Who may drop what is stored, by `PURGE`: by address, or by a token.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::fields::BearerToken;
use crate::handler::Client;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may send `PURGE`; by default nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purgers {
    /// Where they are.
    pub from: Vec<IpNet>,
    /// What else opens the door, as `Authorization: Bearer`.
    pub token: Option<BearerToken>,
}

impl Purgers {
    /// Whether this client, whose request has these fields, may. The address of a proxy that does not say for whom it asks
    /// gives no right, and that of somebody whose browser runs a page does not give it to the page: by a name that suddenly leads
    /// here (DNS rebinding) any page may ask.
    pub(super) fn admit(&self, client: Client, fields: &HeaderMap) -> bool {
        let listed = client.own_address().is_some_and(|address| {
            let address = address.to_canonical();
            self.from.iter().any(|range| range.contains(&address))
        });
        (listed && !is_of_a_page(fields)) || self.token.as_ref().is_some_and(|token| token.is_in(fields))
    }
}

/// Whether a page in a browser asks: with every method but GET and HEAD it says from where.
///
/// Source: Fetch Standard, "append a request Origin header"; W3C Fetch Metadata
fn is_of_a_page(fields: &HeaderMap) -> bool {
    fields.contains_key(ORIGIN) || fields.contains_key(SEC_FETCH_SITE)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;

    fn with(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_static(line))).collect()
    }

    fn at(address: &str) -> Client {
        Client { address: address.parse::<IpAddr>().ok(), is_named: true, secure: false }
    }

    #[test]
    fn nobody_may_purge_whom_the_file_does_not_name() {
        let (none, home) = (Purgers::default(), at("127.0.0.1"));
        assert!(!none.admit(home, &with(&["Bearer "])) && !none.admit(Client::default(), &HeaderMap::new()));
        let by_address = Purgers { from: vec!["127.0.0.0/8".parse().unwrap()], token: None };
        assert!(by_address.admit(home, &HeaderMap::new()));
        assert!(by_address.admit(at("::ffff:127.0.0.1"), &HeaderMap::new()));
        assert!(!by_address.admit(at("10.0.0.1"), &HeaderMap::new()));
        assert!(!by_address.admit(Client::default(), &HeaderMap::new()), "the proxy itself asks for nothing");
        let unnamed = Client { is_named: false, ..home };
        assert!(!by_address.admit(unnamed, &HeaderMap::new()), "a proxy that does not say for whom");
    }

    #[test]
    fn a_page_in_a_browser_needs_the_token_wherever_it_runs() {
        let from = vec!["127.0.0.0/8".parse().unwrap()];
        let purgers = Purgers { from, token: BearerToken::new("a-secret-of-length").ok() };
        for (name, value) in [(ORIGIN, "http://rebound.example"), (ORIGIN, "null"), (SEC_FETCH_SITE, "same-origin")] {
            let mut fields = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            assert!(!purgers.admit(at("127.0.0.1"), &fields), "{value}");
            fields.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a-secret-of-length"));
            assert!(purgers.admit(at("127.0.0.1"), &fields), "{value}");
        }
    }

    #[test]
    fn a_token_opens_from_anywhere() {
        let by_token = Purgers { from: Vec::new(), token: BearerToken::new("a-secret-of-length").ok() };
        assert!(by_token.admit(Client::default(), &with(&["Bearer a-secret-of-length"])));
        for fields in [with(&["Bearer a-secret-of-lengt"]), with(&[])] {
            assert!(!by_token.admit(Client::default(), &fields));
        }
        assert!(!format!("{by_token:?}").contains("secret"));
    }
}
