//! Which values every backend reads in the same way: only of those does a write tell which entry it means.
//!
//! `/fruit/%D9%A1` is fruit 1 to Flask, `1e0` to `MariaDB`, `7abc` is 7 to `parseInt`, `Müller` is `Myller` to a
//! Swedish collation, and a UUID needs no dashes in Python. No fold can know every backend. So there are few plain values,
//! each with one form that stands for it, and all others are odd: a write with one drops the whole route, and an entry with
//! one is dropped by every write that drops any entry of its route.

use std::borrow::Cow;

use unicode_normalization::char::decompose_canonical;

/// A longer value is odd: folding takes time, and whoever writes chooses the length.
const LONGEST: usize = 256;

/// Whole numbers have a spelling of their own up to here; larger ones are rounded by JavaScript.
const MOST_DIGITS: usize = 15;

/// The form that stands for a plain value in tags; `None` for an odd one.
///
/// Two values that a backend may take for the same are either odd, one of them, or have the same form.
pub(super) fn plain(value: &str) -> Option<Cow<'_, str>> {
    if value.is_empty() || value.len() > LONGEST || !value.chars().all(is_plain) {
        return None;
    }
    if let Some(told) = uuid(value) {
        return told;
    }
    match value.bytes().next() {
        Some(b'0'..=b'9' | b'-' | b'.') => from_digits(value),
        _ => Some(fold(value)),
    }
}

/// The same for the value of a `{*rest}`, which is a path: segment by segment, a slash at its end left out.
pub(super) fn plain_path(value: &str) -> Option<String> {
    if value.len() > 4 * LONGEST {
        return None;
    }
    let segments: Option<Vec<Cow<'_, str>>> = value.trim_end_matches('/').split('/').map(plain).collect();
    Some(segments?.join("/"))
}

/// ASCII letters, digits and what stands bare in URLs; and the letters with accents that the usual collations of `MySQL` and
/// `MariaDB` take for the letter alone, all of them: `ü` is `y` in the Swedish ones, `ä` is `ae` in German ones, `ß` is `s`
/// in some and `ss` in others.
fn is_plain(character: char) -> bool {
    match character {
        'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_' | '.' | '~' => true,
        'Ä' | 'ä' | 'Å' | 'å' | 'Ö' | 'ö' | 'Ü' | 'ü' | 'Ű' | 'ű' | 'İ' => false,
        'À'..='ž' | 'Ș'..='ț' => base(character).is_some(),
        _ => false,
    }
}

/// The ASCII letter under the accents of a letter.
fn base(character: char) -> Option<char> {
    let mut first = None;
    let mut parts = 0;
    decompose_canonical(character, |part| {
        first.get_or_insert(part);
        parts += 1;
    });
    first.filter(|letter| letter.is_ascii_alphabetic() && parts > 1)
}

fn fold(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(value);
    }
    let letter = |character| base(character).unwrap_or(character).to_ascii_lowercase();
    Cow::Owned(value.chars().map(letter).collect())
}

/// A value that begins like a number.
fn from_digits(value: &str) -> Option<Cow<'_, str>> {
    let (sign, digits) = value.strip_prefix('-').map_or(("", value), |digits| ("-", digits));
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (number, rest) = digits.split_at(end);
    if number.is_empty() {
        // `-x` and `.x` are texts; `.5` is a number, and not in its plain form.
        let is_fraction = digits.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        return (!is_fraction).then(|| fold(value));
    }
    if sign.is_empty() && (is_date(value) || is_long_hex(value)) {
        return Some(Cow::Borrowed(value));
    }
    // Zero is what MariaDB makes of every text where it wants a number.
    if number.starts_with('0') || number.len() > MOST_DIGITS {
        return None;
    }
    if rest.is_empty() {
        return Some(Cow::Borrowed(value));
    }
    // What reads numbers from the beginning of a text takes `7-apples` and `7.png` for 7.
    (!goes_on_as_number(rest)).then(|| Cow::Owned(format!("{sign}{number}")))
}

/// Whether a number goes on after its first digits, as in `7.0`, `7.`, `7e-1` or `7_0`: then it is another number, or the
/// same in another spelling.
fn goes_on_as_number(rest: &str) -> bool {
    let mut bytes = rest.bytes();
    match (bytes.next(), bytes.next()) {
        (Some(b'.'), next) => next.is_none_or(|byte| byte.is_ascii_digit() || matches!(byte, b'e' | b'E')),
        (Some(b'e' | b'E'), next) => next.is_some_and(|byte| byte.is_ascii_digit() || byte == b'-'),
        (Some(b'_'), next) => next.is_some_and(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// What a text of 32 hexadecimal digits means, wherever its dashes are: the form of a canonical UUID, and nothing certain
/// in any other spelling. `None` for all other texts.
///
/// Source: RFC 9562 section 4
#[expect(clippy::option_option, reason = "no UUID, an odd one, a plain one")]
fn uuid(value: &str) -> Option<Option<Cow<'_, str>>> {
    let mut digits = 0;
    for byte in value.bytes().filter(|byte| *byte != b'-') {
        digits += 1;
        if !byte.is_ascii_hexdigit() || digits > 32 {
            return None;
        }
    }
    if digits != 32 {
        return None;
    }
    let lengths = value.split('-').map(str::len);
    let is_canonical = lengths.eq([8, 4, 4, 4, 12]) && !value.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(is_canonical.then_some(Cow::Borrowed(value)))
}

/// As in `2026-01-31`, or the month alone.
fn is_date(value: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    matches!(value.len(), 7 | 10) && value.bytes().enumerate().all(shape)
}

/// A hash, or an identifier made like one: nobody reads these as numbers.
fn is_long_hex(value: &str) -> bool {
    let hex = value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex && value.len() >= 16 && value.bytes().filter(u8::is_ascii_alphabetic).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_have_one_form() {
        for (value, form) in [
            ("7", "7"),
            ("-7", "-7"),
            ("120", "120"),
            ("León", "leon"),
            ("NI", "ni"),
            ("San-Juan_1.x~", "san-juan_1.x~"),
            ("Český", "cesky"),
            ("550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
            ("deadbeef-e29b-41d4-a716-446655440000", "deadbeef-e29b-41d4-a716-446655440000"),
            ("507f1f77bcf86cd799439011", "507f1f77bcf86cd799439011"),
            ("2026-01-31", "2026-01-31"),
            ("7-apples", "7"),
            ("7abc", "7"),
            ("3d-printer", "3"),
            ("7.png", "7"),
            ("7eggs", "7"),
            ("7_apples", "7"),
            ("-x", "-x"),
        ] {
            assert_eq!(plain(value).as_deref(), Some(form), "{value}");
        }
    }

    #[test]
    fn what_a_backend_may_read_as_anothers_is_odd() {
        for value in [
            "",
            " ",
            "7 ",
            " 7",
            "+7",
            "07",
            "0",
            "-0",
            "007abc",
            "7.0",
            "7.",
            ".7",
            "7e0",
            "7E1x",
            "1_000",
            "0x7",
            "7,0",
            "٧",
            "７",
            "७",
            "7\u{a0}",
            "7\u{200b}",
            "9007199254740993",
            "1e400",
            "Müller",
            "straße",
            "Åre",
            "Ørsted",
            "æ",
            "e\u{301}",
            "ﬁn",
            "ſ",
            "ı",
            "İ",
            "ŀ",
            "550e8400e29b41d4a716446655440000",
            "a b",
            "a/b",
            "a%b",
            "日本",
            "550E8400-E29B-41D4-A716-446655440000",
            "550e-8400e29b41d4a716446655440000",
            "DEADBEEFe29b41d4a716446655440000",
            "-550e8400e29b41d4a716446655440000",
            "--550e8400-e29b41d4a716446655440000",
            "{7}",
            "a\0",
            "a\n",
            "[",
            "\\",
        ] {
            assert_eq!(plain(value), None, "{value:?}");
        }
        assert_eq!(plain(&"a".repeat(LONGEST + 1)), None);
        assert_eq!(plain(&"\u{fdfa}".repeat(20_000)), None);
    }

    #[test]
    fn a_rest_is_plain_where_each_of_its_segments_is() {
        assert_eq!(plain_path("Img/León.png/").as_deref(), Some("img/leon.png"));
        assert_eq!(plain_path("img/07"), None);
        assert_eq!(plain_path("img//x"), None);
    }
}
