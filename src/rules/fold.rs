//! Values folded to the coarsest form that a backend may take for the same thing.
//!
//! Keys are exact; tags are folded. A database collation that ignores case and accents answers `city=leon` with the
//! row of `León`, and an integer route takes `007` for `7`: a write to one must drop the other's entry too.
//! Folding only ever makes an invalidation wider.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Trims white space, lower-cases, drops accents, and strips a number's leading zeros and zero fraction.
pub(super) fn fold(value: &str) -> Cow<'_, str> {
    let trimmed = value.trim();
    if trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(whole_number(trimmed));
    }
    if trimmed.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_')) {
        return Cow::Borrowed(trimmed);
    }
    if let Some((whole, fraction)) = trimmed.split_once('.')
        && !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && fraction.bytes().all(|byte| byte == b'0')
    {
        return Cow::Borrowed(whole_number(whole));
    }
    Cow::Owned(fold_text(trimmed))
}

/// Lower case without accents.
fn fold_text(text: &str) -> String {
    let plain = text.nfkd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase);
    plain.collect()
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

/// How long the number is that this text starts with: digits, with a fraction or without.
fn number_length(text: &str) -> usize {
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
        ] {
            assert_eq!(fold(a), fold(b), "{a} and {b}");
        }
    }

    #[test]
    fn different_things_stay_apart() {
        for (a, b) in [("1", "10"), ("1.5", "1"), ("a-b", "ab"), ("0", ""), ("NI", "NIC")] {
            assert_ne!(fold(a), fold(b), "{a} and {b}");
        }
    }

    #[test]
    fn paths_fold_without_their_trailing_slash() {
        assert_eq!(fold_path("/Fruit/01/"), "/fruit/1");
        assert_eq!(fold_path("//fruit//1"), "/fruit/1");
        assert_eq!(fold_path("/"), "/");
    }
}
