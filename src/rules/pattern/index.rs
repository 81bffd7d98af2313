//! Which of many path patterns may match a path: those with its literal segments, and of them the first.
//!
//! Whether one matches [`PathPattern::matches`] says, here as everywhere; this leaves out only what cannot.

use std::collections::HashMap;
use std::fmt;

use super::path::{PathPattern, Segment, decode, first_segment};

/// So many segments of a pattern are looked at.
const DEEPEST: usize = 12;

/// The patterns by their segments.
#[derive(Clone)]
pub(in crate::rules) struct PathIndex(Node);

/// What begins with the same segments; of a variable's text nothing is looked at.
#[derive(Clone)]
struct Node {
    /// The first pattern here and below.
    first: usize,
    literals: HashMap<Box<str>, Node>,
    variable: Option<Box<Node>>,
    /// Those that end here.
    closed: Vec<usize>,
    /// Those that take whatever follows, and those that have more segments than are looked at.
    open: Vec<usize>,
}

impl PathIndex {
    /// Of patterns in their order.
    pub(in crate::rules) fn new<'p>(patterns: impl IntoIterator<Item = &'p PathPattern>) -> Self {
        let mut root = Node::default();
        for (index, pattern) in patterns.into_iter().enumerate() {
            root.add(index, &pattern.segments, 0);
        }
        Self(root)
    }

    /// What `matches` gives for the first pattern for which it gives anything. It is asked only for those that may match
    /// this raw path, and need not be asked for all of them.
    pub(in crate::rules) fn find<T>(&self, path: &str, mut matches: impl FnMut(usize) -> Option<T>) -> Option<T> {
        let mut found = None;
        self.0.search(Some(path.strip_prefix('/')?), &mut found, &mut matches);
        found.map(|(_, found)| found)
    }
}

// It says nothing that the patterns do not say, and in no certain order.
impl fmt::Debug for PathIndex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PathIndex").finish_non_exhaustive()
    }
}

impl Default for Node {
    fn default() -> Self {
        Self { first: usize::MAX, literals: HashMap::new(), variable: None, closed: Vec::new(), open: Vec::new() }
    }
}

impl Node {
    fn add(&mut self, index: usize, segments: &[Segment], depth: usize) {
        self.first = self.first.min(index);
        let Some((segment, rest)) = segments.split_first() else { return self.closed.push(index) };
        match segment {
            _ if depth == DEEPEST => self.open.push(index),
            Segment::Rest(_) => self.open.push(index),
            Segment::Literal(literal) => {
                self.literals.entry(literal.as_str().into()).or_default().add(index, rest, depth + 1);
            }
            Segment::Variable { .. } => self.variable.get_or_insert_default().add(index, rest, depth + 1),
        }
    }

    /// `left` is what is left of the path; `None` after its last segment.
    fn search<T>(
        &self,
        left: Option<&str>,
        found: &mut Option<(usize, T)>,
        matches: &mut impl FnMut(usize) -> Option<T>,
    ) {
        let is_later = |index: usize, found: &Option<(usize, T)>| found.as_ref().is_some_and(|(best, _)| *best < index);
        if is_later(self.first, found) {
            return;
        }
        for index in if left.is_some() { &self.open } else { &self.closed } {
            if is_later(*index, found) {
                break;
            }
            if let Some(matched) = matches(*index) {
                *found = Some((*index, matched));
                break;
            }
        }
        let Some(left) = left else { return };
        let (piece, next) = first_segment(left);
        if let Some(node) = self.literals.get(&*decode(piece)) {
            node.search(next, found, matches);
        }
        if let Some(node) = &self.variable {
            node.search(next, found, matches);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns() -> impl Strategy<Value = Vec<PathPattern>> {
        let segment = prop_oneof![
            3 => "[ab]",
            1 => "é|%C3%A9|a%20b|%61",
            2 => Just("{NAME}".to_owned()),
            1 => "[ab]\\{NAME\\}b?",
        ];
        let end = prop_oneof![4 => Just(""), 1 => Just("/"), 1 => Just("/{*rest}")];
        let pattern = (prop::collection::vec(segment, 0..5), end, 1..5usize).prop_map(|(segments, end, times)| {
            let times = if segments.len() == 4 { times } else { 1 };
            let segments = segments.iter().cycle().take(times * segments.len());
            let mut path = String::new();
            for (at, text) in segments.enumerate() {
                path.push('/');
                path.push_str(&text.replace("NAME", &format!("v{at}")));
            }
            PathPattern::parse(&if path.is_empty() && end.is_empty() { "/".to_owned() } else { path + end }).unwrap()
        });
        prop::collection::vec(pattern, 1..40)
    }

    fn paths() -> impl Strategy<Value = String> {
        let segment = prop_oneof![5 => "[ab]{1,3}", 1 => "é|%C3%A9|%c3%a9|a%20b|%61|%62|%|%2F|", 1 => "[a-c%2F]{0,4}"];
        (prop::collection::vec(segment, 0..18), "/?", "/|/|/|/||//")
            .prop_map(|(segments, end, begin)| format!("{begin}{}{end}", segments.join("/")))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        /// The first that matches is found, as if each had been tried in turn.
        #[test]
        fn it_finds_what_a_search_one_by_one_finds(patterns in patterns(), paths in prop::collection::vec(paths(), 30)) {
            let index = PathIndex::new(&patterns);
            let own = patterns.iter().filter_map(|pattern| pattern.render(|_| Some("a".into())));
            for path in paths.into_iter().chain(own) {
                let one_by_one = patterns.iter().enumerate().find_map(|(at, pattern)| Some((at, pattern.matches(&path)?)));
                let found = index.find(&path, |at| Some((at, patterns[at].matches(&path)?)));
                prop_assert_eq!(found, one_by_one, "{} of {:?}", path, patterns);
            }
        }
    }

    #[test]
    fn few_of_many_are_tried() {
        let texts = (0..1000).map(|n| format!("/api/v1/things{n}/{{id}}"));
        let patterns: Vec<PathPattern> = texts.map(|text| PathPattern::parse(&text).unwrap()).collect();
        let mut tried = Vec::new();
        let found = PathIndex::new(&patterns).find("/api/v1/things999/7", |at| {
            tried.push(at);
            patterns[at].matches("/api/v1/things999/7")
        });
        assert_eq!(found.unwrap().get("id"), Some("7"));
        assert_eq!(tried, [999]);
    }
}
