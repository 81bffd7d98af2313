//! Circles among files: sets of which each file leads to every other one.

use std::collections::{BTreeMap, BTreeSet};

use crate::edges::Edges;

/// The circles that the edges make, the largest first, each with its files in order.
pub fn circles(edges: &Edges) -> Vec<Vec<usize>> {
    let mut onward: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        onward.entry(*from).or_default().insert(*to);
    }
    let reached: BTreeMap<usize, BTreeSet<usize>> = onward.keys().map(|from| (*from, reach(*from, &onward))).collect();
    let leads = |from: &usize, to: &usize| reached.get(from).is_some_and(|found| found.contains(to));
    let mut left: BTreeSet<usize> = onward.keys().copied().collect();
    let mut found = Vec::new();
    while let Some(first) = left.pop_first() {
        let circle: BTreeSet<usize> = reached[&first].iter().filter(|to| leads(to, &first)).copied().collect();
        left.retain(|file| !circle.contains(file));
        if !circle.is_empty() {
            found.push(circle.into_iter().collect::<Vec<_>>());
        }
    }
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}

/// All that can be reached from a file, itself only by a way that leads back.
fn reach(from: usize, onward: &BTreeMap<usize, BTreeSet<usize>>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        next.extend(onward.get(&file).into_iter().flatten().filter(|to| reached.insert(**to)));
    }
    reached
}

#[test]
fn circles_are_found_and_ways_that_lead_into_one_are_not() {
    let edges = |pairs: &[(usize, usize)]| pairs.iter().map(|pair| (*pair, (1, String::new()))).collect::<Edges>();
    assert_eq!(circles(&edges(&[(1, 2), (2, 3), (1, 3)])), Vec::<Vec<usize>>::new());
    assert_eq!(circles(&edges(&[(1, 2), (2, 1)])), [[1, 2]]);
    assert_eq!(circles(&edges(&[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)])), [[1, 2, 3]]);
    assert_eq!(circles(&edges(&[(1, 2), (2, 1), (3, 4), (4, 5), (5, 3)])), [vec![3, 4, 5], vec![1, 2]]);
}
