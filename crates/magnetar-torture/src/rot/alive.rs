//! Which bytes of a file an engine reads to answer questions: those are alive, and to be harmed.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use fastrand::Rng;

use crate::tap::{Act, FileNo, Tap, Verdict};

/// Notes what is read.
#[derive(Default)]
pub(super) struct Alive(Mutex<Vec<Range<u64>>>);

impl Alive {
    /// A byte that was read, at random; none where nothing was.
    pub(super) fn draw(&self, random: &mut Rng) -> Option<usize> {
        let ranges = self.ranges();
        let range = ranges.get(random.usize(..ranges.len().max(1)))?;
        usize::try_from(random.u64(range.clone())).ok()
    }

    fn ranges(&self) -> MutexGuard<'_, Vec<Range<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Alive {
    fn before(&self, act: Act<'_>) -> Verdict {
        if let Act::Read { at, bytes, .. } = act {
            let range = at..at + bytes.max(1);
            let mut ranges = self.ranges();
            if !ranges.contains(&range) {
                ranges.push(range);
            }
        }
        Verdict::Go
    }

    fn opened(&self, _name: &str) -> FileNo {
        0
    }
}
