//! A map that is copied at once however large it is: it lies in parts, which a copy shares until one of the two changes a part.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// In so many parts: of few a copy is quickly made, and of many each is quickly copied once it changes.
const PARTS: usize = 128;

/// The map.
#[derive(Clone, Debug)]
pub(super) struct Parted<K, V> {
    parts: Vec<Arc<HashMap<K, V>>>,
    hasher: RandomState,
    len: usize,
}

impl<K, V> Default for Parted<K, V> {
    fn default() -> Self {
        let part = || Arc::new(HashMap::new());
        Self { parts: std::iter::repeat_with(part).take(PARTS).collect(), hasher: RandomState::new(), len: 0 }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Parted<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.parts.get(self.part(key))?.get(key)
    }

    /// What is there, or what would be by default, where there is room or fewer than `most` are.
    pub(super) fn get_or_add(&mut self, key: K, most: usize) -> Option<&mut V>
    where
        V: Default,
    {
        let place = self.part(&key);
        let part = self.parts.get_mut(place)?;
        if !part.contains_key(&key) {
            if self.len >= most {
                return None;
            }
            self.len += 1;
        }
        Some(Arc::make_mut(part).entry(key).or_default())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// Changes each value.
    pub(super) fn for_each(&mut self, mut change: impl FnMut(&mut V)) {
        self.parts.iter_mut().for_each(|part| Arc::make_mut(part).values_mut().for_each(&mut change));
    }

    fn part(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_as_it_is_and_shares_what_has_not_changed() {
        let mut map = Parted::default();
        for key in 0..1_000 {
            *map.get_or_add(key, 1_000).unwrap() = key;
        }
        let copy = map.clone();
        *map.get_or_add(7, 1_000).unwrap() = 0;
        assert_eq!((copy.get(&7), map.get(&7), map.get(&8)), (Some(&7), Some(&0), Some(&8)));
        let shared = map.parts.iter().zip(&copy.parts).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert_eq!(shared, PARTS - 1);
        assert_eq!(copy.iter().count(), 1_000);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut map = Parted::<_, u32>::default();
        assert!((0..10).all(|key| map.get_or_add(key, 10).is_some()));
        assert!(map.get_or_add(10, 10).is_none(), "no more");
        assert!(map.get_or_add(9, 10).is_some(), "it is there");
        assert_eq!(map.len, 10);
    }
}
