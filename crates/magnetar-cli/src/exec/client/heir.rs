//! Handing on the locks of sessions.

use std::{
    fs::File,
    io::{self, IoSlice},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Mutex, PoisonError},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// Duplicates of the locks of all sessions so far, and the way to the supervisor that holds duplicates too.
///
/// A file that is sent over a socket counts as open while it is on its way. The supervisor never takes it out of its end of
/// the socket, so it is open until that process ends, and no message can come too late.
#[derive(Default)]
pub(super) struct Heirloom(Mutex<Held>);

#[derive(Default)]
struct Held {
    locks: Vec<File>,
    socket: Option<UnixStream>,
}

impl Heirloom {
    /// Hands on the lock of a new session.
    pub(super) fn add(&self, lock: &File) -> io::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = &held.socket {
            match send(socket, lock) {
                // This supervisor was killed. The next one gets all the locks.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                sent => sent?,
            }
        }
        held.locks.push(lock.try_clone()?);
        Ok(())
    }

    /// Hands on all locks to a new supervisor.
    pub(super) fn pass_on(&self, socket: UnixStream) -> io::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.locks.iter().try_for_each(|lock| send(&socket, lock))?;
        held.socket = Some(socket);
        Ok(())
    }
}

fn send(socket: &UnixStream, lock: &File) -> io::Result<()> {
    let files = [lock.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("a message has no room for one file"));
    }
    // A file travels with a byte at least.
    sendmsg(socket, &[IoSlice::new(b"l")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}
