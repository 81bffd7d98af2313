//! JSON values as text, and one number however it is spelt: in a path, a query, JSON or a tag.

use std::borrow::Cow;

use serde_json::{Number, Value};

/// The largest magnitude up to which every whole number is a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The text of a JSON scalar; `None` for null, arrays, objects and numbers that backends read differently.
pub fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => json_number(number),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        _ => None,
    }
}

/// The text of a JSON number; `None` where backends differ in what they read: fractions, and whole numbers that are
/// too large for 64 bits and come rounded.
fn json_number(number: &Number) -> Option<Cow<'_, str>> {
    if number.is_i64() || number.is_u64() {
        return Some(Cow::Owned(number.to_string()));
    }
    let value = number.as_f64()?;
    // Adding zero takes the sign from a negative zero.
    (value.fract() == 0.0 && value.abs() <= EXACT).then(|| Cow::Owned(format!("{:.0}", value + 0.0)))
}

/// Whether two JSON values are the same, numbers by their value: 1 is 1.0.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        _ => one == other,
    }
}

/// A decimal number without sign where it is zero or positive, leading zeros, zeros at the end of its fraction, and
/// underscores between digits; `None` for a text that is no number.
pub(super) fn plain_number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) if text.starts_with('-') => ("-", digits),
        Some(digits) => ("", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (whole, fraction) = (plain_digits(whole)?, plain_digits(fraction)?);
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && fraction.is_empty() { "" } else { sign };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// Digits without the underscores between them; `None` where something else stands there.
fn plain_digits(text: &str) -> Option<String> {
    let misplaced = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    if misplaced || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return None;
    }
    Some(text.replace('_', ""))
}

/// How long the number is that this text starts with: digits, with a fraction or without.
pub(super) fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    let whole = digits(text);
    let after = text.get(whole..).and_then(|after| after.strip_prefix('.'));
    match after.filter(|fraction| fraction.starts_with(|c: char| c.is_ascii_digit())) {
        Some(fraction) => whole + 1 + digits(fraction),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_text() {
        for (spelt, plain) in [
            ("007", "7"),
            ("-0", "0"),
            ("+5", "5"),
            ("-5.0", "-5"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("1_000", "1000"),
            ("0.0", "0"),
        ] {
            assert_eq!(plain_number(spelt).as_deref(), Some(plain), "{spelt}");
        }
        for no in ["", ".", "-", "_1", "1_", "1__0", "1e2", "1.2.3", "0x1", "--1"] {
            assert_eq!(plain_number(no), None, "{no}");
        }
    }

    #[test]
    fn a_json_number_that_backends_read_differently_is_unknown() {
        let text = |json: &str| match serde_json::from_str(json).unwrap() {
            Value::Number(number) => json_number(&number).map(Cow::into_owned),
            _ => None,
        };
        for (json, known) in
            [("1e2", "100"), ("-0", "0"), ("-5.0", "-5"), ("18446744073709551615", "18446744073709551615")]
        {
            assert_eq!(text(json).as_deref(), Some(known), "{json}");
        }
        for json in ["1.5", "10000000000000000000001", "1e300"] {
            assert_eq!(text(json), None, "{json}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert!(same(&value("1"), &value("1.0")) && same(&value("-0"), &value("0")));
        assert!(!same(&value("9007199254740993"), &value("9007199254740992")) && !same(&value("1"), &value("\"1\"")));
    }
}
