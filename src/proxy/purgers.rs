//! Who may drop what is stored, by `PURGE`: by address, or by a token.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use crate::fields::BearerToken;

/// Who may send `PURGE`; by default nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purgers {
    /// Where they are.
    pub from: Vec<IpNet>,
    /// What else opens the door, as `Authorization: Bearer`.
    pub token: Option<BearerToken>,
}

impl Purgers {
    /// Whether a client at this address, whose request has these fields, may.
    pub(super) fn admit(&self, client: Option<IpAddr>, fields: &HeaderMap) -> bool {
        let listed = client.is_some_and(|address| {
            let address = address.to_canonical();
            self.from.iter().any(|range| range.contains(&address))
        });
        listed || self.token.as_ref().is_some_and(|token| token.is_in(fields))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;

    fn with(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn nobody_may_purge_whom_the_file_does_not_name() {
        let (none, home) = (Purgers::default(), Some(IpAddr::from([127, 0, 0, 1])));
        assert!(!none.admit(home, &with(&["Bearer "])) && !none.admit(None, &HeaderMap::new()));
        let by_address = Purgers { from: vec!["127.0.0.0/8".parse().unwrap()], token: None };
        assert!(by_address.admit(home, &HeaderMap::new()));
        assert!(by_address.admit(Some("::ffff:127.0.0.1".parse().unwrap()), &HeaderMap::new()));
        assert!(!by_address.admit(Some(IpAddr::from([10, 0, 0, 1])), &HeaderMap::new()));
        assert!(!by_address.admit(None, &HeaderMap::new()), "the proxy itself asks for nothing");
    }

    #[test]
    fn a_token_opens_from_anywhere() {
        let by_token = Purgers { from: Vec::new(), token: BearerToken::new("a-secret-of-length").ok() };
        assert!(by_token.admit(None, &with(&["Bearer a-secret-of-length"])));
        for fields in [with(&["Bearer a-secret-of-lengt"]), with(&[])] {
            assert!(!by_token.admit(None, &fields));
        }
        assert!(!format!("{by_token:?}").contains("secret"));
    }
}
