//! The secret that opens a door: the admin listener's, or that of `PURGE`.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A token. It is never shown, and compared in a time that says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

/// A shorter one could be guessed.
pub const SHORTEST_TOKEN: usize = 16;

impl BearerToken {
    /// Takes a text of at least [`SHORTEST_TOKEN`] visible ASCII characters; the error says what is wrong, without the text.
    pub fn new(text: &str) -> Result<Self, String> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token may have visible ASCII characters alone, and no white space".to_owned());
        }
        if text.len() < SHORTEST_TOKEN {
            return Err(format!("the token is shorter than {SHORTEST_TOKEN} characters, so that it could be guessed"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether these fields have one Authorization, and that is `Bearer` and this token.
    ///
    /// Source: RFC 6750 section 2.1, RFC 9110 section 11.4
    pub fn is_in(&self, fields: &HeaderMap) -> bool {
        let mut lines = fields.get_all(AUTHORIZATION).iter();
        let (Some(only), None) = (lines.next(), lines.next()) else { return false };
        let Some((scheme, given)) = only.as_bytes().split_at_checked(BEARER.len()) else { return false };
        let given = given.trim_ascii_start();
        // Of digests, so that not even the length makes a difference.
        let same: bool = Sha256::digest(given).ct_eq(&Sha256::digest(&self.0)).into();
        scheme.eq_ignore_ascii_case(BEARER) && same
    }

    /// The value of the Authorization field that brings it along.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

const BEARER: &[u8] = b"Bearer ";

impl fmt::Debug for BearerToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BearerToken(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    #[test]
    fn only_the_whole_token_opens_and_only_once() {
        let token = BearerToken::new("sesame-open-sesame").unwrap();
        for (lines, opens) in [
            (&["Bearer sesame-open-sesame"][..], true),
            (&["bearer  sesame-open-sesame"], true),
            (&[], false),
            (&[""], false),
            (&["Bearer"], false),
            (&["Bearer "], false),
            (&["Bearer sesame-open-sesam"], false),
            (&["Bearer sesame-open-sesame2"], false),
            (&["Bearer sesame-open-sesame "], false),
            (&["Basic sesame-open-sesame"], false),
            (&["sesame-open-sesame"], false),
            (&["Bearer sesame-open-sesame", "Bearer sesame-open-sesame"], false),
            (&["Bearer sesame-open-sesame", "Bearer other-open-sesame"], false),
        ] {
            assert_eq!(token.is_in(&field(&AUTHORIZATION, lines)), opens, "{lines:?}");
        }
        let sent = token.authorization().unwrap();
        assert!(sent.is_sensitive() && token.is_in(&HeaderMap::from_iter([(AUTHORIZATION, sent)])));
        assert!(!format!("{token:?}").contains("sesame"));
    }

    #[test]
    fn what_could_be_guessed_or_not_sent_is_none() {
        for text in ["", "short", "with white space in it", "caf\u{e9}-caf\u{e9}-caf\u{e9}-caf\u{e9}"] {
            assert!(BearerToken::new(text).is_err(), "{text}");
        }
    }
}
