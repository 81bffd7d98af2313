//! Fields from literals, for the unit tests of every room.

use http::{HeaderMap, HeaderName, HeaderValue};

/// These lines in this order, each a name and a value.
pub(crate) fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

/// One field with these lines.
pub(crate) fn field(name: &HeaderName, lines: &[impl AsRef<[u8]>]) -> HeaderMap {
    lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line.as_ref()).unwrap())).collect()
}
