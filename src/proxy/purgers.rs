//! Who may drop what is stored, by `PURGE`: by address, or by a token.

use std::fmt;
use std::net::IpAddr;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use ipnet::IpNet;

use crate::rules::credential_hash;

/// Who may send `PURGE`; by default nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purgers {
    /// Where they are.
    pub from: Vec<IpNet>,
    /// What else opens the door, as `Authorization: Bearer`.
    pub token: Option<PurgeToken>,
}

/// A token, of which only a hash is kept: two of them are compared in the same time whatever they have in common.
#[derive(Clone, PartialEq, Eq)]
pub struct PurgeToken([u8; 32]);

impl PurgeToken {
    /// Of this text.
    pub fn new(text: &str) -> Self {
        Self(credential_hash(text.as_bytes()))
    }
}

impl fmt::Debug for PurgeToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PurgeToken(***)")
    }
}

impl Purgers {
    /// Whether a client at this address, whose request has these fields, may.
    pub(super) fn admit(&self, client: Option<IpAddr>, fields: &HeaderMap) -> bool {
        let listed = client.is_some_and(|address| {
            let address = address.to_canonical();
            self.from.iter().any(|range| range.contains(&address))
        });
        listed
            || self
                .token
                .as_ref()
                .is_some_and(|token| bearer(fields).is_some_and(|told| PurgeToken::new(told) == *token))
    }
}

/// The one token that a request has.
///
/// Source: RFC 6750 section 2.1
fn bearer(fields: &HeaderMap) -> Option<&str> {
    let mut lines = fields.get_all(AUTHORIZATION).iter();
    let only = lines.next().filter(|_| lines.next().is_none())?;
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
    fn a_token_opens_from_anywhere_and_only_as_it_is() {
        let by_token = Purgers { from: Vec::new(), token: Some(PurgeToken::new("a-long-secret")) };
        for (lines, admitted) in [
            (&["Bearer a-long-secret"][..], true),
            (&["bearer  a-long-secret"], true),
            (&["Bearer a-long-secre"], false),
            (&["Bearer a-long-secret2"], false),
            (&["Basic a-long-secret"], false),
            (&["a-long-secret"], false),
            (&["Bearer a-long-secret", "Bearer a-long-secret"], false),
            (&[], false),
        ] {
            assert_eq!(by_token.admit(None, &with(lines)), admitted, "{lines:?}");
        }
        assert!(!format!("{by_token:?}").contains("secret"));
    }
}
