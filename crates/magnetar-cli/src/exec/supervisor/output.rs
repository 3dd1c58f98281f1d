//! What a command prints: read as it comes, so that it never waits for long, and kept in part.

use std::{convert::Infallible, future::pending, io, os::fd::OwnedFd, time::Duration};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::{Errno, read},
};
use tokio::{net::unix::pipe::Receiver, time::sleep};

use crate::exec::tail::{Ring, Tail};

/// How long nothing is read at first. A command that is over by then, as short ones are, is read once; watching its pipes
/// would cost more than that. One that prints much at once fills a pipe and waits for no longer than this.
const PATIENCE: Duration = Duration::from_millis(3);
/// Bytes that are read at once, as many as a pipe of Linux holds.
const READ_BYTES: usize = 64 << 10;
/// Reads of what is left in a pipe after the command's end: it was all there by then, unless somebody else goes on writing.
const LAST_READS_MAX: usize = 32;

/// One stream of a command.
pub(super) struct Output {
    source: Source,
    ring: Ring,
}

enum Source {
    /// Nobody has looked yet.
    Pipe(OwnedFd),
    /// Watched for what comes.
    Watched(Receiver),
    /// Its other end is closed, or it cannot be read.
    Ended,
}

/// Reads both streams as long as somebody polls.
pub(super) async fn pump(stdout: &mut Output, stderr: &mut Output) -> Infallible {
    sleep(PATIENCE).await;
    tokio::select! {
        never = stdout.pump() => never,
        never = stderr.pump() => never,
    }
}

impl Output {
    /// The stream that comes through this pipe.
    pub(super) fn new(pipe: impl Into<OwnedFd>) -> Self {
        Self { source: Source::Pipe(pipe.into()), ring: Ring::default() }
    }

    async fn pump(&mut self) -> Infallible {
        if let Source::Pipe(pipe) = std::mem::replace(&mut self.source, Source::Ended) {
            self.source = Receiver::from_owned_fd(pipe).map_or(Source::Ended, Source::Watched);
        }
        let mut buffer = Vec::new();
        while let Source::Watched(pipe) = &self.source {
            // Memory need not be there before something comes.
            if pipe.readable().await.is_ok() {
                buffer.resize(READ_BYTES, 0);
            }
            match pipe.try_read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => self.source = Source::Ended,
                Ok(len) => self.ring.push(buffer.get(..len).unwrap_or_default()),
            }
        }
        pending().await
    }

    /// Takes what is still in the pipe, without waiting for anybody who holds its other end.
    pub(super) fn finish(mut self, buffer: &mut Vec<u8>) -> Tail {
        let pipe = match self.source {
            Source::Pipe(pipe) => Some(pipe),
            Source::Watched(receiver) => receiver.into_nonblocking_fd().ok(),
            Source::Ended => None,
        };
        if let Some(pipe) = pipe.filter(|pipe| never_block(pipe).is_ok()) {
            buffer.resize(READ_BYTES, 0);
            for _ in 0..LAST_READS_MAX {
                match read(&pipe, &mut **buffer) {
                    Ok(0) => break,
                    Ok(len) => self.ring.push(buffer.get(..len).unwrap_or_default()),
                    Err(Errno::INTR) => {}
                    Err(_) => break,
                }
            }
        }
        self.ring.into_tail()
    }
}

fn never_block(pipe: &OwnedFd) -> Result<(), Errno> {
    fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)
}
