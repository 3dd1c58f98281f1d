//! A breaker for each key, and a limit to their number.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{CircuitBreaker, CircuitState};
use crate::error::ConfigError;

/// Breakers by key: one for each host, endpoint or bucket, so that one that fails does not take the others along.
///
/// There are never more than `capacity`. A key beyond that takes the place of the one that was asked for longest ago, of those that
/// are closed if there is one: what is forgotten then is only that all was well.
pub struct BreakerRegistry<K> {
    capacity: usize,
    make: Box<dyn Fn(&K) -> CircuitBreaker + Send + Sync>,
    shelf: Mutex<Shelf<K>>,
}

struct Shelf<K> {
    breakers: HashMap<K, (u64, Arc<CircuitBreaker>)>,
    asked: u64,
}

impl<K: Clone + Eq + Hash> BreakerRegistry<K> {
    /// A registry of at most `capacity` breakers, each made by `make` when its key is first asked for.
    ///
    /// # Errors
    /// A capacity of zero, or beyond 1,000,000.
    pub fn new(capacity: usize, make: impl Fn(&K) -> CircuitBreaker + Send + Sync + 'static) -> Result<Self, ConfigError> {
        ConfigError::range("capacity", capacity, 1, 1_000_000)?;
        let shelf = Shelf { breakers: HashMap::new(), asked: 0 };
        Ok(Self { capacity, make: Box::new(make), shelf: Mutex::new(shelf) })
    }

    /// The breaker of a key.
    pub fn get(&self, key: &K) -> Arc<CircuitBreaker> {
        if let Some(known) = self.shelf().find(key) {
            return known;
        }
        // Made outside of the lock, because it is the caller's code. Of two that are made at once the first on the shelf stays.
        let fresh = Arc::new((self.make)(key));
        let mut locked = self.shelf();
        if let Some(earlier) = locked.find(key) {
            return earlier;
        }
        if locked.breakers.len() >= self.capacity {
            locked.evict();
        }
        let asked = locked.asked;
        locked.breakers.insert(key.clone(), (asked, Arc::clone(&fresh)));
        fresh
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shelf().breakers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<K>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Shelf<K> {
    fn find(&mut self, key: &K) -> Option<Arc<CircuitBreaker>> {
        self.asked += 1;
        let (asked, breaker) = self.breakers.get_mut(key)?;
        *asked = self.asked;
        Some(Arc::clone(breaker))
    }

    fn evict(&mut self) {
        let rank = |(asked, breaker): &(u64, Arc<CircuitBreaker>)| (breaker.state() != CircuitState::Closed, *asked);
        if let Some(key) = self.breakers.iter().min_by_key(|(_, entry)| rank(entry)).map(|(key, _)| key.clone()) {
            self.breakers.remove(&key);
        }
    }
}

impl<K> fmt::Debug for BreakerRegistry<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerRegistry").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
