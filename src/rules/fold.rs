//! Values folded to the coarsest form that a backend may take for the same thing.
//!
//! Keys are exact; tags are folded. A database collation that ignores case and accents answers `city=leon` with the
//! row of `León`, and an integer route takes `007` for `7`: a write to one must drop the other's entry too.
//! Folding only ever makes an invalidation wider.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::numbers::{number_length, plain_number};

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
}
