//! The secret that whoever asks the admin listener has to know.

use std::fmt;

use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A token. It is never shown, and compared in a time that says nothing of it.
#[derive(Clone, PartialEq)]
pub struct Token(String);

/// A shorter one could be guessed.
pub const SHORTEST: usize = 16;

impl Token {
    /// Takes a text of at least [`SHORTEST`] visible ASCII characters; the error says what is wrong, without the text.
    pub fn new(text: &str) -> Result<Self, String> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token may have visible ASCII characters alone, and no white space".to_owned());
        }
        if text.len() < SHORTEST {
            return Err(format!("the token is shorter than {SHORTEST} characters, so that it could be guessed"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether the value of an Authorization field is `Bearer` and this token.
    ///
    /// Source: RFC 6750 section 2.1
    pub fn is_in(&self, authorization: &HeaderValue) -> bool {
        let Some((scheme, given)) = authorization.as_bytes().split_at_checked(BEARER.len()) else { return false };
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

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token::new("sesame-open-sesame").unwrap();
        let opens = |value: &'static str| token.is_in(&HeaderValue::from_static(value));
        assert!(opens("Bearer sesame-open-sesame") && opens("bearer sesame-open-sesame"));
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer sesame-open-sesam",
            "Bearer sesame-open-sesame ",
            "Basic sesame-open-sesame",
        ] {
            assert!(!opens(value), "{value}");
        }
        assert!(opens(Box::leak(token.authorization().unwrap().to_str().unwrap().to_owned().into_boxed_str())));
        assert!(!format!("{token:?}").contains("sesame"));
    }

    #[test]
    fn what_could_be_guessed_or_not_sent_is_none() {
        for text in ["", "short", "with white space in it", "caf\u{e9}-caf\u{e9}-caf\u{e9}-caf\u{e9}"] {
            assert!(Token::new(text).is_err(), "{text}");
        }
    }
}
