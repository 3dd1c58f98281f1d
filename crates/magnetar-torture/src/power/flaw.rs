//! Flaws for controls: what a disk, or a careless setting of an engine, would do.

/// What is wrong below the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerFlaw {
    /// A drive that says that it has flushed and has not.
    DroppedSyncs,
    /// SQLite's `synchronous=NORMAL`: its log is flushed before a checkpoint only.
    SyncsAtCheckpoints,
    /// redb's `Durability::None`: what is committed reaches the file together, later.
    LaterCommits,
}
