//! A map bounded in bytes: what it has no room for leaves, what is asked for most stays, and what left is counted.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Lifecycle, Options, OptionsBuilder, Weighter};

use super::weight::item;

/// A shard is a lock and a share of the bytes: nothing may be larger than its shard.
const SHARD_BYTES: u64 = 4 << 20;
/// More shards than this win nothing on machines of today.
const MAX_SHARDS: u64 = 64;

/// A sharded map that takes at most so many bytes of memory, but for what the allocator holds in reserve. A value comes
/// back as a clone: an `Arc`, or something as cheap.
pub struct Bounded<K, V> {
    items: Cache<K, Item<V>, ByWeight, DefaultHashBuilder, Departures<K, V>>,
    evicted: Arc<AtomicU64>,
}

/// A value, and what it weighs with its key and its place in the map.
#[derive(Clone)]
struct Item<V> {
    value: V,
    weight: u64,
}

/// What an item weighs, which is no more than the map takes.
#[derive(Clone, Copy, Debug)]
pub struct Weight(u64);

#[derive(Clone)]
struct ByWeight;

impl<K, V> Weighter<K, Item<V>> for ByWeight {
    fn weight(&self, _: &K, item: &Item<V>) -> u64 {
        item.weight
    }
}

/// Counts what leaves for want of room. It is dropped once its shard is no longer locked.
#[derive(Clone)]
struct Departures<K, V> {
    counted: Arc<AtomicU64>,
    dropped: DefaultLifecycle<K, Item<V>>,
}

impl<K, V> Lifecycle<K, Item<V>> for Departures<K, V> {
    type RequestState = <DefaultLifecycle<K, Item<V>> as Lifecycle<K, Item<V>>>::RequestState;

    fn before_evict(&self, _: &mut Self::RequestState, _: &K, _: &mut Item<V>) {
        self.counted.fetch_add(1, Ordering::Relaxed);
    }

    /// Called for what is replaced, too.
    fn on_evict(&self, state: &mut Self::RequestState, key: K, item: Item<V>) {
        self.dropped.on_evict(state, key, item);
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Bounded<K, V> {
    /// A map of so many bytes. For each `bytes_a_ghost` of them it remembers one key that had to leave, and keeps it if it
    /// comes back: about what an item weighs.
    pub fn new(bytes: u64, bytes_a_ghost: u64) -> Self {
        let evicted = Arc::new(AtomicU64::new(0));
        let departures = Departures { counted: Arc::clone(&evicted), dropped: DefaultLifecycle::default() };
        let options = Self::options(bytes.max(1), bytes_a_ghost);
        let items = Cache::with_options(options, ByWeight, DefaultHashBuilder::default(), departures);
        Self { items, evicted }
    }

    fn options(bytes: u64, bytes_a_ghost: u64) -> Options {
        let shards = (bytes / SHARD_BYTES).clamp(1, MAX_SHARDS);
        let ghosts = (bytes / bytes_a_ghost).max(shards * 32);
        let of_ghosts = ghosts * item::<K, Item<V>>() as u64;
        OptionsBuilder::new()
            // The map rounds up to a power of two, which would make the shards smaller than meant.
            .shards(1 << shards.ilog2())
            .estimated_items_capacity(usize::try_from(ghosts).unwrap_or(usize::MAX))
            .ghost_allocation(1.0)
            .weight_capacity(bytes.saturating_sub(of_ghosts).max(1))
            .build()
            .unwrap_or_else(|_| unreachable!("both of the options that it asks for are set"))
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        Some(self.items.get(key)?.value)
    }

    /// The same, which does not count as use.
    pub fn peek(&self, key: &K) -> Option<V> {
        Some(self.items.peek(key)?.value)
    }

    /// Puts a value in the place of what its key had.
    pub fn insert(&self, key: K, value: V, Weight(weight): Weight) {
        self.items.insert(key, Item { value, weight });
    }

    /// All of them, in no order: none is missed that is there from the beginning to the end. Between two of them nothing is
    /// locked.
    pub fn iter(&self) -> impl Iterator<Item = (K, V)> {
        self.items.iter().map(|(key, item)| (key, item.value))
    }

    /// Takes out what a key has.
    pub fn remove(&self, key: &K) {
        self.items.remove(key);
    }

    /// What an item weighs whose key and value own so many bytes elsewhere; `None` where that is more than the map takes.
    pub fn weigh(&self, owned: usize) -> Option<Weight> {
        let weight = (owned + item::<K, Item<V>>()) as u64;
        (weight <= self.heaviest()).then_some(Weight(weight))
    }

    /// How many bytes the key and value of an item may own.
    pub fn largest(&self) -> usize {
        usize::try_from(self.heaviest()).unwrap_or(usize::MAX).saturating_sub(item::<K, Item<V>>())
    }

    fn heaviest(&self) -> u64 {
        // The map takes nothing that is heavier than the 97 % of a shard that it reserves for what is used often.
        self.items.shard_capacity() / 100 * 97
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many bytes they take at the most.
    pub fn bytes(&self) -> u64 {
        self.items.weight()
    }

    /// How many items had to leave, ever, since there was no room for them.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

impl<K: Clone + Eq + Hash, V: Clone> fmt::Debug for Bounded<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Bounded")
            .field("items", &self.len())
            .field("bytes", &self.bytes())
            .field("capacity", &self.items.capacity())
            .field("evicted", &self.evicted())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_bytes_and_counts_what_left() {
        let map: Bounded<u64, Arc<Vec<u8>>> = Bounded::new(8 << 20, 8 << 10);
        for n in 0..400 {
            let weight = map.weigh(50_000).unwrap();
            map.insert(n, Arc::new(Vec::new()), weight);
            assert!(map.bytes() <= 8 << 20);
        }
        assert!(map.len() > 100, "half of what would fit at the least: {}", map.len());
        assert_eq!(map.evicted() + map.len() as u64, 400);
    }

    #[test]
    fn what_is_replaced_has_not_left() {
        let map: Bounded<u64, ()> = Bounded::new(1 << 20, 8 << 10);
        for _ in 0..100 {
            map.insert(1, (), map.weigh(5_000).unwrap());
        }
        assert_eq!((map.len(), map.evicted()), (1, 0));
    }

    #[test]
    fn what_is_larger_than_a_shard_is_refused() {
        for bytes in [0, 1 << 20, 8 << 20, 1 << 30] {
            let map: Bounded<u64, ()> = Bounded::new(bytes, 8 << 10);
            assert!(map.weigh(map.largest() + 1).is_none(), "{bytes}");
            assert!(bytes == 0 || map.weigh(map.largest()).is_some(), "{bytes}");
        }
    }
}
