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
/// Two values that a backend may take for the same are either odd, one of them, or have the same form, or one is the
/// [`number_in`] the other.
pub(super) fn plain(value: &str) -> Option<Cow<'_, str>> {
    let value = without_format(value);
    if value.is_empty() || value.len() > LONGEST || !value.chars().all(is_plain) || is_flag(value) {
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

/// How a value is read for a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// As what it is.
    Itself,
    /// As what takes a number for what begins with one.
    Number,
}

impl As {
    /// The form of a value; `None` for an odd one.
    pub(super) fn form(self, value: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Itself => plain(value),
            Self::Number => number_in(value).map(Cow::Borrowed).or_else(|| plain(value)),
        }
    }
}

/// The number that begins a plain value whose form is another, as that of a UUID, a date or a hash is: what reads numbers
/// takes it for that, and an app with such values never does.
pub(super) fn number_in(value: &str) -> Option<&str> {
    let value = without_format(value);
    let digits = value.bytes().position(|byte| !byte.is_ascii_digit())?;
    let number = value.get(..digits).filter(|number| is_number(number))?;
    (plain(value)? != number).then_some(number)
}

/// The value without the format that some frameworks let a path end with: `/articles/7.json` is article 7 in JSON.
pub(super) fn without_format(value: &str) -> &str {
    match value.rsplit_once('.') {
        Some((before, format)) if is_format(format) && !before.is_empty() => before,
        _ => value,
    }
}

/// Whether it is the name of a format, as paths may end with one.
fn is_format(text: &str) -> bool {
    FORMATS.iter().any(|format| format.eq_ignore_ascii_case(text))
}

const FORMATS: [&str; 11] = ["api", "atom", "csv", "htm", "html", "json", "rss", "txt", "xml", "yaml", "yml"];

/// Words that a backend may take for 1 or 0, and for each other.
fn is_flag(value: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off"].iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// Whether digits are a whole number in its plain form. Zero is what `MariaDB` makes of every text where it wants a number.
fn is_number(digits: &str) -> bool {
    !digits.is_empty() && !digits.starts_with('0') && digits.len() <= MOST_DIGITS
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
        return Some(fold(value));
    }
    if !is_number(number) || is_oddly_spelt_date(value) {
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

/// As in `2026-1-31`, `26-01-31` or `2026-W05-6`: what reads dates takes it for `2026-01-31`.
fn is_oddly_spelt_date(value: &str) -> bool {
    let mut parts = value.splitn(3, ['-', '~', '.']);
    let is_short = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count() > 0;
    let year = parts.next().is_some_and(|year| matches!(year.len(), 2 | 4) && year.bytes().all(|b| b.is_ascii_digit()));
    year && parts.next().is_some_and(|month| is_short(month.trim_start_matches(['W', 'w'])))
}

/// A hash, or an identifier made like one, in either case.
fn is_long_hex(value: &str) -> bool {
    let hex = value.bytes().all(|byte| byte.is_ascii_hexdigit());
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
            ("507F1F77BCF86CD799439011", "507f1f77bcf86cd799439011"),
            ("my-slug.json", "my-slug"),
            ("7.XML", "7"),
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
            "true",
            "No",
            "2026-1-31",
            "26-01-31",
            "2026~01-31",
            "2026-W05-6",
            "\\",
        ] {
            assert_eq!(plain(value), None, "{value:?}");
        }
        assert_eq!(plain(&"a".repeat(LONGEST + 1)), None);
        assert_eq!(plain(&"\u{fdfa}".repeat(20_000)), None);
    }

    #[test]
    fn a_number_is_found_where_the_form_is_another() {
        for (value, number) in [
            ("7eadbeef-e29b-41d4-a716-446655440000", Some("7")),
            ("2026-01-31", Some("2026")),
            ("507F1f77bcf86cd799439011", Some("507")),
            ("7", None),
            ("7-apples", None),
            ("7.json", None),
            ("deadbeef-e29b-41d4-a716-446655440000", None),
            ("0eadbeef-e29b-41d4-a716-446655440000", None),
            ("apples", None),
            ("07", None),
        ] {
            assert_eq!(number_in(value), number, "{value}");
        }
    }

    #[test]
    fn a_rest_is_plain_where_each_of_its_segments_is() {
        assert_eq!(plain_path("Img/León.png/").as_deref(), Some("img/leon.png"));
        assert_eq!(plain_path("img/07"), None);
        assert_eq!(plain_path("img//x"), None);
    }
}
