//! Values folded to the coarsest form that a backend may take for the same thing.
//!
//! Keys are exact; tags are folded. A database collation that ignores case and accents answers `city=leon` with the
//! row of `León`, and an integer route takes `007` for `7`: a write to one must drop the other's entry too.
//! Folding only ever makes an invalidation wider. A number has one text however it is spelt: in a path, a query, JSON or a tag.

use std::borrow::Cow;

use serde_json::{Number, Value};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text whatever the case of its letters, one after the other: the beginning of a text begins its lower case, too. The
/// lower-case sigma has a form of its own at the end of a word.
pub(super) fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c })
}

/// Trims white space, lower-cases, drops accents, and writes a number in its one way.
pub(super) fn fold(value: &str) -> Cow<'_, str> {
    let trimmed = value.trim();
    if trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(whole_number(trimmed));
    }
    if trimmed.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_')) {
        return Cow::Borrowed(trimmed);
    }
    let text = fold_text(trimmed);
    Cow::Owned(plain_number(&text).unwrap_or(text))
}

/// Lower case without accents, compatible forms as one, letters with a stroke or ligatures as those who lack them write.
fn fold_text(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let plain = text.nfkd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase);
    for character in plain {
        match character {
            'ß' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            'ø' => folded.push('o'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'þ' => folded.push_str("th"),
            'ħ' => folded.push('h'),
            'ı' => folded.push('i'),
            // A lower-cased capital can bring a mark along: `İ` is `i` and a dot.
            mark if is_combining_mark(mark) => {}
            other => folded.push(other),
        }
    }
    folded
}

fn whole_number(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => "0",
        stripped => stripped,
    }
}

/// A decoded path folded segment by segment, its trailing slash dropped: the text of a path tag.
pub(super) fn fold_path(path: &str) -> String {
    let mut folded = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        folded.push('/');
        folded.push_str(&fold(segment));
    }
    if folded.is_empty() {
        folded.push('/');
    }
    folded
}

/// A tag's text folded: as a value is, and every number in it too, wherever it stands. White space goes.
///
/// Folding a value before it is put into a tag changes nothing about the tag's folded text.
pub(super) fn fold_tag(text: &str) -> String {
    let plain = fold_text(text);
    let mut folded = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    while let Some(character) = rest.chars().next() {
        let length = if character.is_ascii_digit() { number_length(rest) } else { character.len_utf8() };
        let (piece, next) = rest.split_at(length);
        if character.is_ascii_digit() {
            folded.push_str(&fold(piece));
        } else if !character.is_whitespace() && (character != '+' || !next.starts_with(|c: char| c.is_ascii_digit())) {
            folded.push(character);
        }
        rest = next;
    }
    folded
}

/// Whether some backend takes this name for that one: in another case, of letters as well that are no ASCII ones (`\u{17f}`,
/// the long s), or with what PHP writes as `_`.
pub(super) fn is_alike(known: &str, name: &str) -> bool {
    let known = known.trim();
    if known.eq_ignore_ascii_case(name) {
        return true;
    }
    let plain = |text: &str| fold(text).replace(['.', ' ', '['], "_");
    known.len() <= 4 * name.len() && plain(known) == plain(name)
}

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
    fn what_a_collation_or_an_integer_route_takes_for_the_same_folds_to_the_same() {
        for (a, b) in [
            ("León", "leon"),
            ("Managua", "MANAGUA"),
            (" ni ", "NI"),
            ("007", "7"),
            ("000", "0"),
            ("1.0", "1"),
            ("Straße", "straße"),
            ("ﬁn", "fin"),
            ("", " "),
            ("+5", "5"),
            ("-0", "0"),
            ("-5.0", "-5"),
            ("1.50", "1.5"),
            ("1_000", "1000"),
            ("００７", "7"),
            ("ΟΔΟΣ", "οδος"),
            ("straße", "STRASSE"),
            ("København", "kobenhavn"),
            ("Łódź", "lodz"),
            ("Æsir", "aesir"),
            ("Đà", "da"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} and {b}");
        }
    }

    #[test]
    fn different_things_stay_apart() {
        for (a, b) in [("1", "10"), ("1.5", "1"), ("a-b", "ab"), ("0", ""), ("NI", "NIC"), ("-5", "5")] {
            assert_ne!(fold(a), fold(b), "{a} and {b}");
        }
    }

    #[test]
    fn a_tag_folds_the_same_whether_its_value_was_folded_before_or_not() {
        for value in ["007", "León", "1.50", "+5", "1_000", "a@007", "k01-2.0", " x y ", "00７", "1_", "STRASSE"] {
            for (before, after) in [("shop:", ""), ("k", ""), ("", "-x"), ("a-", ":b")] {
                let (raw, folded) = (format!("{before}{value}{after}"), format!("{before}{}{after}", fold(value)));
                assert_eq!(fold_tag(&raw), fold_tag(&folded), "{raw}");
            }
        }
    }

    #[test]
    fn paths_fold_without_their_trailing_slash() {
        assert_eq!(fold_path("/Fruit/01/"), "/fruit/1");
        assert_eq!(fold_path("//fruit//1"), "/fruit/1");
        assert_eq!(fold_path("/"), "/");
    }

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
