//! What a store of files is to the rigs.

use std::fmt;

use anyhow::Result;
use magnetar_testkit::SimFolder;

/// A store that keeps files in one folder, and the model of it.
pub trait Subject: Sync {
    /// What is seen of a store, as far as operations change it.
    type Sight: Clone + PartialEq + fmt::Debug;
    /// An open store.
    type Handle;

    /// The name of the rig.
    const RIG: &'static str;
    /// How many operations there are that change something.
    const OPS: usize;

    /// Opens a store.
    ///
    /// # Errors
    /// What the store says.
    fn open(&self, folder: &SimFolder) -> Result<Self::Handle>;

    /// Does an operation. The number is a new one each time, and decides what is written.
    ///
    /// # Errors
    /// What the store says; then it is unknown whether it was done.
    fn act(&self, handle: &Self::Handle, op: usize, number: u64) -> Result<()>;

    /// What is seen of a store that was never used.
    fn nothing(&self) -> Self::Sight;

    /// What is seen after that operation was done where that was seen.
    fn after(&self, sight: &Self::Sight, op: usize, number: u64) -> Self::Sight;

    /// Opens what is in a folder as the next process would, and says what is seen.
    ///
    /// # Errors
    /// What the store says, and anything that is damaged or missing: nothing may be after a crash.
    fn look(&self, folder: &SimFolder) -> Result<Self::Sight>;
}
