//! What can go wrong.

use std::path::PathBuf;

use crate::recovery::Skipped;

/// The result of a call.
pub(crate) type Result<T, E = CheckpointError> = std::result::Result<T, E>;

/// A failure, with the folder or file and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Another manager, in this process or another, has saved to the folder and is still open. Nothing was changed.
    #[error("save to {}: another checkpoint manager has the folder; close that one, or use another folder", folder.display())]
    AlreadyLocked {
        /// The folder.
        folder: PathBuf,
    },
    /// Somebody else has written the checkpoint that was to be written: the lock does not hold on this filesystem.
    #[error("save {}: another manager has written it meanwhile, in spite of the lock; use a local filesystem", file.display())]
    Fenced {
        /// The file.
        file: PathBuf,
    },
    /// There is no such checkpoint.
    #[error("load checkpoint {sequence} from {}: there is none", folder.display())]
    NotFound {
        /// The folder.
        folder: PathBuf,
        /// Which was asked for.
        sequence: u64,
    },
    /// There is no checkpoint to restore from.
    #[error("restore from {}: there is no checkpoint that verifies", folder.display())]
    Nothing {
        /// The folder.
        folder: PathBuf,
    },
    /// The file does not verify.
    #[error("load {}: {why}; take an older checkpoint, or a backup", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// There have been checkpoints, and none is left that verifies.
    #[error(
        "recover from {}: checkpoints were saved and none verifies ({} damaged, newest known {newest_known}); put back a backup, \
         or call clear() to begin anew",
        folder.display(), skipped.len()
    )]
    AllCorrupt {
        /// The folder.
        folder: PathBuf,
        /// Those that are there, and what is wrong with each, newest first.
        skipped: Vec<Skipped>,
        /// The largest sequence that was ever given out, as far as the folder tells.
        newest_known: u64,
    },
    /// The file was written by a newer version. It is left alone, and so are older ones: loading one would be a silent step back.
    #[error("load {}: it has version {version}, and this program knows versions up to 1; use a newer program", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u64,
    },
    /// The file is signed, and this manager has no key.
    #[error("load {}: it is signed; open the folder with the key", file.display())]
    KeyMissing {
        /// The file.
        file: PathBuf,
    },
    /// Something is larger than a limit.
    #[error("{what} of {bytes} bytes is beyond the limit of {max}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The sequences are used up.
    #[error("save to {}: its sequences are used up; use another folder", folder.display())]
    Exhausted {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder or a file cannot be used: full, read-only, no permission, not a folder, open to others, or failing. Its kind tells
    /// which. It is never taken for damage.
    #[error("{0}")]
    Folder(#[source] magnetar_fs::Error),
    /// The checkpoint holds no jobs of a store: it was saved by other means.
    #[error("restore jobs from checkpoint {sequence}: it holds none; take one that was saved from a store")]
    NoJobs {
        /// Its sequence.
        sequence: u64,
    },
    /// The thread that saves at intervals could not be started, or has panicked.
    #[error("use the thread that saves checkpoints")]
    Thread(#[source] std::io::Error),
    /// The store of jobs that is saved or restored has failed.
    #[error("{doing} the store of jobs")]
    Store {
        /// What was to be done.
        doing: &'static str,
        /// Its error.
        source: magnetar_core::Error,
    },
}

impl CheckpointError {
    /// Whether the same call may succeed later without anything being repaired.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::AlreadyLocked { .. } => true,
            Self::Folder(error) => error.kind() == magnetar_fs::ErrorKind::Full,
            Self::Store { source, .. } => source.is_transient(),
            _ => false,
        }
    }
}

impl From<magnetar_fs::Error> for CheckpointError {
    fn from(error: magnetar_fs::Error) -> Self {
        match error.kind() {
            magnetar_fs::ErrorKind::AlreadyLocked => Self::AlreadyLocked { folder: error.path().to_owned() },
            _ => Self::Folder(error),
        }
    }
}
