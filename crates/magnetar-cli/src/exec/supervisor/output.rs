//! What a command prints: read as it comes, so that it never waits, and kept in part.

use std::{convert::Infallible, future::pending, io, os::fd::OwnedFd};

use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver};

use crate::exec::tail::{Ring, Tail};

/// Bytes that are read at once, as many as a pipe of Linux holds.
const READ_BYTES: usize = 64 << 10;
/// Reads of what is left in a pipe after the command's end: it was all there by then, unless somebody else goes on writing.
const LAST_READS_MAX: usize = 32;

/// One stream of a command.
pub(super) struct Output {
    /// None once its other end is closed.
    pipe: Option<Receiver>,
    ring: Ring,
}

impl Output {
    /// The stream that comes through this pipe.
    pub(super) fn new(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self { pipe: Some(Receiver::from_owned_fd(pipe.into())?), ring: Ring::default() })
    }

    /// Reads as long as somebody polls.
    pub(super) async fn pump(&mut self) -> Infallible {
        let mut buffer = Vec::new();
        while let Some(pipe) = &mut self.pipe {
            // Most commands print nothing, and memory for it need not be there before something comes.
            if pipe.readable().await.is_ok() {
                buffer.resize(READ_BYTES, 0);
            }
            match pipe.read(&mut buffer).await {
                Ok(0) | Err(_) => self.pipe = None,
                Ok(len) => self.ring.push(buffer.get(..len).unwrap_or_default()),
            }
        }
        pending().await
    }

    /// Takes what is still in the pipe, without waiting for anybody who holds its other end.
    pub(super) fn finish(mut self) -> Tail {
        if let Some(pipe) = &self.pipe {
            let mut buffer = vec![0; READ_BYTES];
            for _ in 0..LAST_READS_MAX {
                match pipe.try_read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(len) => self.ring.push(buffer.get(..len).unwrap_or_default()),
                }
            }
        }
        self.ring.into_tail()
    }
}
