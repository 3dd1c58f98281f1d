//! What a backend writes: ordered tables of bytes with snapshots, and one commit at a time.
//!
//! Keys and values are opaque here; what is in them is the engine's business. A backend that keeps these few promises
//! follows every rule of Magnetar.

use std::{ops::ControlFlow, path::PathBuf};

use magnetar_core::{Capabilities, Result};

use crate::{table::Table, writes::Writes};

/// What is shown the key and the value of a row, and says whether to go on.
pub type Show<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A consistent view of the tables.
pub trait View {
    /// Shows the value of a key, if it has one.
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Shows the rows with `from <= key < to`, in the order of their keys, until `each` breaks.
    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()>;
}

/// Whether a commit must be on the disk before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It must survive what the backend's durability promises.
    Synced,
    /// It must survive a kill of the process; a power cut may undo it, as long as it undoes nothing before it.
    Unsynced,
}

/// The one transaction that may write: a view that nobody else changes while it lives. Dropping it changes nothing.
pub trait Tx: View {
    /// Whether others may have written since the last transaction that this handle began. The engine remembers rows from
    /// one transaction to the next, and forgets them then.
    fn has_foreign_writes(&self) -> bool;

    /// Makes all the writes happen, or none of them.
    ///
    /// # Errors
    /// `Full` says that nothing was changed; the store goes on. The engine takes any other error for an unknown outcome, and
    /// poisons the store.
    fn commit(self: Box<Self>, writes: &Writes, flush: Flush) -> Result<()>;
}

/// Where reads come from that do not stop the writer.
pub trait Reader: Send {
    /// A view of the latest commit, or of one a moment ago.
    fn view(&mut self) -> Result<Box<dyn View + '_>>;
}

/// A backend: the tables behind one handle.
pub trait Backend: Send {
    /// Begins the one transaction that may write, waiting for other processes where there are any.
    ///
    /// # Errors
    /// `Busy` where others would not let go in time; nothing was changed.
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>>;

    /// A source of reads for another thread.
    fn reader(&self) -> Result<Box<dyn Reader>>;

    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// What errors call the store: its file, where it has one.
    fn name(&self) -> String {
        format!("the {} store", self.capabilities().backend)
    }

    /// A folder beside the store, for lock files that tell on one host whose process is gone; none where nothing is
    /// kept on a disk.
    fn lock_folder(&self) -> Option<PathBuf>;
}
