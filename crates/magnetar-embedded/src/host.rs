//! Lock files: what the kernel tells at once when a process on this host is gone.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io,
    path::PathBuf,
};

use magnetar_core::{Error, ErrorKind, Result, SessionId};

use crate::{
    heir::LockHeir,
    locks::{Locks, NoLocks},
    row::LockMark,
};

const PREFIX: &str = "session-";

/// Lock files in a folder beside the store, one a session: `session-<number>`.
pub(crate) struct FileLocks {
    folder: PathBuf,
    boot: u64,
    /// The files of this handle's own sessions, locked.
    held: HashMap<SessionId, File>,
    heir: Option<LockHeir>,
}

impl FileLocks {
    /// Lock files in this folder; none where there is no folder, or where the host cannot tell one boot from another.
    pub(crate) fn in_folder(folder: Option<PathBuf>, heir: Option<LockHeir>) -> Box<dyn Locks> {
        match (folder, boot()) {
            (Some(folder), Some(boot)) => Box::new(Self { folder, boot, held: HashMap::new(), heir }),
            _ => Box::new(NoLocks),
        }
    }

    fn path(&self, session: SessionId) -> PathBuf {
        self.folder.join(format!("{PREFIX}{session}"))
    }

    fn open(&self, session: SessionId) -> Option<File> {
        OpenOptions::new().read(true).write(true).open(self.path(session)).ok()
    }

    fn error(&self, error: io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull => ErrorKind::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("make a lock file in {}; the folder must be writable", self.folder.display())).with_source(error)
    }

    fn bequeath(&self, session: SessionId, file: &File) -> Result<()> {
        let kept = self.heir.as_ref().map_or(Ok(()), |heir| heir.keep(file));
        kept.map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("hand the lock of session {session} to its heir")).with_source(error)
        })
    }

    fn create(&self, session: SessionId) -> io::Result<File> {
        create_private_folder(&self.folder)?;
        // A file of this number that nobody holds was left by an open that did not commit.
        let file = private().read(true).write(true).create(true).truncate(false).open(self.path(session))?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(file)
    }
}

impl Locks for FileLocks {
    fn take(&mut self, session: SessionId) -> Result<Option<LockMark>> {
        // A session that did not commit is begun again under its number. Its heir has the lock already, so this handle could not
        // take it anew.
        let file = match self.held.remove(&session) {
            Some(file) => file,
            None => self.create(session).map_err(|error| self.error(error))?,
        };
        let mark = mark(&file, self.boot).map_err(|error| self.error(error))?;
        self.bequeath(session, &file)?;
        self.held.insert(session, file);
        Ok(Some(mark))
    }

    fn is_free(&mut self, session: SessionId, recorded: LockMark) -> bool {
        // The lock goes with the file at the end of this: another handle that asks must find it free too, and this one may
        // be stopped before it has taken everything back.
        self.open(session)
            .is_some_and(|file| mark(&file, self.boot).is_ok_and(|mark| mark == recorded) && file.try_lock().is_ok())
    }

    fn bury(&mut self, session: SessionId) {
        let own = self.held.remove(&session);
        let is_free = || self.open(session).filter(|file| file.try_lock().is_ok());
        // Removed while its lock is held, so that it is nobody's who lives. A file that stays is swept by a later open.
        if let Some(file) = own.or_else(is_free) {
            let _ = fs::remove_file(self.path(session));
            drop(file);
        }
    }

    fn sweep(&mut self, sessions: &[SessionId]) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|number| number.parse().ok());
            let Some(session) = number.map(SessionId::new).filter(|session| !sessions.contains(session)) else { continue };
            self.bury(session);
        }
    }
}

#[cfg(unix)]
fn mark(file: &File, boot: u64) -> io::Result<LockMark> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata()?;
    Ok(LockMark { boot, device: metadata.dev(), inode: metadata.ino() })
}

#[cfg(not(unix))]
fn mark(_file: &File, _boot: u64) -> io::Result<LockMark> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

fn create_private_folder(folder: &std::path::Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A number of this boot of the host; none on systems that have no such thing to read.
fn boot() -> Option<u64> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn locks(folder: &tempfile::TempDir) -> Box<dyn Locks> {
        with_heir(folder, None)
    }

    fn with_heir(folder: &tempfile::TempDir, heir: Option<LockHeir>) -> Box<dyn Locks> {
        FileLocks::in_folder(Some(folder.path().join("locks")), heir)
    }

    /// An heir that keeps what it is shown here.
    fn keeper() -> (LockHeir, Arc<Mutex<Vec<File>>>) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&kept);
        let heir = LockHeir::new(move |file| {
            own.lock().unwrap().push(file.try_clone()?);
            Ok(())
        });
        (heir, kept)
    }

    #[test]
    fn lock_is_free_only_once_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (session, mut other) = (SessionId::new(7), locks(&folder));
        let mut holder = locks(&folder);
        let mark = holder.take(session).unwrap().unwrap();
        assert!(!other.is_free(session, mark));
        drop(holder);
        assert!(other.is_free(session, mark));
    }

    #[test]
    fn heir_keeps_the_session_alive_after_the_handle_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (session, mut other) = (SessionId::new(7), locks(&folder));
        let (heir, kept) = keeper();
        let mark = with_heir(&folder, Some(heir)).take(session).unwrap().unwrap();
        assert!(!other.is_free(session, mark));
        other.bury(session);
        assert!(folder.path().join("locks/session-7").exists());
        kept.lock().unwrap().clear();
        assert!(other.is_free(session, mark));
    }

    #[test]
    fn session_that_did_not_commit_is_begun_again_although_the_heir_has_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (heir, kept) = keeper();
        let mut holder = with_heir(&folder, Some(heir));
        let mark = holder.take(SessionId::new(7)).unwrap();
        assert_eq!(holder.take(SessionId::new(7)).unwrap(), mark);
        assert_eq!(kept.lock().unwrap().len(), 2);
    }

    #[test]
    fn heir_that_fails_keeps_the_session_from_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let mut holder = with_heir(&folder, Some(LockHeir::new(|_| Err(io::ErrorKind::BrokenPipe.into()))));
        let error = holder.take(SessionId::new(7)).unwrap_err();
        assert!(error.to_string().contains("session 7"), "{error}");
    }

    #[test]
    fn every_handle_that_asks_finds_the_lock_of_the_dead_free_until_it_is_buried() {
        let folder = tempfile::tempdir().unwrap();
        let (session, mut one, mut other) = (SessionId::new(7), locks(&folder), locks(&folder));
        let mark = locks(&folder).take(session).unwrap().unwrap();
        assert!(one.is_free(session, mark) && other.is_free(session, mark) && one.is_free(session, mark));
        one.bury(session);
        assert!(!other.is_free(session, mark));
        assert!(!folder.path().join("locks/session-7").exists());
    }

    #[test]
    fn burying_one_that_lives_leaves_it_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (session, mut holder) = (SessionId::new(7), locks(&folder));
        let mark = holder.take(session).unwrap().unwrap();
        locks(&folder).bury(session);
        assert!(!locks(&folder).is_free(session, mark));
        assert!(folder.path().join("locks/session-7").exists());
    }

    #[test]
    fn free_lock_of_another_file_or_boot_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let session = SessionId::new(7);
        let mark = locks(&folder).take(session).unwrap().unwrap();
        for other in [LockMark { boot: mark.boot ^ 1, ..mark }, LockMark { inode: mark.inode + 1, ..mark }] {
            assert!(!locks(&folder).is_free(session, other));
        }
    }

    #[test]
    fn sweep_removes_what_no_session_has_and_nobody_holds() {
        let folder = tempfile::tempdir().unwrap();
        let (stays, held, goes) = (SessionId::new(1), SessionId::new(2), SessionId::new(3));
        for session in [stays, goes] {
            locks(&folder).take(session).unwrap();
        }
        let mut holder = locks(&folder);
        holder.take(held).unwrap();
        locks(&folder).sweep(&[stays]);
        let mut left: Vec<_> =
            fs::read_dir(folder.path().join("locks")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["session-1", "session-2"]);
    }

    #[test]
    fn lock_files_are_private() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let mut holder = locks(&folder);
        holder.take(SessionId::new(1)).unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().join("locks")), 0o700);
        assert_eq!(mode(folder.path().join("locks/session-1")), 0o600);
    }
}
