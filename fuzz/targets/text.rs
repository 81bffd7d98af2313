//! A target's input as text: lines, and fields in them.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Appends `name: value` to the fields, if it is one.
pub fn append(fields: &mut HeaderMap, line: &[u8]) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        let _ = fields.try_append(name, value);
    }
}

/// What comes after a head: `-` for nothing, a number of bytes, anything else for as much as comes.
#[allow(dead_code, reason = "not every target has a body")]
pub fn body(word: &[u8]) -> Option<Option<u64>> {
    match word {
        b"-" => None,
        word => Some(std::str::from_utf8(word).ok().and_then(|text| text.parse().ok())),
    }
}
