//! A sorted map that takes keys in ascending order, as they mostly come, at the price of a vector.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::Bound,
    slice,
};

/// A key is in one of the two.
#[derive(Debug)]
pub(crate) struct Sorted<K, V> {
    /// What came behind all that was here before.
    ascending: Vec<(K, V)>,
    others: BTreeMap<K, V>,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { ascending: Vec::new(), others: BTreeMap::new() }
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// Puts a value under a key, and returns the one that stood there.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(known) = self.get_mut(&key) {
            return Some(std::mem::replace(known, value));
        }
        self.add(key, value);
        None
    }

    /// Puts a value under a key that has none.
    pub(crate) fn add(&mut self, key: K, value: V) {
        if self.ascending.last().is_none_or(|(last, _)| *last < key) {
            self.ascending.push((key, value));
        } else {
            self.others.insert(key, value);
        }
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self.find(key) {
            Ok(at) => self.ascending.get(at).map(|(_, value)| value),
            Err(_) => self.others.get(key),
        }
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self.find(key) {
            Ok(at) => self.ascending.get_mut(at).map(|(_, value)| value),
            Err(_) => self.others.get_mut(key),
        }
    }

    pub(crate) fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Takes a key out. The one that was put last costs nothing.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        match self.find(key) {
            Ok(at) => drop(self.ascending.remove(at)),
            Err(_) => drop(self.others.remove(key)),
        }
    }

    /// Forgets everything, and keeps the memory of what came in order.
    pub(crate) fn clear(&mut self) {
        self.ascending.clear();
        self.others.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.ascending.len() + self.others.len()
    }

    /// The keys with their values, in order.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        Iter { ascending: self.ascending.iter().peekable(), others: self.others.range::<K, _>(..).peekable() }
    }

    /// Those with `from <= key < to`, in order; `from` is not behind `to`.
    pub(crate) fn range<Q: Ord + ?Sized>(&self, from: &Q, to: &Q) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let at = |key| self.find(key).unwrap_or_else(|at| at);
        let ascending = self.ascending.get(at(from)..at(to)).unwrap_or_default();
        let others = self.others.range((Bound::Included(from), Bound::Excluded(to)));
        Iter { ascending: ascending.iter().peekable(), others: others.peekable() }
    }

    /// Where a key is in the vector, or would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        // Most are behind all that is here.
        match self.ascending.last() {
            Some((last, _)) if last.borrow() >= key => self.ascending.binary_search_by(|(known, _)| known.borrow().cmp(key)),
            _ => Err(self.ascending.len()),
        }
    }
}

/// Keys with their values, in order.
pub(crate) struct Iter<'m, K, V> {
    ascending: Peekable<slice::Iter<'m, (K, V)>>,
    others: Peekable<btree_map::Range<'m, K, V>>,
}

impl<'m, K: Ord, V> Iterator for Iter<'m, K, V> {
    type Item = (&'m K, &'m V);

    fn next(&mut self) -> Option<Self::Item> {
        let is_other = match (self.ascending.peek(), self.others.peek()) {
            (Some((one, _)), Some((other, _))) => *other < one,
            (one, _) => one.is_none(),
        };
        if is_other { self.others.next() } else { self.ascending.next().map(|(key, value)| (key, value)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Inserts, and removals of every third kind, in any order.
        #[test]
        fn map_is_like_any_other_whatever_the_order(steps in prop::collection::vec((0_u64..40, 0..3), 0..80), from in 0_u64..40) {
            let (mut map, mut other) = (Sorted::default(), BTreeMap::new());
            for (at, (key, kind)) in steps.into_iter().enumerate() {
                if kind == 0 {
                    map.remove(&key);
                    other.remove(&key);
                } else {
                    prop_assert_eq!(map.insert(key, at), other.insert(key, at));
                }
            }
            prop_assert_eq!(map.len(), other.len());
            prop_assert!(map.iter().eq(other.iter()));
            prop_assert!(map.range(&from, &39).eq(other.range(from..39)));
            prop_assert!((0..40).all(|key| map.get(&key) == other.get(&key) && map.contains(&key) == other.contains_key(&key)));
        }
    }
}
