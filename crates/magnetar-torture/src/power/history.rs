//! What was done to the files, in order, and what was acknowledged when.

use std::rc::Rc;

use magnetar_core::Timestamp;

use crate::workload::{Known, Sight};

/// Something that was done to a file or a name, in terms of what a power cut may undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Write {
        file: usize,
        at: u64,
        bytes: Vec<u8>,
    },
    Resize {
        file: usize,
        bytes: u64,
    },
    /// Everything done to the file before this survives.
    Sync {
        file: usize,
    },
    /// A name leads to a file, to none before.
    Link {
        name: usize,
        file: usize,
    },
    Unlink {
        name: usize,
    },
    /// Everything done to names before this survives.
    SyncNames,
}

/// A recorded workload.
pub(super) struct History {
    pub(super) deeds: Vec<Deed>,
    pub(super) names: Vec<String>,
    /// The files that were there at the beginning, by their place in `names`; a file's number is its place here.
    pub(super) at_first: Vec<Vec<u8>>,
    /// What the store had said after each call, in order.
    pub(super) states: Vec<State>,
}

/// A moment at which a call was acknowledged.
#[derive(Clone)]
pub(super) struct State {
    /// How many deeds there were.
    pub(super) deeds: usize,
    pub(super) now: Timestamp,
    pub(super) sight: Rc<Sight>,
    pub(super) known: Rc<Known>,
    /// Whether the call only took chunks or gave them back, which a power cut may undo on some backends.
    pub(super) is_claim: bool,
}

/// What may be found after a cut.
pub(super) struct Allowed<'h> {
    /// The last state that was acknowledged.
    pub(super) acknowledged: &'h State,
    /// That, what the call in doubt would have led to, and what was before claims that may be undone.
    pub(super) states: Vec<&'h State>,
}

impl History {
    /// What may be found after a cut behind so many deeds.
    pub(super) fn allowed(&self, cut: usize, may_undo_claims: bool) -> Option<Allowed<'_>> {
        let behind = self.states.partition_point(|state| state.deeds <= cut);
        let last = behind.checked_sub(1)?;
        let acknowledged = self.states.get(last)?;
        let mut states = vec![acknowledged];
        if cut > acknowledged.deeds {
            states.extend(self.states.get(behind));
        }
        let mut earlier = last;
        while may_undo_claims && earlier > 0 && self.states.get(earlier).is_some_and(|state| state.is_claim) {
            earlier -= 1;
            states.extend(self.states.get(earlier));
        }
        Some(Allowed { acknowledged, states })
    }
}
