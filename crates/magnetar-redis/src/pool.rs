//! The connections, and which of them a command takes.

use std::{
    iter,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::link::Link;

/// As many links as the configuration says.
pub(crate) struct Pool {
    first: Counted,
    others: Vec<Counted>,
}

#[derive(Default)]
struct Counted {
    link: Link,
    on_their_way: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self { first: Counted::default(), others: (1..size).map(|_| Counted::default()).collect() }
    }

    /// The link with the fewest commands on their way, the first of them: so those at the end are not dialled before they are needed.
    pub(crate) fn take(&self) -> Taken<'_> {
        let busy = |counted: &&Counted| counted.on_their_way.load(Ordering::Relaxed);
        let counted = self.others.iter().min_by_key(busy).filter(|other| busy(other) < busy(&&self.first)).unwrap_or(&self.first);
        counted.on_their_way.fetch_add(1, Ordering::Relaxed);
        Taken(counted)
    }

    pub(crate) async fn close(&self) {
        for counted in iter::once(&self.first).chain(&self.others) {
            counted.link.close().await;
        }
    }
}

/// A link with one more command on its way, until this is dropped.
pub(crate) struct Taken<'a>(&'a Counted);

impl Taken<'_> {
    pub(crate) fn link(&self) -> &Link {
        &self.0.link
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.on_their_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_takes_the_first_link_that_is_least_busy() {
        let pool = Pool::new(3);
        let place = |taken: &Taken<'_>| {
            iter::once(&pool.first).chain(&pool.others).position(|counted| std::ptr::eq(counted, taken.0)).unwrap()
        };
        let (a, b, c, d) = (pool.take(), pool.take(), pool.take(), pool.take());
        assert_eq!([&a, &b, &c, &d].map(place), [0, 1, 2, 0]);
        drop((b, c));
        assert_eq!(place(&pool.take()), 1);
        drop((a, d));
        assert_eq!(place(&pool.take()), 0);
    }
}
