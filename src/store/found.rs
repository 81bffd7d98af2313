//! The entries that a purge by prefix has found, bounded in number.

use std::collections::{BTreeSet, HashSet};

use crate::rules::Tag;

/// So many tags are invalidated one by one at the most: each is listed until it is folded into its route.
const MOST_TAGS: usize = 1_000;
/// With their variants those may be so many entries.
const MOST_ENTRIES: usize = 10_000;

/// Entries, by their names and by one tag of each.
#[derive(Debug, Default)]
pub(super) struct Found {
    tags: BTreeSet<Tag>,
    names: HashSet<String>,
}

impl Found {
    /// Notes an entry, with the one of its tags that the fewest others have; `None` where that is too much.
    pub(super) fn add(&mut self, route: &str, name: &str, tags: &[Tag]) -> Option<()> {
        self.tags.insert(Tag::narrowest(tags)?.clone());
        // A scan may come by the same one twice.
        self.names.insert([route, " ", name].concat());
        (self.tags.len() <= MOST_TAGS && self.names.len() <= MOST_ENTRIES).then_some(())
    }

    /// How many entries these are.
    pub(super) fn count(&self) -> u64 {
        self.names.len() as u64
    }

    /// What invalidates all of them, each tag once.
    pub(super) fn into_tags(self) -> Vec<Tag> {
        self.tags.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_counts_once_and_no_more_than_so_many_are_taken() {
        let mut found = Found::default();
        let tags = |n: usize| [Tag::route("fruit"), Tag::path("fruit", "/fruit"), Tag::key("fruit", &n.to_string())];
        for _ in 0..2 {
            for n in 0..MOST_TAGS {
                found.add("fruit", &n.to_string(), &tags(n)).unwrap();
            }
        }
        assert_eq!(found.count(), MOST_TAGS as u64);
        assert!(found.add("fruit", "more", &tags(MOST_TAGS)).is_none());
        assert!(found.into_tags().contains(&Tag::key("fruit", "7")));
        assert!(Found::default().add("fruit", "nothing", &[]).is_none(), "what nothing invalidates is not left out");
    }
}
