//! The backend: one redb database behind all clones.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use magnetar_core::{Capabilities, Durability, Error, ErrorKind, Result, Sharing};
use magnetar_embedded::{
    Backend, Flush, Reader, Table, Tx, View, Writes,
    files::{self, Identity, Place},
};
use redb::{Database, ReadableDatabase, StorageBackend};

use crate::{
    error::error,
    guard::{self, guarded},
    open,
    tx::{self, Transaction},
    view::Snapshot,
};

/// One redb database. Clones are handles on it, in one process; the file is closed with the last of them.
#[derive(Clone)]
pub struct RedbBackend {
    shared: Arc<Shared>,
    /// How many commits this handle knows of.
    seen: u64,
    has_lock_files: bool,
}

pub(crate) struct Shared {
    /// Held by the one transaction that may write, from its first read to its commit. Counts the commits.
    writing: Mutex<u64>,
    /// None once the database could not be opened again after its device was full.
    database: RwLock<Option<Database>>,
    /// The file; none where the caller brought a storage.
    home: Option<Identity>,
    /// What errors call it.
    name: String,
}

impl RedbBackend {
    /// Opens the database in a file, which is made where there is none or an empty one.
    ///
    /// # Errors
    /// As [`RedbStore::open`](crate::RedbStore::open).
    pub fn open(path: &Path) -> Result<Self> {
        let place = Place::of(path)?;
        let (database, home) = open::open(&place)?;
        let name = place.file().display().to_string();
        Ok(Self::new(database, name, Some(home)))
    }

    /// Opens the database in a storage of the caller's, which is initialised where it is empty. There are no lock files.
    ///
    /// # Errors
    /// `Invalid`, `Corrupt`, `Newer`, or what the storage says.
    pub fn on_storage(storage: impl StorageBackend) -> Result<Self> {
        let name = "the redb storage";
        let database = open::on_storage(storage, &name)?;
        Ok(Self::new(database, name.to_owned(), None))
    }

    fn new(database: Database, name: String, home: Option<Identity>) -> Self {
        let has_lock_files = home.is_some();
        let shared = Shared { writing: Mutex::default(), database: RwLock::new(Some(database)), home, name };
        Self { shared: Arc::new(shared), seen: 0, has_lock_files }
    }

    /// The same database for handles that have no lock files: then time alone tells that one of them is dead. For tests whose
    /// clock is set by hand.
    #[must_use]
    pub fn without_lock_files(mut self) -> Self {
        self.has_lock_files = false;
        self
    }
}

impl Backend for RedbBackend {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        let shared = &*self.shared;
        let commits = shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = shared.view()?;
        let has_foreign_writes = std::mem::replace(&mut self.seen, *commits) != *commits;
        Ok(Box::new(Transaction { shared, snapshot, commits, seen: &mut self.seen, has_foreign_writes }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("redb", Durability::Power, Sharing::OneHandle)
    }

    fn name(&self) -> String {
        self.shared.name.clone()
    }

    /// One process has the file open, so a session that is not this process's is dead. The engine is told by its lock file
    /// all the same: it then needs no other proof of death than it has on every backend, and the kernel gives it at once.
    fn lock_folder(&self) -> Option<PathBuf> {
        let home = self.shared.home.as_ref().filter(|_| self.has_lock_files)?;
        Some(files::lock_folder(home.file()))
    }
}

impl Reader for RedbBackend {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.shared.view()?))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(database) = self.database.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            guard::close(database);
        }
    }
}

impl Shared {
    fn view(&self) -> Result<Snapshot<'_>> {
        self.check_home()?;
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = open.as_ref().ok_or_else(|| self.gone())?;
        let transaction = database.begin_read().map_err(|cause| error("read", &self.name, cause))?;
        Ok(Snapshot::new(transaction, &self.name, open))
    }

    pub(crate) fn write(&self, writes: &Writes, flush: Flush) -> Result<()> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = open.as_ref().ok_or_else(|| self.gone())?;
        guarded("write", &self.name, || tx::write(database, writes, flush).map_err(|cause| error("write", &self.name, cause)))
    }

    /// Opens the database again after its device was full, and finds out whether the writes happened.
    ///
    /// redb takes nothing more after a failed write, and does not say what became of it; the engine takes `Full` for "nothing
    /// was changed, go on". So this looks: a commit is all or nothing, and shows in the rows themselves.
    ///
    /// # Errors
    /// `Full` where nothing was changed and the store goes on; anything else leaves the outcome open.
    pub(crate) fn recover(&self, writes: &Writes, full: Error) -> Result<()> {
        let unknown = |cause: Error| {
            let name = &self.name;
            Error::new(ErrorKind::Poisoned, format!("write {name}: there is no space; free some and open the store again"))
                .with_source(cause)
        };
        let Some(home) = &self.home else { return Err(unknown(full)) };
        let mut open = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // Closing it lets go of the lock that opening it takes.
        if let Some(database) = open.take() {
            guard::close(database);
        }
        self.check_home().map_err(unknown)?;
        let (database, _) = open::existing(home.file()).map_err(unknown)?;
        *open = Some(database);
        drop(open);
        if self.holds(writes).map_err(unknown)? { Ok(()) } else { Err(full) }
    }

    fn holds(&self, writes: &Writes) -> Result<bool> {
        let view = self.view()?;
        for table in Table::ALL {
            for (key, value) in writes.of(table) {
                let mut is_so = value.is_none();
                view.get(table, key, &mut |stored| is_so = Some(stored) == value)?;
                if !is_so {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Refuses to work on a file that is not at its path any more: what is written to it would be lost without a word.
    fn check_home(&self) -> Result<()> {
        self.home.as_ref().map_or(Ok(()), Identity::check)
    }

    fn gone(&self) -> Error {
        Error::new(ErrorKind::Poisoned, format!("use {}: it could not be opened again after its device was full", self.name))
    }
}
