//! Whether an answer is about what a write names: only of those it says something that one has stayed as it was.
//!
//! A list that does not show an article stays whatever is done to that, and the comments on one say nothing of those on another.
//! So each value of the write's path has to be in the answer's path, or in what it says as a word of its own. A number, or a
//! value that is as short, may be there by chance: it counts only where it is said to be that of the same kind of thing.

use memchr::memmem;

use super::named::{STAND_IN, is_id, plain, singular};
use super::subject::Subject;

/// Longer answers are not searched, nor for more values.
const LONGEST_BODY: usize = 1 << 20;
const MOST_VALUES: usize = 8;
/// A value is looked at in so many places, and as a word of its own in so many: all of it takes well below a millisecond, for which
/// others wait. An answer that has it more often counts as one that has it not.
const MOST_FOUND: usize = 1 << 16;
const MOST_WORDS: usize = 256;
/// Shorter values are in many an answer.
const SHORT: usize = 4;
/// The name of a member is looked for so far back.
const LONGEST_NAME: usize = 64;

/// Whether an answer of this subject with this body is about all that a write names: the pattern is its path with variables, whose
/// values are with it, and `named` what else it names. A write that names nothing is about everything, and one of which nobody
/// knows that about nothing.
pub(super) fn is_about(
    subject: &Subject,
    body: &[u8],
    (pattern, values): (&str, &[(String, String)]),
    named: Option<&[(String, String)]>,
) -> bool {
    let Some(named) = named else { return false };
    let by_path = values.iter().map(|(name, value)| Thing::of_path(pattern, name, value));
    let mut things = by_path.chain(named.iter().map(|(name, value)| Thing::besides(pattern, name, value)));
    values.len() + named.len() <= MOST_VALUES && things.all(|thing| thing.is_at(subject) || thing.is_in(body, subject))
}

/// What a write names.
struct Thing<'w> {
    /// What it is called there, plainly.
    name: String,
    value: &'w str,
    /// What it is one of, in the singular; empty where nobody says so.
    of: String,
    /// It is in the path, where any name will do.
    is_of_path: bool,
}

impl<'w> Thing<'w> {
    /// A variable of the path: what it is one of mostly stands before it.
    fn of_path(pattern: &str, name: &str, value: &'w str) -> Self {
        let of = singular(&plain(segment_before(pattern, name))).to_owned();
        Self { name: plain(name), value, of, is_of_path: true }
    }

    /// A member of the body or the query, which mostly is called so (`article`, `article_id`); or it is what the write is sent to.
    fn besides(pattern: &str, name: &str, value: &'w str) -> Self {
        let name = plain(name);
        let called = if is_id(&name) {
            ""
        } else {
            ["ids", "id", "slug", "uuid"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name)
        };
        let sent_to = pattern.rsplit('/').find(|segment| !segment.contains('{')).unwrap_or_default();
        let of = if called.is_empty() { plain(sent_to) } else { called.to_owned() };
        Self { of: singular(&of).to_owned(), name, value, is_of_path: false }
    }

    /// Whether it may be in an answer by chance.
    fn is_common(&self) -> bool {
        self.value.len() < SHORT || self.value.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether this is what it is one of.
    fn is_one_of(&self, word: &str) -> bool {
        !self.of.is_empty() && singular(&plain(word)) == self.of
    }

    /// Whether the path of an answer has it.
    fn is_at(&self, subject: &Subject) -> bool {
        let is_of_same = |name: &str| self.is_one_of(segment_before(subject.pattern(), name));
        let mut named = subject.values().iter().filter(|(_, value)| value == self.value);
        named.any(|(name, _)| !self.is_common() || is_of_same(name))
    }

    /// Whether an answer says it.
    fn is_in(&self, body: &[u8], subject: &Subject) -> bool {
        // What a stand-in stands for is not known any more.
        if self.value.is_empty() || self.value.starts_with(STAND_IN) || body.len() > LONGEST_BODY {
            return false;
        }
        let around = |at| {
            let (before, rest) = body.split_at(at);
            (before, rest.get(self.value.len()..).unwrap_or_default())
        };
        let is_word = |(before, after): &(&[u8], &[u8])| {
            !before.last().copied().is_some_and(is_of_word) && !after.first().copied().is_some_and(is_of_word)
        };
        let words = memmem::find_iter(body, self.value).take(MOST_FOUND).map(around).filter(is_word);
        let is_it =
            |(before, after)| if self.is_common() { self.is_meant(before, subject) } else { !is_name(before, after) };
        words.take(MOST_WORDS).any(is_it)
    }

    /// Whether what stands before a value says that it is this thing's: a member's name, or a segment of a path.
    fn is_meant(&self, before: &[u8], subject: &Subject) -> bool {
        if self.of.is_empty() {
            return false;
        }
        if let Some(path) = before.strip_suffix(b"/") {
            let begins = path.iter().rposition(|byte| !is_of_word(*byte)).map_or(0, |at| at + 1);
            let segment = path.get(begins..).and_then(|segment| std::str::from_utf8(segment).ok());
            return segment.is_some_and(|segment| segment.is_ascii() && self.is_one_of(segment));
        }
        let Some(member) = member_before(before) else { return false };
        if member == "id" || (member == self.name && (self.is_of_path || is_id(&member))) {
            return subject.pattern().split('/').any(|segment| self.is_one_of(segment));
        }
        let is_called_so = !self.is_of_path && (member == self.name || self.is_one_of(&member));
        is_called_so || member.strip_suffix("id").is_some_and(|member| member == self.of)
    }
}

/// Whether a byte beside a value makes it part of a longer word.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_%".contains(&byte)
}

/// The segment before a variable in a path, where that is none itself.
fn segment_before<'p>(pattern: &'p str, variable: &str) -> &'p str {
    let is_it = |segment: &str| segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) == Some(variable);
    let mut before = "";
    for segment in pattern.split('/') {
        if is_it(segment) {
            break;
        }
        before = segment;
    }
    if before.contains(['{', ' ']) { "" } else { before }
}

/// Whether what stands between these is the name of a member of JSON.
fn is_name(before: &[u8], after: &[u8]) -> bool {
    let after = after.strip_prefix(b"\"").map(<[u8]>::trim_ascii_start);
    before.ends_with(b"\"") && after.is_some_and(|after| after.starts_with(b":"))
}

/// The plain name of the member of JSON whose value begins here.
fn member_before(before: &[u8]) -> Option<String> {
    let before = before.strip_suffix(b"\"").unwrap_or(before).trim_ascii_end();
    let name = before.strip_suffix(b":")?.trim_ascii_end().strip_suffix(b"\"")?;
    let name = name.get(name.len().saturating_sub(LONGEST_NAME)..)?;
    let begins = name.iter().rposition(|byte| *byte == b'"')?;
    Some(plain(std::str::from_utf8(name.get(begins + 1..)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(target: &str, body: &str, pattern: &str, values: &[(&str, &str)]) -> bool {
        let (routed, value) = match target.strip_prefix("/articles/") {
            Some(slug) => ("/articles/{slug}", Some(("slug", slug))),
            None => target.strip_prefix("/users/").map_or((target, None), |id| ("/users/{id}", Some(("id", id)))),
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let subject = Subject::at(routed, value.iter().map(owned).collect());
        is_about(&subject, body.as_bytes(), (pattern, &values.iter().map(owned).collect::<Vec<_>>()), Some(&[]))
    }

    #[test]
    fn an_answer_that_has_a_value_very_often_is_not_searched_to_its_end() {
        let list = |times: usize, filler: &str| format!(r#"[{}{{"article_id":1}}]"#, filler.repeat(times));
        for (filler, fits) in [("1,", MOST_WORDS - 1), ("11,", MOST_FOUND / 2 - 1)] {
            let favour = |times| about("/list", &list(times, filler), "PUT /articles/{id}", &[("id", "1")]);
            assert!(favour(fits), "{filler}");
            assert!(!favour(fits + 1), "{filler}");
        }
    }

    #[test]
    fn an_answer_is_about_what_its_path_or_its_words_name() {
        let favour = "DELETE /articles/{slug}/favorite";
        let slug = [("slug", "a-day")];
        assert!(about("/articles/a-day", "", favour, &slug));
        assert!(!about("/articles/a-night", "", favour, &slug));
        for (body, is_said) in [
            (r#"[{"slug":"a-day"}]"#, true),
            ("<a href=/articles/a-day>", true),
            ("this is a-day.", true),
            (r#"[{"slug":"a-day-2"}]"#, false),
            ("a-days", false),
            ("1a-day", false),
            ("a-day\u{e9}", false),
            (r#"{"a-day" : 1}"#, false),
            (r#"{"a-day-2":0,"slug":"a-day"}"#, true),
            ("", false),
        ] {
            assert_eq!(about("/articles", body, favour, &slug), is_said, "{body}");
        }
        assert!(about("/articles", "", "POST /login", &[]), "a write that names nothing");
        let comment = [("slug", "a-day"), ("id", "1701")];
        let delete = "DELETE /articles/{slug}/comments/{id}";
        assert!(!about("/articles/a-day", "", delete, &comment), "each of them");
        assert!(about("/articles/a-day", r#"{"comment_id":1701}"#, delete, &comment));
    }

    #[test]
    fn a_number_counts_where_it_is_said_to_be_of_the_same_kind_of_thing() {
        let (like, seven) = ("POST /articles/{id}/like", [("id", "7")]);
        assert!(about("/articles/7", "", like, &seven));
        assert!(!about("/users/7", "", like, &seven), "the user with the same number");
        for (target, body, is_said) in [
            ("/articles", r#"[{"id": 7}]"#, true),
            ("/articles", r#"[{"id":"7"}]"#, true),
            ("/articles", r#"[{"id": 70}, {"likes": 7}, 7]"#, false),
            ("/users/1", r#"{"id":7}"#, false),
            ("/users/1", r#"{"last":{"article_id":7}}"#, true),
            ("/users/1", r#"{"last":{"articleId" : 7}}"#, true),
            ("/users/1", "<a href=\"/articles/7\">", true),
            ("/users/1", "<a href=\"/particles/7\">", false),
            ("/users/1", "<a href=\"/articles/7-2\">", false),
        ] {
            assert_eq!(about(target, body, like, &seven), is_said, "{target} {body}");
        }
        assert!(!about("/articles", r#"[{"id":7}]"#, "POST /{id}/like", &seven), "of what, is not told");
    }
}
