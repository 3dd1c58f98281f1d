//! State in a folder, one readable JSON file a collection, for callers that may block; [`FileStore`](crate::FileStore) is this for all others.
//!
//! A file is written under another name, flushed, read back, renamed over the one before, and the folder flushed; only then a save is
//! acknowledged. The lock of the folder is held for one write at a time, so that several processes of a host can use it: each write
//! reads what stands there under the lock, decides, and writes. Reading needs no lock.
//!
//! There is no copy of the token before: it could only ever be shown by mistake.

mod failure;
mod options;
mod turn;

use std::{
    fmt,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bson::Document;
use magnetar_core::{Clock, Durability, Sharing};
use magnetar_fs::{Folder, name};

pub use self::options::FileOptions;
use crate::{
    check,
    entry::{Epoch, Guard, Listed, Loaded, Page, Saved},
    error::{Result, StateError},
    format,
    lock::{Lock, LockSlot},
    slot::{self, Save, Slot, Verdict},
    store::StateCapabilities,
};

/// What the names of tokens' files end with.
const TOKEN_END: &str = ".json";
/// What the names of locks' files end with. No escaped name has a dot.
const LOCK_END: &str = ".lock.json";
/// Damaged files of one collection that are kept aside.
const ASIDE_MAX: usize = 1000;

/// Resume tokens in a folder, by calls that block.
pub struct Files {
    folder: Arc<dyn Folder>,
    clock: Arc<dyn Clock>,
    ttl: Option<Duration>,
    gate: Mutex<Gate>,
}

/// Whether the handle can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Poisoned,
    Closed,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("folder", &self.folder).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl Files {
    /// Opens a folder, and creates it where it does not exist: [`FileOptions`] say more.
    ///
    /// # Errors
    /// As [`FileOptions::open_blocking`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        FileOptions::new(path).open_blocking()
    }

    /// Loads what stands under a name: see [`StateStore::load`](crate::StateStore::load).
    ///
    /// # Errors
    /// As there; `Denied` where something else than a file has its name.
    pub fn load(&self, collection: &str) -> Result<Loaded> {
        check::collection(collection)?;
        self.answering()?;
        Ok(slot::loaded(self.slot(collection)?.as_ref(), self.clock.now()))
    }

    /// Saves a token if its guard holds: see [`StateStore::save`](crate::StateStore::save).
    ///
    /// # Errors
    /// As there; `Corrupt` where the file that stands there is damaged, because nobody knows what it fences off.
    pub fn save(&self, collection: &str, token: Document, guard: Guard, ttl: Option<Duration>) -> Result<Saved> {
        let save = Save::new(collection, token, guard, ttl.or(self.ttl))?;
        self.change(collection, |slot| slot::save(slot, collection, save, self.clock.now()))
    }

    /// Removes a token if its guard holds: see [`StateStore::clear`](crate::StateStore::clear). The file stays, without a token.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn clear(&self, collection: &str, guard: Guard) -> Result<Saved> {
        check::collection(collection)?;
        self.change(collection, |slot| slot::clear(slot, collection, guard, self.clock.now()))
    }

    /// Lists collections that have a token, in the order of their files' names: see [`StateStore::list`](crate::StateStore::list).
    ///
    /// # Errors
    /// As there.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Result<Page> {
        check::page(limit)?;
        self.answering()?;
        let now = self.clock.now();
        let mut page = Page::default();
        for file in self.token_files(after)? {
            if page.entries.len() + page.damaged.len() == limit {
                return Ok(page);
            }
            match self.read_token(&file).map(|read| read.map(|(collection, slot)| (collection, slot::loaded(Some(&slot), now)))) {
                // Cleared, or gone since the folder was read.
                Ok(None | Some((_, Loaded::Absent))) => continue,
                Ok(Some((collection, loaded))) => page.entries.push(Listed { collection, loaded }),
                Err(error) => page.damaged.push(error),
            }
            page.next = Some(file);
        }
        page.next = None;
        Ok(page)
    }

    /// Takes a lock: see [`StateStore::acquire`](crate::StateStore::acquire).
    ///
    /// # Errors
    /// As there.
    pub fn acquire(&self, name: &str, ttl: Duration) -> Result<Lock> {
        self.change_lock(name, |lock| lock.acquire(name, ttl, self.clock.now()).map(Some)).map(|lock| lock.handle(name))
    }

    /// Holds a lock on: see [`StateStore::renew`](crate::StateStore::renew).
    ///
    /// # Errors
    /// As there.
    pub fn renew(&self, lock: &Lock, ttl: Duration) -> Result<Lock> {
        let name = lock.name();
        self.change_lock(name, |slot| slot.renew(lock, ttl, self.clock.now()).map(Some)).map(|lock| lock.handle(name))
    }

    /// Gives a lock back: see [`StateStore::release`](crate::StateStore::release).
    ///
    /// # Errors
    /// As there.
    pub fn release(&self, lock: &Lock) -> Result<()> {
        self.change_lock(lock.name(), |slot| Ok(slot.release(lock))).map(drop)
    }

    /// The epoch under which a lock is held: see [`StateStore::holder`](crate::StateStore::holder).
    ///
    /// # Errors
    /// As there.
    pub fn holder(&self, name: &str) -> Result<Option<Epoch>> {
        check::lock(name)?;
        self.answering()?;
        Ok(self.lock_slot(name)?.holder(self.clock.now()))
    }

    /// Moves the file of a collection aside if it is damaged, and tells where it is now; none where it is not damaged. The collection
    /// is then as one that never was: versions and epochs begin anew, and nobody of the past is fenced off any more.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn set_aside(&self, collection: &str) -> Result<Option<PathBuf>> {
        check::collection(collection)?;
        let mut turn = self.turn()?;
        if !self.slot(collection).is_err_and(|error| error.is_corrupt()) {
            return Ok(None);
        }
        let file = token_file(collection)?;
        for number in 1..=ASIDE_MAX {
            let aside = format!("{file}.damaged-{number}");
            if turn.move_new(&file, &aside)? {
                return Ok(Some(self.folder.path().join(aside)));
            }
        }
        Err(StateError::invalid(format!(
            "collection {collection:?} has {ASIDE_MAX} damaged files aside; look at them, and remove them"
        )))
    }

    /// What a store in a folder can do.
    pub fn capabilities(&self) -> StateCapabilities {
        StateCapabilities::new("file", Durability::Power, Sharing::OneHost)
    }

    /// Asks whether the folder can be read.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`, and what the filesystem says.
    pub fn health(&self) -> Result<()> {
        self.answering()?;
        self.folder.list().map(drop).map_err(|error| failure::io("list", self.folder.path(), error))
    }

    /// Closes: every further call is `Closed`.
    pub fn close(&self) {
        *self.gate() = Gate::Closed;
    }

    fn change(&self, collection: &str, decide: impl FnOnce(Option<&Slot>) -> Result<Verdict>) -> Result<Saved> {
        let mut turn = self.turn()?;
        let before = self.slot(collection)?;
        let (after, saved) = match decide(before.as_ref())? {
            Verdict::Write(slot, saved) => (Some(slot), saved),
            Verdict::Nothing(saved) => (before, saved),
        };
        // What changes nothing is an acknowledgement too. Whoever wrote what stands there may have died before the flush, or seen it fail, and
        // then a flush that succeeds proves nothing: it is written once more.
        match after {
            Some(slot) => turn.replace(&token_file(collection)?, &format::encode_slot(collection, &slot)?)?,
            None => turn.flush()?,
        }
        Ok(saved)
    }

    /// Puts what is decided in the place of a lock, and tells what stands there then.
    fn change_lock(&self, name: &str, decide: impl FnOnce(LockSlot) -> Result<Option<LockSlot>>) -> Result<LockSlot> {
        check::lock(name)?;
        let mut turn = self.turn()?;
        let before = self.lock_slot(name)?;
        let after = decide(before)?.unwrap_or(before);
        if after == LockSlot::default() {
            return Ok(after);
        }
        // Also where nothing changes, as for tokens.
        turn.replace(&lock_file(name)?, &format::encode_lock(name, &after)?)?;
        Ok(after)
    }

    fn slot(&self, collection: &str) -> Result<Option<Slot>> {
        Ok(self.read_token(&token_file(collection)?)?.map(|(_, slot)| slot))
    }

    /// What is in a file, which has the name that belongs to what it says: no two collections have one name.
    fn read_token(&self, file: &str) -> Result<Option<(String, Slot)>> {
        let Some(bytes) = self.read(file)? else { return Ok(None) };
        let (collection, slot) = format::decode_slot(&self.place(file), &bytes)?;
        if token_file(&collection)? != file {
            return Err(self.corrupt(file, "it is the file of another collection"));
        }
        Ok(Some((collection, slot)))
    }

    fn lock_slot(&self, name: &str) -> Result<LockSlot> {
        let file = lock_file(name)?;
        let Some(bytes) = self.read(&file)? else { return Ok(LockSlot::default()) };
        let (found, lock) = format::decode_lock(&self.place(&file), &bytes)?;
        if found != name {
            return Err(self.corrupt(&file, "it is the file of another lock"));
        }
        Ok(lock)
    }

    fn read(&self, file: &str) -> Result<Option<Vec<u8>>> {
        let failed = |error| failure::io("read", &self.folder.path().join(file), error);
        let opened = match self.folder.open(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        // One byte more than there may be is enough to see that it is too large.
        let mut bytes = Vec::new();
        opened.take(format::BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// The names of tokens' files behind a name, in order.
    fn token_files(&self, after: Option<&str>) -> Result<Vec<String>> {
        let entries = self.folder.list().map_err(|error| failure::io("list", self.folder.path(), error))?;
        let is_behind = |file: &str| after.is_none_or(|after| file > after);
        let mut files: Vec<_> =
            entries.into_iter().map(|entry| entry.name).filter(|file| is_token_file(file) && is_behind(file)).collect();
        files.sort_unstable();
        Ok(files)
    }

    fn place(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn corrupt(&self, file: &str, what: &str) -> StateError {
        StateError::corrupt(self.place(file), what)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answering(&self) -> Result<()> {
        self.answers(*self.gate())
    }

    fn answers(&self, gate: Gate) -> Result<()> {
        match gate {
            Gate::Open => Ok(()),
            Gate::Poisoned => Err(StateError::Poisoned { place: self.folder.path().display().to_string() }),
            Gate::Closed => Err(StateError::Closed),
        }
    }
}

fn token_file(collection: &str) -> Result<String> {
    Ok(format!("{}{TOKEN_END}", escaped(collection)?))
}

fn lock_file(lock: &str) -> Result<String> {
    Ok(format!("{}{LOCK_END}", escaped(lock)?))
}

fn escaped(text: &str) -> Result<String> {
    name::of_key(text).map_err(|error| StateError::invalid(error.to_string()))
}

fn is_token_file(file: &str) -> bool {
    file.strip_suffix(TOKEN_END).is_some_and(|escaped| name::parse(escaped).is_some())
}
