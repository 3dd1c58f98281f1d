//! The tap that lets an act fail.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kind::{Kind, Length};
use crate::tap::{Act, FileNo, Tap, Verdict};

/// Lets the n-th act of those that a kind concerns fail.
pub(super) struct Plan {
    kind: Kind,
    length: Length,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Which act fails, of those that are concerned; none where all is well.
    at: Option<u64>,
    /// How many of them there were.
    seen: u64,
    /// How many failed, and what the first of them was.
    failed: u64,
    first: Option<String>,
    /// Whether one of them was to change a file.
    is_torn: bool,
    files: FileNo,
    /// All is well from here on, and acts are not counted any more.
    is_over: bool,
}

impl Plan {
    /// A plan that fails at this act, the first of all being 0; never, where there is none.
    pub(super) fn new(kind: Kind, length: Length, at: Option<u64>) -> Self {
        Self { kind, length, state: Mutex::new(State { at, ..State::default() }) }
    }

    /// How many acts there were that could fail.
    pub(super) fn seen(&self) -> u64 {
        self.state().seen
    }

    /// Whether an act failed.
    pub(super) fn has_failed(&self) -> bool {
        self.state().failed > 0
    }

    /// Whether a write, a change of length or a flush failed, so that nobody knows what is on the disk.
    pub(super) fn is_torn(&self) -> bool {
        self.state().is_torn
    }

    /// What failed first, for messages.
    pub(super) fn first(&self) -> String {
        self.state().first.clone().unwrap_or_else(|| "nothing".to_owned())
    }

    /// All is well from here on.
    pub(super) fn mend(&self) {
        self.state().is_over = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Plan {
    fn before(&self, act: Act<'_>) -> Verdict {
        if !self.kind.concerns(act) {
            return Verdict::Go;
        }
        let state = &mut *self.state();
        if state.is_over {
            return Verdict::Go;
        }
        let nth = state.seen;
        state.seen += 1;
        let fails = state.at.is_some_and(|at| if self.length == Length::Once { nth == at } else { nth >= at });
        if !fails {
            return Verdict::Go;
        }
        state.failed += 1;
        state.is_torn |= matches!(act, Act::Write { .. } | Act::Resize { .. } | Act::Sync { .. });
        state.first.get_or_insert_with(|| describe(act));
        self.kind.verdict()
    }

    fn opened(&self, _name: &str) -> FileNo {
        let state = &mut *self.state();
        state.files += 1;
        state.files
    }
}

/// An act without its bytes.
fn describe(act: Act<'_>) -> String {
    match act {
        Act::Open { name } => format!("an opening of {name}"),
        Act::Remove { name, .. } => format!("a removal of {name}"),
        Act::Read { file, at, bytes } => format!("a read of {bytes} bytes at {at} of file {file}"),
        Act::Write { file, at, bytes } => format!("a write of {} bytes at {at} of file {file}", bytes.len()),
        Act::Resize { file, bytes } => format!("a change of file {file} to {bytes} bytes"),
        Act::Sync { file } => format!("a flush of file {file}"),
        Act::Measure { file } => format!("a look at the length of file {file}"),
        Act::Share { file } => format!("a mapping of the memory beside file {file}"),
    }
}
