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

/// Whether somebody may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Yes.
    Admitted,
    /// Not without the token.
    NeedsToken,
    /// No, whatever the request has.
    NotAllowed,
}

impl Purgers {
    /// Whether a client at this address, whose request has these fields, may.
    pub(super) fn admit(&self, client: Option<IpAddr>, fields: &HeaderMap) -> Admission {
        let listed = client.is_some_and(|address| {
            let address = address.to_canonical();
            self.from.iter().any(|range| range.contains(&address))
        });
        match &self.token {
            _ if listed => Admission::Admitted,
            Some(token) if token.is_in(fields) => Admission::Admitted,
            Some(_) => Admission::NeedsToken,
            None => Admission::NotAllowed,
        }
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
        let nobody = Admission::NotAllowed;
        assert_eq!((none.admit(home, &with(&["Bearer "])), none.admit(None, &HeaderMap::new())), (nobody, nobody));
        let by_address = Purgers { from: vec!["127.0.0.0/8".parse().unwrap()], token: None };
        assert_eq!(by_address.admit(home, &HeaderMap::new()), Admission::Admitted);
        assert_eq!(by_address.admit(Some("::ffff:127.0.0.1".parse().unwrap()), &HeaderMap::new()), Admission::Admitted);
        assert_eq!(by_address.admit(Some(IpAddr::from([10, 0, 0, 1])), &HeaderMap::new()), nobody);
        assert_eq!(by_address.admit(None, &HeaderMap::new()), nobody, "the proxy itself asks for nothing");
    }

    #[test]
    fn a_token_opens_from_anywhere() {
        let by_token = Purgers { from: Vec::new(), token: BearerToken::new("a-secret-of-length").ok() };
        assert_eq!(by_token.admit(None, &with(&["Bearer a-secret-of-length"])), Admission::Admitted);
        for fields in [with(&["Bearer a-secret-of-lengt"]), with(&[])] {
            assert_eq!(by_token.admit(None, &fields), Admission::NeedsToken);
        }
        assert!(!format!("{by_token:?}").contains("secret"));
    }
}
