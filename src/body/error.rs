//! Why a body ended before it was whole, and what lies behind an error: libraries wrap the cause that a person can act on.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

/// Why a body ended before it was whole. The connection it was being sent on is then cut, so that the receiver can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The sender closed or broke the connection, or its framing was wrong.
    Broken(String),
    /// Nothing came for this long.
    Stalled(Duration),
    /// It came with fewer bytes a second than this.
    TooSlow(NonZeroU64),
    /// It was not whole when the time for the whole exchange was over.
    Late(Duration),
    /// It grew larger than allowed.
    TooLarge,
    /// A trailer section follows it where none is taken.
    Trailers,
}

impl fmt::Display for BodyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(out, "the body was cut short: {why}"),
            Self::Stalled(limit) => write!(out, "nothing more of the body came for {limit:?}"),
            Self::TooSlow(rate) => write!(out, "the body came with less than {rate} bytes a second"),
            Self::Late(limit) => write!(out, "the body was not whole within {limit:?}"),
            Self::TooLarge => out.write_str("the body is larger than allowed"),
            Self::Trailers => out.write_str("a trailer section follows the body, and none is forwarded"),
        }
    }
}

impl std::error::Error for BodyError {}

/// The innermost cause of an error: what a person can act on.
pub fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// All that caused an error.
pub fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |inner| inner.source())
}
