//! The paths that two patterns share: two routes that share some, neither covering the other, are a mistake.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::path::{PathPattern, Segment, cut};

impl PathPattern {
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
    pub(super) fn of(segments: Vec<Segment>) -> Self {
        if segments.is_empty() {
            return Self { source: "/".to_owned(), segments: vec![Segment::Literal(String::new())] };
        }
        let mut source = String::new();
        for segment in &segments {
            let _ = write!(source, "/{segment}");
        }
        Self { source, segments }
    }
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
