//! Paths as origins take them: with and without a slash at their end, and for writes in any case; and the paths that two
//! patterns share.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Captures, PathPattern, Segment, cut, decode};
use crate::rules::fold::{fold, lower};
use crate::rules::value::{As, plain_path, without_format};

impl PathPattern {
    /// Matches one decoded path of a write ([`crate::rules::write_paths`]): literals without regard to case, with or without
    /// a trailing slash, because origins differ in both and a write must never drop too little.
    pub fn matches_write<'a>(&'a self, path: &'a str) -> Option<Captures<'a>> {
        self.matches_but_for_a_slash(path, Cow::Borrowed, is_loosely, cut_loosely)
    }

    /// Matches the raw path of a write that is spelt as the file has it, but for a trailing slash.
    pub(in crate::rules) fn matches_strictly<'a>(&'a self, path: &'a str) -> Option<Captures<'a>> {
        self.matches_but_for_a_slash(path, decode, |a, b| a == b, cut)
    }

    fn matches_but_for_a_slash<'a>(
        &'a self,
        path: &'a str,
        decode: impl Fn(&'a str) -> Cow<'a, str>,
        same: impl Fn(&str, &str) -> bool,
        cut: impl Fn(Cow<'a, str>, &str, &str) -> Option<Cow<'a, str>>,
    ) -> Option<Captures<'a>> {
        let inner = path.strip_prefix('/')?.trim_end_matches('/');
        match self.without_slash() {
            [] => inner.is_empty().then(Captures::default),
            segments => Self::walk(segments, inner, decode, same, cut),
        }
    }

    /// Its segments, but for the empty one after a slash at its end.
    fn without_slash(&self) -> &[Segment] {
        match self.segments.split_last() {
            Some((Segment::Literal(last), before)) if last.is_empty() => before,
            _ => &self.segments,
        }
    }

    /// The one text that stands for all spellings of a path that it has matched, without a trailing slash; `None` where a
    /// value is odd ([`crate::rules::value`]).
    pub(in crate::rules) fn folded(&self, captures: &Captures<'_>, read: As) -> Option<String> {
        let mut folded = String::new();
        for segment in self.without_slash() {
            folded.push('/');
            match segment {
                Segment::Literal(literal) => folded.extend(lower(literal)),
                Segment::Variable { before, name, after } => {
                    folded.extend(lower(before));
                    folded.push_str(&read.form(captures.get(name)?)?);
                    folded.extend(lower(after));
                }
                Segment::Rest(name) => folded.push_str(&plain_path(captures.get(name)?)?),
            }
        }
        Some(folded)
    }

    /// Whether a path may match both this pattern and `other` for a write.
    pub fn meets(&self, other: &Self) -> bool {
        let (mut mine, mut others) = (self.without_slash(), other.without_slash());
        loop {
            match (mine.split_first(), others.split_first()) {
                (None, None) | (Some((Segment::Rest(_), _)), Some(_)) | (Some(_), Some((Segment::Rest(_), _))) => {
                    return true;
                }
                (Some((one, my_rest)), Some((another, other_rest))) if may_be_same(one, another) => {
                    (mine, others) = (my_rest, other_rest);
                }
                _ => return false,
            }
        }
    }

    /// Whether paths that this pattern matches can lie strictly below a write's decoded path.
    pub fn lies_under(&self, path: &str) -> bool {
        let above: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        for (index, piece) in above.iter().enumerate() {
            match self.segments.get(index) {
                Some(Segment::Literal(literal)) if same_in_any_case(literal, piece) => {}
                Some(Segment::Variable { before, after, .. })
                    if cut_loosely(Cow::Borrowed(*piece), before, after).is_some() => {}
                Some(Segment::Rest(_)) => return true,
                _ => return false,
            }
        }
        match self.segments.get(above.len()) {
            None => false,
            Some(Segment::Literal(literal)) => !literal.is_empty(),
            Some(_) => true,
        }
    }

    /// Whether a path that this pattern matches may have the same path tag as `path` where no route speaks, but for one of a
    /// `{*rest}`.
    pub(in crate::rules) fn may_fold_to(&self, path: &str) -> bool {
        let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
        let own = self.without_slash();
        let same = |(segment, piece): (&Segment, &&str)| match segment {
            Segment::Literal(literal) => fold(literal) == fold(piece),
            Segment::Variable { .. } | Segment::Rest(_) => true,
        };
        own.len() == pieces.len() && own.iter().zip(&pieces).all(same)
    }

    /// The paths of which [`PathPattern::lies_under`] holds, as patterns, from the root on. Below a `{*rest}` lie paths of its
    /// own.
    pub(in crate::rules) fn above(&self) -> Vec<Self> {
        let own = self.without_slash();
        let lengths = 0..own.len() + usize::from(matches!(own.last(), Some(Segment::Rest(_))));
        lengths.map(|length| Self::of(own.iter().take(length).cloned().collect())).collect()
    }

    /// The paths that both this pattern and `other` match, as a pattern; `None` when there is no such path.
    pub fn overlap(&self, other: &Self) -> Option<Self> {
        let mut segments = Vec::new();
        for index in 0.. {
            match (self.segments.get(index), other.segments.get(index)) {
                (None, None) => break,
                (Some(Segment::Rest(_)), Some(_)) if !other.ends_with_a_slash_at(index) => {
                    segments.extend(other.segments.iter().skip(index).cloned());
                    break;
                }
                (Some(_), Some(Segment::Rest(_))) if !self.ends_with_a_slash_at(index) => {
                    segments.extend(self.segments.iter().skip(index).cloned());
                    break;
                }
                (Some(mine), Some(others)) => segments.push(shared(mine, others)?),
                _ => return None,
            }
        }
        Some(Self::of(segments))
    }

    /// The pattern that has these segments; that of the root where there are none.
    pub(in crate::rules) fn of(segments: Vec<Segment>) -> Self {
        if segments.is_empty() {
            return Self { source: "/".to_owned(), segments: vec![Segment::Literal(String::new())] };
        }
        let mut source = String::new();
        for segment in &segments {
            let _ = write!(source, "/{segment}");
        }
        Self { source, segments }
    }

    /// The literal text that stands last before a variable; `None` where none does.
    pub fn literal_before(&self, name: &str) -> Option<&str> {
        let mut literal = None;
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => literal = Some(text.as_str()),
                Segment::Variable { before, name: own, .. } if own == name => {
                    return Some(before.as_str()).filter(|before| !before.is_empty()).or(literal);
                }
                Segment::Rest(own) if own == name => return literal,
                Segment::Variable { .. } | Segment::Rest(_) => {}
            }
        }
        None
    }
}

/// Whether a segment of a write's path may be this literal: in any case, and with a format at its end (`/articles.json`).
fn is_loosely(piece: &str, literal: &str) -> bool {
    same_in_any_case(piece, literal) || same_in_any_case(without_format(piece), literal)
}

/// Whether one segment of a path may match both.
fn may_be_same(one: &Segment, other: &Segment) -> bool {
    match (one, other) {
        (Segment::Literal(a), Segment::Literal(b)) => same_in_any_case(a, b),
        (Segment::Literal(literal), Segment::Variable { before, after, .. })
        | (Segment::Variable { before, after, .. }, Segment::Literal(literal)) => {
            cut_loosely(Cow::Borrowed(literal), before, after).is_some()
        }
        _ => true,
    }
}

/// Whether two texts differ in nothing but the case of their letters. It ends with the first that differs: what a client
/// sends is long, and is compared with every route.
fn same_in_any_case(one: &str, other: &str) -> bool {
    lower(one).eq(lower(other))
}

/// What stands between `before` and `after`, without regard to their case.
fn cut_loosely<'a>(piece: Cow<'a, str>, before: &str, after: &str) -> Option<Cow<'a, str>> {
    if before.is_empty() && after.is_empty() {
        return cut(piece, before, after);
    }
    let start = piece.char_indices().nth(before.chars().count())?.0;
    let end = match after.chars().count() {
        0 => piece.len(),
        length => piece.char_indices().nth_back(length - 1)?.0,
    };
    let value = piece.get(start..end).filter(|value| !value.is_empty())?;
    let same = same_in_any_case(piece.get(..start)?, before) && same_in_any_case(piece.get(end..)?, after);
    same.then(|| Cow::Owned(value.to_owned()))
}

/// The segments that both match, as one; variables keep the first one's name.
fn shared(one: &Segment, other: &Segment) -> Option<Segment> {
    match (one, other) {
        (Segment::Literal(a), Segment::Literal(b)) => (a == b).then(|| one.clone()),
        (Segment::Literal(literal), Segment::Variable { before, after, .. })
        | (Segment::Variable { before, after, .. }, Segment::Literal(literal)) => {
            cut(Cow::Borrowed(literal), before, after).map(|_| Segment::Literal(literal.clone()))
        }
        (Segment::Variable { before, name, after }, Segment::Variable { before: b, after: a, .. }) => {
            let before = longer(before, b, |long, short| long.starts_with(short))?;
            let after = longer(after, a, |long, short| long.ends_with(short))?;
            Some(Segment::Variable { before: before.to_owned(), name: name.clone(), after: after.to_owned() })
        }
        (Segment::Rest(_), _) | (_, Segment::Rest(_)) => None,
    }
}

fn longer<'t>(one: &'t str, other: &'t str, holds: impl Fn(&str, &str) -> bool) -> Option<&'t str> {
    let (long, short) = if one.len() < other.len() { (other, one) } else { (one, other) };
    holds(long, short).then_some(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::parse(text).unwrap()
    }

    #[test]
    fn a_write_matches_loosely() {
        assert_eq!(pattern("/files/v{n}.json").matches_write("/files/V2.JSON").unwrap().get("n"), Some("2"));
        assert!(pattern("/files/v{n}.json").matches_write("/files/V.JSON").is_none());
        for fruit in [pattern("/fruit/{id}"), pattern("/fruit/{id}/")] {
            for path in ["/fruit/1", "/fruit/1/", "/FRUIT/1", "/fruit/1//", "/fruit.json/1"] {
                assert_eq!(fruit.matches_write(path).unwrap().get("id"), Some("1"), "{path}");
            }
            for path in ["/fruit", "/fruit/", "/fruit/1/2", "/"] {
                assert!(fruit.matches_write(path).is_none(), "{path}");
            }
        }
        assert!(pattern("/").matches_write("/").is_some());
        assert!(pattern("/").matches_write("/a").is_none());
        assert!(pattern("/{*rest}").matches_write("/").is_none());
    }

    #[test]
    fn case_is_no_matter_in_any_alphabet() {
        for (one, other) in [("Fruit", "fRUIT"), ("ΟΔΟΣ", "οδος"), ("ŽLUŤ", "žluť"), ("İ", "i\u{307}"), ("", "")]
        {
            assert!(same_in_any_case(one, other) && same_in_any_case(other, one), "{one} {other}");
        }
        for (one, other) in [("fruit", "fruits"), ("fruits", "fruit"), ("", "a"), ("ä", "a")] {
            assert!(!same_in_any_case(one, other), "{one} {other}");
        }
        let file =
            |path| pattern("/ŽV{n}.Json").matches_write(path).and_then(|found| found.get("n").map(str::to_owned));
        assert_eq!(file("/žv7ñ.JSON").as_deref(), Some("7ñ"));
        for no in ["/žv.json", "/ž", "/.json", "/žw7.json", "/žv7.jso"] {
            assert_eq!(file(no), None, "{no}");
        }
    }

    #[test]
    fn a_strict_match_forgives_a_slash_and_nothing_else() {
        for login in [pattern("/login"), pattern("/login/")] {
            assert!(login.matches_strictly("/login").is_some() && login.matches_strictly("/login/").is_some());
            assert!(login.matches_strictly("/Login").is_none());
        }
        assert_eq!(pattern("/a/{b}").matches_strictly("/a/x%20y/").unwrap().get("b"), Some("x y"));
    }

    #[test]
    fn all_spellings_of_a_path_fold_to_one_text() {
        let file = pattern("/Files/v{n}.json/");
        for path in ["/files/v7.json", "/FILES/V7.JSON/"] {
            assert_eq!(
                file.folded(&file.matches_write(path).unwrap(), As::Itself).as_deref(),
                Some("/files/v7.json"),
                "{path}"
            );
        }
        assert_eq!(file.folded(&file.matches_write("/files/v07.json").unwrap(), As::Itself), None);
        let rest = pattern("/s/{*rest}");
        assert_eq!(rest.folded(&rest.matches_write("/s/A/b/").unwrap(), As::Itself).as_deref(), Some("/s/a/b"));
    }

    #[test]
    fn patterns_meet_where_one_path_matches_both() {
        for (one, other) in [
            ("/a/{x}", "/A/b/"),
            ("/a/{x}", "/{y}/b"),
            ("/{*rest}", "/a/{b}"),
            ("/a/v{x}", "/a/{y}"),
            ("/", "/"),
            ("/v{x}", "/v1"),
        ] {
            assert!(pattern(one).meets(&pattern(other)) && pattern(other).meets(&pattern(one)), "{one} {other}");
        }
        for (one, other) in [("/a", "/b"), ("/a/{x}", "/a"), ("/v{x}", "/w1"), ("/{*rest}", "/")] {
            assert!(!pattern(one).meets(&pattern(other)) && !pattern(other).meets(&pattern(one)), "{one} {other}");
        }
    }

    #[test]
    fn what_lies_above_a_pattern_and_before_a_variable() {
        let above = |text: &str| pattern(text).above().iter().map(|path| path.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(above("/a/{b}/c/"), ["/", "/a", "/a/{b}"]);
        assert_eq!(above("/a/{*rest}"), ["/", "/a", "/a/{*rest}"]);
        assert!(above("/").is_empty());
        let path = pattern("/a/{b}/c/{d}/v{n}/{*rest}");
        let before = |name| path.literal_before(name);
        assert_eq!(
            (before("b"), before("d"), before("n"), before("rest")),
            (Some("a"), Some("c"), Some("v"), Some("c"))
        );
        assert_eq!((before("x"), pattern("/{b}").literal_before("b")), (None, None));
    }

    #[test]
    fn what_lies_under_a_path() {
        assert!(pattern("/orders/{page}").lies_under("/orders"));
        assert!(pattern("/users/{id}/orders").lies_under("/users/7"));
        assert!(pattern("/users/{id}/orders").lies_under("/users/7/"));
        assert!(pattern("/orders/{page}").lies_under("/"));
        assert!(!pattern("/orders/{page}").lies_under("/orders/7"));
        assert!(!pattern("/orders/{page}/").lies_under("/orders/7"));
        assert!(!pattern("/orders/{page}").lies_under("/fruit"));
        assert!(!pattern("/").lies_under("/"));
    }

    #[test]
    fn a_pattern_may_fold_to_what_its_literals_allow() {
        assert!(pattern("/A/{b}").may_fold_to("/a/1/") && pattern("/7/{b}").may_fold_to("/007/x"));
        assert!(!pattern("/a/{b}").may_fold_to("/a") && !pattern("/a/{b}").may_fold_to("/b/1"));
    }

    #[test]
    fn an_overlap_is_what_both_match() {
        for (one, other, both) in [
            ("/{a}/x", "/y/{b}", Some("/y/x")),
            ("/{a}/x/{c}", "/y/{b}/{d}", Some("/y/x/{c}")),
            ("/v{n}", "/{n}.json", Some("/v{n}.json")),
            ("/{*rest}", "/a/{b}", Some("/a/{b}")),
            ("/a/{b}/c", "/a/{*rest}", Some("/a/{b}/c")),
            ("/orders/{page}", "/fruit/{id}", None),
            ("/orders", "/orders/{page}", None),
            ("/v{n}", "/w{n}", None),
            ("/static/", "/static/{*rest}", None),
        ] {
            let found = pattern(one).overlap(&pattern(other));
            assert_eq!(found.as_ref().map(PathPattern::as_str), both, "{one} and {other}");
        }
    }
}
