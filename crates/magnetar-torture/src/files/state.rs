//! Resume tokens, and locks, on a folder that loses what was not flushed.
//!
//! Each is a subject of its own with one file. What a failed flush leaves of another file is not acknowledged: it may be seen, and be gone after
//! a power cut, until that file is written again.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use magnetar_state::{Document, Epoch, FileOptions, Files, Guard, Loaded, Lock, StateError, Timestamp, WriteId, doc};
use magnetar_testkit::{ManualClock, SimFolder};

use super::Subject;

/// The store of resume tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateFiles;

/// The locks beside them.
#[derive(Clone, Copy, Debug, Default)]
pub struct LockFiles;

/// Everything that there is to see of a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenSight {
    token: Option<u64>,
    version: u64,
    epoch: u64,
}

/// Everything that there is to see of a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockSight {
    epoch: u64,
    is_held: bool,
}

const COLLECTION: &str = "shop.orders";
const LOCK: &str = "work";
const SAVE: usize = 0;
/// And [`Subject::OPS`] is one more: the last write is sent again, as by one who has lost its reply. That acknowledges it.
const CLEAR: usize = 1;
/// Bytes of padding: a file in one sector more, or less.
const PADDING_BYTES: u64 = 500;

impl Subject for StateFiles {
    type Sight = TokenSight;
    type Handle = Files;

    const RIG: &'static str = "files-state";
    const OPS: usize = 3;

    fn open(&self, folder: &SimFolder) -> Result<Files> {
        open(folder)
    }

    fn act(&self, files: &Files, op: usize, number: u64) -> Result<()> {
        // Each writer is later than the one before, so that an epoch that sank would be seen.
        let guard = Guard::epoch(Epoch::new(number));
        match op {
            SAVE => files.save(COLLECTION, token(number)?, guard.write_id(WriteId::new(number.into())), None).map(drop)?,
            CLEAR => files.clear(COLLECTION, guard.write_id(WriteId::new(number.into()))).map(drop)?,
            _ => repeat(files)?,
        }
        Ok(())
    }

    fn nothing(&self) -> TokenSight {
        TokenSight::default()
    }

    fn after(&self, before: &TokenSight, op: usize, number: u64) -> TokenSight {
        match op {
            SAVE => TokenSight { token: Some(number), version: before.version + 1, epoch: number },
            CLEAR => TokenSight { token: None, version: before.version + 1, epoch: number },
            _ => *before,
        }
    }

    fn look(&self, folder: &SimFolder) -> Result<TokenSight> {
        let files = open(folder)?;
        let damaged = files.list(None, 10)?.damaged;
        ensure!(damaged.is_empty(), "there are damaged files: {damaged:?}");
        see(&files)
    }
}

impl Subject for LockFiles {
    type Sight = LockSight;
    type Handle = Files;

    const RIG: &'static str = "files-lock";
    const OPS: usize = 1;

    fn open(&self, folder: &SimFolder) -> Result<Files> {
        open(folder)
    }

    /// Takes the lock where it is free, and gives it back where it is not.
    fn act(&self, files: &Files, _op: usize, _number: u64) -> Result<()> {
        match files.holder(LOCK)? {
            None => files.acquire(LOCK, Duration::MAX).map(drop)?,
            Some(epoch) => files.release(&Lock::new(LOCK, epoch, Timestamp::default()))?,
        }
        Ok(())
    }

    fn nothing(&self) -> LockSight {
        LockSight::default()
    }

    fn after(&self, before: &LockSight, _op: usize, _number: u64) -> LockSight {
        LockSight { epoch: before.epoch + u64::from(!before.is_held), is_held: !before.is_held }
    }

    fn look(&self, folder: &SimFolder) -> Result<LockSight> {
        if let Some(epoch) = open(folder)?.holder(LOCK)? {
            return Ok(LockSight { epoch: epoch.get(), is_held: true });
        }
        // The last epoch of a lock that nobody holds is told by taking it, in a copy of the folder.
        let taken = open(&folder.now().kept())?.acquire(LOCK, Duration::MAX)?;
        Ok(LockSight { epoch: taken.epoch().get() - 1, is_held: false })
    }
}

/// Sends the last write again, whatever it was.
fn repeat(files: &Files) -> Result<()> {
    let sight = see(files)?;
    let guard = Guard::epoch(Epoch::new(sight.epoch)).write_id(WriteId::new(sight.epoch.into()));
    let saved = match sight.token {
        Some(number) => files.save(COLLECTION, token(number)?, guard, None)?,
        None => files.clear(COLLECTION, guard)?,
    };
    ensure!(saved.version.get() == sight.version, "sent again, it has made a version: {saved:?} after {sight:?}");
    Ok(())
}

fn open(folder: &SimFolder) -> Result<Files> {
    let options = FileOptions::new("simulated").clock(Arc::new(ManualClock::default()));
    Ok(options.open_in(Arc::new(folder.clone()))?)
}

fn token(number: u64) -> Result<Document> {
    let padding = "x".repeat(usize::try_from(number % 3 * PADDING_BYTES)?);
    Ok(doc! { "number": i64::try_from(number)?, "padding": padding })
}

fn see(files: &Files) -> Result<TokenSight> {
    match files.load(COLLECTION)? {
        Loaded::Found(entry) => {
            Ok(TokenSight { token: Some(number_of(&entry.token)?), version: entry.version.get(), epoch: entry.epoch.get() })
        }
        _ => cleared(files),
    }
}

/// The number of a token, which must be the whole token that was saved under it.
fn number_of(found: &Document) -> Result<u64> {
    let number = u64::try_from(found.get_i64("number")?)?;
    ensure!(*found == token(number)?, "it is none that was saved: {found:?}");
    Ok(number)
}

/// What stays of a collection without a token, told by clears that change nothing.
fn cleared(files: &Files) -> Result<TokenSight> {
    let epoch = match files.clear(COLLECTION, Guard::default()) {
        Err(StateError::Fenced { current, .. }) => current,
        other => return Ok(TokenSight { version: other?.version.get(), ..TokenSight::default() }),
    };
    let version = files.clear(COLLECTION, Guard::epoch(epoch))?.version;
    Ok(TokenSight { token: None, version: version.get(), epoch: epoch.get() })
}
