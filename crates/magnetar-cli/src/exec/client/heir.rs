//! Handing on the locks of sessions.

use std::{
    fs::File,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// Duplicates of the locks of all sessions so far, and the ways to the supervisors, which hold duplicates too.
///
/// A file that is sent over a socket counts as open while it is on its way. A supervisor never takes it out of its end of
/// the socket, so it is open until that process ends, and no message can come too late.
#[derive(Default)]
pub(super) struct Heirloom(Mutex<Held>);

#[derive(Default)]
struct Held {
    locks: Vec<File>,
    heirs: Vec<UnixStream>,
}

impl Heirloom {
    /// Hands on the lock of a new session.
    pub(super) fn add(&self, lock: &File) -> io::Result<()> {
        let mut held = self.held();
        let mut living = Vec::new();
        for heir in std::mem::take(&mut held.heirs) {
            match send(&heir, lock) {
                // It was killed, and whoever takes its place gets all locks.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                sent => {
                    sent?;
                    living.push(heir);
                }
            }
        }
        held.heirs = living;
        held.locks.push(lock.try_clone()?);
        Ok(())
    }

    /// Hands on all locks to a new supervisor.
    pub(super) fn pass_on(&self, heir: UnixStream) -> io::Result<()> {
        let mut held = self.held();
        held.locks.iter().try_for_each(|lock| send(&heir, lock))?;
        held.heirs.push(heir);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(heir: &UnixStream, lock: &File) -> io::Result<()> {
    let files = [lock.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("a message has no room for one file"));
    }
    // A file travels with a byte at least.
    sendmsg(heir, &[IoSlice::new(b"l")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock_file(folder: &tempfile::TempDir) -> File {
        let path = folder.path().join("lock");
        File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
    }

    #[test]
    fn lock_stays_held_as_long_as_an_heir_has_its_end_of_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let (early, late) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let heirloom = Heirloom::default();
        heirloom.pass_on(early.0).unwrap();
        let lock = lock_file(&folder);
        lock.try_lock().unwrap();
        heirloom.add(&lock).unwrap();
        heirloom.pass_on(late.0).unwrap();
        drop((lock, heirloom));
        for heir in [early.1, late.1] {
            assert!(lock_file(&folder).try_lock().is_err());
            drop(heir);
        }
        lock_file(&folder).try_lock().unwrap();
    }

    #[test]
    fn heir_that_is_gone_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let heirloom = Heirloom::default();
        let (gone, alive) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        for heir in [gone.0, alive.0] {
            heirloom.pass_on(heir).unwrap();
        }
        drop(gone.1);
        for _ in 0..2 {
            heirloom.add(&lock_file(&folder)).unwrap();
        }
        assert_eq!(heirloom.held().heirs.len(), 1);
    }
}
