//! JSON as it is written, to be compared: nothing is lost that a client could read, but for white space and the order of names.

use serde_json::Value;

use crate::rules::read_json;

/// Longer numbers may be too long for a machine's own.
const LONGEST_NUMBER: usize = 15;
/// What a number begins with that is written as a string.
const MARK: &[u8] = br#""\u0000"#;

/// What a body says; `None` where it is no JSON, or says something twice, of which each client reads another one.
///
/// Every number that a machine's own may not hold as it is written (`1.10`, `12345678901234567`) becomes a string, which no
/// other value becomes.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    read_json(&marked(body))
}

/// The same text, with strings in place of such numbers. The strings that begin as those do get one mark more.
fn marked(body: &[u8]) -> Vec<u8> {
    let (mut marked, mut rest) = (Vec::with_capacity(body.len()), body);
    while let Some(place) = rest.iter().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')) {
        let (before, from) = rest.split_at(place);
        let (token, after) = from.split_at(token_length(from));
        marked.extend_from_slice(before);
        match token {
            [b'"', text @ ..] if text.starts_with(MARK.get(1..).unwrap_or_default()) => {
                marked.extend_from_slice(MARK);
                marked.extend_from_slice(text);
            }
            [b'"', ..] => marked.extend_from_slice(token),
            digits if digits.len() <= LONGEST_NUMBER && digits.iter().all(u8::is_ascii_digit) => {
                marked.extend_from_slice(digits);
            }
            number => {
                marked.extend_from_slice(MARK);
                marked.extend_from_slice(number);
                marked.push(b'"');
            }
        }
        rest = after;
    }
    marked.extend_from_slice(rest);
    marked
}

/// How long the string or the number is that this begins with.
fn token_length(from: &[u8]) -> usize {
    let end = match from {
        [b'"', text @ ..] => {
            let mut is_escaped = false;
            let end = text.iter().position(|byte| {
                let is_end = *byte == b'"' && !is_escaped;
                is_escaped = *byte == b'\\' && !is_escaped;
                is_end
            });
            end.map(|end| end + 2)
        }
        _ => from.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')),
    };
    end.unwrap_or(from.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Option<Value> {
        read(body.as_bytes())
    }

    #[test]
    fn neither_white_space_nor_the_order_of_names_is_anything_that_is_said() {
        let one = of(r#"{"a": 1.5, "b\"-1": ["x\\", -3, 12, null, true], "c": {}}"#);
        assert_eq!(one, of(r#"{"c":{},"b\"-1":["x\\",-3,12,null,true],"a":1.5}"#));
        assert!(one.is_some_and(|value| value["b\"-1"][0] == "x\\" && value["b\"-1"][2] == 12));
    }

    #[test]
    fn numbers_are_what_they_are_written_as() {
        for (one, other) in [
            ("12345678901234567.01", "12345678901234567.05"),
            ("18446744073709551616", "18446744073709551617"),
            ("9007199254740993.0", "9007199254740992.0"),
            ("0.1", "0.10000000000000000001"),
            ("1e400", "2e400"),
            ("1E-400", "2E-400"),
            ("-0", "0"),
            ("1.10", "1.1"),
            ("1.5", r#""1.5""#),
            ("1.5", r#""\u00001.5""#),
            (r#""\u0000\u00001.5""#, r#""\u00001.5""#),
        ] {
            assert!(of(one).is_some() && of(other).is_some(), "{one} {other}");
            assert_ne!(of(one), of(other));
        }
    }

    #[test]
    fn what_is_said_twice_and_what_is_no_json_is_not_read() {
        for body in
            [r#"{"a": 1, "a": 2}"#, r#"[{"b": {"a": 1, "\u0061": 2}}]"#, "", "{", "1 2", r#"{"a": 1"#, "\"", "nul"]
        {
            assert_eq!(of(body), None, "{body}");
        }
        assert_eq!(of(&("[".repeat(500) + &"]".repeat(500))), None);
    }
}
