//! What a power cut may leave of a moment.

use std::{cell::RefCell, collections::BTreeMap};

use super::{
    SimFolder,
    choice::Choose,
    state::{File, FileNo, NameChange, State, Unflushed},
};

/// What a disk writes wholly or not at all.
const SECTOR_BYTES: usize = 512;

/// A folder as it was at a moment.
#[derive(Clone, Debug)]
pub struct Moment {
    state: State,
    mark: u64,
}

impl Moment {
    pub(super) fn new(state: State, mark: u64) -> Self {
        Self { state, mark }
    }

    /// The mark that was set last before it.
    pub fn mark(&self) -> u64 {
        self.mark
    }

    /// What is there after the process died and the power stayed.
    pub fn kept(&self) -> SimFolder {
        SimFolder::from_state(self.state.clone())
    }

    /// What a power cut has left, by these choices.
    pub fn image(&self, choose: Choose<'_>) -> SimFolder {
        let mut names = self.state.durable_names.clone();
        for change in &self.state.changes {
            change.what.partly(&mut names, choose);
        }
        let choose = RefCell::new(choose);
        SimFolder::from_state(State::after(&names, |file| self.state.file(file).partly(&mut **choose.borrow_mut())))
    }
}

impl NameChange {
    fn partly(&self, names: &mut BTreeMap<String, FileNo>, choose: Choose<'_>) {
        const NOT_AT_ALL: usize = 0;
        const WHOLLY: usize = 1;
        const BOTH_NAMES: usize = 2;
        let ways = match self {
            Self::Create { .. } | Self::Remove { .. } => 2,
            Self::Rename { replaces: true, .. } => 3,
            Self::Rename { replaces: false, .. } => 4,
        };
        match (choose(ways), self) {
            (NOT_AT_ALL, _) => {}
            (WHOLLY, change) => change.whole(names),
            (BOTH_NAMES, Self::Rename { to, file, .. }) => drop(names.insert(to.clone(), *file)),
            (_, Self::Rename { from, .. }) => drop(names.remove(from)),
            (_, change) => change.whole(names),
        }
    }
}

impl File {
    fn partly(&self, choose: Choose<'_>) -> Vec<u8> {
        let mut bytes = self.durable.to_vec();
        for write in &self.writes {
            write.partly(&mut bytes, choose);
        }
        bytes
    }
}

impl Unflushed {
    fn partly(&self, bytes: &mut Vec<u8>, choose: Choose<'_>) {
        const NOT_AT_ALL: usize = 0;
        const WHOLLY: usize = 1;
        const ZEROS: usize = 2;
        let len = self.bytes.len();
        let first_edge = SECTOR_BYTES - self.at % SECTOR_BYTES;
        let edges = (first_edge..len).step_by(SECTOR_BYTES).len();
        match choose(3 + 3 * edges) {
            NOT_AT_ALL => {}
            WHOLLY => self.lay(bytes),
            ZEROS => self.lay_part(bytes, 0..0),
            torn => {
                let edge = first_edge + (torn - 3) / 3 * SECTOR_BYTES;
                match torn % 3 {
                    0 => self.lay_beginning(bytes, edge),
                    1 => self.lay_part(bytes, 0..edge),
                    _ => self.lay_part(bytes, edge..len),
                }
            }
        }
    }
}
